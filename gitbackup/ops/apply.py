"""Carrying out a plan: batch by batch, each key at once, and none that has moved since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby, islice
from typing import cast

from gitbackup import codec, snapshot
from gitbackup.blocks import parts
from gitbackup.kinds import same
from gitbackup.live import aside, keyspace
from gitbackup.live.connect import Server
from gitbackup.live.create import Creator
from gitbackup.live.raw import File, Raw, RawReader
from gitbackup.live.read import KeyReader
from gitbackup.live.write import KeyWriter, Outcome, Step
from gitbackup.model import FUNCTIONS, Entry, Key
from gitbackup.ops.steps import Entries, libraries, sources
from gitbackup.plan import Arrivals, Clock, Plan, PlannedKey, Ttl, timed
from gitbackup.progress import Progress
from gitbackup.store.objects import blob_id
from gitbackup.store.seen import Made, Seen

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


def apply(server: Server, plan: Plan, entries: Entries, progress: Progress) -> Applied:
    """Carries out the plan. Raises ServerError where the server goes away or refuses all."""
    applied = Applied()
    progress.start("restoring", len(plan.keys))
    try:
        with KeyWriter(server) as writer, Creator(server, writer) as creator:
            for (db, whole), run in groupby(_in_order(plan), key=_sort):
                if whole:
                    files = [each for each in run if isinstance(each, Arrivals)]
                    entries.ahead(files)
                    outcomes = creator.create(db, _joined(files, entries, progress))
                else:
                    few = (each for each in run if isinstance(each, PlannedKey))
                    steps = _batches(few, entries, progress)
                    outcomes = (writer.apply(db, batch) for batch in steps)
                for outcome in outcomes:
                    applied.note(db, outcome)
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


def differing(
    server: Server, plan: Plan, entries: Entries, progress: Progress, seen: Seen
) -> list[Key]:
    """Reads again what the plan was about: the keys that do not hold what they should.

    `seen` knows, and learns, which replies a file is made of.
    """
    found: list[Key] = []
    progress.start("verifying", len(plan.keys))
    try:
        with KeyReader(server) as reader:
            for db, planned in groupby(parts(plan.keys)[0], key=lambda planned: planned.key.db):
                group = list(planned)
                if db == FUNCTIONS:
                    found += _differing_libraries(server, group, entries)
                else:
                    found += _differing(server, reader, group, entries, progress)
            for db, files in groupby(plan.arrivals, key=lambda each: each.db):
                left = [*_unproved(reader.raw(db), list(files), entries, progress, seen)]
                found += _differing_files(server, reader, left, entries, progress)
    finally:
        progress.finish()
    return sorted(found)


def _differing(
    server: Server,
    reader: KeyReader,
    group: list[PlannedKey],
    entries: Entries,
    progress: Progress,
) -> Iterator[Key]:
    names = [codec.data(planned.key.name) for planned in group]
    found = reader.entries(group[0].key.db, names)
    for planned, (_, entry) in zip(group, found, strict=True):
        if _is_wrong(server, entry, entries.restored(planned)):
            yield planned.key
        progress.advance(1)


def _unproved(
    raw: RawReader | None,
    files: list[Arrivals],
    entries: Entries,
    progress: Progress,
    seen: Seen,
) -> Iterator[Arrivals]:
    """The files that are not seen at once to be just what they should."""
    if raw is None:
        yield from files
        return
    arrivals = {file.path: file for file in files}
    asked = (File(each.path, [*map(str.encode, each.names)], each.types) for each in files)
    for file, replies in raw.read(asked):
        each = arrivals[file.path]
        if replies and _is_made_of(raw, replies, each, entries, seen):
            progress.advance(len(each.names))
        else:
            yield each


def _is_made_of(raw: RawReader, replies: Raw, file: Arrivals, entries: Entries, seen: Seen) -> bool:
    """Whether a file that arrives is what these replies make."""
    digest, blob = replies.digest(), entries.blob_id(file)
    known = seen.get(digest)
    if known:
        return known.blob == blob
    read = raw.entries(replies)
    if not {dict}.issuperset(map(type, read)):
        return False
    held = cast(dict[str, Entry], dict(zip(file.names, read, strict=True)))
    if blob_id(snapshot.encode_loose(held)) != blob:
        return False
    seen.add(digest, Made(blob, entries.due(file)))
    return True


def _differing_files(
    server: Server,
    reader: KeyReader,
    files: list[Arrivals],
    entries: Entries,
    progress: Progress,
) -> Iterator[Key]:
    """The same of whole files: only in those that are others than the commit's it looks closer."""
    if not files:
        return
    names = (name.encode() for file in files for name in file.names)
    found = reader.entries(files[0].db, names)
    for file in files:
        held = {codec.loose(name): entry for name, entry in islice(found, len(file.names))}
        living = {name: entry for name, entry in held.items() if entry}
        if blob_id(snapshot.encode_loose(living)) != entries.blob_id(file):
            due = entries.arriving(file)
            wrong = (name for name in file.names if _is_wrong(server, held[name], due[name]))
            yield from (Key(file.db, name) for name in wrong)
        progress.advance(len(file.names))


def _is_wrong(server: Server, entry: Entry | None, due: Entry | None) -> bool:
    """Whether a key that was read is not as it should be: less what has expired by now."""
    if same(entry, due):
        return False
    living = timed(due, Ttl.KEEP, Clock(_now(server), 0)) if due else None
    return not same(entry, living)


def _differing_libraries(
    server: Server, group: list[PlannedKey], entries: Entries
) -> Iterator[Key]:
    held = sources(server) or {}
    for planned in group:
        due = entries.restored(planned)
        if held.get(planned.key.name) != (due["value"] if due else None):
            yield planned.key


def _now(server: Server) -> int:
    with closing(server.dial()) as wire:
        return keyspace.clock(wire)


def _in_order(plan: Plan) -> Iterator[PlannedKey | Arrivals]:
    """The steps by their keys, and files that arrive by their first; a small plan's one by one."""
    if len(plan.keys) <= BATCH_KEYS:
        return iter(plan.keys)
    return merge(parts(plan.keys)[0], sorted(plan.arrivals, key=_first), key=_first)


def _first(each: PlannedKey | Arrivals) -> Key:
    return Key(each.db, each.names[0]) if isinstance(each, Arrivals) else each.key


def _sort(each: PlannedKey | Arrivals) -> tuple[int, bool]:
    return _first(each).db, isinstance(each, Arrivals)


def _batches(
    keys: Iterable[PlannedKey], entries: Entries, progress: Progress
) -> Iterator[list[Step]]:
    """Steps of one database in batches, bounded in keys and in bytes; none for libraries."""
    batch: list[Step] = []
    size = 0
    for planned in keys:
        if planned.key.db == FUNCTIONS:
            return
        size += planned.goes + planned.comes
        batch.append(entries.step(planned))
        if len(batch) == BATCH_KEYS or size > BATCH_BYTES:
            yield batch
            progress.advance(len(batch))
            batch, size = [], 0
    if batch:
        yield batch
        progress.advance(len(batch))


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


def _apply_functions(server: Server, plan: Plan, entries: Entries, applied: Applied) -> None:
    """Changes the libraries together; none where any is not as the plan saw it."""
    planned = libraries(plan)
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
