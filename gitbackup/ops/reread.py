"""Reading again what a restore has written: whether it is what was to be there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import groupby, islice

from gitbackup import codec, snapshot
from gitbackup.blocks import parts
from gitbackup.kinds import same
from gitbackup.live import keyspace
from gitbackup.live.connect import Server
from gitbackup.live.read import KeyReader
from gitbackup.model import FUNCTIONS, Entry, Key
from gitbackup.ops.apply import Entries, sources
from gitbackup.plan import Arrivals, Clock, Plan, PlannedKey, Ttl, timed
from gitbackup.progress import Progress
from gitbackup.store.objects import blob_id


def differing(server: Server, plan: Plan, entries: Entries, progress: Progress) -> list[Key]:
    """Reads again what the plan was about: the keys that do not hold what they should."""
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
            for _, files in groupby(plan.arrivals, key=lambda each: each.db):
                found += _differing_files(server, reader, list(files), entries, progress)
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


def _differing_files(
    server: Server,
    reader: KeyReader,
    files: list[Arrivals],
    entries: Entries,
    progress: Progress,
) -> Iterator[Key]:
    """The same of whole files: only in those that are others than the commit's it looks closer."""
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
