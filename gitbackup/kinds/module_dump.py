"""The dump of a module's value, taken apart and put together: what a module saves, item by item.

A dump is a byte for modules, the module's id, items that each say what they are, the version of
the server's format, and a checksum. What the items mean only the module knows. The server
compresses text of more than 20 bytes if that is shorter; here it is as the module saved it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from typing import NamedTuple

from gitbackup.format.crc64 import crc64

MODULE = 7
END, SIGNED, UNSIGNED, FLOAT, DOUBLE, TEXT = range(6)
CHECKSUM = 8  # bytes at the end
VERSION = 2  # bytes before that
PLAIN = 64 * 1024 * 1024  # bytes of a text, at most, that is taken out of compressed ones


class Item(NamedTuple):
    """One item that a module saved: a number, or bytes."""

    kind: int
    value: int | float | bytes


class ModuleDump(NamedTuple):
    """A dump taken apart: the module's id, which has its version, and the items."""

    module: int
    items: Sequence[Item]


def numbers(items: Iterable[Item], kind: int = UNSIGNED) -> list[int]:
    """Return the values of items that are all integers. Raises ValueError for any other."""
    found = [item.value for item in items if item.kind == kind and isinstance(item.value, int)]
    if len(found) < len([*items]):
        raise ValueError("a number is missing")
    return found


def read(dump: bytes) -> ModuleDump:
    """Return a dump taken apart. Raises ValueError if it is no module's, or cut off."""
    try:
        return _read(dump, len(dump) - CHECKSUM - VERSION)
    except (IndexError, struct.error) as error:
        raise ValueError("the dump is cut off") from error


def _read(dump: bytes, end: int) -> ModuleDump:
    if end < 1 or dump[0] != MODULE:
        raise ValueError("the dump is not a module's")
    module, at = _number(dump, 1)
    items: list[Item] = []
    while True:
        kind, at = _number(dump, at)
        if kind == END:
            break
        item, at = _item(dump, at, kind)
        items.append(item)
    if at != end:
        raise ValueError("the dump has more than its items")
    return ModuleDump(module, items)


def _item(dump: bytes, at: int, kind: int) -> tuple[Item, int]:
    if kind == TEXT:
        text, at = _text(dump, at)
        return Item(kind, text), at
    if kind in (SIGNED, UNSIGNED):
        number, at = _number(dump, at)
        return Item(kind, number), at
    if kind not in (FLOAT, DOUBLE):
        raise ValueError(f"the dump has an item of an unknown kind, {kind}")
    form = "<f" if kind == FLOAT else "<d"
    size = struct.calcsize(form)
    return Item(kind, struct.unpack(form, dump[at : at + size])[0]), at + size


def _number(dump: bytes, at: int) -> tuple[int, int]:
    """Return a number in as many bytes as it takes, and where it ends."""
    first = dump[at]
    if first < 0x40:
        return first, at + 1
    if first < 0x80:
        return (first & 0x3F) << 8 | dump[at + 1], at + 2
    size = {0x80: 4, 0x81: 8}.get(first)
    if size is None:
        raise ValueError("the dump has a number of an unknown form")
    return int.from_bytes(dump[at + 1 : at + 1 + size], "big"), at + 1 + size


def _text(dump: bytes, at: int) -> tuple[bytes, int]:
    """Return bytes, which may be packed as an integer or compressed, and where they end."""
    form = dump[at]
    if form < 0xC0:
        size, at = _number(dump, at)
        if len(dump) < at + size:
            raise ValueError("the dump is cut off")
        return dump[at : at + size], at + size
    if form <= 0xC2:
        size = 1 << (form & 3)
        number = int.from_bytes(dump[at + 1 : at + 1 + size], "little", signed=True)
        return str(number).encode(), at + 1 + size
    if form != 0xC3:
        raise ValueError("the dump has a text of an unknown form")
    packed, at = _number(dump, at + 1)
    size, at = _number(dump, at)
    return _decompressed(dump[at : at + packed], size), at + packed


def _decompressed(packed: bytes, size: int) -> bytes:
    """Return what LZF compressed: pieces as they are, and copies of what came before."""
    if size > PLAIN:
        raise ValueError("the dump has a text that is too large")
    found, at = bytearray(), 0
    while at < len(packed):
        first, at = packed[at], at + 1
        if first < 32:
            found += packed[at : at + first + 1]
            at += first + 1
            continue
        length = first >> 5
        if length == 7:
            length, at = length + packed[at], at + 1
        back, at = ((first & 31) << 8 | packed[at]) + 1, at + 1
        start = len(found) - back
        if start < 0:
            raise ValueError("the dump has a text that is damaged")
        for place in range(start, start + length + 2):
            found.append(found[place])
    if len(found) != size:
        raise ValueError("the dump has a text that is damaged")
    return bytes(found)


def written(dump: ModuleDump, version: int) -> bytes:
    """Return a dump put together, as a server of that version of the format writes it."""
    parts = [bytes((MODULE, 0x81)), dump.module.to_bytes(8, "big"), *_parts(dump.items)]
    content = b"".join([*parts, bytes((END,)), version.to_bytes(VERSION, "little")])
    return content + crc64(BytesIO(content), len(content)).to_bytes(CHECKSUM, "little")


def _parts(items: Iterable[Item]) -> Iterator[bytes]:
    for kind, value in items:
        yield bytes((kind,))
        if isinstance(value, bytes):
            yield _packed(len(value))
            yield value
        elif kind in (SIGNED, UNSIGNED):
            yield _packed(int(value))
        else:
            yield struct.pack("<f" if kind == FLOAT else "<d", value)


def _packed(number: int) -> bytes:
    if number < 0x40:
        return bytes((number,))
    if number < 0x4000:
        return (number | 0x4000).to_bytes(2, "big")
    if number < 2**32:
        return b"\x80" + number.to_bytes(4, "big")
    return b"\x81" + number.to_bytes(8, "big")
