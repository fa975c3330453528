"""Read many keys at once, in batches that are bounded in bytes.

First each key's type and size are asked. Small values are then asked for by one command each, with
as little Python for each key as possible. Others are asked for by the first round of their kind; if
that is not enough, the key is read alone. Both give the same entries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import compress, islice
from operator import not_
from typing import Any, NamedTuple

from gitbackup.format import codec
from gitbackup.kinds import (
    FIELDS_EXPIRE,
    KINDS,
    Abilities,
    Command,
    Incomplete,
    Reading,
    SingleReply,
    kind_named,
)
from gitbackup.kinds.shapes import is_number
from gitbackup.live.connection.asking import Asking
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.protocol.error_replies import is_redirect
from gitbackup.live.protocol.reply_shapes import is_type
from gitbackup.live.protocol.resp import argument, form, pattern
from gitbackup.live.read import alone_read, expiry
from gitbackup.live.read.alone_read import ReadOutcome, RetryAlone
from gitbackup.live.read.expiry import Span
from gitbackup.live.server import keyspace
from gitbackup.model.keys import Entry

MOST_KEYS = 500  # in one batch
MOST_BYTES = 4 * 1024 * 1024  # by the server's own estimate; a larger value is a batch of its own
GUESS = MOST_BYTES // 50  # bytes of a value, if the user may not ask

ABOUT = pattern(form(("TYPE",)), form(("MEMORY", "USAGE"), ("SAMPLES", "1")))
SIZE_QUESTIONS = 2  # about each key
ELSEWHERE = "(elsewhere)"  # in place of a type: another node of the cluster has the key
SIMPLE = 64 * 1024  # bytes of a value, by the server's estimate, that one command asks for
ALWAYS = Span(0, 2**63)
UNSURE = (Incomplete, TypeError, ValueError, AttributeError, LookupError)
"""Raised when a value is made of a reply that is incomplete, an error, or nonsense: then the key is
read alone."""


class Batch(NamedTuple):
    """Keys, their types, and about how many bytes each takes in the server's memory."""

    keys: Sequence[bytes]
    types: Sequence[str]
    sizes: Sequence[int]


def size_questions(keys: Sequence[bytes]) -> bytes:
    """Return the commands that ask for the keys' types and sizes, packed."""
    return b"".join([ABOUT % (name, name) for name in map(argument, keys)])


def with_sizes(connection: Connection, keys: Sequence[bytes], replies: Sequence[Any]) -> Batch:
    """Return the keys with their types and sizes, by the replies to `size_questions`.

    The type of a key that another node of a cluster has is ELSEWHERE. Raises ServerError if the
    user may not ask for a key's type.
    """
    types, sizes = replies[::SIZE_QUESTIONS], replies[1::SIZE_QUESTIONS]
    if any(issubclass(kind, Refusal) for kind in {*map(type, types)}):
        types = [ELSEWHERE if is_elsewhere(type_) else type_ for type_ in types]
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


def is_elsewhere(reply: Any) -> bool:
    """Return whether a node says that another node of its cluster has the key."""
    return isinstance(reply, Refusal) and is_redirect(str(reply))


def batches(whole: Batch, most: int = MOST_BYTES) -> Iterator[Batch]:
    """Yield the keys in their order, in batches of at most so many bytes or one key."""
    keys, types, sizes = whole
    start = total = 0
    for at, size in enumerate(sizes if sum(sizes) > most else ()):
        if total + size > most and at > start:
            yield Batch(keys[start:at], types[start:at], sizes[start:at])
            start, total = at, 0
        total += size
    yield Batch(keys[start:], types[start:], sizes[start:])


