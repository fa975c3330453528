"""Looking again once all is written: what is gone, and why what is otherwise than it should be.

A restore says that it was verified only of what was there after its last write. Where the server
has let keys go meanwhile, or has fewer than it should, all that was there or came is looked for
again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Sequence
from contextlib import closing
from itertools import groupby

from gitbackup.errors import ServerError
from gitbackup.format import codec
from gitbackup.kinds import KINDS, same
from gitbackup.live.connection.connect import Server
from gitbackup.live.connection.connection import Connection
from gitbackup.live.server import keyspace
from gitbackup.live.server.eviction import Tally, absent, tally
from gitbackup.live.server.memory import may_evict
from gitbackup.live.write.key_writer import KeyWriter
from gitbackup.model.changes import Action
from gitbackup.model.file_groups import unordered
from gitbackup.model.keys import FUNCTIONS, Entry, Key
from gitbackup.plan import Clock, Plan, PlannedKey, Ttl, timed
from gitbackup.progress import Progress
from gitbackup.restore.commits import LiveState
from gitbackup.restore.preflight import Entries
from gitbackup.restore.result import Sight, Why
from gitbackup.snapshot import file_format

LOOKS = 5  # at what is gone, while looking itself makes the server let go of more
MOST = 200  # values that are built aside, to see what the server makes of them


class FinalCheck:
    """Sees what a server lets go of, from the first `begin` on; each time that all is read it is
    to begin."""

    def __init__(self, server: Server, progress: Progress) -> None:
        self._server = server
        self._progress = progress
        self._first: Tally | None = None
        self._before: Tally | None = None  # when what there is was read last
        self._begun = False
        self._last: int | None = 0  # how many since, when that was looked at last
        self._gone: set[Key] = set()

    def begin(self) -> None:
        """What is there now counts, and what is let go of from now on."""
        with closing(self._server.dial()) as connection:
            self._before = tally(connection)
        self._first = self._before if not self._begun else self._first
        self._begun = True

    def look(
        self, view: LiveState, entries: Entries, wrong: Sequence[Key], undone: Container[Key]
    ) -> Sight:
        """Look again at keys of the plan that did not hold what they should, and, where any key
        may be gone, for all that there should be.

        Of keys that could not be written, which are `undone`, that is known already.
        """
        with closing(self._server.dial()) as connection:
            gone = [*_absent(connection, (key for key in wrong if key.db != FUNCTIONS))]
            self._last, fewer = self._evicted(connection, view.plan)
            for _ in range(LOOKS if self._last != 0 or fewer else 0):
                gone, before = self._missing(connection, view), self._last
                self._last, _ = self._evicted(connection, view.plan)
                if self._last == before:
                    break
            now = keyspace.clock(connection)
        wrong = [key for key in wrong if key not in undone]
        missing = {*gone, *self._gone}.difference(key for key in gone if key in undone)
        planned = _steps(view.plan, {*wrong, *missing})
        lost = {key for key in missing & planned.keys() if _due(entries, planned[key], now)}
        why = dict.fromkeys(sorted(lost), Why.EVICTED if self._last != 0 else Why.DELETED)
        why |= self._others(entries, [planned[key] for key in wrong if key not in lost])
        others = missing - planned.keys() if self._last != 0 else set()
        self._gone = others - _expired(view, others, now)
        return Sight(why, sorted(self._gone), self._last)

    def look_again(self, view: LiveState, entries: Entries) -> Sight | None:
        """The same once the state is committed; None where the server let no more go since."""
        with closing(self._server.dial()) as connection:
            if self._last is not None and self._evicted(connection, view.plan)[0] == self._last:
                return None
        return self.look(view, entries, (), ())

    def _evicted(self, connection: Connection, plan: Plan) -> tuple[int | None, bool]:
        """How many keys the server has let go of, None where that may be and is not told; and
        whether there are fewer than there should be, now that the plan is carried out."""
        now = tally(connection)
        if now is None or self._first is None or self._before is None:
            return (None if may_evict(connection) else 0), True
        due = Counter(self._before.keys)
        due.update({db: more for db, more in plan.growth.items() if db != FUNCTIONS})
        fewer = any(now.keys.get(db, 0) < count for db, count in due.items())
        return now.evicted - self._first.evicted, fewer

    def _missing(self, connection: Connection, view: LiveState) -> list[Key]:
        """Those that were there, or came, and are not there."""
        removed, came = _removed_and_come(view.plan)
        held = (key for key in view.taken.live.held() if key.db != FUNCTIONS)
        self._progress.start("looking again", view.taken.live.total + len(came))
        try:
            there = [*_absent(connection, (key for key in held if key not in removed))]
            return [*there, *_absent(connection, came)]
        finally:
            self._progress.finish()

    def _others(self, entries: Entries, left: Sequence[PlannedKey]) -> dict[Key, Why]:
        """Why keys that are there hold something else than they should."""
        if not left:
            return {}
        why = dict.fromkeys((step.key for step in left), Why.OTHERWISE)
        with KeyWriter(self._server) as writer:
            for step in left[:MOST]:
                if step.key.db != FUNCTIONS:
                    why[step.key] = _why(writer, entries, step)
        return why


def _why(writer: KeyWriter, entries: Entries, step: PlannedKey) -> Why:
    """Why a key that is there holds something else: looks what the server makes of the value."""
    due = entries.restored(step)
    if due is None:
        return Why.WRITTEN
    if due["type"] not in KINDS:
        return Why.OTHERWISE  # it is not known to be safe under another name
    try:
        made = writer.made_of(step.key.db, codec.data(step.key.name), due)
    except ServerError:
        return Why.OTHERWISE
    if made is None:
        return Why.OTHERWISE
    timeless: Entry = {**due}
    timeless.pop("expires_at", None)
    return Why.WRITTEN if same(made, timeless) else Why.UNHELD


def _due(entries: Entries, step: PlannedKey, now: int) -> Entry | None:
    """What a key should hold; None for nothing, for what has expired too."""
    due = entries.restored(step)
    return timed(due, Ttl.KEEP, Clock(now, 0)) if due else None


def _removed_and_come(plan: Plan) -> tuple[set[Key], Sequence[Key]]:
    """The keys that a plan deletes, and those that it creates."""
    removed, created = set[Key](), list[Key]()
    for step in unordered(plan.keys):
        if step.key.db != FUNCTIONS and step.action is Action.REMOVED:
            removed.add(step.key)
        elif step.key.db != FUNCTIONS and step.action is Action.ADDED:
            created.append(step.key)
    return removed, created


def _steps(plan: Plan, keys: set[Key]) -> dict[Key, PlannedKey]:
    """The steps of some keys."""
    if not keys:
        return {}
    return {step.key: step for step in unordered(plan.keys) if step.key in keys}


def _absent(connection: Connection, keys: Iterator[Key] | Sequence[Key]) -> Iterator[Key]:
    for db, some in groupby(keys, key=lambda key: key.db):
        connection.select(db)
        gone = absent(connection, (codec.data(key.name) for key in some))
        yield from (Key(db, codec.text(name)) for name in gone)


def _expired(view: LiveState, keys: set[Key], now: int) -> set[Key]:
    """Those of some keys that were there, and have expired since."""
    expired: set[Key] = set()
    paths = view.side.files if keys else ()
    for path in filter(file_format.is_data, paths):
        summary = view.side.outline(path)
        names = (Key(summary.db, name) for name in summary.names)
        for key in keys.intersection(names):
            entry = view.side.entry(path, key)
            if entry and timed(entry, Ttl.KEEP, Clock(now, 0)) is None:
                expired.add(key)
    return expired
