"""Check before the first write that a plan can be carried out: that the chosen keys exist, and that
the server takes each kind of step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from gitbackup import wording
from gitbackup.errors import NoDatabase, ServerError, UsageError
from gitbackup.format import codec
from gitbackup.format.names import key_list
from gitbackup.format.patterns import matcher
from gitbackup.kinds import CORE, FIELDS_EXPIRE, search_index
from gitbackup.kinds.opaque import LOSES
from gitbackup.live.connection.connect import Server
from gitbackup.live.server import keyspace
from gitbackup.live.server.keyspace import LibraryChange
from gitbackup.live.server.memory import room
from gitbackup.live.server.search_indexes import IndexChange, changing, is_created_anew
from gitbackup.live.server.unsupported import Lack, Unsupported
from gitbackup.live.write import write_probe
from gitbackup.live.write.key_writer import KeyWrite
from gitbackup.model.amounts import counted, size
from gitbackup.model.changes import Action, KeyChange, KeyDiff
from gitbackup.model.file_groups import parts, unordered
from gitbackup.model.keys import FUNCTIONS, SEARCH, Entry, Key, Scope
from gitbackup.plan.plan import NewKeys, OldKeys, Plan, PlannedKey, RestoreOptions, Sides, least
from gitbackup.redact import Redaction
from gitbackup.restore.planner import RestoreRequest
from gitbackup.snapshot import file_format
from gitbackup.snapshot.compare import key_diff, masked
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

    def index(self, planned: PlannedKey) -> IndexChange:
        """Return what to do to a planned search index."""
        step = self.step(planned)
        before, after = (each and codec.data(each["value"]) for each in (step.before, step.after))
        return IndexChange(planned.key.name, before, after)

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

    def old(self, old_keys: OldKeys) -> dict[str, Entry]:
        """Return the entries of keys that are deleted in bulk, by name."""
        return self._live.content(old_keys.path)

    def sides(self, redaction: Redaction, planned: PlannedKey) -> Sides:
        """Return the entry that a planned key has, and the one that it gets, masked."""
        step = self.step(planned)
        before, after = (
            each and redaction.entry(planned.key, each) for each in (step.before, step.after)
        )
        return before, after

    def differences(
        self, redaction: Redaction, steps: Iterable[PlannedKey] | None = None
    ) -> Iterator[KeyDiff]:
        """Yield what each of these steps of the plan changes inside its key, masked; None is all
        steps."""
        for planned in self._plan.keys if steps is None else steps:
            step = self.step(planned)
            change = KeyChange(planned.key, planned.action, planned.before, planned.after)
            yield masked(key_diff(change, step.before, step.after), redaction)

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
        return self._plan.how.restored(stored, self._plan.clock) if stored else None

    def fields_expire(self, planned: PlannedKey) -> bool:
        """Return whether fields of a planned key expire in the commit."""
        stored = self._commit.entry(planned.after, planned.key)
        return stored is not None and "field_expires_at" in stored


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


@contextmanager
def another_database_offered(how: RestoreOptions) -> Iterator[None]:
    """Tell how to restore into another database, if the server does not have one of these."""
    try:
        yield
    except NoDatabase as error:
        of = next((of for of, to in how.databases or () if to == error.db), error.db)
        moved = wording.option(f"`--db {of}:0`", f"databases={{{of}: 0}}")
        told = f"{moved} restores database {of} into database 0"
        raise ServerError(f"{error}; {told}") from None


def probe(server: Server, plan: Plan, entries: Entries) -> None:
    """Make sure, before the first write, that the server takes each kind of step.

    Raises ServerError, saying which commands or rights are missing, or how much memory.
    """
    _expect_supported(server, plan, entries)
    _expect_field_expiry(server, plan, entries)
    samples = [
        (planned.key.db, entries.step(planned))
        for planned in plan.samples
        if planned.key.in_database
    ]
    keys = (planned.key for planned in unordered(plan.keys))
    names = (codec.data(key.name) for key in keys if key.in_database)
    changes = [*map(entries.library, libraries(plan))]
    defining = [command for step in indexes(plan) for command in changing(entries.index(step))]
    with another_database_offered(plan.how):
        write_probe.probe(server, samples, changes, names, lambda: _values(plan, entries), defining)
    left = room(server)
    if left and not left.evicts and left.free < (adds := entries.adds(left.free)):
        raise ServerError(
            f"the restore needs at least {size(adds)} of memory, and {server.label}"
            f" has {size(max(left.free, 0))} left: raise its maxmemory, or restore"
            " fewer keys"
        )


def _expect_supported(server: Server, plan: Plan, entries: Entries) -> None:
    """Raise ServerError for values that the server cannot hold, naming their type and keys."""
    found: dict[tuple[str, Lack], list[Key]] = {}
    unsupported = Unsupported(server)
    for planned in _not_of_every_server(plan):
        _, before, after = entries.step(planned)
        is_written = after and not (before and before["value"] == after["value"])
        if after and is_written and (lack := unsupported.lack(after)):
            found.setdefault((planned.type, lack), []).append(planned.key)
    if found:
        named = " nor ".join(
            f"search indexes ({lack.reason})"
            if type_ == search_index.TYPE
            else f"{type_} ({lack.reason}), the type of {key_list(keys)},"
            for (type_, lack), keys in found.items()
        )
        remedies = " and ".join(dict.fromkeys(lack.remedy for _, lack in found))
        raise ServerError(
            f"{server.label} does not support {named.removesuffix(',')}: nothing was written;"
            f" {remedies}, or add {wording.option('--skip-unsupported')} to restore the rest"
        )


def _not_of_every_server(plan: Plan) -> Iterator[PlannedKey]:
    """Yield the steps that write a type which not every server has, and one for each type of the
    keys that are created in bulk."""
    samples = plan.samples
    types = {step.type for step in samples} - CORE
    for step in dict.fromkeys([*plan.steps_of(types), *samples]):
        if step.type in types and step.action is not Action.REMOVED and step.key.db != FUNCTIONS:
            yield step


def _expect_field_expiry(server: Server, plan: Plan, entries: Entries) -> None:
    """Raise ServerError for hashes whose fields expire, if the server has no such fields."""
    if server.abilities.field_expiry or not plan.how.field_expiry:
        return
    if expiring := _with_field_expiry(plan, entries):
        without = wording.option("--without-field-expiry", "field_expiry=False")
        raise ServerError(
            f"{server.brand} {server.version} at {server.label} does not support fields that"
            f" expire, as Redis 7.4 and Valkey 9 do: nothing was written; {key_list(expiring)} have"
            f" such fields: add {without} to restore them so that they do not expire, or leave"
            " these keys out by key patterns"
        )


def _with_field_expiry(plan: Plan, entries: Entries) -> list[Key]:
    """Return the keys that are written of whose fields some expire in the commit.

    Keys that are created in bulk have none.
    """
    steps = plan.steps_of(FIELDS_EXPIRE)
    written = (step for step in steps if step.action is not Action.REMOVED)
    restored = ((step, entries.restored(step)) for step in written)
    if plan.how.field_expiry:
        return [step.key for step, entry in restored if entry and "field_expires_at" in entry]
    return [step.key for step, entry in restored if entry and entries.fields_expire(step)]


def _values(plan: Plan, entries: Entries) -> Iterator[Entry]:
    """Yield all entries that are to be written."""
    steps = (planned for planned in plan.steps if planned.key.in_database)
    yield from filter(None, map(entries.restored, steps))
    for new in plan.new_keys:
        yield from entries.new(new).values()


def warnings(server: Server, plan: Plan, entries: Entries) -> list[str]:
    """Return what to warn of in a plan that can be carried out."""
    left = room(server)
    sentences: list[str] = []
    anew = [step.key.name for step in indexes(plan) if is_created_anew(entries.index(step))]
    if anew:
        sentences.append(
            f"{counted(len(anew), 'search index', 'search indexes')} will be created anew"
            f" ({key_list([Key(SEARCH, name) for name in anew])}): aliases are lost, because the"
            " server does not list them"
        )
    sentences += (LOSES[type_] for type_ in sorted(LOSES.keys() & _written_types(plan)))
    without = [] if plan.how.field_expiry else _with_field_expiry(plan, entries)
    if without:
        sentences.append(
            f"fields that expire in {plan.source} will not expire: {key_list(without)}"
        )
    if left and left.free < entries.adds(left.free):
        sentences.append(
            "the server does not have enough memory for the restore, and will evict keys"
        )
    return sentences


def _written_types(plan: Plan) -> set[str]:
    """Return the types of the keys that the plan writes."""
    return {step.type for step in plan.samples if step.action is not Action.REMOVED}


def libraries(plan: Plan) -> list[PlannedKey]:
    """Return the plan's steps for function libraries."""
    return [planned for planned in parts(plan.keys)[0] if planned.key.db == FUNCTIONS]


def indexes(plan: Plan) -> list[PlannedKey]:
    """Return the plan's steps for search indexes."""
    return [planned for planned in parts(plan.keys)[0] if planned.key.db == SEARCH]


def sources(server: Server) -> dict[str, str] | None:
    """Return the sources of all libraries by name; None if the user may not list them."""
    listed, _ = keyspace.libraries_of(server)
    return None if listed is None else keyspace.sources(listed)
