"""Read a few keys of several databases at one moment, inside MULTI and EXEC."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, groupby, islice
from typing import Any, NamedTuple

from gitbackup.kinds import FIELDS_EXPIRE, KINDS, Abilities, Command, kind_named
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.protocol.error_replies import Redirected
from gitbackup.live.protocol.info import parse_info
from gitbackup.live.protocol.slots import by_slot
from gitbackup.live.read import alone_read, expiry
from gitbackup.live.read.alone_read import ReadOutcome, RetryAlone
from gitbackup.live.read.bulk_read import Asked
from gitbackup.live.read.expiry import Span
from gitbackup.live.server import keyspace
from gitbackup.live.server.keyspace import Library

RawKey = tuple[int, bytes]
"""A database's number, and a key's name in it."""


class KeyToRead(NamedTuple):
    """A key to read, and the type that it is thought to have; empty if unknown."""

    db: int
    name: bytes
    type: str


@dataclass(slots=True)
class Moment:
    """What the server held at one moment.

    `at` is its own time then, in milliseconds since 1970; `databases` are those with keys;
    `fields_expire` those in which a field may expire. `outcomes` gives each key's entry, None if
    it was gone, or RetryAlone if it has to be read by itself; `types` its type, empty if it is
    another than was thought. `late` are the keys whose expiry had to be asked for afterwards.
    `libraries` is None if they were not asked for. In a cluster it takes `several` transactions,
    one for each slot: then it is one moment only if nothing was written to meanwhile.
    """

    at: int
    databases: frozenset[int]
    fields_expire: frozenset[int]
    libraries: Sequence[Library] | None = None
    outcomes: dict[RawKey, ReadOutcome] = field(default_factory=dict)
    types: dict[RawKey, str] = field(default_factory=dict)
    late: set[RawKey] = field(default_factory=set)
    several: bool = False


class SentMoment(NamedTuple):
    """Keys that were asked for, in the groups that are read together, and by which commands."""

    groups: Sequence[Sequence[KeyToRead]]
    asked: Sequence[Sequence[Asked]]
    transactions: Sequence[Sequence[Command]]
    libraries: bool


class AtomicReader:
    """Reads keys at one moment, on a connection that nothing else uses meanwhile."""

    def __init__(self, connection: Connection, server: Abilities) -> None:
        self._connection = connection
        self._server = server
        self._plain = replace(server, field_expiry=False)
        self._fields_expire: frozenset[int] = frozenset()

    def read(self, keys: Sequence[KeyToRead], libraries: bool) -> Moment:
        """Read keys, sorted by database; with `libraries`, the function libraries too.

        A key that another node of a cluster has is to be read by itself. Raises ServerError, naming
        the command, if the user may not run one.
        """
        return self.settle(self.send(keys, libraries))

    def send(self, keys: Sequence[KeyToRead], libraries: bool) -> SentMoment:
        """Ask for keys as `read()` does; `settle()` is to receive the replies next."""
        groups = by_slot(keys, lambda key: key.name) if self._server.one_slot else [[*keys]]
        asked = [[self._ask(key) for key in group] for group in groups]
        pairs = zip(groups, asked, strict=True)
        commands = [[*self._commands(group, asks)] for group, asks in pairs]
        listing: list[Command] = [("FUNCTION", "LIST", "WITHCODE")] if libraries else []
        start: list[Command] = [("TIME",), expiry.KEYSPACE, *listing]
        end: list[Command] = [("TIME",)]
        transactions = [start, *commands, end]
        if not self._server.one_slot:
            transactions = [[*chain.from_iterable(transactions)]]
        self._connection.send(chain.from_iterable(map(_wrapped, transactions)))
        return SentMoment(groups, asked, transactions, libraries)

    def settle(self, sent: SentMoment) -> Moment:
        """Receive what was asked for, and return what it tells."""
        received = self._receive(sent.transactions)
        if not self._server.one_slot:
            whole, head = received[0] or [], 3 if sent.libraries else 2
            received = [whole[:head], whole[head:-1], whole[-1:]]
        start, *values, end = received
        (first, info, *listed), (last,) = start or [], end or []  # no node is asked for a key there
        span = Span(keyspace.milliseconds(first), keyspace.milliseconds(last))
        known = parse_info(info)
        databases = frozenset(keyspace.numbers(known))
        expiring = frozenset(
            db
            for db in databases
            if self._server.field_expiry and expiry.fields_may_expire_in(known, db)
        )
        several = self._server.one_slot and len(sent.groups) + sent.libraries > 1
        libraries = keyspace.told(listed[0]) if listed else None
        moment = Moment(span.end, databases, expiring, libraries, several=several)
        there: list[KeyToRead] = []
        asked: list[Asked] = []
        replies: list[Any] = []
        for group, asks, value in zip(sent.groups, sent.asked, values, strict=True):
            if value is None:  # another node has these keys
                moment.outcomes.update(((key.db, key.name), RetryAlone.LATER) for key in group)
                moment.types.update(((key.db, key.name), key.type) for key in group)
                continue
            there += group
            asked += asks
            replies += value
        self._settle(moment, there, asked, iter(replies), span)
        self._fields_expire = expiring
        return moment

    def _ask(self, key: KeyToRead) -> Asked:
        """Return what to ask for a key: only its type, if that is not known."""
        if not key.type:
            return Asked(key.name, key.type, None, (("TYPE", key.name),))
        known = self._server if key.db in self._fields_expire else self._plain
        reading, when = kind_named(key.type).read(key.name, known), expiry.ask(key.name, known)
        return Asked(key.name, key.type, reading, (when, *next(reading)))

    def _commands(self, keys: Sequence[KeyToRead], asked: Sequence[Asked]) -> Iterator[Command]:
        """Yield the commands that read keys, and those that select their databases.

        In a cluster, a transaction does not know which database the one before it has left.
        """
        db: int | None = self._connection.db
        if self._server.one_slot and (db or any(key.db for key in keys)):
            db = None
        for key, ask in zip(keys, asked, strict=True):
            if key.db != db:
                db = key.db
                yield "SELECT", db
            yield from ask.commands

    def _receive(self, transactions: Sequence[Sequence[Command]]) -> list[list[Any] | None]:
        """Return the replies to commands of each transaction, which the server carried out with
        nothing in between; None if it did not because another node has its keys."""
        sent = [*map(_wrapped, transactions)]
        whole = self._connection.receive(sum(map(len, sent)))
        self._connection.expect(chain.from_iterable(sent), whole)
        left = iter(whole)
        found: list[list[Any] | None] = []
        for number, commands in enumerate(sent):
            asks_keys = self._server.one_slot and 0 < number < len(sent) - 1
            replies = [*islice(left, len(commands))]
            pairs = zip(commands, replies, strict=True)
            refused = ((reply, command) for command, reply in pairs if isinstance(reply, Refusal))
            errors = [self._connection.refused(*pair) for pair in refused]
            if errors and not (asks_keys and isinstance(errors[0], Redirected)):
                raise errors[0]
            done = self._connection.unwatched(replies[-1])
            found.append(None if errors else self._done(commands[1:-1], done))
        return found

    def _done(self, commands: Sequence[Command], replies: Sequence[Any]) -> list[Any]:
        """Return the replies to the commands of a transaction but those to SELECT."""
        for command in commands:
            if command[0] == "SELECT":
                self._connection.db = int(command[1])
        pairs = zip(commands, replies, strict=True)
        return [reply for command, reply in pairs if command[0] != "SELECT"]

    def _settle(
        self,
        moment: Moment,
        keys: Sequence[KeyToRead],
        asked: Sequence[Asked],
        replies: Iterator[Any],
        span: Span,
    ) -> None:
        """Note in the moment what the replies say of each key."""
        answers = [list(islice(replies, len(ask.commands))) for ask in asked]
        instants = self._instants(moment, keys, answers, span)
        for key, ask, answer in zip(keys, asked, answers, strict=True):
            raw_key, type_ = (key.db, key.name), key.type
            outcome: ReadOutcome = RetryAlone.LATER
            if ask.reading is None:
                outcome, type_ = self._typed(ask, answer[0])
            elif answer[0] == expiry.GONE:
                outcome = None
            elif self._mistaken(moment, key, ask, answer):
                type_ = ""
            else:
                left, *values = answer
                when = instants.get(raw_key, left)
                if self._server.pexpiretime or expiry.agreed(left, left, when, span):
                    outcome = alone_read.outcome(key.type, ask.reading, values, when)
                    if outcome is RetryAlone.LATER and key.type not in KINDS:
                        type_ = values[-1]  # DUMP refuses no type
            moment.outcomes[raw_key], moment.types[raw_key] = outcome, type_

    def _typed(self, asked: Asked, reply: Any) -> tuple[ReadOutcome, str]:
        """Return the outcome and the type of a key that was asked for its type alone."""
        if isinstance(reply, Refusal):
            raise self._connection.refused(reply, asked.commands[0])
        return (None, asked.type) if reply == "none" else (RetryAlone.LATER, reply)

    def _mistaken(self, moment: Moment, key: KeyToRead, asked: Asked, answer: list[Any]) -> bool:
        """Return whether a key has another type than was thought, or fields that may expire."""
        if alone_read.refused(self._connection, asked.commands, answer):
            return True
        return key.type in FIELDS_EXPIRE and key.db in moment.fields_expire - self._fields_expire

    def _instants(
        self, moment: Moment, keys: Sequence[KeyToRead], answers: Sequence[list[Any]], span: Span
    ) -> dict[RawKey, int]:
        """Return when keys expire, if the server has only said how much time is left.

        If all was read within one millisecond, that is known; else they are asked again, one by
        one.
        """
        if self._server.pexpiretime:
            return {}
        left = {(key.db, key.name): answer[0] for key, answer in zip(keys, answers, strict=True)}
        expiring = [key for key, time in left.items() if isinstance(time, int) and time >= 0]
        if span.start == span.end:
            return left | {key: span.end + left[key] for key in expiring}
        for db, group in groupby(expiring, key=lambda key: key[0]):
            names = [name for _, name in group]
            self._connection.select(db)
            instants = expiry.moments(self._connection, names, self._server)
            left.update(zip(((db, name) for name in names), instants, strict=True))
        moment.late.update(expiring)
        return left


def _wrapped(commands: Sequence[Command]) -> list[Command]:
    """Return the commands as a transaction."""
    return [("MULTI",), *commands, ("EXEC",)]