class SmallValues:
    """How a server with these abilities is asked for small values, and what it replies.

    `sized` tells whether they are known to be small. If the caller `hears` of every write, the
    expiry and the value of a key that was not written to are of one moment; else the expiry is
    asked for before and after the value, and is the value's only if both are the same.
    """

    def __init__(self, server: Abilities, sized: bool, hears: bool) -> None:
        self._most = SIMPLE // server.share
        self.questions = 2 if hears else 3  # about each key
        singles = {name: kind.single_reply(server, sized) for name, kind in KINDS.items()}
        self._singles: dict[str, SingleReply] = {}
        if server.pexpiretime:
            self._singles = {name: single for name, single in singles.items() if single}
        self._patterns = {name: _pattern(single, hears) for name, single in self._singles.items()}
        self._values = {name: single.value for name, single in self._singles.items()}

    def takes(self, type_: str, size: int) -> bool:
        """Return whether a value of this type and so many bytes can be read here."""
        return size <= self._most and type_ in self._singles

    def takes_sizes(self, largest: int) -> bool:
        """Return whether values of up to so many bytes can be read here."""
        return largest <= self._most

    def takes_all(self, types: Iterable[str]) -> bool:
        """Return whether small values of all these types can be read here."""
        return self._singles.keys() >= set(types)

    def ask(self, keys: Sequence[bytes], types: Sequence[str]) -> bytes:
        """Return the commands that ask for the values of these keys, packed."""
        names, patterns = map(argument, keys), map(self._patterns.__getitem__, types)
        pairs = zip(patterns, names, strict=True)
        if self.questions == 2:
            return b"".join([pattern % (name, name) for pattern, name in pairs])
        return b"".join([pattern % (name, name, name) for pattern, name in pairs])

    def settle(
        self, keys: Sequence[bytes], types: Sequence[str], replies: Sequence[Any]
    ) -> Sequence[ReadOutcome]:
        """Return the entries that the replies give, with loose text; RetryAlone for a key of which
        they do not give all for sure."""
        each = self.questions
        first, values = replies[::each], replies[1::each]
        last = first if each == 2 else replies[2::each]
        kinds = {*map(type, values), *map(type, first)}
        if first == last and not any(issubclass(kind, Refusal) for kind in kinds):
            with suppress(*UNSURE):
                return [*self._entries(types, first, values)]
        parts = zip(types, first, values, last, strict=True)  # as many as there are keys
        return [self._carefully(*each_key) for each_key in parts]

    def _carefully(self, type_: str, first: Any, value: Any, last: Any) -> ReadOutcome:
        if first != last or not is_number(first) or isinstance(value, Refusal):
            return RetryAlone.LATER
        try:
            (outcome,) = self._entries([type_], [first], [value])
        except UNSURE:
            return RetryAlone.LATER
        return outcome

    def _entries(
        self, types: Sequence[str], moments: Sequence[int], values: Sequence[Any]
    ) -> Iterator[Entry | None]:
        instant, made = codec.instant, self._values
        for type_, moment, value in zip(types, moments, values, strict=True):
            value = made[type_](value)
            if value is None or moment == expiry.GONE or not (value or type(value) is str):
                yield None
            elif moment < 0:
                yield {"type": type_, "value": value}
            else:
                yield {"type": type_, "value": value, "expires_at": instant(moment)}


def _pattern(single: SingleReply, hears: bool) -> bytes:
    when, value = form(("PEXPIRETIME",)), form((single.command,), single.words)
    return pattern(when, value) if hears else pattern(when, value, when)


class Asked(NamedTuple):
    """A key, and the commands that ask for its value's first piece, its expiry before and after.

    If `reading` is None, nothing was asked, and `outcome` is known already.
    """

    key: bytes
    type: str = "none"
    reading: Reading | None = None
    commands: tuple[Command, ...] = ()
    outcome: ReadOutcome = None


def ask(key: bytes, type_: str, server: Abilities) -> Asked:
    """Return what to send for a key of this type: a small value is read whole by that.

    Other clients' commands may come in between: an expiry is the value's only if it is the same
    before and after it.
    """
    if type_ == "none":
        return Asked(key)
    if type_ == ELSEWHERE:
        return Asked(key, type_, outcome=RetryAlone.LATER)
    reading, when = kind_named(type_).read(key, server), expiry.ask(key, server)
    return Asked(key, type_, reading, (when, *next(reading), when))


def parse(
    connection: Connection,
    asked: Asked,
    replies: Iterator[Any],
    moment: int | None = None,
    span: Span = ALWAYS,
) -> ReadOutcome:
    """Return the entry that the replies give, with loose text; RetryAlone if it takes more.

    If the server only tells the time left, `moment` is the key's expiry, asked for since, and
    `span` the time in which the replies were made.
    """
    if asked.reading is None:
        return asked.outcome
    own_replies = list(islice(replies, len(asked.commands)))
    connection.expect(asked.commands, own_replies)
    if alone_read.refused(connection, asked.commands, own_replies):
        return RetryAlone.LATER
    first, *values, last = own_replies
    if not (first == last if moment is None else expiry.agreed(first, last, moment, span)):
        return RetryAlone.LATER
    instant = first if moment is None else moment
    return alone_read.outcome(asked.type, asked.reading, values, instant)


def watched(
    connection: Connection, guesses: Mapping[bytes, str], server: Abilities
) -> Asking[dict[bytes, Entry | None]]:
    """Watch a few keys on this connection, and return their entries.

    All is asked at once by the types that are guessed; a key of another type is asked again.
    """
    keys = [*guesses]
    asked = [ask(key, type_, server) for key, type_ in guesses.items()]
    about: list[Command] = [("WATCH", *keys), *(("TYPE", key) for key in keys)]
    watching, *replies = yield [*about, *(command for each in asked for command in each.commands)]
    for command, reply in zip(about, (watching, *replies), strict=False):
        if isinstance(reply, Refusal):
            raise connection.refused(reply, command)
    types, values = replies[: len(keys)], replies[len(keys) :]
    if types != [*guesses.values()]:
        asked = [ask(key, type_, server) for key, type_ in zip(keys, types, strict=True)]
        more = [command for each in asked for command in each.commands]
        values = (yield more) if more else []
    left = iter(values)
    moments = [None] * len(keys) if server.pexpiretime else expiry.moments(connection, keys, server)
    outcomes = [
        parse(connection, each, left, moment) for each, moment in zip(asked, moments, strict=True)
    ]
    return {
        key: alone_read.whole(connection, key, server).entry
        if outcome is RetryAlone.LATER
        else outcome
        for key, outcome in zip(keys, outcomes, strict=True)
    }


