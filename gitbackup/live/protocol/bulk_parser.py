"""Replies in bulk, straight from a socket and hiredis's reader."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import Any

from hiredis import ProtocolError, PushNotification, Reader

from gitbackup.format import codec

NOT_ENOUGH_DATA = object()
NOTHING_YET = (BlockingIOError, TimeoutError)
TLS_NOTHING_YET = "SSLWantReadError"  # by name: to import ssl takes as long as to dial
CLOSED = "Connection closed by server."
PIECE = 256 * 1024  # bytes received at once
LARGE = 1024 * 1024  # bytes of a text that may be written text
SLOWEST = 256  # bytes a second, at which an answer may come for ever
MOST = 2 * 1024**3  # bytes of what is asked for at once; no answer is larger
MOST_UNASKED = 1 << 17  # messages that nobody asked for, between two answers or two looks at them


class Refusal(Exception):
    """An error reply among the replies of a batch, in the server's words."""

    @property
    def why(self) -> str:
        """The same, without the code that an error has of which there is nothing else to say."""
        return str(self).removeprefix("ERR ")


def left_after(left: float, began: float, came: int, patience: float) -> float:
    """Return for how many seconds a server may keep waiting, `left` of which there were at `began`.

    What has come meanwhile earns it some, so that one that is slow is not one that never ends.
    """
    return min(patience, left - (time.monotonic() - began) + came / SLOWEST)


class BulkParser:
    """Reads from the socket of a connection; it can be asked for many replies at once.

    `told` is what the server has said unasked, in order; whoever reads it takes it away. An
    answer that keeps us waiting for longer than `patience`, the socket's timeout, in all
    raises TimeoutError, but that each byte of it earns it some time.
    """

    def __init__(self, source: socket.socket) -> None:
        self.source = source
        """Where the replies come from; for what is sent in another form than theirs."""
        self.patience = source.gettimeout() or 0.0  # seconds
        self._reader = _reader()
        self.told: list[list[Any]] = []
        self._held = bytearray()  # of what is received up to markers
        self._left = 0.0  # seconds
        self._came = 0  # bytes of what was asked for

    def many(self, count: int, decoded: bool = True, written: bool = False) -> list[Any]:
        """Return so many replies, error replies among them as exceptions that are not raised.

        Their text is in bytes where it is not to be `decoded`. It may be `written` if it is large.

        Raises OSError if the server goes away, or says more than anybody asked for.
        """
        self._begin()
        replies: list[Any] = []
        unasked = waiting = 0
        large = False  # whether one came: from then on all is decoded here, also what had begun
        while missing := count - len(replies):
            large = large or (written and waiting > LARGE)
            found = self._complete(missing, decoded and not large)
            if found and large:
                if len(found) == missing and not self._reader.has_data():
                    # The old one keeps the memory of what it has given. It was not asked for more
                    # replies than it gave, so it holds no part of another.
                    self._reader = _reader()
                _write(found)
            if len(found) < missing:
                piece = self._more()
                self._reader.feed(piece)
                waiting = len(piece) + (0 if found else waiting)
            if PushNotification in map(type, found):
                said = [reply for reply in found if type(reply) is PushNotification]
                found = [reply for reply in found if type(reply) is not PushNotification]
                unasked = len(said) + (0 if found else unasked)
                self._expect_end(unasked)
                self.told += said
            replies += found
        return replies

    def _complete(self, count: int, decoded: bool) -> list[Any]:
        """Return so many replies, or as many as there are of what was received."""
        return [*islice(iter(partial(self._reader.gets, decoded), NOT_ENOUGH_DATA), count)]

    def parse(self, replies: bytes) -> list[Any]:
        """Return the replies in these bytes, when no other reply is half received.

        Raises ProtocolError if they are none.
        """
        self._reader.feed(replies)
        found = [*iter(self._reader.gets, NOT_ENOUGH_DATA)]
        if self._reader.has_data():
            raise ProtocolError("an incomplete reply")
        return found

    def up_to(self, markers: Sequence[bytes]) -> list[bytes]:
        """Return the bytes of the replies up to each of these markers, which come in this order.

        What else has come is kept for the next time: until all was received in this way, no
        reply can be in another. Raises OSError if the server goes away.
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

    def _begin(self) -> None:
        """Begin to wait for something: the time and the bytes that it may take are counted from
        here."""
        self._left, self._came = self.patience, 0

    def _more(self) -> bytes:
        """Return the next bytes. Raises OSError if none come, or too slowly, or too many."""
        began = time.monotonic()
        self.source.settimeout(max(self._left, 0.001))
        try:
            piece: bytes = self.source.recv(PIECE)
        except TimeoutError:
            raise TimeoutError(self._kept_waiting()) from None
        finally:
            self.source.settimeout(self.patience)
        if not piece:
            raise ConnectionResetError(CLOSED)
        self._came += len(piece)
        self._left = left_after(self._left, began, len(piece), self.patience)
        if self._left <= 0:
            raise TimeoutError(self._kept_waiting())
        if self._came > MOST:
            raise ConnectionAbortedError(f"its answer has not ended after {self._came:,} bytes")
        return piece

    def _expect_end(self, unasked: int) -> None:
        """Raise OSError if the server sends so many messages unasked that it may never end."""
        if unasked > MOST_UNASKED:
            raise ConnectionAbortedError(f"it sent {unasked:,} messages that were not requested")

    def _kept_waiting(self) -> str:
        how = "answers too slowly" if self._came else "does not answer"
        return f"it {how}, with a timeout of {self.patience:g} s"

    def drain(self, seconds: float) -> None:
        """Move messages that have arrived by now into `told`, while no reply is under way.

        Where that is nothing, it waits so long for some. Raises ProtocolError for a reply,
        OSError where it does not end.
        """
        self._begin()
        before = len(self.told)
        while self._has_come(seconds):
            seconds = 0
            self._expect_end(len(self.told) - before)
            while (said := self._reader.gets()) is not NOT_ENOUGH_DATA:
                if type(said) is not PushNotification:
                    raise ProtocolError("a reply that was not requested")
                self.told.append(said)

    def _has_come(self, seconds: float) -> bool:
        """Receive what has arrived, or does within some seconds; return whether that is anything.

        Raises OSError if the server goes away.
        """
        self.source.settimeout(seconds)
        try:
            piece = self.source.recv(PIECE)
        except OSError as error:
            if isinstance(error, NOTHING_YET) or type(error).__name__ == TLS_NOTHING_YET:
                return False
            raise
        finally:
            self.source.settimeout(self.patience)
        if not piece:
            raise ConnectionResetError(CLOSED)
        self._reader.feed(piece)
        return True


def _write(replies: list[Any]) -> None:
    """Decode replies in their place; what is large becomes written text."""
    for at, reply in enumerate(replies):
        replies[at] = None  # or the memory of two would be needed
        if type(reply) is bytes:
            replies[at] = codec.write(reply) if len(reply) > LARGE else codec.loose(reply)
        else:
            if isinstance(reply, list):  # or one that nobody asked for
                _write(reply)
            replies[at] = reply


def _reader() -> Reader:
    return Reader(
        replyError=Refusal,
        encoding="utf-8",
        errors="surrogateescape",
        notEnoughData=NOT_ENOUGH_DATA,
    )
