"""A plan's steps with their entries; and whether the server at hand will take them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing

from gitbackup.errors import ServerError
from gitbackup.format import codec
from gitbackup.kinds import KINDS
from gitbackup.live.connection.connect import Server
from gitbackup.live.server import keyspace
from gitbackup.live.server.keyspace import LibraryChange
from gitbackup.live.server.memory import room
from gitbackup.live.write import write_probe as trying
from gitbackup.live.write.key_writer import KeyWrite, KeyWriter
from gitbackup.model.amounts import counted, size
from gitbackup.model.changes import Action
from gitbackup.model.file_groups import unordered
from gitbackup.model.keys import FUNCTIONS, Entry
from gitbackup.plan import NewKeys, Plan, PlannedKey, least, timed
from gitbackup.snapshot import file_format
from gitbackup.snapshot.entry_sources import EntrySource


class Entries:
    """The entries that a plan is about: what is there, and what is to be there."""

    def __init__(self, plan: Plan, live: EntrySource, commit: EntrySource) -> None:
        self._plan = plan
        self._source = live
        self._live = live.entry
        self._decoded = commit
        self._commit = commit.entry

    def step(self, planned: PlannedKey) -> KeyWrite:
        stored = self._commit(planned.after, planned.key)
        before = self._live(planned.before, planned.key)
        if planned.before is None and planned.action is Action.CHANGED:
            before = stored
        return KeyWrite(codec.data(planned.key.name), before, self.restored(planned))

    def library(self, planned: PlannedKey) -> LibraryChange:
        step = self.step(planned)
        before, after = (entry and entry["value"] for entry in (step.before, step.after))
        return LibraryChange(planned.key.name, before, after)

    def libraries(self) -> dict[str, str]:
        """The sources of all libraries that there were when the plan was drawn."""
        paths = filter(file_format.SOURCE.fullmatch, self._source.files)
        files = map(self._source.entries, paths)
        return {key.name: entry["value"] for file in files for key, entry in file.items()}

    def prefetch(self, new_keys: Iterable[NewKeys]) -> None:
        """Announce that the entries of these are asked for next, in this order."""
        self._decoded.prefetch([new.path for new in new_keys])

    def new(self, new_keys: NewKeys) -> dict[str, Entry]:
        """Return the entries of keys that are created in bulk, by name."""
        return self._decoded.content(new_keys.path)

    def adds(self, free: int) -> int:
        """How much more memory the server needs in the end, at the very least.

        It is not reckoned any closer where it is less than is `free` for sure.
        """
        plan = self._plan
        if plan.adds + plan.adds_new <= free:
            return plan.adds
        created = (item for new in plan.new_keys for item in self.new(new).items())
        return plan.adds + sum(least(name, entry) for name, entry in created)

    def restored(self, planned: PlannedKey) -> Entry | None:
        stored = self._commit(planned.after, planned.key)
        return timed(stored, self._plan.how.ttl, self._plan.clock) if stored else None


def probe(server: Server, plan: Plan, entries: Entries) -> None:
    """Makes sure, before the first write, that the server takes each sort of step.

    Raises ServerError, saying which commands or rights are missing, or how much memory.
    """
    samples = [
        (planned.key.db, entries.step(planned))
        for planned in plan.samples
        if planned.key.db != FUNCTIONS
    ]
    changes = [*map(entries.library, libraries(plan))]
    trying.probe(server, samples, changes, _names(plan), lambda: _values(plan, entries))
    with closing(server.dial()) as connection:
        left = room(connection)
    if left and not left.evicts and left.free < (adds := entries.adds(left.free)):
        raise ServerError(
            f"the restore takes {size(adds)} of memory or more, and {server.label} has"
            f" {size(max(left.free, 0))} left: raise its maxmemory, or restore fewer keys"
        )


def _names(plan: Plan) -> Iterator[bytes]:
    keys = (planned.key for planned in unordered(plan.keys))
    return (codec.data(key.name) for key in keys if key.db != FUNCTIONS)


def _values(plan: Plan, entries: Entries) -> Iterator[Entry]:
    """All that is to be written."""
    steps = (planned for planned in plan.steps if planned.key.db != FUNCTIONS)
    yield from filter(None, map(entries.restored, steps))
    for new in plan.new_keys:
        yield from entries.new(new).values()


def warnings(server: Server, plan: Plan, entries: Entries) -> list[str]:
    """What else to say of a plan that can be carried out."""
    with closing(server.dial()) as connection:
        left = room(connection)
    told = unsupported_types(server, plan, entries)
    if left and left.free < entries.adds(left.free):
        told.append("the server has not enough memory for it, and will evict keys")
    return told


def unsupported_types(server: Server, plan: Plan, entries: Entries) -> list[str]:
    """What to say of types that the server does not take: a module's that it has not. Nothing
    is written to learn it."""
    samples: dict[tuple[int, str], list[PlannedKey]] = {}
    for planned in plan.steps:
        known = planned.type in KINDS or planned.key.db == FUNCTIONS
        if not known and planned.action is not Action.REMOVED:
            samples.setdefault((planned.key.db, planned.type), []).append(planned)
    told = []
    with KeyWriter(server) as writer:
        for (db, type_), alike in samples.items():
            if why := writer.refusal(db, entries.step(alike[0])):
                keys = counted(len(alike), "key")
                told.append(f"the server takes no {type_} ({why}): {keys} will not be restored")
    return told


def libraries(plan: Plan) -> list[PlannedKey]:
    return [planned for planned in plan.steps if planned.key.db == FUNCTIONS]


def sources(server: Server) -> dict[str, str] | None:
    """All libraries and their sources, as stored; None where the user may not list them."""
    with closing(server.dial()) as connection:
        listed = keyspace.libraries(connection, server.abilities)
    return None if listed is None else keyspace.sources(listed)
