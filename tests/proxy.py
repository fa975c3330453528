"""Stands between a client and a server, and cuts, or changes, what passes after so many bytes."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, suppress
from pathlib import Path

PIECE = 1 << 16
Event = Callable[[bytes], bytes]
"""What happens at a byte: it is given what was to pass from there on, and gives what does."""


class Proxy(AbstractContextManager["Proxy"]):
    """Passes on what comes either way, until as many bytes have passed as are allowed.

    Then every connection is cut, in the middle of what was under way, and none is let in; or
    something else happens, once.
    """

    def __init__(self, server: str, path: Path) -> None:
        self.url = f"unix://{path}"
        self.passed = 0
        self.replied = 0  # the server's part of `passed`
        self._left: int | None = None
        self._event: tuple[int, Event, bool] | None = None
        self._server = server.removeprefix("unix://")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._waker, self._wake = socket.socketpair()
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._servers: set[socket.socket] = set()  # the ends that the server speaks at
        self._selector = selectors.DefaultSelector()
        self._thread = threading.Thread(target=self._run)

    def allow(self, count: int) -> None:
        """Lets that many bytes pass from now on."""
        self._left = count

    def at(self, count: int, event: Event, of_replies: bool = False) -> None:
        """Has `event` happen after so many more bytes, or so many of the server's."""
        self._event = (count + (self.replied if of_replies else self.passed), event, of_replies)

    def as_ever(self) -> None:
        """Lets everything pass from now on."""
        self._left = self._event = None

    def cut(self) -> None:
        """Ends every connection, and lets none in; to be called by an event."""
        self._left = 0

    def __enter__(self) -> Proxy:
        for one in (self._listener, self._waker):
            self._selector.register(one, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._wake.send(b"x")
        self._thread.join()
        for one in (self._listener, self._waker, self._wake, self._selector):
            one.close()

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                one = key.fileobj
                if one is self._waker:
                    self._cut()
                    return
                if one is self._listener:
                    self._let_in()
                elif one in self._pairs:
                    self._pass_on(one)

    def _let_in(self) -> None:
        ours, _ = self._listener.accept()
        if self._left is not None and self._left <= 0:
            ours.close()
            return
        theirs = socket.socket(socket.AF_UNIX)
        try:
            theirs.connect(self._server)
        except OSError:
            for end in (ours, theirs):
                end.close()
            return
        self._servers.add(theirs)
        for one, other in ((ours, theirs), (theirs, ours)):
            self._pairs[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _pass_on(self, one: socket.socket) -> None:
        try:
            data = one.recv(PIECE)
            if self._left is not None:
                data, self._left = data[: self._left], max(self._left - len(data), 0)
            data = self._happen(data, one in self._servers)
            self._pairs[one].sendall(data)
        except OSError:
            data = b""
        self.passed += len(data)
        if one in self._servers:
            self.replied += len(data)
        if self._left == 0:
            self._cut()
        elif not data:
            self._close(one)

    def _happen(self, data: bytes, replies: bool) -> bytes:
        """What is left of the data once the event has happened, if it is its turn."""
        if self._event is None:
            return data
        count, event, of_replies = self._event
        if of_replies and not replies:
            return data
        before = count - (self.replied if of_replies else self.passed)
        if before >= len(data):
            return data
        self._event = None
        return data[:before] + event(data[before:])

    def _cut(self) -> None:
        for one in [*self._pairs]:
            self._close(one)

    def _close(self, one: socket.socket) -> None:
        other = self._pairs.pop(one, None)
        if other is None:
            return
        del self._pairs[other]
        self._servers -= {one, other}
        for end in (one, other):
            self._selector.unregister(end)
            end.close()


class Refusing(AbstractContextManager["Refusing"]):
    """Passes on commands, but those that begin with words that a service does not know.

    Of these the server gets the name with an X before it, so that it refuses them itself, in
    their turn, also in a transaction. Commands are in the protocol's form, as ours are.
    """

    def __init__(self, server: str, path: Path, unknown: Collection[str]) -> None:
        self.url = f"unix://{path}"
        self._server = server.removeprefix("unix://")
        self._unknown = {*unknown}
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._ends: list[socket.socket] = []

    def __enter__(self) -> Refusing:
        threading.Thread(target=self._let_in, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._listener, *self._ends):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _let_in(self) -> None:
        with suppress(OSError):
            while True:
                ours, _ = self._listener.accept()
                theirs = socket.socket(socket.AF_UNIX)
                theirs.connect(self._server)
                self._ends += ours, theirs
                for target in (self._ask, self._answer):
                    threading.Thread(target=target, args=(ours, theirs), daemon=True).start()

    def _ask(self, ours: socket.socket, theirs: socket.socket) -> None:
        with suppress(OSError, ValueError), ours.makefile("rb") as said:
            while head := said.readline():
                words = [said.read(int(said.readline()[1:]) + 2)[:-2] for _ in range(int(head[1:]))]
                names = [word.decode("latin-1").upper() for word in words[:2]]
                if not self._unknown.isdisjoint((names[0], " ".join(names))):
                    words[0] = b"X" + words[0]
                parts = [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
                theirs.sendall(b"*%d\r\n" % len(words) + b"".join(parts))
        _end(theirs)

    def _answer(self, ours: socket.socket, theirs: socket.socket) -> None:
        with suppress(OSError):
            while data := theirs.recv(PIECE):
                ours.sendall(data)
        _end(ours)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
