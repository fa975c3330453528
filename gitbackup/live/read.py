"""Reading keys: names by SCAN, then entries in pipelined batches, in bounded pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Self

from gitbackup import codec
from gitbackup.live import aside, batch
from gitbackup.live.batch import Asked, Later
from gitbackup.live.connect import Server
from gitbackup.live.wire import Refusal, Wire
from gitbackup.model import Entry

SCAN_COUNT = 1_000  # names asked for at once
BATCH = 500  # keys asked for at once
TRIES = 3  # readings of a value in pieces, until none of them was disturbed
Found = tuple[bytes, Entry | None]


class KeyReader:
    """Reads the keys of one server. A context manager: leaving it closes the connections.

    `left_over` lists what a killed restore had built aside, which `names` does not tell.
    `torn` lists the keys that were written to at every try while they were read in pieces;
    `watching` is False where the user may not WATCH, so that nobody could see that.
    """

    def __init__(self, server: Server) -> None:
        self.left_over: list[tuple[int, bytes]] = []
        self.torn: list[tuple[int, bytes]] = []
        self.watching = True
        self._server = server
        self._wire = server.dial()
        self._other: Wire | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._wire.close()
        self._forget_second()

    def names(self, db: int) -> list[bytes]:
        """The names of all keys of a database, sorted as bytes."""
        self._wire.select(db)
        names: set[bytes] = set()
        cursor: Any = "0"
        while True:
            cursor, piece = self._wire.call("SCAN", cursor, "COUNT", SCAN_COUNT)
            names.update(map(codec.raw, piece))
            if cursor == "0":
                left = {name for name in names if aside.MARK in name and aside.is_ours(name)}
                self.left_over += ((db, name) for name in sorted(left))
                return sorted(names - left)

    def entries(self, db: int, keys: Iterable[bytes]) -> Iterator[Found]:
        """The keys in their order with their entries, loose; None for one that is gone.

        The next batch is on its way before the last is given out.
        """
        self._wire.select(db)
        remaining = iter(keys)
        now = self._ask_values(self._ask_types(remaining))
        coming = self._ask_types(remaining)
        while now:
            replies = iter(self._wire.receive(sum(len(asked.commands) for asked in now)))
            following = self._ask_values(coming)
            coming = self._ask_types(remaining)
            for asked in now:
                yield asked.key, self._settle(db, asked, replies)
            now = following

    def _ask_types(self, keys: Iterator[bytes]) -> list[bytes]:
        """Asks for the types of the next batch, and tells which keys are in it."""
        asked = list(islice(keys, BATCH))
        if asked:
            self._wire.send(("TYPE", key) for key in asked)
        return asked

    def _ask_values(self, keys: list[bytes]) -> list[Asked]:
        """Receives the types of a batch, and asks for its values."""
        known = self._server.abilities
        types = self._wire.receive(len(keys))
        for key, type_ in zip(keys, types, strict=True):
            if isinstance(type_, Refusal):
                raise self._wire.refused(type_, ("TYPE", key))
        asked = [batch.ask(key, type_, known) for key, type_ in zip(keys, types, strict=True)]
        self._wire.send(command for one in asked for command in one.commands)
        return asked

    def _settle(self, db: int, asked: Asked, replies: Iterator[Any]) -> Entry | None:
        known = self._server.abilities
        outcome = batch.settle(self._wire, asked, replies, known)
        if outcome is Later.LATER:
            return self._watched(db, asked.key)
        if outcome is not None and not known.pexpiretime:
            (moment,) = batch.expiries(self._second(db), [asked.key], known)
            return batch.timed(outcome, moment)
        return outcome

    def _watched(self, db: int, key: bytes) -> Entry | None:
        """One key read in pieces, again while somebody wrote to it meanwhile."""
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
