"""Stands between a client and a server, and cuts all connections after so many bytes."""

from __future__ import annotations

import selectors
import socket
import threading
from contextlib import AbstractContextManager
from pathlib import Path

PIECE = 1 << 16


class Proxy(AbstractContextManager["Proxy"]):
    """Passes on what comes either way, until as many bytes have passed as are allowed.

    Then every connection is cut, in the middle of what was under way, and none is let in.
    """

    def __init__(self, server: str, path: Path) -> None:
        self.url = f"unix://{path}"
        self.passed = 0
        self._left: int | None = None
        self._server = server.removeprefix("unix://")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._waker, self._wake = socket.socketpair()
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._thread = threading.Thread(target=self._run)

    def allow(self, count: int) -> None:
        """Lets that many bytes pass from now on."""
        self._left = count

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
                    self._pass_on(one)  # type: ignore[arg-type]

    def _let_in(self) -> None:
        ours, _ = self._listener.accept()
        if self._left is not None and self._left <= 0:
            ours.close()
            return
        theirs = socket.socket(socket.AF_UNIX)
        theirs.connect(self._server)
        for one, other in ((ours, theirs), (theirs, ours)):
            self._pairs[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _pass_on(self, one: socket.socket) -> None:
        try:
            data = one.recv(PIECE)
            if self._left is not None:
                data, self._left = data[: self._left], max(self._left - len(data), 0)
            self._pairs[one].sendall(data)
        except OSError:
            data = b""
        self.passed += len(data)
        if self._left == 0:
            self._cut()
        elif not data:
            self._close(one)

    def _cut(self) -> None:
        for one in [*self._pairs]:
            self._close(one)

    def _close(self, one: socket.socket) -> None:
        other = self._pairs.pop(one, None)
        if other is None:
            return
        del self._pairs[other]
        for end in (one, other):
            self._selector.unregister(end)
            end.close()
