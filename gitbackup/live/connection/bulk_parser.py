"""Replies in bulk, straight from hiredis: redis-py takes microseconds more for each."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import Any

from hiredis import PushNotification
from redis._parsers import _HiredisParser
from redis._parsers.hiredis import NOT_ENOUGH_DATA
from redis.exceptions import InvalidResponse

PIECE = 256 * 1024  # bytes received at once
SLOWEST = 256  # bytes a second, at which an answer may come for ever
MOST = 2 * 1024**3  # bytes of what is asked for at once; no answer is larger
MOST_UNASKED = 1 << 17  # messages that nobody asked for, between two answers or two looks at them


def left_after(left: float, began: float, came: int, patience: float) -> float:
    """Return for how many seconds a server may keep waiting, `left` of which there were at `began`.

    What has come meanwhile earns it some, so that one that is slow is not one that never ends.
    """
    return min(patience, left - (time.monotonic() - began) + came / SLOWEST)


class BulkParser(_HiredisParser):
    """The parser of a connection, which can also be asked for many replies at once.

    `told` is what the server has said unasked, in order; whoever reads it takes it away. An
    answer that keeps us waiting for longer than `patience`, the connection's timeout, in all
    raises TimeoutError, but that each byte of it earns it some time.
    """

    def __init__(self, socket_read_size: int) -> None:
        super().__init__(socket_read_size)  # type: ignore[no-untyped-call]
        self.told: list[list[Any]] = []
        self._held = bytearray()  # of what is received up to markers
        self._left = self.patience = 0.0  # seconds
        self._came = 0  # bytes of what was asked for

    def on_connect(self, connection: Any, **options: Any) -> None:
        super().on_connect(connection, **options)  # type: ignore[no-untyped-call]
        self.patience = connection.socket_timeout

    def many(self, count: int, decoded: bool = True) -> list[Any]:
        """That many replies, error replies among them as exceptions that are not raised.

        Their text is in bytes where it is not to be `decoded`.

        Raises redis-py's ConnectionError or TimeoutError where the server goes away, OSError where
        it says more than anybody asked for.
        """
        self._begin()
        replies: list[Any] = []
        gets = partial(self._reader.gets, decoded)
        unasked = 0
        while missing := count - len(replies):
            found = [*islice(iter(gets, NOT_ENOUGH_DATA), missing)]
            if len(found) < missing:
                self._reader.feed(self._more())
            if PushNotification in map(type, found):
                said = [reply for reply in found if type(reply) is PushNotification]
                found = [reply for reply in found if type(reply) is not PushNotification]
                unasked = len(said) + (0 if found else unasked)
                self._expect_end(unasked)
                self.told += said
            replies += found
        return replies

    def parse(self, replies: bytes) -> list[Any]:
        """The replies that these bytes are; none may be half received.

        Raises InvalidResponse where they are none.
        """
        self._reader.feed(replies)
        found = [*iter(self._reader.gets, NOT_ENOUGH_DATA)]
        if self._reader.has_data():
            raise InvalidResponse("an incomplete reply")
        return found

    def up_to(self, markers: Sequence[bytes]) -> list[bytes]:
        """The bytes of the replies up to each of these markers, which come in this order.

        What else has come is kept for the next time: until all was received in this way, no
        reply can be in another. Raises OSError where the server goes away.
        """
        self._begin()
        found: list[bytes] = []
        held, start, looked = self._held, 0, 0
        for marker in markers:
            while (end := held.find(marker, looked)) < 0:
                looked = max(start, len(held) - len(marker) + 1)
                held += self._more()
            found.append(bytes(memoryview(held)[start:end]))
            start = looked = end + len(marker)
        del held[:start]
        return found

    def are(self, expected: bytes) -> bool:
        """Whether just these bytes come next, which end with a reply; then they are taken.

        Others are still to be received, and so are these where some bytes of them have come with
        what was before. Raises OSError where the server goes away.
        """
        if self._reader.has_data():
            return False
        self._begin()
        held = b""
        while len(held) < len(expected):
            held += self._more(len(expected) - len(held))
            if not expected.startswith(held):
                self._reader.feed(held)
                return False
        return True

    def _begin(self) -> None:
        """Something else is waited for."""
        self._left, self._came = self.patience, 0

    def _more(self, most: int = PIECE) -> bytes:
        """What comes next. Raises OSError where nothing does, or too slowly, or too much."""
        began = time.monotonic()
        self._sock.settimeout(max(self._left, 0.001))
        try:
            piece: bytes = self._sock.recv(most)
        except TimeoutError:
            raise TimeoutError(self._kept_waiting()) from None
        finally:
            self._sock.settimeout(self.patience)
        if not piece:
            raise ConnectionResetError("Connection closed by server.")
        self._came += len(piece)
        self._left = left_after(self._left, began, len(piece), self.patience)
        if self._left <= 0:
            raise TimeoutError(self._kept_waiting())
        if self._came > MOST:
            raise ConnectionAbortedError(f"its answer has not ended after {self._came:,} bytes")
        return piece

    def _expect_end(self, unasked: int) -> None:
        """Raise OSError where so much is said unasked that it may never end."""
        if unasked > MOST_UNASKED:
            raise ConnectionAbortedError(f"it sent {unasked:,} messages that were not requested")

    def _kept_waiting(self) -> str:
        how = "answers too slowly" if self._came else "does not answer"
        return f"it {how}, with a timeout of {self.patience:g} s"

    def drain(self, seconds: float) -> None:
        """Takes to `told` what has arrived by now, while no reply is under way.

        Where that is nothing, it waits so long for some. Raises InvalidResponse for a reply,
        OSError where it does not end.
        """
        self._begin()
        before = len(self.told)
        while self.read_from_socket(seconds, raise_on_timeout=False):  # type: ignore[no-untyped-call]
            seconds = 0
            self._expect_end(len(self.told) - before)
            while (said := self._reader.gets()) is not NOT_ENOUGH_DATA:
                if type(said) is not PushNotification:
                    raise InvalidResponse("a reply that was not requested")
                self.told.append(said)

    @property
    def source(self) -> socket.socket:
        """Where the replies come from; for what is sent in another form than theirs."""
        source: socket.socket = self._sock
        return source
