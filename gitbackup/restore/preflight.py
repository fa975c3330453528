"""Check before the first write that a plan can be carried out: that the chosen keys exist, and that
the server takes each kind of step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing

from gitbackup.errors import ServerError, UsageError
from gitbackup.format import codec
from gitbackup.format.patterns import matcher
from gitbackup.kinds import KINDS
from gitbackup.live.connection.connect import Server
from gitbackup.live.server import keyspace
from gitbackup.live.server.keyspace import LibraryChange
from gitbackup.live.server.memory import room
from gitbackup.live.write import write_probe
from gitbackup.live.write.key_writer import KeyWrite, KeyWriter
from gitbackup.model.amounts import counted, size
from gitbackup.model.changes import Action
from gitbackup.model.file_groups import unordered
from gitbackup.model.keys import FUNCTIONS, Entry, Scope
from gitbackup.plan.plan import NewKeys, Plan, PlannedKey, least, timed
from gitbackup.restore.planner import RestoreRequest
from gitbackup.snapshot import file_format
from gitbackup.snapshot.entry_sources import EntrySource


class Entries:
    """The entries that a plan is about: those that the server has, and those that it is to get."""

    def __init__(self, plan: Plan, live: EntrySource, commit: EntrySource) -> None:
        self._plan = plan
        self._live = live
        self._commit = commit

    def step(self, planned: PlannedKey) -> KeyWrite:
        """Return what to write for a planned key, and what the key has to hold until then."""
        stored = self._commit.entry(planned.after, planned.key)
        before = self._live.entry(planned.before, planned.key)
        if planned.before is None and planned.action is Action.CHANGED:
            before = stored
        return KeyWrite(codec.data(planned.key.name), before, self.restored(planned))

    def library(self, planned: PlannedKey) -> LibraryChange:
        """Return what to do to a planned function library."""
        step = self.step(planned)
        before, after = (entry and entry["value"] for entry in (step.before, step.after))
        return LibraryChange(planned.key.name, before, after)

    def libraries(self) -> dict[str, str]:
        """Return the sources of all libraries that there were when the plan was made."""
        paths = filter(file_format.SOURCE.fullmatch, self._live.files)
        files = map(self._live.entries, paths)
        return {key.name: entry["value"] for file in files for key, entry in file.items()}

    def prefetch(self, new_keys: Iterable[NewKeys]) -> None:
        """Announce that the entries of these are asked for next, in this order."""
        self._commit.prefetch([new.path for new in new_keys])

    def new(self, new_keys: NewKeys) -> dict[str, Entry]:
        """Return the entries of keys that are created in bulk, by name."""
        return self._commit.content(new_keys.path)

    def adds(self, free: int) -> int:
        """Return how many more bytes of memory the server needs, at the very least.

        If the plan surely needs no more than the `free` bytes, it is a smaller figure.
        """
        plan = self._plan
        if plan.adds + plan.adds_new <= free:
            return plan.adds
        created = (item for new in plan.new_keys for item in self.new(new).items())
        return plan.adds + sum(least(name, entry) for name, entry in created)

    def restored(self, planned: PlannedKey) -> Entry | None:
        """Return the entry that a planned key is to have; None if it is to be deleted."""
        stored = self._commit.entry(planned.after, planned.key)
        return timed(stored, self._plan.how.ttl, self._plan.clock) if stored else None


def expect_covered(request: RestoreRequest, scope: Scope, commit: EntrySource) -> None:
    """Raise UsageError if a chosen database is not covered by the commit, whose scope this is."""
    source = request.name or f"commit {request.commit[:7]}"
    for db, target in request.how.databases or ():
        if scope.databases is not None and db not in scope.databases:
            raise UsageError(f"{source} does not cover database {db}")
        if db != target and not any(path.startswith(f"db{db}/") for path in commit.files):
            raise UsageError(f"{source} has no key in database {db}")


def expect_some(
    plan: Plan,
    request: RestoreRequest,
    scope: Scope,
    commit: EntrySource,
    counts: Mapping[int, int],
) -> None:
    """Raise UsageError if neither the commit nor the server has one of the chosen keys.

    `commit` has the chosen databases only; `counts` gives how many keys each has in all.
    """
    how, source = request.how, request.source
    if plan.keys or plan.expired or plan.kept or not how.narrowed:
        return
    if how.patterns and not _matches_any(how.patterns, commit):
        named = " ".join(map(repr, how.patterns))
        raise UsageError(f"no key of {source} matches {named}; nothing was restored")
    empty = [db for db, _ in how.databases or () if db not in counts]
    if empty and scope.databases is None:
        raise UsageError(
            f"neither {source} nor the server has a key in database {empty[0]};"
            " nothing was restored"
        )


def _matches_any(patterns: tuple[str, ...], commit: EntrySource) -> bool:
    matches, files = matcher(patterns), filter(file_format.is_data, commit.files)
    return any(matches(codec.data(key.name)) for path in files for key in commit.entries(path))


def probe(server: Server, plan: Plan, entries: Entries) -> None:
    """Make sure, before the first write, that the server takes each kind of step.

    Raises ServerError, saying which commands or rights are missing, or how much memory.
    """
    samples = [
        (planned.key.db, entries.step(planned))
        for planned in plan.samples
        if planned.key.db != FUNCTIONS
    ]
    keys = (planned.key for planned in unordered(plan.keys))
    names = (codec.data(key.name) for key in keys if key.db != FUNCTIONS)
    changes = [*map(entries.library, libraries(plan))]
    write_probe.probe(server, samples, changes, names, lambda: _values(plan, entries))
    with closing(server.dial()) as connection:
        left = room(connection)
    if left and not left.evicts and left.free < (adds := entries.adds(left.free)):
        raise ServerError(
            f"the restore needs at least {size(adds)} of memory, and {server.label}"
            f" has {size(max(left.free, 0))} left: raise its maxmemory, or restore"
            " fewer keys"
        )


def _values(plan: Plan, entries: Entries) -> Iterator[Entry]:
    """Yield all entries that are to be written."""
    steps = (planned for planned in plan.steps if planned.key.db != FUNCTIONS)
    yield from filter(None, map(entries.restored, steps))
    for new in plan.new_keys:
        yield from entries.new(new).values()


def warnings(server: Server, plan: Plan, entries: Entries) -> list[str]:
    """Return what to warn of in a plan that can be carried out."""
    with closing(server.dial()) as connection:
        left = room(connection)
    sentences = unsupported_types(server, plan, entries)
    if left and left.free < entries.adds(left.free):
        sentences.append(
            "the server does not have enough memory for the restore, and will evict keys"
        )
    return sentences


def unsupported_types(server: Server, plan: Plan, entries: Entries) -> list[str]:
    """Return a warning for each type that the server does not know, such as a module's.

    Nothing is written to learn that.
    """
    samples: dict[tuple[int, str], list[PlannedKey]] = {}
    for planned in plan.steps:
        known = planned.type in KINDS or planned.key.db == FUNCTIONS
        if not known and planned.action is not Action.REMOVED:
            samples.setdefault((planned.key.db, planned.type), []).append(planned)
    sentences = []
    with KeyWriter(server) as writer:
        for (db, type_), planned_keys in samples.items():
            if why := writer.refusal(db, entries.step(planned_keys[0])):
                keys = counted(len(planned_keys), "key")
                sentences.append(
                    f"the server does not support {type_} ({why}): {keys} will not be restored"
                )
    return sentences


def libraries(plan: Plan) -> list[PlannedKey]:
    """Return the plan's steps for function libraries."""
    return [planned for planned in plan.steps if planned.key.db == FUNCTIONS]


def sources(server: Server) -> dict[str, str] | None:
    """Return the sources of all libraries by name; None if the user may not list them."""
    with closing(server.dial()) as connection:
        listed = keyspace.libraries(connection, server.abilities)
    return None if listed is None else keyspace.sources(listed)
