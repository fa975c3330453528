"""Fetching an RDB file over the replication protocol, as a replica that is new to a server.

The server forks, as for BGSAVE, and its child writes the file to our connection, or first to
the server's disk. While it waits it sends line breaks, then a line: `$` and the file's length,
or `$EOF:` and a mark, which is to follow the file, where the server cannot know its length
before. Nothing newer is agreed on: no channel apart for the file, and no writes after it.
"""

from __future__ import annotations

import time
from contextlib import closing
from io import BufferedReader
from typing import BinaryIO

from gitbackup import wording
from gitbackup.errors import ServerError
from gitbackup.format import codec
from gitbackup.kinds import Command
from gitbackup.live.connection.connect import Server
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.protocol.bulk_parser import left_after
from gitbackup.live.protocol.info import number, parse_info
from gitbackup.progress import Progress

LONGEST = 512  # bytes of a line
CHUNK = 1 << 18  # bytes read at once
MARK = 40  # bytes
TIMEOUTS = 120  # that the server may take to write its file before it sends it
BEYOND = 16  # times the memory that the server uses, that a file of its data cannot have
SURELY = 1 << 30  # bytes that it may have in any case
TOO_SLOW = "it answered too slowly"
TOO_LATE = "it did not begin"
RIGHTS = (
    "grant it with ACL SETUSER ... +psync +replconf; if the file is on this machine,"
    " {copy} needs +bgsave +info +config|get"
)
MEANINGS = {
    "-NOPERM": f"the user has no permission to replicate from {{label}}: {RIGHTS}",
    "-NOMASTERLINK": "the replica at {label} is not connected to its primary: name another server",
    "-LOADING": "the server at {label} is still loading its data; try again in a moment",
    "-BUSY": "the server at {label} is busy with a script; try again in a moment",
    "-ERR unknown": "the server at {label} knows neither PSYNC nor SYNC: try {copy}",
}


def fetch(server: Server, file: BinaryIO, progress: Progress) -> None:
    """Write the server's data, as they are now, to `file`.

    Raises ServerError if the server refuses, goes away in the middle, or stays silent.
    """
    with closing(server.dial()) as connection:
        most = _most(connection)
        connection.ask(_introduction(server))  # where it may not be said, the server sends a length
        with closing(connection.stream()) as stream:
            size = _agree(connection, stream, server.label)
            _receive(_Counted(stream, file, connection, progress, most), size, progress)


def _most(connection: Connection) -> int | None:
    """Return more bytes than a file of the server's data can have; None if it does not tell."""
    (reply,) = connection.ask([("INFO", "memory")])
    used = 0 if isinstance(reply, Refusal) else number(parse_info(reply), "used_memory")
    return BEYOND * used + SURELY if used else None


def _introduction(server: Server) -> list[Command]:
    """Return what a replica says of itself: that it understands marks, and wants no writes
    afterwards.

    Valkey writes for the version of its replica, and fails where that cannot hold all: ours
    is as new as the server.
    """
    ours: list[Command] = [("REPLCONF", "capa", "eof"), ("REPLCONF", "rdb-only", 1)]
    return [*ours, ("REPLCONF", "version", server.version)] if server.brand == "Valkey" else ours


def _agree(connection: Connection, stream: BufferedReader, label: str) -> bytes:
    """Return the line that announces the file, without its dollar sign."""
    until = time.monotonic() + TIMEOUTS * connection.patience
    connection.send([("PSYNC", "?", -1)])
    line = _line(stream, label, until)
    if line.startswith((b"-NOPERM", b"-ERR unknown")):
        connection.send([("SYNC",)])
        line = _line(stream, label, until)
    elif line.startswith(b"+FULLRESYNC"):
        line = _line(stream, label, until)
    if line.startswith(b"$"):
        return line[1:]
    said = line.decode("utf-8", "replace")
    known = next((text for code, text in MEANINGS.items() if said.startswith(code)), None)
    raise ServerError(
        known.format(label=label, copy=_by_copy()) if known else _refusal(said, label)
    )


