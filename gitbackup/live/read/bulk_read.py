"""Reading many keys at once, in batches that are bounded in bytes.

First each key's type and size are asked. Small values are then asked for by one command each, of
which entries are made in C: what costs per key costs here. Others are asked for by the first round
of their kind; what that does not tell is read alone. Both give the same entries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.connection.reply_shapes import is_type
from gitbackup.live.connection.resp import argument, form, pattern
from gitbackup.live.read import alone_read, expiry
from gitbackup.live.read.alone_read import Outcome, RetryAlone
from gitbackup.live.read.expiry import Span
from gitbackup.live.server import keyspace
from gitbackup.model.keys import Entry

MOST_KEYS = 500  # in one batch
MOST_BYTES = 4 * 1024 * 1024  # by the server's own estimate; a larger value is a batch of its own
GUESS = MOST_BYTES // 50  # bytes, where the user may not ask

ABOUT = pattern(form(("TYPE",)), form(("MEMORY", "USAGE"), ("SAMPLES", "1")))
SIZE_QUESTIONS = 2  # about each key
SIMPLE = 64 * 1024  # bytes of a value, by the server's estimate, that one command asks for
ALWAYS = Span(0, 2**63)
UNSURE = (Incomplete, TypeError, ValueError, AttributeError, LookupError)
"""What making a value of a reply ends in where it is not all, or an error, or nonsense: then it is
asked again, by itself."""


class Batch(NamedTuple):
    """Keys, their types, and how many bytes each takes in the server's memory, about."""

    keys: Sequence[bytes]
    types: Sequence[str]
    sizes: Sequence[int]


def size_questions(keys: Sequence[bytes]) -> bytes:
    """The commands that ask for what has to be known to ask for the keys' values."""
    return b"".join([ABOUT % (name, name) for name in map(argument, keys)])


def told_sizes(connection: Connection, keys: Sequence[bytes], replies: Sequence[Any]) -> Batch:
    """The keys with what the replies to `size_questions` tell of them.

    Raises ServerError where the user may not ask for a key's type.
    """
    types, sizes = replies[::SIZE_QUESTIONS], replies[1::SIZE_QUESTIONS]
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


class SmallValues:
    """How a server with these abilities is asked for the small values that it has.

    They are `sized` where they are known to be small. Where one `hears` of every write, the
    expiry and the value of a key that was not written to are of one moment; else the expiry is
    asked for before and after the value: only where both are the same, that is the value's.
    """

    def __init__(self, server: Abilities, sized: bool, hears: bool) -> None:
        self._most = SIMPLE // server.share
        self.questions = 2 if hears else 3  # about each key
        known = {name: kind.single_reply(server, sized) for name, kind in KINDS.items()}
        self._whole: dict[str, SingleReply] = {}
        if server.pexpiretime:
            self._whole = {name: whole for name, whole in known.items() if whole}
        self._patterns = {name: _pattern(whole, hears) for name, whole in self._whole.items()}
        self._values = {name: whole.value for name, whole in self._whole.items()}

    def takes(self, type_: str, size: int) -> bool:
        """Whether a value of so many bytes is read here."""
        return size <= self._most and type_ in self._whole

    def takes_sizes(self, largest: int) -> bool:
        """Whether values of up to so many bytes are."""
        return largest <= self._most

    def takes_all(self, types: Iterable[str]) -> bool:
        """Whether small values of all these types are."""
        return self._whole.keys() >= set(types)

    def ask(self, keys: Sequence[bytes], types: Sequence[str]) -> bytes:
        """The commands that ask for their values."""
        names, patterns = map(argument, keys), map(self._patterns.__getitem__, types)
        pairs = zip(patterns, names, strict=True)
        if self.questions == 2:
            return b"".join([pattern % (name, name) for pattern, name in pairs])
        return b"".join([pattern % (name, name, name) for pattern, name in pairs])

    def settle(
        self, keys: Sequence[bytes], types: Sequence[str], replies: Sequence[Any]
    ) -> Sequence[Outcome]:
        """The entries that the replies make, their text loose; RetryAlone for what they do not
        tell for sure."""
        each = self.questions
        first, values = replies[::each], replies[1::each]
        last = first if each == 2 else replies[2::each]
        kinds = {*map(type, values), *map(type, first)}
        if first == last and not any(issubclass(kind, Refusal) for kind in kinds):
            with suppress(Incomplete):
                return [*self._entries(types, first, values)]
        told = zip(types, first, values, last, strict=True)  # as many as there are keys
        return [self._carefully(*mine) for mine in told]

    def _carefully(self, type_: str, first: Any, value: Any, last: Any) -> Outcome:
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


