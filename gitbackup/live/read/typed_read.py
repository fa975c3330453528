"""Asking for the values of a batch of keys at once, and making entries of the replies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import count, islice
from typing import Any, Literal, NamedTuple

from gitbackup import available_memory
from gitbackup.errors import ServerError
from gitbackup.format import codec
from gitbackup.kinds import Abilities, Command, Incomplete, Reading, Settled, kind_of
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.connection.error_replies import words_of
from gitbackup.live.read import expiry
from gitbackup.live.read.expiry import Span
from gitbackup.model.keys import Entry

LOOK = 32  # rounds between two looks at how much memory is left
RESTARTS = 20  # of the reading of one key that becomes another type meanwhile
ALWAYS = Span(0, 2**63)


class RetryAlone(Enum):
    """In place of an entry: this key is to be read by itself."""

    LATER = "later"


Outcome = Entry | None | Literal[RetryAlone.LATER]


class Asked(NamedTuple):
    """A key, and the commands that ask for its value's first piece, its expiry before and after.

    Where `reading` is None nothing was asked, and `outcome` is known already.
    """

    key: bytes
    type: str = "none"
    reading: Reading | None = None
    commands: tuple[Command, ...] = ()
    outcome: Outcome = None


def ask(key: bytes, type_: str, server: Abilities) -> Asked:
    """What to send for a key of that type, for its whole value where that is small.

    Other clients' commands may come in between: only a value with the same expiry before and
    after it is one with that expiry.
    """
    if type_ == "none":
        return Asked(key)
    reading, when = kind_of(type_).read(key, server), expiry.ask(key, server)
    return Asked(key, type_, reading, (when, *next(reading), when))


def parse(
    connection: Connection,
    asked: Asked,
    replies: Iterator[Any],
    moment: int | None = None,
    span: Span = ALWAYS,
) -> Outcome:
    """The entry that the replies make, its text loose; Later where it needs more.

    On a server that told the time left only, `moment` is the instant that it was asked for
    since, and `span` the time in which the replies were made.
    """
    if asked.reading is None:
        return asked.outcome
    mine = list(islice(replies, len(asked.commands)))
    connection.expect(asked.commands, mine)
    if refused(connection, asked.commands, mine):
        return RetryAlone.LATER
    first, *values, last = mine
    if not (first == last if moment is None else expiry.agreed(first, last, moment, span)):
        return RetryAlone.LATER
    return outcome(asked.type, asked.reading, values, first if moment is None else moment)


def outcome(type_: str, reading: Reading, values: list[Any], moment: int) -> Outcome:
    """The entry that a value's first piece makes, and its expiry; Later where there is more."""
    try:
        reading.send(values)
    except StopIteration as done:
        return _of_type(type_, done.value, moment)
    except Incomplete:
        pass
    return RetryAlone.LATER


class TypedEntry(NamedTuple):
    """A key's entry, None where it is gone; and whether it had that at one moment for sure."""

    entry: Entry | None
    settled: bool = False


def whole(connection: Connection, key: bytes, server: Abilities) -> TypedEntry:
    """One key read to its end, round by round.

    Raises ServerError for one that is another each time that it is looked at, or makes no value.
    """
    why = "it becomes another type again and again"
    for _ in range(RESTARTS):
        type_ = connection.call("TYPE", key)
        if type_ == "none":
            return TypedEntry(None)
        try:
            found = _rounds(connection, key, type_, server)
        except Incomplete as unsure:
            found, why = None, f"it is a {type_} that nobody could write back: {unsure}"
        if found is not None:
            return found
    raise ServerError(
        f"key {codec.text(key)!r} cannot be read, for {why}; stop what writes to it, or leave it"
        " out with gitbackup init --exclude"
    )


def together(
    connection: Connection, keys: list[bytes], server: Abilities
) -> dict[bytes, Entry | None]:
    """The entries of a few keys, all asked for on one connection, which watches them."""
    types = connection.ask([("TYPE", key) for key in keys])
    asked = [ask(key, type_, server) for key, type_ in zip(keys, types, strict=True)]
    replies = iter(connection.ask([command for one in asked for command in one.commands]))
    moments = [None] * len(keys) if server.pexpiretime else expiry.moments(connection, keys, server)
    found: dict[bytes, Entry | None] = {}
    outcomes = [parse(connection, one, replies, at) for one, at in zip(asked, moments, strict=True)]
    for key, outcome in zip(keys, outcomes, strict=True):
        found[key] = (
            whole(connection, key, server).entry if outcome is RetryAlone.LATER else outcome
        )
    return found


def _rounds(connection: Connection, key: bytes, type_: str, server: Abilities) -> TypedEntry | None:
    """None where the key has become another type; Unsure where the rounds do not make a value."""
    reading = kind_of(type_).read(key, server)
    (moment,) = expiry.moments(connection, [key], server)
    commands = next(reading)
    for asked in count(1):
        _expect_memory(key, type_, asked)
        replies = connection.ask(commands)
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
            f"key {codec.text(key)!r} is a {type_} that fills this machine's memory before it ends:"
            " take another machine, or leave the key out with gitbackup init --exclude"
        )


def _checked(
    connection: Connection,
    key: bytes,
    type_: str,
    server: Abilities,
    made: Entry | Settled | None,
    moment: int,
) -> TypedEntry | None:
    """What was made of the rounds, and the expiry from before them."""
    entry = _of_type(type_, made, moment)
    if entry is RetryAlone.LATER:
        return None
    settled = isinstance(made, Settled) and expiry.moments(connection, [key], server) == [moment]
    return TypedEntry(entry, settled)


def _of_type(type_: str, made: Entry | Settled | None, moment: int) -> Outcome:
    """The entry with its expiry; None where the key is gone, Later where its type is another."""
    entry = made.entry if isinstance(made, Settled) else made
    if entry is None or moment == expiry.GONE:
        return None
    if entry["type"] != type_:
        return RetryAlone.LATER
    if moment != expiry.NEVER:
        entry["expires_at"] = codec.instant(moment)
    return entry


def refused(connection: Connection, commands: Iterable[Command], replies: list[Any]) -> bool:
    """True where the key has become another type, or gone; any other refusal is an error."""
    for command, reply in zip(commands, replies, strict=True):
        if isinstance(reply, Refusal):
            if words_of(reply).startswith(("WRONGTYPE", "ERR no such key", "no such key")):
                return True
            raise connection.refused(reply, command)
    return False
