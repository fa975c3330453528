"""Batches of keys that are bounded in bytes, so that no server holds more for us than that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from gitbackup.kinds import Command
from gitbackup.live.wire import Refusal, Wire

MOST_KEYS = 500  # in one batch
MOST_BYTES = 4 * 1024 * 1024  # by the server's own estimate; a larger value is a batch of its own
GUESS = MOST_BYTES // 50  # bytes, where the user may not ask


class Sized(NamedTuple):
    """A key, its type, and how many bytes it takes in the server's memory, about."""

    key: bytes
    type: str
    size: int


def batches(connection: Callable[[], Wire], keys: Iterable[bytes]) -> Iterator[list[Sized]]:
    """The keys in their order, in batches, with what has to be known to ask for their values.

    `connection` gives one that has no replies under way. Raises ServerError where the user
    may not ask for a key's type.
    """
    batch: list[Sized] = []
    total = 0
    for one in _sized(connection, iter(keys)):
        if batch and (len(batch) == MOST_KEYS or total + one.size > MOST_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(one)
        total += one.size
    if batch:
        yield batch


def _sized(connection: Callable[[], Wire], keys: Iterator[bytes]) -> Iterator[Sized]:
    while piece := list(islice(keys, MOST_KEYS)):
        wire = connection()
        types: list[Command] = [("TYPE", key) for key in piece]
        sizes: list[Command] = [("MEMORY", "USAGE", key, "SAMPLES", 1) for key in piece]
        replies = wire.ask([*types, *sizes])
        for key, type_, size in zip(piece, replies, replies[len(piece) :], strict=False):
            if isinstance(type_, Refusal):
                raise wire.refused(type_, ("TYPE", key))
            yield Sized(key, type_, GUESS if isinstance(size, Refusal) else size or 0)