def _by_copy() -> str:
    return wording.option("--via copy", "copy=True")


def _refusal(said: str, label: str) -> str:
    why = said.lstrip("-+") or "it closed the connection; see its log"
    return f"the server at {label} sent no RDB file: {why}"


def _line(stream: BufferedReader, label: str, until: float) -> bytes:
    """Return the next line that is not empty; an empty one only says that the server is alive.

    Empty where the server goes away, or the line does not end. Raises ServerError if there is
    none by then, a time of our monotonic clock.
    """
    line = b""
    try:
        while len(line) < LONGEST and (byte := stream.read(1)):
            if time.monotonic() > until:
                raise TimeoutError(TOO_LATE)
            line += byte
            if byte == b"\n" and line.strip():
                return line.strip()
            line = line if line.strip() else b""
    except OSError as error:
        raise _lost(label, error) from None
    return b""


class _Counted:
    """Hands the stream on to the file, and tells of it."""

    def __init__(
        self,
        stream: BufferedReader,
        file: BinaryIO,
        connection: Connection,
        progress: Progress,
        most: int | None,
    ) -> None:
        self._stream = stream
        self._file = file
        self._label = connection.label
        self._patience = self._left = connection.patience
        self._progress = progress
        self._done = 0
        self._most = most

    def expect(self, size: int) -> None:
        """Raise ServerError if a file of so many bytes cannot be one of the server's data."""
        if self._most is not None and size > self._most:
            raise ServerError(
                f"the server at {self._label} sends an RDB file without end: {size:,} bytes, which"
                " is many times the memory that it reports to use; is it Redis?"
            )

    def read(self, most: int = CHUNK) -> bytes:
        """Return the next bytes. Raises ServerError if none come, or too slowly."""
        began = time.monotonic()
        try:
            data = self._stream.read1(min(most, CHUNK))
        except OSError as error:
            raise _lost(self._label, error, self._done) from None
        if not data:
            raise _lost(self._label, None, self._done)
        self._left = left_after(self._left, began, len(data), self._patience)
        if self._left <= 0:
            raise _lost(self._label, TimeoutError(TOO_SLOW), self._done)
        return data

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._done += len(data)
        self.expect(self._done)
        self._progress.advance(len(data))


def _receive(counted: _Counted, size: bytes, progress: Progress) -> None:
    mark = size.removeprefix(b"EOF:")
    known = codec.whole_number(size)
    if known is None and (mark == size or len(mark) != MARK):
        raise ServerError(f"the server announced its RDB file in an unknown form: {size!r}")
    counted.expect(known or 0)
    progress.start("fetching", known, "bytes")
    try:
        _until(counted, mark) if known is None else _exactly(counted, known)
    finally:
        progress.finish()


def _exactly(counted: _Counted, left: int) -> None:
    while left:
        data = counted.read(left)
        counted.write(data)
        left -= len(data)


def _until(counted: _Counted, mark: bytes) -> None:
    """Yield the data up to the mark, forty random digits that the file does not contain."""
    held = b""
    while True:
        held += counted.read()
        end = held.find(mark)
        if end >= 0:
            counted.write(held[:end])
            return
        sure = max(len(held) - MARK + 1, 0)
        counted.write(held[:sure])
        held = held[sure:]


def _lost(label: str, error: OSError | None, done: int = 0) -> ServerError:
    waited = isinstance(error, TimeoutError)
    told = str(error) in (TOO_SLOW, TOO_LATE)
    why = str(error) if told else "it stopped sending" if waited else "the connection ended"
    after = f" after {done:,} bytes" if done else ""
    advice = f"{wording.option('--timeout')} allows more time" if waited else "run again"
    return ServerError(
        f"lost the server at {label} while it sent its RDB file: {why}{after}; {advice}"
    )
