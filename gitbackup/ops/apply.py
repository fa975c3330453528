"""Carrying out a plan: batch by batch, each key at once, and none that has moved since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby

from gitbackup import codec, snapshot
from gitbackup.errors import ServerError
from gitbackup.kinds import KINDS, same
from gitbackup.live import aside, keyspace
from gitbackup.live.connect import Server
from gitbackup.live.keyspace import LibraryChange
from gitbackup.live.read import KeyReader
from gitbackup.live.room import room
from gitbackup.live.write import KeyWriter, Step
from gitbackup.model import FUNCTIONS, Action, Entry, Key
from gitbackup.ops.compare import Decoded
from gitbackup.plan import Clock, Plan, PlannedKey, Ttl, timed
from gitbackup.progress import Progress
from gitbackup.report.plan_text import size

BATCH_KEYS = 200
BATCH_BYTES = 4 * 1024 * 1024


@dataclass(slots=True)
class Applied:
    """What became of a plan's keys: `moved` ones hold something else by now, and were left."""

    done: list[Key] = field(default_factory=list)
    moved: list[Key] = field(default_factory=list)
    refused: dict[Key, str] = field(default_factory=dict)


class Entries:
    """The entries that a plan is about: what is there, and what is to be there."""

    def __init__(self, plan: Plan, live: Decoded, commit: Decoded) -> None:
        self._plan = plan
        self._side = live
        self._live = live.entry
        self._commit = commit.entry

    def step(self, planned: PlannedKey) -> Step:
        stored = self._commit(planned.after, planned.key)
        before = self._live(planned.before, planned.key)
        if planned.before is None and planned.action is Action.CHANGED:
            before = stored
        return Step(codec.data(planned.key.name), before, self.restored(planned))

    def library(self, planned: PlannedKey) -> LibraryChange:
        step = self.step(planned)
        before, after = (entry and entry["value"] for entry in (step.before, step.after))
        return LibraryChange(planned.key.name, before, after)

    def libraries(self) -> dict[str, str]:
        """The sources of all libraries that there were when the plan was drawn."""
        paths = filter(snapshot.SOURCE.fullmatch, self._side.files)
        files = map(self._side.entries, paths)
        return {key.name: entry["value"] for file in files for key, entry in file.items()}

    def restored(self, planned: PlannedKey) -> Entry | None:
        stored = self._commit(planned.after, planned.key)
        return timed(stored, self._plan.how.ttl, self._plan.clock) if stored else None


def probe(server: Server, plan: Plan, entries: Entries) -> None:
    """Makes sure, before the first write, that the server takes each sort of step.

    Raises ServerError, saying which command or right is missing, or how much memory.
    """
    samples: dict[tuple[object, ...], PlannedKey] = {}
    for planned in plan.keys:
        if planned.key.db != FUNCTIONS:
            samples.setdefault((planned.key.db, planned.action, planned.type), planned)
    with KeyWriter(server) as writer:
        for planned in samples.values():
            writer.probe(planned.key.db, [entries.step(planned)])
    with closing(server.dial()) as wire:
        keyspace.probe_libraries(wire, map(entries.library, _libraries(plan)))
        left = room(wire)
    if left and left.free < plan.adds and not left.evicts:
        raise ServerError(
            f"the restore takes {size(plan.adds)} of memory or more, and {server.label} has"
            f" {size(max(left.free, 0))} left: raise its maxmemory, or restore fewer keys"
        )


def warnings(server: Server, plan: Plan, entries: Entries) -> list[str]:
    """What else to say of a plan that can be carried out."""
    with closing(server.dial()) as wire:
        left = room(wire)
    told = strangers(server, plan, entries)
    if left and left.free < plan.adds:
        told.append("the server has not enough memory for it, and will evict keys")
    return told


def strangers(server: Server, plan: Plan, entries: Entries) -> list[str]:
    """What to say of types that the server does not take: a module's that it has not. Nothing
    is written to learn it."""
    samples: dict[tuple[int, str], list[PlannedKey]] = {}
    for planned in plan.keys:
        known = planned.type in KINDS or planned.key.db == FUNCTIONS
        if not known and planned.action is not Action.REMOVED:
            samples.setdefault((planned.key.db, planned.type), []).append(planned)
    told = []
    with KeyWriter(server) as writer:
        for (db, type_), alike in samples.items():
            if why := writer.refusal(db, entries.step(alike[0])):
                keys = f"{len(alike):,} key{'' if len(alike) == 1 else 's'}"
                told.append(f"the server takes no {type_} ({why}): {keys} will not be restored")
    return told


