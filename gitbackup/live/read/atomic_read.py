"""Reading a few keys of several databases at one moment: inside MULTI and EXEC."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from typing import Any, NamedTuple

from gitbackup.kinds import FIELDS_EXPIRE, KINDS, Abilities, Command
from gitbackup.live.connection.connect import parse_info
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.read import alone_read, expiry
from gitbackup.live.read.alone_read import Outcome, RetryAlone
from gitbackup.live.read.bulk_read import Asked
from gitbackup.live.read.expiry import Span
from gitbackup.live.server import keyspace
from gitbackup.live.server.keyspace import Library

Place = tuple[int, bytes]
"""A database's number, and a key's name in it."""


class KeyToRead(NamedTuple):
    """A key to read, and the type that it is thought to have; empty where nobody knows."""

    db: int
    name: bytes
    type: str


@dataclass(slots=True)
class Moment:
    """What the server held at one moment.

    `at` is its own time then, in milliseconds since 1970; `databases` are those with keys.
    `found` gives each key's entry, None where it was gone, or RetryAlone where it takes more than
    a moment; `types` its type, nothing where it is another than was thought. `hurried` are the
    keys whose expiry had to be asked for afterwards. `libraries` is None where they were not
    asked for.
    """

    at: int
    databases: frozenset[int]
    fields_expire: frozenset[int]
    libraries: Sequence[Library] | None = None
    found: dict[Place, Outcome] = field(default_factory=dict)
    types: dict[Place, str] = field(default_factory=dict)
    hurried: set[Place] = field(default_factory=set)


class AtomicReader:
    """Reads at one moment, on a connection that serves nothing else meanwhile.

    Raises ServerError, naming the command, where the user may not ask so.
    """

    def __init__(self, connection: Connection, server: Abilities) -> None:
        self._connection = connection
        self._server = server
        self._plain = replace(server, field_expiry=False)
        self._fields_expire: frozenset[int] = frozenset()

    def read(self, wanted: Sequence[KeyToRead], libraries: bool) -> Moment:
        """Read keys, which come database by database; with `libraries`, the function libraries too.

        Raises ServerError, naming the command, where the user may not ask so.
        """
        asked = [self._ask(key) for key in wanted]
        listing: list[Command] = [("FUNCTION", "LIST", "WITHCODE")] if libraries else []
        commands = [("TIME",), expiry.KEYSPACE, *listing, *self._keys(wanted, asked)]
        first, info, *rest, last = self._transaction([*commands, ("TIME",)])
        replies = iter(rest)
        listed = keyspace.told(next(replies)) if libraries else None
        span = Span(keyspace.milliseconds(first), keyspace.milliseconds(last))
        known = parse_info(info)
        databases = frozenset(keyspace.numbers(known))
        expiring = frozenset(
            db
            for db in databases
            if self._server.field_expiry and expiry.fields_may_expire_in(known, db)
        )
        moment = Moment(span.end, databases, expiring, listed)
        self._settle(moment, wanted, asked, replies, span)
        self._fields_expire = expiring
        return moment

    def _ask(self, key: KeyToRead) -> Asked:
        """What to ask for a key: its type alone, where that is not known."""
        if key.type not in KINDS:
            return Asked(key.name, key.type, None, (("TYPE", key.name),))
        known = self._server if key.db in self._fields_expire else self._plain
        reading, when = KINDS[key.type].read(key.name, known), expiry.ask(key.name, known)
        return Asked(key.name, key.type, reading, (when, *next(reading)))

    def _keys(self, wanted: Sequence[KeyToRead], asked: Sequence[Asked]) -> Iterator[Command]:
        db = self._connection.db
        for key, ask in zip(wanted, asked, strict=True):
            if key.db != db:
                db = key.db
                yield "SELECT", db
            yield from ask.commands

    def _transaction(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies to commands that the server carried out with nothing in between."""
        sent: list[Command] = [("MULTI",), *commands, ("EXEC",)]
        *queued, done = self._connection.ask(sent)
        for command, reply in zip(sent, [*queued, done], strict=True):
            if isinstance(reply, Refusal):
                raise self._connection.refused(reply, command)
        for command in commands:
            if command[0] == "SELECT":
                self._connection.db = int(command[1])
        return [
            reply for command, reply in zip(commands, done, strict=True) if command[0] != "SELECT"
        ]

    def _settle(
        self,
        moment: Moment,
        wanted: Sequence[KeyToRead],
        asked: Sequence[Asked],
        replies: Iterator[Any],
        span: Span,
    ) -> None:
        answers = [list(islice(replies, len(ask.commands))) for ask in asked]
        instants = self._instants(moment, wanted, answers, span)
        for key, ask, answer in zip(wanted, asked, answers, strict=True):
            place = key.db, key.name
            if ask.reading is None:
                found, type_ = self._typed(ask, answer[0])
            elif answer[0] == expiry.GONE:
                found, type_ = None, key.type
            elif self._mistaken(moment, key, ask, answer):
                found, type_ = RetryAlone.LATER, ""
            else:
                left, *values = answer
                when = instants.get(place, left)
                known = self._server.pexpiretime or expiry.agreed(left, left, when, span)
                found = (
                    alone_read.outcome(key.type, ask.reading, values, when)
                    if known
                    else RetryAlone.LATER
                )
                type_ = key.type
            moment.found[place], moment.types[place] = found, type_

    def _typed(self, asked: Asked, reply: Any) -> tuple[Outcome, str]:
        if isinstance(reply, Refusal):
            raise self._connection.refused(reply, asked.commands[0])
        return (None, asked.type) if reply == "none" else (RetryAlone.LATER, reply)

    def _mistaken(self, moment: Moment, key: KeyToRead, asked: Asked, answer: list[Any]) -> bool:
        """Whether a key was asked for as what it is not: it has another type, or a field of it may
        expire."""
        if alone_read.refused(self._connection, asked.commands, answer):
            return True
        return key.type in FIELDS_EXPIRE and key.db in moment.fields_expire - self._fields_expire

    def _instants(
        self, moment: Moment, wanted: Sequence[KeyToRead], answers: Sequence[list[Any]], span: Span
    ) -> dict[Place, int]:
        """When keys expire, where the server has told only how much time is left.

        Within one millisecond that is known; else they are asked again, one by one.
        """
        if self._server.pexpiretime:
            return {}
        left = {(key.db, key.name): answer[0] for key, answer in zip(wanted, answers, strict=True)}
        hurried = [place for place, time in left.items() if isinstance(time, int) and time >= 0]
        if span.start == span.end:
            return left | {place: span.end + left[place] for place in hurried}
        for db, places in groupby(hurried, key=lambda place: place[0]):
            names = [name for _, name in places]
            self._connection.select(db)
            instants = expiry.moments(self._connection, names, self._server)
            left.update(zip(((db, name) for name in names), instants, strict=True))
        moment.hurried.update(hurried)
        return left
