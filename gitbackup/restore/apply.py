"""Carrying out a plan: batch by batch, each key at once, and none that has moved since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from heapq import merge
from itertools import groupby, islice

from gitbackup.format import codec
from gitbackup.live.connection.connect import Server
from gitbackup.live.read.key_reader import KeyReader
from gitbackup.live.server import keyspace, staging_keys
from gitbackup.live.server.memory import may_evict
from gitbackup.live.write.bulk_create import Created, Creator
from gitbackup.live.write.key_writer import KeyWrite, KeyWriter, Outcome
from gitbackup.model.file_groups import parts
from gitbackup.model.keys import FUNCTIONS, Entry, Key
from gitbackup.plan import Arrivals, Plan, PlannedKey
from gitbackup.progress import Progress
from gitbackup.restore.preflight import Entries, libraries, sources
from gitbackup.restore.verify_writes import unproved
from gitbackup.store.repository.reply_cache import ReplyCache

BATCH_KEYS = 200  # also those of a plan that is carried out as one transaction
ARRIVING = 256  # keys of files that arrive together: one file may have as many
BATCH_BYTES = 4 * 1024 * 1024


@dataclass(slots=True)
class Applied:
    """What could not be done: `moved` keys hold something else by now, and were left.

    `unproved` are the files that arrived, and were not seen at once to be just what they should.
    """

    moved: list[Key] = field(default_factory=list)
    refused: dict[Key, str] = field(default_factory=dict)
    unproved: list[Arrivals] = field(default_factory=list)

    def note(self, db: int, outcome: Outcome) -> None:
        """Takes what became of a batch."""
        self.moved += (_key(db, step) for step in outcome.moved)
        self.refused |= {_key(db, step): why for step, why in outcome.refused}


def apply(
    server: Server, plan: Plan, entries: Entries, progress: Progress, seen: ReplyCache
) -> Applied:
    """Carries out the plan. Raises ServerError where the server goes away or refuses all.

    While files arrive, those that have are read again. `seen` knows, and learns, which replies
    a file is made of.
    """
    applied = Applied()
    progress.start("restoring", len(plan.keys))
    try:
        with (
            KeyWriter(server) as writer,
            Creator(server, writer) as creator,
            KeyReader(server, hears=True) as reader,  # what is not as written is read again
        ):
            raw = lru_cache(1)(reader.raw)  # the databases come one after the other
            for (db, whole), run in groupby(_in_order(plan), key=_sort):
                if whole:
                    files = [each for each in run if isinstance(each, Arrivals)]
                    entries.prefetch(files)
                    created = creator.create(db, _joined(files, entries))
                    written = _written(created, db, applied, progress)
                    applied.unproved += unproved(raw(db), written, entries, seen)
                else:
                    few = (each for each in run if isinstance(each, PlannedKey))
                    for batch in _batches(few, entries, progress):
                        applied.note(db, writer.apply(db, batch))
        _apply_functions(server, plan, entries, applied)
    finally:
        progress.finish()
    if _is_small(plan) or _evicts(server):  # what was seen may be gone since
        applied.unproved = [*plan.arrivals]
    return applied


def _is_small(plan: Plan) -> bool:
    """Whether it is carried out key by key."""
    return len(plan.keys) <= BATCH_KEYS


def _evicts(server: Server) -> bool:
    with closing(server.dial()) as connection:
        return may_evict(connection)


def sweep(server: Server, left_over: Iterable[tuple[int, bytes]]) -> None:
    """Removes values that a restore which was killed had built aside, and no other keys."""
    with KeyWriter(server) as writer, closing(server.dial()) as connection:
        for db, group in groupby(left_over, key=lambda left: left[0]):
            connection.select(db)
            writer.remove(db, staging_keys.still_ours(connection, [name for _, name in group]))


def _in_order(plan: Plan) -> Iterator[PlannedKey | Arrivals]:
    """The steps by their keys, and files that arrive by their first; a small plan's one by one."""
    if _is_small(plan):
        return iter(plan.keys)
    return merge(parts(plan.keys)[0], sorted(plan.arrivals, key=_first), key=_first)


def _first(each: PlannedKey | Arrivals) -> Key:
    return Key(each.db, each.names[0]) if isinstance(each, Arrivals) else each.key


def _sort(each: PlannedKey | Arrivals) -> tuple[int, bool]:
    return _first(each).db, isinstance(each, Arrivals)


def _batches(
    keys: Iterable[PlannedKey], entries: Entries, progress: Progress
) -> Iterator[list[KeyWrite]]:
    """Steps of one database in batches, bounded in keys and in bytes; none for libraries."""
    batch: list[KeyWrite] = []
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
    files: Iterable[Arrivals], entries: Entries
) -> Iterator[tuple[list[Arrivals], dict[str, Entry]]]:
    """What arrives in batches, of one file or more."""
    batch: dict[str, Entry] = {}
    joined: list[Arrivals] = []
    size = 0
    for file in files:
        if batch and (len(batch) + len(file.names) > ARRIVING or size + file.comes > BATCH_BYTES):
            yield joined, batch
            joined, batch, size = [], {}, 0
        joined.append(file)
        batch |= entries.arriving(file)
        size += file.comes
    yield joined, batch


def _written(
    created: Iterable[Created[list[Arrivals]]], db: int, applied: Applied, progress: Progress
) -> Iterator[tuple[Arrivals, bytes | None]]:
    """The files as they arrive, with the most likely replies for each when it is read."""
    for batch in created:
        applied.note(db, batch.outcome)
        progress.advance(len(batch.reads))
        reads = iter(batch.reads)
        for file in batch.label:
            told = [*islice(reads, len(file.names))]
            yield file, None if None in told else b"".join(filter(None, told))


def _apply_functions(server: Server, plan: Plan, entries: Entries, applied: Applied) -> None:
    """Changes the libraries together; none where any is not as the plan saw it."""
    planned = libraries(plan)
    if not planned:
        return
    seen = entries.libraries()
    refused = None
    if sources(server) == seen:
        with closing(server.dial()) as connection:
            refused = keyspace.change_libraries(connection, map(entries.library, planned), seen)
    if refused is None:
        applied.moved += (each.key for each in planned)
        return
    applied.refused |= {Key(FUNCTIONS, name): why for name, why in refused.items()}


def _key(db: int, step: KeyWrite) -> Key:
    return Key(db, codec.text(step.key))
