"""How much memory is left, and reading files that fit into it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from gitbackup.errors import UsageError

_MEMINFO = re.compile(r"^(?:MemAvailable|SwapFree):\s+(\d+) kB$", re.MULTILINE)
_CACHE = re.compile(r"^inactive_file (\d+)$", re.MULTILINE)
PIECE = 16 * 1024 * 1024  # bytes read at once
COPIES = 2
"""How many times what is read is in memory, at the least, while it is decoded."""

SHORT = 128 * 1024 * 1024  # bytes

_GROUP = Path("/sys/fs/cgroup")


def left() -> int | None:
    """Return how many bytes of memory are left, also by the limit of a container; None if the
    system does not tell."""
    return min(_known(), default=None)


def is_short() -> bool:
    """Return whether so little memory is left that nothing more should be read."""
    room = left()
    return room is not None and room < SHORT


def whole(file: IO[bytes], name: str) -> bytes:
    """Read a file to its end. Raises UsageError if there is not enough memory for it."""
    with suppress(OSError):  # it is no file of a disk
        _expect_room(os.fstat(file.fileno()).st_size, name)
    return _joined(iter(lambda: file.read(PIECE), b""), name)


def line(file: IO[bytes], name: str) -> bytes:
    """Read a line of a file, empty at its end. Raises UsageError if there is not enough memory."""
    return _joined(_pieces_of_line(file), name)


def _pieces_of_line(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.readline(PIECE):
        yield piece
        if piece.endswith(b"\n"):
            return


def _joined(pieces: Iterator[bytes], name: str) -> bytes:
    first = next(pieces, b"")
    joined = bytearray()
    for piece in pieces:
        joined += piece if joined else first + piece
        _expect_room(len(joined), name)
    return bytes(joined) if joined else first


def _expect_room(size: int, name: str) -> None:
    room = left() if size > PIECE else None
    if room is not None and COPIES * size > room:
        raise UsageError(
            f"{name} was not read: it has at least {size:,} bytes, and {room:,} bytes"
            " of memory are left"
        )


def _known() -> Iterator[int]:
    with suppress(OSError):
        if kilobytes := _MEMINFO.findall(Path("/proc/meminfo").read_text()):
            yield 1024 * sum(map(int, kilobytes))
    with suppress(OSError, ValueError):  # "max" is no limit
        limit = int((_GROUP / "memory.max").read_text())
        used = int((_GROUP / "memory.current").read_text())
        cache = _CACHE.search((_GROUP / "memory.stat").read_text())
        yield max(0, limit - used + (int(cache[1]) if cache else 0))
