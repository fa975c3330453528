"""Batches of keys that are bounded in bytes, so that no server holds more for us than that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from gitbackup.live.forms import argument, form
from gitbackup.live.wire import Refusal, Wire

MOST_KEYS = 500  # in one batch
MOST_BYTES = 4 * 1024 * 1024  # by the server's own estimate; a larger value is a batch of its own
GUESS = MOST_BYTES // 50  # bytes, where the user may not ask

TYPE = form(("TYPE",))
SIZE = form(("MEMORY", "USAGE"), ("SAMPLES", "1"))
QUESTIONS = 2  # about each key


class Batch(NamedTuple):
    """Keys, their types, and how many bytes each takes in the server's memory, about."""

    keys: Sequence[bytes]
    types: Sequence[str]
    sizes: Sequence[int]


def ask(keys: Sequence[bytes]) -> bytes:
    """The commands that ask for what has to be known to ask for the keys' values."""
    arguments = [*map(argument, keys)]
    return TYPE.about(arguments) + SIZE.about(arguments)


def batches(wire: Wire, keys: Sequence[bytes], replies: Sequence[Any]) -> Iterator[Batch]:
    """The keys in their order, in batches, by the replies to `ask`.

    Raises ServerError where the user may not ask for a key's type.
    """
    types, told = replies[: len(keys)], replies[len(keys) :]
    for key, type_ in zip(keys, types, strict=True):
        if isinstance(type_, Refusal):
            raise wire.refused(type_, ("TYPE", key))
    sizes = [GUESS if isinstance(size, Refusal) else size or 0 for size in told]
    start = total = 0
    for at, size in enumerate(sizes):
        if total + size > MOST_BYTES and at > start:
            yield Batch(keys[start:at], types[start:at], sizes[start:at])
            start, total = at, 0
        total += size
    if keys:
        yield Batch(keys[start:], types[start:], sizes[start:])
