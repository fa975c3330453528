"""Batches of keys that are bounded in bytes, so that no server holds more for us than that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from gitbackup.kinds import Command
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.connection.reply_shapes import is_type
from gitbackup.live.connection.resp import argument, form, pattern

MOST_KEYS = 500  # in one batch
MOST_BYTES = 4 * 1024 * 1024  # by the server's own estimate; a larger value is a batch of its own
GUESS = MOST_BYTES // 50  # bytes, where the user may not ask

ABOUT = pattern(form(("TYPE",)), form(("MEMORY", "USAGE"), ("SAMPLES", "1")))
QUESTIONS = 2  # about each key


class Batch(NamedTuple):
    """Keys, their types, and how many bytes each takes in the server's memory, about."""

    keys: Sequence[bytes]
    types: Sequence[str]
    sizes: Sequence[int]


def ask(keys: Sequence[bytes]) -> bytes:
    """The commands that ask for what has to be known to ask for the keys' values."""
    return b"".join([ABOUT % (name, name) for name in map(argument, keys)])


def told(connection: Connection, keys: Sequence[bytes], replies: Sequence[Any]) -> Batch:
    """The keys with what the replies to `ask` tell of them.

    Raises ServerError where the user may not ask for a key's type.
    """
    types, sizes = replies[::QUESTIONS], replies[1::QUESTIONS]
    if set(map(type, types)) - {str} or not all(map(is_type, {*types})):
        key, reply = next((key, t) for key, t in zip(keys, types, strict=True) if not is_type(t))
        command: Command = ("TYPE", key)
        raise (
            connection.refused(reply, command)
            if isinstance(reply, Refusal)
            else connection.nonsense(command)
        )
    if set(map(type, sizes)) - {int}:
        sizes = [GUESS if isinstance(size, Refusal) else size or 0 for size in sizes]
        if set(map(type, sizes)) - {int}:
            raise connection.nonsense(("MEMORY", "USAGE"))
    return Batch(keys, types, sizes)


def batches(whole: Batch, most: int = MOST_BYTES) -> Iterator[Batch]:
    """The keys in their order, in batches."""
    keys, types, sizes = whole
    start = total = 0
    for at, size in enumerate(sizes if sum(sizes) > most else ()):
        if total + size > most and at > start:
            yield Batch(keys[start:at], types[start:at], sizes[start:at])
            start, total = at, 0
        total += size
    yield Batch(keys[start:], types[start:], sizes[start:])