class SentBatch(NamedTuple):
    """A batch that was asked for: its keys with small values, what was asked of the others, and
    whether no field of a hash could expire (`plain`)."""

    batch: Batch
    keys: Sequence[bytes]
    types: Sequence[str]
    small: SmallValues
    others: Sequence[Asked]
    plain: bool


class BulkReader:
    """Reads values on one connection, of one database at a time.

    `second` returns another connection to the same database, with no replies under way.
    """

    def __init__(
        self, connection: Connection, server: Abilities, second: Callable[[], Connection]
    ) -> None:
        self._connection = connection
        self._second = second
        self._server = server
        self._plain_server = replace(server, field_expiry=False)
        self._small = {
            plain: SmallValues(self._plain_server if plain else server, sized=True, hears=False)
            for plain in (True, False)
        }
        self._plain = False
        self._around: list[Command] = [] if server.pexpiretime else [("TIME",)]
        self._after: list[Command] = [expiry.KEYSPACE] if server.field_expiry else []

    def begin(self, db: int) -> None:
        """Begin to read this database, which the connection has selected."""
        self._plain = not expiry.fields_may_expire(self._connection, db) if self._after else True
        self._db = db

    def ask(self, asked: Batch) -> SentBatch:
        """Send what asks for the values of a batch."""
        small = self._small[self._plain]
        keys, types, others = asked.keys, asked.types, []
        if not (small.takes_sizes(max(asked.sizes)) and small.takes_all(asked.types)):
            chosen = [*map(small.takes, asked.types, asked.sizes)]
            keys, types = [*compress(asked.keys, chosen)], [*compress(asked.types, chosen)]
            others = [*self._others(asked, chosen)]
        self._connection.send_packed(small.ask(keys, types))
        commands = [command for each in others for command in each.commands]
        if others or self._after:
            around = self._around if others else []
            self._connection.send([*around, *commands, *around, *self._after])
        return SentBatch(asked, keys, types, small, others, self._plain)

    def receive(self, sent: SentBatch) -> Sequence[ReadOutcome]:
        """Return the entry of each key of a batch; RetryAlone for one that has to be read alone."""
        replies = self._connection.receive(sent.small.questions * len(sent.keys))
        outcomes = sent.small.settle(sent.keys, sent.types, replies)
        others = self._settle(sent.others) if sent.others else []
        if self._after:
            (info,) = self._connection.receive(1)
            self._connection.expect(self._after, [info])
            self._plain = not expiry.fields_may_expire_by(info, self._db)
        if others:
            by_key = dict(zip(sent.keys, outcomes, strict=True))
            by_key |= zip((each.key for each in sent.others), others, strict=True)
            outcomes = [by_key[key] for key in sent.batch.keys]
        if not sent.plain or self._plain:
            return outcomes
        return [  # by now a field may expire: each hash has to be asked
            RetryAlone.LATER if type_ in FIELDS_EXPIRE else outcome
            for type_, outcome in zip(sent.batch.types, outcomes, strict=True)
        ]

    def _others(self, asked: Batch, small: Sequence[bool]) -> Iterator[Asked]:
        server = self._plain_server if self._plain else self._server
        others = [*map(not_, small)]
        for key, type_ in zip(
            compress(asked.keys, others), compress(asked.types, others), strict=True
        ):
            yield ask(key, type_, server)

    def _settle(self, asked: Sequence[Asked]) -> Sequence[ReadOutcome]:
        before = self._connection.receive(len(self._around))
        written = all(kind_named(each.type).takes_written for each in asked)
        count = sum(len(each.commands) for each in asked)
        replies = iter(self._connection.receive(count, written=written))
        after = self._connection.receive(len(self._around))
        self._connection.expect([*self._around, *self._around], [*before, *after])
        if self._server.pexpiretime:
            return [parse(self._connection, each, replies) for each in asked]
        clock = [*before, *after]  # for a server that only tells the time left
        refused = any(isinstance(reply, Refusal) for reply in clock)
        span = ALWAYS if refused else Span(*map(keyspace.milliseconds, clock))
        moments = expiry.moments(self._second(), [each.key for each in asked], self._server)
        return [
            parse(self._connection, each, replies, moment, span)
            for each, moment in zip(asked, moments, strict=True)
        ]