def _pattern(whole: SingleReply, hears: bool) -> bytes:
    when, value = form(("PEXPIRETIME",)), form((whole.command,), whole.words)
    return pattern(when, value) if hears else pattern(when, value, when)


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
    reading, when = kind_named(type_).read(key, server), expiry.ask(key, server)
    return Asked(key, type_, reading, (when, *next(reading), when))


def parse(
    connection: Connection,
    asked: Asked,
    replies: Iterator[Any],
    moment: int | None = None,
    span: Span = ALWAYS,
) -> Outcome:
    """The entry that the replies make, its text loose; RetryAlone where it needs more.

    On a server that told the time left only, `moment` is the instant that it was asked for
    since, and `span` the time in which the replies were made.
    """
    if asked.reading is None:
        return asked.outcome
    mine = list(islice(replies, len(asked.commands)))
    connection.expect(asked.commands, mine)
    if alone_read.refused(connection, asked.commands, mine):
        return RetryAlone.LATER
    first, *values, last = mine
    if not (first == last if moment is None else expiry.agreed(first, last, moment, span)):
        return RetryAlone.LATER
    instant = first if moment is None else moment
    return alone_read.outcome(asked.type, asked.reading, values, instant)


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
        if outcome is RetryAlone.LATER:
            outcome = alone_read.whole(connection, key, server).entry
        found[key] = outcome
    return found


class SentBatch(NamedTuple):
    """A batch on its way: its small values, what was asked of its other keys, and whether no
    field of a hash was to expire."""

    batch: Batch
    keys: Sequence[bytes]
    types: Sequence[str]
    small: SmallValues
    others: Sequence[Asked]
    plain: bool


class BulkReader:
    """Asks one connection for values, of one database at a time.

    `second` gives another connection to the same, which has no replies under way.
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
        """What follows is about this database, which the connection is at."""
        self._plain = not expiry.fields_may_expire(self._connection, db) if self._after else True
        self._db = db

    def ask(self, asked: Batch) -> SentBatch:
        """Sends what asks for the values of a batch."""
        small = self._small[self._plain]
        keys, types, others = asked.keys, asked.types, []
        if not (small.takes_sizes(max(asked.sizes)) and small.takes_all(asked.types)):
            chosen = [*map(small.takes, asked.types, asked.sizes)]
            keys, types = [*compress(asked.keys, chosen)], [*compress(asked.types, chosen)]
            others = [*self._others(asked, chosen)]
        self._connection.send_packed(small.ask(keys, types))
        commands = [command for one in others for command in one.commands]
        if others or self._after:
            around = self._around if others else []
            self._connection.send([*around, *commands, *around, *self._after])
        return SentBatch(asked, keys, types, small, others, self._plain)

    def receive(self, sent: SentBatch) -> Sequence[Outcome]:
        """What became of each key of a batch; RetryAlone for one that is to be read by itself."""
        replies = self._connection.receive(sent.small.questions * len(sent.keys))
        outcomes = sent.small.settle(sent.keys, sent.types, replies)
        others = self._settle(sent.others) if sent.others else []
        if self._after:
            (info,) = self._connection.receive(1)
            self._connection.expect(self._after, [info])
            self._plain = not expiry.fields_may_expire_by(info, self._db)
        if others:
            found = dict(zip(sent.keys, outcomes, strict=True))
            found |= zip((one.key for one in sent.others), others, strict=True)
            outcomes = [found[key] for key in sent.batch.keys]
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

    def _settle(self, asked: Sequence[Asked]) -> Sequence[Outcome]:
        before = self._connection.receive(len(self._around))
        replies = iter(self._connection.receive(sum(len(one.commands) for one in asked)))
        after = self._connection.receive(len(self._around))
        self._connection.expect([*self._around, *self._around], [*before, *after])
        if self._server.pexpiretime:
            return [parse(self._connection, one, replies) for one in asked]
        return self._timed(asked, replies, [*before, *after])

    def _timed(
        self, asked: Sequence[Asked], replies: Iterator[Any], clock: list[Any]
    ) -> Sequence[Outcome]:
        """The same on a server that told the time left only."""
        refused = any(isinstance(reply, Refusal) for reply in clock)
        span = ALWAYS if refused else Span(*map(keyspace.milliseconds, clock))
        moments = expiry.moments(self._second(), [one.key for one in asked], self._server)
        return [
            parse(self._connection, one, replies, moment, span)
            for one, moment in zip(asked, moments, strict=True)
        ]
