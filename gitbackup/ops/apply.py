"""Carrying out a plan: batch by batch, each key at once, and none that has moved since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain, groupby

from gitbackup import codec, snapshot
from gitbackup.blocks import parts
from gitbackup.errors import ServerError
from gitbackup.kinds import KINDS
from gitbackup.live import aside, keyspace
from gitbackup.live.connect import Server
from gitbackup.live.create import Creator
from gitbackup.live.keyspace import LibraryChange
from gitbackup.live.room import room
from gitbackup.live.write import KeyWriter, Outcome, Step
from gitbackup.model import FUNCTIONS, Action, Entry, Key
from gitbackup.ops.decoded import Decoded
from gitbackup.plan import Arrivals, Plan, PlannedKey, least, timed
from gitbackup.progress import Progress
from gitbackup.report.plan_text import size

BATCH_KEYS = 200  # also those of a plan that is carried out as one transaction
BATCH_BYTES = 4 * 1024 * 1024


@dataclass(slots=True)
class Applied:
    """What could not be done: `moved` keys hold something else by now, and were left."""

    moved: list[Key] = field(default_factory=list)
    refused: dict[Key, str] = field(default_factory=dict)

    def note(self, db: int, outcome: Outcome) -> None:
        """Takes what became of a batch."""
        self.moved += (_key(db, step) for step in outcome.moved)
        self.refused |= {_key(db, step): why for step, why in outcome.refused}


class Entries:
    """The entries that a plan is about: what is there, and what is to be there."""

    def __init__(self, plan: Plan, live: Decoded, commit: Decoded) -> None:
        self._plan = plan
        self._side = live
        self._live = live.entry
        self._decoded = commit
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

    def arriving(self, arrivals: Arrivals) -> dict[str, Entry]:
        """The entries of a file that arrives whole, by name."""
        return self._decoded.content(arrivals.path)

    def blob_id(self, arrivals: Arrivals) -> str:
        """The id of that file."""
        return self._decoded.files[arrivals.path]

    def adds(self, free: int) -> int:
        """How much more memory the server needs in the end, at the very least.

        It is not reckoned any closer where it is less than is `free` for sure.
        """
        plan = self._plan
        if plan.adds + plan.arrive <= free:
            return plan.adds
        arriving = (item for file in plan.arrivals for item in self.arriving(file).items())
        return plan.adds + sum(least(name, entry) for name, entry in arriving)

    def restored(self, planned: PlannedKey) -> Entry | None:
        stored = self._commit(planned.after, planned.key)
        return timed(stored, self._plan.how.ttl, self._plan.clock) if stored else None


def probe(server: Server, plan: Plan, entries: Entries) -> None:
    """Makes sure, before the first write, that the server takes each sort of step.

    Raises ServerError, saying which command or right is missing, or how much memory.
    """
    with KeyWriter(server) as writer:
        for planned in _samples(plan):
            writer.probe(planned.key.db, [entries.step(planned)])
    with closing(server.dial()) as wire:
        keyspace.probe_libraries(wire, map(entries.library, _libraries(plan)))
        left = room(wire)
    if left and not left.evicts and left.free < (adds := entries.adds(left.free)):
        raise ServerError(
            f"the restore takes {size(adds)} of memory or more, and {server.label} has"
            f" {size(max(left.free, 0))} left: raise its maxmemory, or restore fewer keys"
        )


def _samples(plan: Plan) -> Iterable[PlannedKey]:
    """A step of each sort."""
    few = (planned for planned in parts(plan.keys)[0] if planned.key.db != FUNCTIONS)
    first = (file.item(file.types.index(each)) for file in plan.arrivals for each in {*file.types})
    samples: dict[tuple[object, ...], PlannedKey] = {}
    for planned in chain(few, first):
        samples.setdefault((planned.key.db, planned.action, planned.type), planned)
    return samples.values()


def warnings(server: Server, plan: Plan, entries: Entries) -> list[str]:
    """What else to say of a plan that can be carried out."""
    with closing(server.dial()) as wire:
        left = room(wire)
    told = strangers(server, plan, entries)
    if left and left.free < entries.adds(left.free):
        told.append("the server has not enough memory for it, and will evict keys")
    return told


def strangers(server: Server, plan: Plan, entries: Entries) -> list[str]:
    """What to say of types that the server does not take: a module's that it has not. Nothing
    is written to learn it."""
    samples: dict[tuple[int, str], list[PlannedKey]] = {}
    for planned in parts(plan.keys)[0]:
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
    few: Iterable[PlannedKey] = plan.keys
    arrivals: Sequence[Arrivals] = []
    if len(plan.keys) > BATCH_KEYS:
        few, arrivals = parts(plan.keys)[0], plan.arrivals
    progress.start("restoring", len(plan.keys))
    try:
        with KeyWriter(server) as writer:
            for db, batch in _batches(few, entries):
                applied.note(db, writer.apply(db, batch))
                progress.advance(len(batch))
        with Creator(server) as creator:
            for db, files in groupby(arrivals, key=lambda each: each.db):
                for outcome in creator.create(db, _joined(files, entries, progress)):
                    applied.note(db, outcome)
        _apply_functions(server, plan, entries, applied)
    finally:
        progress.finish()
    return applied


def _joined(
    files: Iterable[Arrivals], entries: Entries, progress: Progress
) -> Iterator[dict[str, Entry]]:
    """What arrives in batches, of one file or more."""
    batch: dict[str, Entry] = {}
    size = 0
    for file in files:
        if batch and (len(batch) + len(file.names) > BATCH_KEYS or size + file.comes > BATCH_BYTES):
            yield batch
            progress.advance(len(batch))
            batch, size = {}, 0
        batch |= entries.arriving(file)
        size += file.comes
    yield batch
    progress.advance(len(batch))


def sweep(server: Server, left_over: Iterable[tuple[int, bytes]]) -> None:
    """Removes values that a restore which was killed had built aside, and no other keys."""
    with KeyWriter(server) as writer, closing(server.dial()) as wire:
        for db, group in groupby(left_over, key=lambda left: left[0]):
            wire.select(db)
            writer.remove(db, aside.still_ours(wire, [name for _, name in group]))


def sources(server: Server) -> dict[str, str] | None:
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
    return [planned for planned in parts(plan.keys)[0] if planned.key.db == FUNCTIONS]


def _apply_functions(server: Server, plan: Plan, entries: Entries, applied: Applied) -> None:
    """Changes the libraries together; none where any is not as the plan saw it."""
    planned = _libraries(plan)
    if not planned:
        return
    seen = entries.libraries()
    refused = None
    if sources(server) == seen:
        with closing(server.dial()) as wire:
            refused = keyspace.change_libraries(wire, map(entries.library, planned), seen)
    if refused is None:
        applied.moved += (each.key for each in planned)
        return
    applied.refused |= {Key(FUNCTIONS, name): why for name, why in refused.items()}


def _key(db: int, step: Step) -> Key:
    return Key(db, codec.text(step.key))
