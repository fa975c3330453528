"""Read one key by itself, round by round, however large it is."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from itertools import count
from typing import Any, Literal, NamedTuple

from gitbackup import wording
from gitbackup.errors import ServerError
from gitbackup.format import codec
from gitbackup.kinds import (
    KINDS,
    Abilities,
    Command,
    Incomplete,
    Kind,
    Reading,
    Settled,
    kind_named,
)
from gitbackup.kinds.opaque import Opaque
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.read import expiry
from gitbackup.model.keys import Entry
from gitbackup.system import available_memory

LOOK = 32  # rounds after which the memory that is left is looked at
RESTARTS = 20  # times that one key is read, while its type changes


OTHERS = (
    *("WRONGTYPE", "ERR no such key", "no such key"),
    *(words for kind in KINDS.values() for words in kind.refusals),
)
"""How errors begin that say that a key has become another type, or gone."""


class RetryAlone(Enum):
    """In place of an entry: this key is to be read by itself."""

    LATER = "later"


ReadOutcome = Entry | None | Literal[RetryAlone.LATER]
"""What became of a key: its entry with loose text, None if it is gone, or RetryAlone."""


class WholeEntry(NamedTuple):
    """A key's entry, None if it is gone; and whether it surely had that at one moment."""

    entry: Entry | None
    settled: bool = False


def whole(
    connection: Connection, key: bytes, server: Abilities, dumped: bool = False
) -> WholeEntry:
    """Read one key to its end, round by round; with `dumped`, as a dump whatever its type.

    Raises ServerError for a key whose type changes each time, or whose replies make no value.
    """
    why = "its type changes on every read"
    for _ in range(RESTARTS):
        type_ = connection.call("TYPE", key)
        if type_ == "none":
            return WholeEntry(None)
        try:
            kind = Opaque(type_) if dumped else kind_named(type_)
            found = _rounds(connection, key, kind, server)
        except Incomplete as unsure:
            found, why = None, f"its {type_} value could not be restored: {unsure}"
        if found is not None:
            return found
    raise ServerError(
        f"cannot read key {codec.text(key)!r}: {why}; stop the clients that write to"
        f" it, or exclude it with {_exclude()}"
    )


def _exclude() -> str:
    return wording.command("init --exclude", "init(exclude=...)")


def _rounds(connection: Connection, key: bytes, kind: Kind, server: Abilities) -> WholeEntry | None:
    """Return None if the key has become another type.

    Raises Incomplete if the rounds do not make a value.
    """
    reading, type_ = kind.read(key, server), kind.name
    (moment,) = expiry.moments(connection, [key], server)
    commands = next(reading)
    for asked in count(1):
        _expect_memory(key, type_, asked)
        replies = connection.ask(commands, kind.takes_written)
        if refused(connection, commands, replies):
            return None
        try:
            commands = reading.send(replies)
        except StopIteration as done:
            return _checked(connection, key, type_, server, done.value, moment)
    return None


def _expect_memory(key: bytes, type_: str, asked: int) -> None:
    """Raise ServerError for a value that fills the memory before it ends, if it does."""
    if asked % LOOK == 0 and available_memory.is_short():
        raise ServerError(
            f"key {codec.text(key)!r} ({type_}) does not fit in the memory of this"
            f" machine: use another machine, or exclude the key with {_exclude()}"
        )


def _checked(
    connection: Connection,
    key: bytes,
    type_: str,
    server: Abilities,
    made: Entry | Settled | None,
    moment: int,
) -> WholeEntry | None:
    """Return the entry that the rounds made, with the expiry from before them."""
    entry = _of_type(type_, made, moment)
    if entry is RetryAlone.LATER:
        return None
    settled = isinstance(made, Settled) and expiry.moments(connection, [key], server) == [moment]
    return WholeEntry(entry, settled)


def _of_type(type_: str, made: Entry | Settled | None, moment: int) -> ReadOutcome:
    """Return the entry with its expiry, in milliseconds since 1970; None if the key is gone,
    RetryAlone where its type is another."""
    entry = made.entry if isinstance(made, Settled) else made
    if entry is None or moment == expiry.GONE:
        return None
    if entry["type"] != type_:
        return RetryAlone.LATER
    if moment != expiry.NEVER:
        entry["expires_at"] = codec.instant(moment)
    return entry


def outcome(type_: str, reading: Reading, values: list[Any], moment: int) -> ReadOutcome:
    """Return the entry that a value's first piece makes, with its expiry; RetryAlone where there
    is more of it."""
    try:
        reading.send(values)
    except StopIteration as done:
        return _of_type(type_, done.value, moment)
    except Incomplete:
        pass
    return RetryAlone.LATER


def refused(connection: Connection, commands: Iterable[Command], replies: list[Any]) -> bool:
    """Return True if the key is of another type now, or gone; raise the error of any other
    refusal."""
    for command, reply in zip(commands, replies, strict=True):
        if isinstance(reply, Refusal):
            if str(reply).startswith(OTHERS):
                return True
            raise connection.refused(reply, command)
    return False
