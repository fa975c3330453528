"""Asking for the values of a batch of keys at once, small ones in C and others each by its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import compress
from operator import not_
from typing import Any, NamedTuple

from gitbackup.kinds import FIELDS_EXPIRE, Abilities, Command
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.read import expiry, typed_read
from gitbackup.live.read.bulk_read import SmallValues
from gitbackup.live.read.expiry import Span
from gitbackup.live.read.size_probe import Batch
from gitbackup.live.read.typed_read import Asked, Outcome, RetryAlone
from gitbackup.live.server import hash_field_ttl, keyspace


class SentBatch(NamedTuple):
    """A batch on its way: its small values, what was asked of its other keys, and whether no
    field of a hash was to expire."""

    batch: Batch
    keys: Sequence[bytes]
    types: Sequence[str]
    small: SmallValues
    others: Sequence[Asked]
    plain: bool


class BatchReader:
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
        self._after: list[Command] = [hash_field_ttl.QUESTION] if server.field_expiry else []

    def begin(self, db: int) -> None:
        """What follows is about this database, which the connection is at."""
        self._plain = not hash_field_ttl.may_expire(self._connection, db) if self._after else True
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
        """What became of each key of a batch; Later for one that is to be read by itself."""
        replies = self._connection.receive(sent.small.questions * len(sent.keys))
        outcomes = sent.small.settle(sent.keys, sent.types, replies)
        others = self._settle(sent.others) if sent.others else []
        if self._after:
            self._plain = not self._may_expire()
        if others:
            found = dict(zip(sent.keys, outcomes, strict=True))
            found |= zip((one.key for one in sent.others), others, strict=True)
            outcomes = [found[key] for key in sent.batch.keys]
        return self._doubted(sent, outcomes) if sent.plain and not self._plain else outcomes

    def _others(self, asked: Batch, small: Sequence[bool]) -> Iterator[Asked]:
        server = self._plain_server if self._plain else self._server
        others = [*map(not_, small)]
        for key, type_ in zip(
            compress(asked.keys, others), compress(asked.types, others), strict=True
        ):
            yield typed_read.ask(key, type_, server)

    def _may_expire(self) -> bool:
        (info,) = self._connection.receive(1)
        self._connection.expect([hash_field_ttl.QUESTION], [info])
        return hash_field_ttl.told(info, self._db)

    def _doubted(self, sent: SentBatch, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        """By now a field may expire: of each hash that has to be asked."""
        return [
            RetryAlone.LATER if type_ in FIELDS_EXPIRE else outcome
            for type_, outcome in zip(sent.batch.types, outcomes, strict=True)
        ]

    def _settle(self, asked: Sequence[Asked]) -> Sequence[Outcome]:
        before = self._connection.receive(len(self._around))
        replies = iter(self._connection.receive(sum(len(one.commands) for one in asked)))
        after = self._connection.receive(len(self._around))
        self._connection.expect([*self._around, *self._around], [*before, *after])
        if self._server.pexpiretime:
            return [typed_read.parse(self._connection, one, replies) for one in asked]
        return self._timed(asked, replies, [*before, *after])

    def _timed(
        self, asked: Sequence[Asked], replies: Iterator[Any], clock: list[Any]
    ) -> Sequence[Outcome]:
        """The same on a server that told the time left only."""
        refused = any(isinstance(reply, Refusal) for reply in clock)
        span = typed_read.ALWAYS if refused else Span(*map(keyspace.milliseconds, clock))
        moments = expiry.moments(self._second(), [one.key for one in asked], self._server)
        return [
            typed_read.parse(self._connection, one, replies, moment, span)
            for one, moment in zip(asked, moments, strict=True)
        ]
