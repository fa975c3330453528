"""The hash slot of a key: in a cluster, the keys of a transaction have to be in one."""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Callable, Iterable
from functools import cache
from typing import TypeVar

MASK = 16_384 - 1
T = TypeVar("T")


def slot(name: bytes) -> int:
    """Return the slot of a name: of what its first pair of braces holds, if that is something."""
    return crc_hqx(_tag(name) or name, 0) & MASK


def beside(name: bytes, start: bytes) -> bytes:
    """Return a name in the slot of `name`: `start`, which begins with that, and four hex digits.

    Raises ValueError if none of these is.
    """
    if _tag(start):
        return start + b"0000"
    # the checksum of a whole is that of its start with zeros for the end, xor that of the end
    end = _ends().get((slot(name) ^ crc_hqx(bytes(4), crc_hqx(start, 0))) & MASK)
    if end is None:
        raise ValueError("no name in that slot")
    return start + end


@cache
def _ends() -> dict[int, bytes]:
    """Return four hex digits for each slot that some have."""
    return {crc_hqx(end, 0) & MASK: end for end in (b"%04x" % number for number in range(1 << 16))}


def _tag(name: bytes) -> bytes:
    """Return what the first pair of braces holds; nothing where there is none."""
    tag, closed, _ = name.partition(b"{")[2].partition(b"}")
    return tag if closed else b""


def by_slot(keys: Iterable[T], name: Callable[[T], bytes]) -> list[list[T]]:
    """Return the same, those of one slot together."""
    groups: dict[int, list[T]] = {}
    for key in keys:
        groups.setdefault(slot(name(key)), []).append(key)
    return [*groups.values()]
