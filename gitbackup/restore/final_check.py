"""The last look at the server after a restore: which keys are gone, and why others differ.

A restore reports as verified only what existed after its last write. If the server has evicted
keys meanwhile, or has fewer than it should, every key that existed or was created is looked for
again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import groupby

from gitbackup.errors import ServerError
from gitbackup.format import codec
from gitbackup.kinds import Abilities, same
from gitbackup.live.connection.connect import Server
from gitbackup.live.read.absence import absent
from gitbackup.live.server import keyspace
from gitbackup.live.server.eviction import Tally, tally_of
from gitbackup.live.server.memory import may_evict
from gitbackup.live.write.cluster_write import key_writer
from gitbackup.live.write.key_writer import KeyWriter, is_loaded
from gitbackup.model.changes import Action
from gitbackup.model.file_groups import unordered
from gitbackup.model.keys import Entry, Key
from gitbackup.plan.plan import Clock, Plan, PlannedKey, Ttl, timed
from gitbackup.progress import Progress
from gitbackup.restore.commits import LiveState
from gitbackup.restore.preflight import Entries
from gitbackup.restore.result import Sight, Why
from gitbackup.snapshot import file_format

LOOKS = 5  # times to look for keys, while looking itself makes the server evict more
MOST = 200  # values that are built in staging keys, to see what the server makes of them


class FinalCheck:
    """Watches which keys a server evicts, from the first `begin()` on.

    Call `begin()` each time before the live database is read.
    """

    def __init__(self, server: Server, progress: Progress) -> None:
        self._server = server
        self._progress = progress
        self._first: Tally | None = None
        self._before: Tally | None = None  # when the database was read last
        self._nodes: frozenset[str] | None = None  # that were counted first
        self._last: int | None = 0  # evictions since `begin()`, by the last look; None: unknown
        self._gone: set[Key] = set()

    def begin(self) -> None:
        """Note how many keys there are, and count evictions from now on."""
        nodes = frozenset(self._server.nodes)
        self._before = tally_of(self._server)
        self._first = self._first if nodes == self._nodes else self._before
        self._nodes = nodes

    def look(
        self, live_state: LiveState, entries: Entries, wrong: Sequence[Key], undone: Container[Key]
    ) -> Sight:
        """Return why keys of the plan are not as they should be, and which other keys are gone.

        `wrong` are the keys that did not hold what they should when they were read again. If keys
        may have been evicted, all keys that there should be are looked for. Keys that could not be
        written, which are `undone`, are left out: that is known already.
        """
        gone = [*self._absent(key for key in wrong if key.in_database)]
        self._last, fewer = self._evicted(live_state.plan)
        for _ in range(LOOKS if self._last != 0 or fewer else 0):
            gone, before = self._missing(live_state), self._last
            self._last, _ = self._evicted(live_state.plan)
            if self._last == before:
                break
        with closing(self._server.dial()) as connection:
            now = keyspace.clock(connection)
        wrong = [key for key in wrong if key not in undone]
        missing = {*gone, *self._gone}.difference(key for key in gone if key in undone)
        planned = _steps(live_state.plan, {*wrong, *missing})
        lost = {key for key in missing & planned.keys() if _due(entries, planned[key], now)}
        why = dict.fromkeys(sorted(lost), Why.EVICTED if self._last != 0 else Why.DELETED)
        why |= self._why_different(entries, [planned[key] for key in wrong if key not in lost])
        others = missing - planned.keys() if self._last != 0 else set()
        self._gone = others - _expired(live_state, others, now)
        return Sight(why, sorted(self._gone), self._last)

    def look_again(self, live_state: LiveState, entries: Entries) -> Sight | None:
        """Look again once the state is committed. Return None if no more keys were evicted."""
        if self._last is not None and self._evicted(live_state.plan)[0] == self._last:
            return None
        return self.look(live_state, entries, (), ())

    def _evicted(self, plan: Plan) -> tuple[int | None, bool]:
        """Return how many keys the server has evicted, and whether it has fewer than it should.

        The number is None if the server may evict keys and does not tell how many.
        """
        now = tally_of(self._server)
        if now is None or self._first is None or self._before is None:
            return (None if may_evict(self._server) else 0), True
        expected = Counter(self._before.keys)
        expected.update({db: more for db, more in plan.growth.items() if db >= 0})
        fewer = any(now.keys.get(db, 0) < count for db, count in expected.items())
        return now.evicted - self._first.evicted, fewer

    def _missing(self, live_state: LiveState) -> list[Key]:
        """Return the keys that existed, or were created, and are gone."""
        removed, created = set[Key](), list[Key]()
        for step in unordered(live_state.plan.keys):
            if step.key.in_database and step.action is Action.REMOVED:
                removed.add(step.key)
            elif step.key.in_database and step.action is Action.ADDED:
                created.append(step.key)
        live_keys = (key for key in live_state.capture.live.held() if key.in_database)
        self._progress.start("looking again", live_state.capture.live.total + len(created))
        try:
            gone = [*self._absent(key for key in live_keys if key not in removed)]
            return [*gone, *self._absent(created)]
        finally:
            self._progress.finish()

    def _absent(self, keys: Iterable[Key]) -> Iterator[Key]:
        """Yield those of the keys, sorted by database, that do not exist."""
        for db, group in groupby(keys, key=lambda key: key.db):
            gone = absent(self._server, db, (codec.data(key.name) for key in group))
            yield from (Key(db, codec.text(name)) for name in gone)

    def _why_different(self, entries: Entries, steps: Sequence[PlannedKey]) -> dict[Key, Why]:
        """Return why keys that exist do not hold what they should."""
        if not steps:
            return {}
        why = dict.fromkeys((step.key for step in steps), Why.OTHERWISE)
        with key_writer(self._server) as writer:
            for step in steps[:MOST]:
                if step.key.in_database:
                    why[step.key] = _why(writer, entries, step, self._server.abilities)
        return why


def _why(writer: KeyWriter, entries: Entries, step: PlannedKey, abilities: Abilities) -> Why:
    """Return why a key that exists differs, by what the server makes of the right value."""
    due = entries.restored(step)
    if due is None:
        return Why.WRITTEN
    if is_loaded(due, abilities):
        return Why.OTHERWISE  # it may not be safe to create it under another name
    try:
        value = writer.made_of(step.key.db, codec.data(step.key.name), due)
    except ServerError:
        return Why.OTHERWISE
    if value is None:
        return Why.OTHERWISE
    timeless: Entry = {**due}
    timeless.pop("expires_at", None)
    return Why.WRITTEN if same(value, timeless) else Why.UNHELD


def _due(entries: Entries, step: PlannedKey, now: int) -> Entry | None:
    """Return what a key should hold; None for nothing, or if it has expired."""
    due = entries.restored(step)
    return timed(due, Ttl.KEEP, Clock(now, 0)) if due else None


def _steps(plan: Plan, keys: set[Key]) -> dict[Key, PlannedKey]:
    """Return the steps of those of the keys that the plan is about."""
    if not keys:
        return {}
    return {step.key: step for step in unordered(plan.keys) if step.key in keys}


def _expired(live_state: LiveState, keys: set[Key], now: int) -> set[Key]:
    """Return those of the keys that existed when all was read, and have expired since."""
    expired: set[Key] = set()
    paths = live_state.source.files if keys else ()
    for path in filter(file_format.is_data, paths):
        summary = live_state.source.outline(path)
        names = (Key(summary.db, name) for name in summary.names)
        for key in keys.intersection(names):
            entry = live_state.source.entry(path, key)
            if entry and timed(entry, Ttl.KEEP, Clock(now, 0)) is None:
                expired.add(key)
    return expired
