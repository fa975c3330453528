"""The hash slot of a key: in a cluster, the keys of a transaction have to be in one."""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Callable, Iterable
from typing import TypeVar

MASK = 16_384 - 1
T = TypeVar("T")


def slot(name: bytes) -> int:
    """Return the slot of a name: of what its first pair of braces holds, if that is something."""
    _, opened, rest = name.partition(b"{")
    tag, closed, _ = rest.partition(b"}")
    return crc_hqx(tag if opened and closed and tag else name, 0) & MASK


def by_slot(keys: Iterable[T], name: Callable[[T], bytes]) -> list[list[T]]:
    """Return the same, those of one slot together."""
    groups: dict[int, list[T]] = {}
    for key in keys:
        groups.setdefault(slot(name(key)), []).append(key)
    return [*groups.values()]