def apply(server: Server, plan: Plan, entries: Entries, progress: Progress) -> Applied:
    """Carries out the plan. Raises ServerError where the server goes away or refuses all."""
    applied = Applied()
    progress.start("restoring", len(plan.keys))
    try:
        with KeyWriter(server) as writer:
            for db, batch in _batches(plan.keys, entries):
                outcome = writer.apply(db, batch)
                applied.done += (_key(db, step) for step in outcome.done)
                applied.moved += (_key(db, step) for step in outcome.moved)
                applied.refused |= {_key(db, step): why for step, why in outcome.refused}
                progress.advance(len(batch))
        _apply_functions(server, plan, entries, applied)
    finally:
        progress.finish()
    return applied


def sweep(server: Server, left_over: Iterable[tuple[int, bytes]]) -> None:
    """Removes values that a restore which was killed had built aside, and no other keys."""
    with KeyWriter(server) as writer, closing(server.dial()) as wire:
        for db, group in groupby(left_over, key=lambda left: left[0]):
            wire.select(db)
            writer.remove(db, aside.still_ours(wire, [name for _, name in group]))


def differing(server: Server, plan: Plan, entries: Entries, progress: Progress) -> list[Key]:
    """Reads again what the plan was about: the keys that do not hold what they should."""
    now = _now(server)
    found: list[Key] = []
    progress.start("verifying", len(plan.keys))
    try:
        with KeyReader(server) as reader:
            for db, planned in groupby(plan.keys, key=lambda planned: planned.key.db):
                group = list(planned)
                if db == FUNCTIONS:
                    found += _differing_libraries(server, group, entries)
                else:
                    found += _differing(reader, db, group, entries, now, progress)
    finally:
        progress.finish()
    return found


def _differing(
    reader: KeyReader,
    db: int,
    group: list[PlannedKey],
    entries: Entries,
    now: int,
    progress: Progress,
) -> Iterator[Key]:
    names = [codec.data(planned.key.name) for planned in group]
    for planned, (_, entry) in zip(group, reader.entries(db, names), strict=True):
        due = entries.restored(planned)
        living = timed(due, Ttl.KEEP, Clock(now, 0)) if due else None
        if not same(entry, due) and not same(entry, living):
            yield planned.key
        progress.advance(1)


def _differing_libraries(
    server: Server, group: list[PlannedKey], entries: Entries
) -> Iterator[Key]:
    sources = _sources(server) or {}
    for planned in group:
        due = entries.restored(planned)
        if sources.get(planned.key.name) != (due["value"] if due else None):
            yield planned.key


def _sources(server: Server) -> dict[str, str] | None:
    """All libraries and their sources, as stored; None where the user may not list them."""
    with closing(server.dial()) as wire:
        listed = keyspace.libraries(wire, server.abilities)
    return None if listed is None else keyspace.sources(listed)


def _batches(keys: Iterable[PlannedKey], entries: Entries) -> Iterator[tuple[int, list[Step]]]:
    """Steps in batches, each of one database, bounded in keys and in bytes."""
    for db, group in groupby(keys, key=lambda planned: planned.key.db):
        batch: list[Step] = []
        size = 0
        for planned in group if db != FUNCTIONS else ():
            step = entries.step(planned)
            size += planned.goes + planned.comes
            batch.append(step)
            if len(batch) == BATCH_KEYS or size > BATCH_BYTES:
                yield db, batch
                batch, size = [], 0
        if batch:
            yield db, batch


def _libraries(plan: Plan) -> list[PlannedKey]:
    return [planned for planned in plan.keys if planned.key.db == FUNCTIONS]


def _apply_functions(server: Server, plan: Plan, entries: Entries, applied: Applied) -> None:
    """Changes the libraries together; none where any is not as the plan saw it."""
    planned = _libraries(plan)
    if not planned:
        return
    seen = entries.libraries()
    refused = None
    if _sources(server) == seen:
        with closing(server.dial()) as wire:
            refused = keyspace.change_libraries(wire, map(entries.library, planned), seen)
    if refused is None:
        applied.moved += (each.key for each in planned)
        return
    applied.done += (each.key for each in planned if each.key.name not in refused)
    applied.refused |= {Key(FUNCTIONS, name): why for name, why in refused.items()}


def _key(db: int, step: Step) -> Key:
    return Key(db, codec.text(step.key))


def _now(server: Server) -> int:
    wire = server.dial()
    try:
        return keyspace.clock(wire)
    finally:
        wire.close()
