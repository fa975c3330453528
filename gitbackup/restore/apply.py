"""Carry out a plan in batches: each key changes at once, and none that was written to since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby

from gitbackup.format import codec
from gitbackup.live.connection.connect import Server
from gitbackup.live.read.cluster_read import key_reader
from gitbackup.live.server import keyspace, staging_keys
from gitbackup.live.server.memory import may_evict
from gitbackup.live.server.search_indexes import await_indexing, change_index
from gitbackup.live.write.bulk_create import Created
from gitbackup.live.write.bulk_delete import Deleter
from gitbackup.live.write.cluster_write import creator, key_writer
from gitbackup.live.write.key_writer import KeyWrite, KeyWriter, Outcome
from gitbackup.model.keys import FUNCTIONS, Entry, Key
from gitbackup.plan.plan import NewKeys, OldKeys, Plan, PlannedKey
from gitbackup.progress import Progress
from gitbackup.restore.planner import ONE_READ, ONE_TRANSACTION
from gitbackup.restore.preflight import Entries, indexes, libraries, sources
from gitbackup.restore.verify_writes import unproved

UNLIKE = "the nodes of the cluster have different libraries of this name: make them alike first"
BATCH_KEYS = ONE_TRANSACTION
BATCH_BYTES = 4 * 1024 * 1024
NEW_KEYS = 256  # that are created, or deleted, together; one group of a plan may have as many
NEW_BYTES = ONE_READ  # that are created, or deleted, together: the server replies to all at once


@dataclass(slots=True)
class Applied:
    """What could not be done.

    `moved` keys hold something else by now, and were left alone. `refused` gives the server's
    error for each key that it would not take. `unproved` are keys that were created in bulk and
    have to be read again.
    """

    moved: list[Key] = field(default_factory=list)
    refused: dict[Key, str] = field(default_factory=dict)
    unproved: list[NewKeys] = field(default_factory=list)

    def note(self, db: int, outcome: Outcome) -> None:
        """Add what became of a batch."""
        self.moved += (Key(db, codec.text(step.key)) for step in outcome.moved)
        self.refused |= {Key(db, codec.text(step.key)): why for step, why in outcome.refused}


def apply(server: Server, plan: Plan, entries: Entries, progress: Progress) -> Applied:
    """Carry out the plan. Raises ServerError if the server goes away or refuses everything.

    Keys that are created in bulk are read again while the next are created.
    """
    applied = Applied()
    progress.start("restoring", len(plan.keys))
    try:
        with key_writer(server) as writer:
            for db, steps in groupby(plan.steps, key=lambda step: step.key.db):
                for batch in _batches(steps, entries) if db >= 0 else ():
                    applied.note(db, writer.apply(db, batch))
                    progress.advance(len(batch))
            if plan.old_keys:
                _delete(server, writer, plan.old_keys, entries, applied, progress)
            if plan.new_keys:
                _create(server, writer, plan.new_keys, entries, applied, progress)
        _apply_functions(server, plan, entries, applied)
        _apply_indexes(server, plan, entries, applied, progress)
    finally:
        progress.finish()
    if plan.new_keys and may_evict(server):  # what was verified may be gone since
        applied.unproved = [*plan.new_keys]
    return applied


def _delete(
    server: Server,
    writer: KeyWriter,
    old_keys: Sequence[OldKeys],
    entries: Entries,
    applied: Applied,
    progress: Progress,
) -> None:
    """Delete keys in bulk, one database after the other."""
    with Deleter(server, writer) as deleter:
        for db, groups in groupby(sorted(old_keys, key=_place), key=lambda old: old.db):
            for batch, outcome in deleter.delete(db, _old_batches(groups, entries)):
                applied.note(db, outcome)
                progress.advance(len(batch))


def _place(old: OldKeys) -> tuple[int, str]:
    return old.db, old.path


def _create(
    server: Server,
    writer: KeyWriter,
    new_keys: Sequence[NewKeys],
    entries: Entries,
    applied: Applied,
    progress: Progress,
) -> None:
    """Create keys in bulk, one database after the other."""
    with (
        creator(server, writer) as creating,
        key_reader(server, hears=True) as reader,  # what is not as written is read again
    ):
        by_database = sorted(new_keys, key=lambda new: new.db)
        for db, groups in groupby(by_database, key=lambda new: new.db):
            created = creating.create(db, _new_batches([*groups], entries))
            noted = _noted(created, db, applied, progress)
            applied.unproved += unproved(reader.raw(db), noted)


def _noted(
    created: Iterable[Created[list[NewKeys]]], db: int, applied: Applied, progress: Progress
) -> Iterator[Created[list[NewKeys]]]:
    """Yield the same batches, each once what became of it is noted."""
    for batch in created:
        applied.note(db, batch.outcome)
        progress.advance(len(batch.entries))
        yield batch


def sweep(server: Server, left_over: Iterable[tuple[int, bytes]]) -> None:
    """Remove the staging keys of a killed restore, and no other keys."""
    with key_writer(server) as writer:
        for db, group in groupby(left_over, key=lambda left: left[0]):
            names = [name for _, name in group]
            for id_, node in server.nodes.items():
                own = [name for name in names if server.node_of(name) == id_]
                with closing(node.dial()) as connection:
                    connection.select(db)
                    writer.remove(db, staging_keys.still_ours(connection, own))


def _batches(steps: Iterable[PlannedKey], entries: Entries) -> Iterator[list[KeyWrite]]:
    """Yield the steps of one database in batches, bounded in keys and in bytes."""
    batch: list[KeyWrite] = []
    size = 0
    for planned in steps:
        size += planned.goes + planned.comes
        batch.append(entries.step(planned))
        if len(batch) == BATCH_KEYS or size > BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _old_batches(old_keys: Iterable[OldKeys], entries: Entries) -> Iterator[dict[str, Entry]]:
    """Yield keys of one database in batches with their entries, bounded in keys and in bytes."""
    batch: dict[str, Entry] = {}
    size = 0
    for old in old_keys:
        if batch and (len(batch) + len(old.names) > NEW_KEYS or size + old.goes > NEW_BYTES):
            yield batch
            batch, size = {}, 0
        batch |= entries.old(old)
        size += old.goes
    yield batch


def _new_batches(
    new_keys: Sequence[NewKeys], entries: Entries
) -> Iterator[tuple[list[NewKeys], dict[str, Entry]]]:
    """Yield keys of one database in batches with their entries, bounded in keys and in bytes."""
    entries.prefetch(new_keys)
    batch: list[NewKeys] = []
    created: dict[str, Entry] = {}
    size = 0
    for new in new_keys:
        if batch and (len(created) + len(new.names) > NEW_KEYS or size + new.comes > NEW_BYTES):
            yield batch, created
            batch, created, size = [], {}, 0
        batch.append(new)
        created |= entries.new(new)
        size += new.comes
    yield batch, created


def _apply_functions(server: Server, plan: Plan, entries: Entries, applied: Applied) -> None:
    """Change the function libraries together; change none if one is not as the plan saw it."""
    planned = libraries(plan)
    if not planned:
        return
    seen = entries.libraries()
    if sources(server) != seen:
        applied.moved += (each.key for each in planned)
        return
    for node in server.nodes.values():
        changes, there = [*map(entries.library, planned)], seen
        with closing(node.dial()) as connection:
            if server.cluster:
                there = keyspace.sources(keyspace.libraries(connection, node.abilities) or [])
                changes = [each._replace(before=there.get(each.name)) for each in changes]
            changes = [each for each in changes if each.before != each.after]
            unlike = [each for each in changes if each.before not in (None, seen.get(each.name))]
            if unlike:
                applied.refused |= {Key(FUNCTIONS, each.name): UNLIKE for each in unlike}
                return
            refused = keyspace.change_libraries(connection, changes, there)
        if refused is None:
            applied.moved += (each.key for each in planned)
            return
        applied.refused |= {Key(FUNCTIONS, name): why for name, why in refused.items()}


def _apply_indexes(
    server: Server, plan: Plan, entries: Entries, applied: Applied, progress: Progress
) -> None:
    """Change the search indexes one by one, and wait until each has all its keys.

    In a cluster, the node that has the slot of an index's name either has the index by itself, or
    tells the others.
    """
    for step in indexes(plan):
        change = entries.index(step)
        node = server.nodes[server.node_of(codec.data(change.name))]
        with closing(node.dial()) as connection:
            refused = change_index(connection, change)
            if refused is None:
                applied.moved.append(step.key)
            elif refused:
                applied.refused[step.key] = refused
            elif change.after is not None:
                await_indexing(connection, change.name, progress)
