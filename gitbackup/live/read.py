"""Reading keys: names by SCAN, then entries in pipelined batches, in bounded pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple, Self

from gitbackup import codec
from gitbackup.kinds import Command
from gitbackup.live import aside, batch, expiry, fields, sizes
from gitbackup.live.batch import Asked, Later, Outcome
from gitbackup.live.connect import Server
from gitbackup.live.expiry import Span
from gitbackup.live.wire import Refusal, Wire
from gitbackup.model import Entry

SCAN_COUNT = 1_000  # names asked for at once
SMALL = 4 * 1024  # bytes of a value that nobody need take note of
TRIES = 3  # readings of a value in pieces, until none of them was disturbed
Found = tuple[bytes, Entry | None]


class _Sent(NamedTuple):
    """A batch on its way: what was asked of each key, and of the server besides."""

    asked: list[Asked]
    around: tuple[Command, ...]  # asked once before and once after the keys
    plain: bool  # whether no field of a hash was to expire


class KeyReader:
    """Reads the keys of one server. A context manager: leaving it closes the connections.

    `large` gives the sizes of values that are not small, `streams` has the keys of streams.
    `left_over` lists what a killed restore had built aside, which `names` does not tell.
    `torn` lists the keys that were written to at every try while they were read in pieces;
    `watching` is False where the user may not WATCH, so that nobody could see that.
    """

    def __init__(self, server: Server) -> None:
        self.left_over: list[tuple[int, bytes]] = []
        self.torn: list[tuple[int, bytes]] = []
        self.large: dict[tuple[int, bytes], int] = {}
        self.streams: set[tuple[int, bytes]] = set()
        self.watching = True
        self._server = server
        self._wire = server.dial()
        self._other: Wire | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.rest()

    def names(self, db: int) -> list[bytes]:
        """The names of all keys of a database, sorted as bytes."""
        self._wire.select(db)
        names: set[bytes] = set()
        cursor: Any = "0"
        while True:
            cursor, piece = self._wire.call("SCAN", cursor, "COUNT", SCAN_COUNT)
            names.update(map(codec.raw, piece))
            if cursor == "0":
                alike = sorted(name for name in names if aside.MARK in name)
                left = aside.still_ours(self._wire, alike)
                self.left_over += ((db, name) for name in left)
                return sorted(names.difference(left))

    def entries(self, db: int, keys: Iterable[bytes]) -> Iterator[Found]:
        """The keys in their order with their entries, loose; None for one that is gone.

        The next batch is on its way before the last is given out.
        """
        self._wire.select(db)
        batches = sizes.batches(lambda: self._second(db), keys)
        now = self._send(db, next(batches, []))
        while now.asked:
            following = self._send(db, next(batches, []))
            for asked, outcome in zip(now.asked, self._receive(db, now), strict=True):
                yield asked.key, self._watched(db, asked.key) if outcome is Later.LATER else outcome
            now = following

    def rest(self) -> None:
        """Closes the connections; only `alone` makes a new one by itself."""
        self._wire.close()
        self._forget_second()

    def alone(self, db: int, key: bytes) -> Entry | None:
        """One key with its entry, however large; None where it is gone."""
        return batch.whole(self._second(db), key, self._server.abilities)

    def _send(self, db: int, keys: list[sizes.Sized]) -> _Sent:
        """Asks for the values of a batch."""
        if not keys:
            return _Sent([], (), plain=False)
        known = self._server.abilities
        plain = known.field_expiry and not fields.may_expire(self._second(db), db)
        if plain:
            known = replace(known, field_expiry=False)
        self.large.update(((db, one.key), one.size) for one in keys if one.size > SMALL)
        self.streams.update((db, one.key) for one in keys if one.type == "stream")
        asked = [batch.ask(one.key, one.type, known) for one in keys]
        around: tuple[Command, ...] = () if known.pexpiretime else (("TIME",),)
        commands = (command for one in asked for command in one.commands)
        self._wire.send([*around, *commands, *around])
        return _Sent(asked, around, plain)

    def _receive(self, db: int, sent: _Sent) -> Iterator[Outcome]:
        """What became of each key of a batch; Later for one that is to be read by itself."""
        count = sum(len(one.commands) for one in sent.asked)
        before = self._wire.receive(len(sent.around))
        replies = iter(self._wire.receive(count))
        after = self._wire.receive(len(sent.around))
        outcomes = self._settle(db, sent, replies, [*before, *after])
        if sent.plain and fields.may_expire(self._second(db), db):
            return (Later.LATER if one.type == "hash" else outcome for one, outcome in outcomes)
        return (outcome for _, outcome in outcomes)

    def _settle(
        self, db: int, sent: _Sent, replies: Iterator[Any], clock: list[Any]
    ) -> list[tuple[Asked, Outcome]]:
        if self._server.abilities.pexpiretime:
            return [(one, batch.settle(self._wire, one, replies)) for one in sent.asked]
        refused = any(isinstance(reply, Refusal) for reply in clock)
        span = batch.ALWAYS if refused else Span(*map(expiry.now, clock))
        keys = [one.key for one in sent.asked]
        moments = expiry.moments(self._second(db), keys, self._server.abilities)
        return [
            (one, batch.settle(self._wire, one, replies, moment, span))
            for one, moment in zip(sent.asked, moments, strict=True)
        ]

    def _watched(self, db: int, key: bytes) -> Entry | None:
        """One key read by itself, again while somebody wrote to it meanwhile."""
        for _ in range(TRIES):
            wire = self._second(db)
            watch = wire.ask([("WATCH", key)]) if self.watching else []
            entry = batch.whole(wire, key, self._server.abilities)
            ended = wire.ask([("MULTI",), ("EXEC",)]) if self.watching else []
            if any(isinstance(reply, Refusal) for reply in (*watch, *ended)):
                self.watching = False
                self._forget_second()  # it may be inside a transaction that it cannot end
            if not self.watching or ended[-1] is not None:
                return entry
        self.torn.append((db, key))
        return entry

    def _forget_second(self) -> None:
        if self._other:
            self._other.close()
        self._other = None

    def _second(self, db: int) -> Wire:
        """A second connection: the first has replies under way."""
        self._other = self._other or self._server.dial()
        self._other.select(db)
        return self._other
