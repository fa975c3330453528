"""RDB files as files: what their head tells, and whether they are whole and right.

A file begins with `REDIS` (or `VALKEY`, from Valkey 9 on) and its version, then come facts
about itself, then the data, then one byte that ends them, and a checksum of all before it,
which is zero where the server writes none. `src/rdb.c` of either server is the reference.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from gitbackup.errors import Damaged, UsageError
from gitbackup.live.connection.crc64 import crc64
from gitbackup.model.rdb import RdbFile

MAGIC = re.compile(rb"(?:REDIS(\d{4})|VALKEY(\d{3}))")
HEAD = 9  # bytes of the magic
FACT, END = 0xFA, 0xFF  # the bytes that begin a fact, and end the data
CHECKSUM = 8  # bytes
FIRST_WITH_CHECKSUM = 5  # version of the format, of Redis 2.6
FACTS = 4096  # bytes in which the facts are
LAST_SECOND = 253_370_764_800  # the year 9999 in Unix time: no calendar has a later one
INTEGERS = {0xC0: "<b", 0xC1: "<h", 0xC2: "<i"}


def look(path: Path) -> RdbFile:
    """What the head of the file at `path` tells.

    Raises Damaged where it is no RDB file, or is cut off, as its last byte tells; UsageError
    where there is none.
    """
    with _open(path) as file:
        return _look(path, file)


def check(path: Path) -> bool:
    """Reads the whole file; False where the server that wrote it left no checksum.

    Raises Damaged where it is not whole, or its checksum is not that of its bytes.
    """
    with _open(path) as file:
        found = _look(path, file)
        file.seek(found.size - CHECKSUM)
        (told,) = struct.unpack("<Q", file.read(CHECKSUM))
        if not told or found.version < FIRST_WITH_CHECKSUM:
            return False
        file.seek(0)
        try:
            is_right = crc64(file, found.size - CHECKSUM) == told
        except EOFError:
            raise Damaged(f"{path} became shorter while it was being read") from None
    if not is_right:
        raise Damaged(f"{path} is damaged: its checksum is wrong")
    return True


def _open(path: Path) -> BinaryIO:
    if not path.exists():
        raise UsageError(f"there is no file {path}")
    if not path.is_file():
        raise UsageError(f"{path} is not a file")
    return path.open("rb")


def _look(path: Path, file: BinaryIO) -> RdbFile:
    head = file.read(HEAD + FACTS)
    found = MAGIC.match(head)
    if found is None:
        raise Damaged(f"{path} is not an RDB file: it begins with neither REDIS nor VALKEY")
    version = int(found[1] or found[2])
    size = file.seek(0, 2)
    end = size - 1 - (CHECKSUM if version >= FIRST_WITH_CHECKSUM else 0)
    file.seek(max(end, 0))
    if end < HEAD or file.read(1) != bytes([END]):
        raise Damaged(f"{path} is damaged: the end is missing")
    facts = dict(_facts(head[HEAD:]))
    moment = facts.get("ctime", "")
    dated = moment.isascii() and moment.isdecimal() and int(moment) <= LAST_SECOND
    seconds = int(moment) if dated else path.stat().st_mtime
    return RdbFile(
        path,
        size,
        version,
        _server(facts),
        datetime.fromtimestamp(seconds, UTC),
        dated,
    )


def _server(facts: dict[str, str]) -> str:
    for name, brand in (("valkey-ver", "Valkey"), ("redis-ver", "Redis")):
        if name in facts:
            return f"{brand} {facts[name]}"
    return ""


def _facts(data: bytes) -> Iterator[tuple[str, str]]:
    """The pairs of names and values at the head; up to the first that is of another sort."""
    at = 0
    while data[at : at + 1] == bytes([FACT]):
        try:
            name, at = _text(data, at + 1)
            value, at = _text(data, at)
        except (LookupError, struct.error):
            return
        yield name, value


def _text(data: bytes, at: int) -> tuple[str, int]:
    """A short text, or an integer as text, and where what follows it begins.

    Raises LookupError or struct.error for what is longer, compressed, or not all there.
    """
    first = data[at]
    if first in INTEGERS:
        form = INTEGERS[first]
        (number,) = struct.unpack_from(form, data, at + 1)
        return str(number), at + 1 + struct.calcsize(form)
    if first >> 6:
        raise LookupError("a long or compressed text")
    end = at + 1 + first
    if end > len(data):
        raise LookupError("cut off")
    return data[at + 1 : end].decode("utf-8", "replace"), end
