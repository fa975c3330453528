"""Carrying out a plan: batch by batch, each key at once, and none that has moved since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby

from gitbackup import codec
from gitbackup.kinds import same
from gitbackup.live import aside, keyspace
from gitbackup.live.connect import Server
from gitbackup.live.read import KeyReader
from gitbackup.live.write import KeyWriter, Step
from gitbackup.model import FUNCTIONS, Action, Entry, Key
from gitbackup.ops.compare import entry_reader
from gitbackup.ops.sides import Side
from gitbackup.plan import Clock, Plan, PlannedKey, Ttl, timed
from gitbackup.progress import Progress

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

    def __init__(self, plan: Plan, live: Side, commit: Side) -> None:
        self._plan = plan
        self._live = entry_reader(live)
        self._commit = entry_reader(commit)

    def step(self, planned: PlannedKey) -> Step:
        stored = self._commit(planned.after, planned.key)
        before = self._live(planned.before, planned.key)
        if planned.before is None and planned.action is Action.CHANGED:
            before = stored
        return Step(codec.data(planned.key.name), before, self.restored(planned))

    def restored(self, planned: PlannedKey) -> Entry | None:
        stored = self._commit(planned.after, planned.key)
        return timed(stored, self._plan.ttl, self._plan.clock) if stored else None


def probe(server: Server, plan: Plan, entries: Entries) -> None:
    """Makes sure, before the first write, that the server takes each sort of step.

    Raises ServerError, saying which command or right is missing.
    """
    samples: dict[tuple[object, ...], PlannedKey] = {}
    for planned in plan.keys:
        if planned.key.db != FUNCTIONS:
            samples.setdefault((planned.action, planned.type), planned)
    with KeyWriter(server) as writer:
        for planned in samples.values():
            writer.probe(planned.key.db, [entries.step(planned)])


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
    wire = server.dial()
    try:
        listed = keyspace.libraries(wire, server.abilities) or ()
    finally:
        wire.close()
    sources = {library.name: codec.strict(library.source) for library in listed}
    for planned in group:
        due = entries.restored(planned)
        if sources.get(planned.key.name) != (due["value"] if due else None):
            yield planned.key


def _batches(keys: Iterable[PlannedKey], entries: Entries) -> Iterator[tuple[int, list[Step]]]:
    """Steps in batches, each of one database, bounded in keys and in bytes."""
    for db, group in groupby(keys, key=lambda planned: planned.key.db):
        batch: list[Step] = []
        size = 0
        for planned in group if db != FUNCTIONS else ():
            step = entries.step(planned)
            size += len(codec.encode(step.after)) + len(codec.encode(step.before))
            batch.append(step)
            if len(batch) == BATCH_KEYS or size > BATCH_BYTES:
                yield db, batch
                batch, size = [], 0
        if batch:
            yield db, batch


def _apply_functions(server: Server, plan: Plan, entries: Entries, applied: Applied) -> None:
    libraries = [planned for planned in plan.keys if planned.key.db == FUNCTIONS]
    if not libraries:
        return
    wire = server.dial()
    try:
        # what goes makes room first: no function may be in two libraries
        for planned in sorted(libraries, key=lambda planned: planned.action is not Action.REMOVED):
            entry = entries.restored(planned)
            if entry is None:
                keyspace.delete_library(wire, planned.key.name)
            else:
                keyspace.write_library(wire, entry["value"])
            applied.done.append(planned.key)
    finally:
        wire.close()


def _key(db: int, step: Step) -> Key:
    return Key(db, codec.text(step.key))


def _now(server: Server) -> int:
    wire = server.dial()
    try:
        return keyspace.clock(wire)
    finally:
        wire.close()
