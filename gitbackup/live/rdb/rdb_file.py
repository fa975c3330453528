"""RDB files as files: what their head tells, and whether they are whole and right.

A file begins with `REDIS` (or `VALKEY`, from Valkey 9 on) and its version, then come facts
about itself, then the data, then one byte that ends them, and a checksum of all before it,
which is zero where the server writes none. `src/rdb.c` of either server is the reference.

What was taken from a replication stream may have the line before it that announces the file, and
behind it the mark that this line named. An append-only file may begin with an RDB file.
"""

from __future__ import annotations

import mmap
import re
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from gitbackup.errors import Damaged, UsageError
from gitbackup.format.crc64 import crc64
from gitbackup.model.server.rdb import RdbFile

MAGIC = re.compile(rb"(?:REDIS(\d{4})|VALKEY(\d{3}))")
ANNOUNCED = re.compile(rb"\$(?:EOF:([0-9a-f]{40})|(\d{1,20}))\r\n")
MARK = re.compile(rb"[0-9a-f]{40}")
HEAD = 9  # bytes of the magic
FACT, END = 0xFA, 0xFF  # the bytes that begin a fact, and end the data
CHECKSUM = 8  # bytes
FIRST_WITH_CHECKSUM = 5  # version of the format, of Redis 2.6
LINE = 50  # bytes of what announces it, at most
MARKED = 40  # bytes of a mark
CRLF = b"\r\n"
BASE = ("aof-base", "aof-preamble")
"""Facts that tell of an append-only file, since Redis 7.0 and before."""
BRANDS = {"df-ver": "Dragonfly", "valkey-ver": "Valkey", "redis-ver": "Redis"}
FACTS = 4096  # bytes in which the facts are
LAST_SECOND = 253_370_764_800  # the year 9999 in Unix time: no calendar has a later one
CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
"""Of the name of a module's type, by their number."""
OF_ENCODING = 10  # bits of a type's number that are the version of its encoding
INTEGERS = {0xC0: "<b", 0xC1: "<h", 0xC2: "<i"}


def look(path: Path) -> RdbFile:
    """Return what the head of the file at `path` says.

    Raises Damaged if it is no RDB file, or is cut off, as its last byte tells; UsageError
    where there is none.
    """
    with _open(path) as file:
        return _look(path, file)


def check(path: Path) -> bool:
    """Read the whole file; return False if the server that wrote it left no checksum.

    Raises Damaged if it is not whole, or its checksum is not that of its bytes.
    """
    with _open(path) as file:
        found = _look(path, file)
        file.seek(found.end - CHECKSUM)
        (told,) = struct.unpack("<Q", file.read(CHECKSUM))
        if not told or found.version < FIRST_WITH_CHECKSUM or found.commands:
            return False
        file.seek(found.start)
        try:
            is_right = crc64(file, found.end - CHECKSUM - found.start) == told
        except EOFError:
            raise Damaged(f"{path} became shorter while it was being read") from None
    if not is_right:
        raise Damaged(f"{path} is damaged: its checksum is wrong")
    return True


@contextmanager
def as_loaded(file: RdbFile) -> Iterator[Path]:
    """Yield the file as a server loads it: the same one, or a temporary copy.

    A server takes no line before the data, and may write to an append-only file.
    """
    if not (file.start or file.commands):
        yield file.path
        return
    with tempfile.NamedTemporaryFile(prefix="gitbackup-") as copy, _open(file.path) as original:
        original.seek(file.start)
        shutil.copyfileobj(original, copy)
        copy.flush()
        yield Path(copy.name)


def module_encoding(path: Path, name: str) -> int | None:
    """Return the version in which the file encodes the data of the module type of this name.

    None if the file has no such data. A type is a number in it: nine characters of six bits,
    and the version in ten.
    """
    if len(name) != 9 or not set(name) <= set(CHARACTERS):
        return None
    number = 0
    for character in name:
        number = number << 6 | CHARACTERS.index(character)
    first, *rest = ((number << OF_ENCODING) | at << 8 for at in range(4))
    known = first.to_bytes(8, "big")[:6]
    sevenths = b"".join(re.escape(one.to_bytes(8, "big")[6:7]) for one in (first, *rest))
    typed = re.compile(b"\x81" + re.escape(known) + b"([" + sevenths + b"].)", re.DOTALL)
    with _open(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found = typed.search(data)
        return int.from_bytes(found[1], "big") & (1 << OF_ENCODING) - 1 if found else None


def _open(path: Path) -> BinaryIO:
    if not path.exists():
        raise UsageError(f"there is no file {path}")
    if not path.is_file():
        raise UsageError(f"{path} is not a file")
    return path.open("rb")


def _look(path: Path, file: BinaryIO) -> RdbFile:
    head = file.read(LINE + HEAD + FACTS)
    announced = ANNOUNCED.match(head)
    start = announced.end() if announced else 0
    found = MAGIC.match(head, start)
    if found is None:
        raise Damaged(f"{path} is not an RDB file: it begins with neither REDIS nor VALKEY")
    version = int(found[1] or found[2])
    size = file.seek(0, 2)
    end = _end(file, size, announced)
    last = end - 1 - (CHECKSUM if version >= FIRST_WITH_CHECKSUM else 0)
    facts = dict(_facts(head[start + HEAD :]))
    commands = False
    if last < start + HEAD or _read(file, last, 1) != bytes([END]):
        commands = any(facts.get(name) == "1" for name in BASE) and _read(file, size - 2, 2) == CRLF
        if not commands:
            raise Damaged(f"{path} is damaged: the end is missing")
    moment = facts.get("ctime", "")
    dated = moment.isascii() and moment.isdecimal() and int(moment) <= LAST_SECOND and not commands
    seconds = int(moment) if dated else path.stat().st_mtime
    return RdbFile(
        path,
        size,
        version,
        _server(facts),
        datetime.fromtimestamp(seconds, UTC),
        dated,
        start,
        end,
        commands,
    )


def _end(file: BinaryIO, size: int, announced: re.Match[bytes] | None) -> int:
    """Return where the data end; -1 if that is not where the line before them announced it."""
    if announced and announced[2]:
        end = announced.end() + int(announced[2])
        return end if end == size else -1
    tail = _read(file, max(size - MARKED, 0), MARKED)
    if announced:
        return size - MARKED if tail == announced[1] else -1
    return size - MARKED if MARK.fullmatch(tail) else size


def _read(file: BinaryIO, at: int, length: int) -> bytes:
    file.seek(max(at, 0))
    return file.read(length)


def _server(facts: dict[str, str]) -> str:
    for name, brand in BRANDS.items():
        if name in facts:
            return f"{brand} {facts[name].removeprefix('df-')}"
    return ""


def _facts(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the pairs of names and values at the head, up to the first part of another kind."""
    at = 0
    while data[at : at + 1] == bytes([FACT]):
        try:
            name, at = _text(data, at + 1)
            value, at = _text(data, at)
        except (LookupError, struct.error):
            return
        yield name, value


def _text(data: bytes, at: int) -> tuple[str, int]:
    """Return a short text, or an integer as text, and where what follows it begins.

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
