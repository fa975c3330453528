"""Plan a restore: compare the live database with a commit, key by key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import repeat

from gitbackup.errors import GitbackupError
from gitbackup.format import codec
from gitbackup.format.patterns import covers, matcher, may_name_library
from gitbackup.live.server.unsupported import Unsupported
from gitbackup.model.changes import Action, KeyChange
from gitbackup.model.file_groups import FileGroup, listed, parts
from gitbackup.model.keys import Entry, Key, Scope
from gitbackup.plan.plan import (
    Clock,
    NewKeys,
    OldKeys,
    Plan,
    PlannedKey,
    RestoreOptions,
    Ttl,
    least,
)
from gitbackup.progress import SILENT, Progress
from gitbackup.snapshot import file_format
from gitbackup.snapshot.compare import Comparison
from gitbackup.snapshot.entry_sources import EntrySource, decoded
from gitbackup.store.repository.restore_journal import JournalEntry

NO_FUNCTIONS = (
    "function libraries are not restored, because the user has no permission to list"
    " them: grant ACL SETUSER ... +function|list"
)
SOON = 3_600_000  # milliseconds: the plan names keys that expire within that of being restored
NAMED = 10  # keys that an error names
TOLD_OF = 1_000  # keys that are compared between two words of progress
ONE_READ = 1024 * 1024  # bytes of JSON of keys at most that are read together to be deleted
ONE_TRANSACTION = 200  # keys at most that are written together, each as a step of its own


@dataclass(frozen=True, slots=True)
class RestoreRequest:
    """What is to be restored: a commit's id, which of its keys, and how.

    - `asked`: the words of the request; `unfinished`: the same restore, if it was cut off;
    - `only`: the keys that it is about; None is all;
    - `kept`: a plan that is to be carried out as it is, and no other;
    - `digests`: the plan is to have the digest of each value that is replaced or deleted;
    - `name`: the name of the file whose content the commit holds, if it is a file's; or of the
      server, if it is `copied` from one;
    - `takes_back`: the commit of the state before the restore that this one undoes.
    """

    commit: str
    how: RestoreOptions
    asked: str = ""
    unfinished: JournalEntry | None = None
    only: frozenset[Key] | None = None
    kept: Plan | None = None
    name: str = ""
    takes_back: str | None = None
    copied: bool = False
    digests: bool = False

    @property
    def source(self) -> str:
        """Return what is restored, for a sentence."""
        return self.name or "the commit"

    @property
    def everything(self) -> bool:
        """Return whether the database is to equal the commit, and nothing is left alone."""
        return self.how == RestoreOptions() and self.only is None and self.kept is None


class _PlanBuilder:
    """Collects the steps of a plan: `keys`, and the keys that it names besides."""

    def __init__(
        self, how: RestoreOptions, clock: Clock, seal: bytes, unsupported: Unsupported | None
    ) -> None:
        self.keys: list[PlannedKey] = []
        self.expired: list[Key] = []
        self.soon: list[Key] = []
        self.kept: list[Key] = []
        self.unsupported: list[Key] = []
        self._unsupported = unsupported
        self._how = how
        self._clock = clock
        self._seal = seal

    def add(self, change: KeyChange, live: Entry | None, stored: Entry | None) -> None:
        """Plan what becomes of a key that differs, or whose expiry may."""
        if stored and self._unsupported and self._unsupported.lack(stored):
            self.unsupported.append(change.key)
            return
        restored = self._how.restored(stored, self._clock) if stored else None
        if stored and restored is None:
            self.expired.append(change.key)
        if restored is None and live is not None and not self._how.delete:
            self.kept.append(change.key)
            return
        before, after = (codec.encode(entry) if entry else b"" for entry in (live, restored))
        if before == after:
            return
        if live is None:
            action = Action.ADDED
        else:
            action = Action.REMOVED if restored is None else Action.CHANGED
        entry = restored or live
        self.keys.append(
            PlannedKey(
                change.key,
                action,
                entry["type"] if entry else "",
                change.before,
                change.after,
                self._digest(change.key, before),
                len(before),
                len(after),
                least(change.key.name, restored) if restored else 0,
            )
        )
        expires_at = restored.get("expires_at") if restored else None
        if expires_at is not None and codec.milliseconds(expires_at) - self._clock.now <= SOON:
            self.soon.append(change.key)

    def new_keys(
        self,
        commit: EntrySource,
        block: FileGroup[KeyChange],
        concerns: Callable[[Key], bool] | None,
    ) -> NewKeys | None:
        """Return the steps that create all keys of a file, if they can be created in bulk.

        They cannot (None) if a key is left out, for which `concerns` is false, expires soon, or has
        an entry that is not plain. If `concerns` is None, no key of a database is left out.
        """
        path = block.item(0).after
        if path is None or self._how.ttl is not Ttl.KEEP:
            return None
        db, names, types, plain, comes, due = commit.outline(path)
        if self._unsupported and not self._unsupported.types.keys().isdisjoint(types):
            return None
        late = not due or due > str(codec.instant(self._clock.now + SOON))
        all_of_it = concerns is None or all(map(concerns, map(Key, repeat(db), names)))
        return NewKeys(db, path, names, types, comes) if plain and late and all_of_it else None

    def old_keys(
        self,
        live: EntrySource,
        block: FileGroup[KeyChange],
        concerns: Callable[[Key], bool] | None,
    ) -> OldKeys | None:
        """Return the steps that delete all keys of a file, if they can be deleted in bulk.

        They cannot (None) if a key is left alone, has an entry that is not plain, or if all are too
        large to be read at once. `concerns` is as for `new_keys`.
        """
        path = block.item(0).before
        if path is None or not self._how.delete or self._how.ttl is not Ttl.KEEP:
            return None
        db, names, types, plain, goes, _ = live.outline(path)
        all_of_it = concerns is None or all(map(concerns, map(Key, repeat(db), names)))
        in_bulk = plain and goes <= ONE_READ and all_of_it
        return OldKeys(db, path, names, types, goes) if in_bulk else None

    def _digest(self, key: Key, value: bytes) -> str:
        """Return a digest of a key and its value; empty if it has none."""
        name = codec.encode([key.db, key.name])
        sealed = hashlib.blake2b(name + value, key=self._seal, digest_size=16)
        return sealed.hexdigest() if value else ""


def scope_to_change(how: RestoreOptions, scope: Scope) -> Scope:
    """Return which part of the live database may be changed, if `scope` is the commit's."""
    if not may_name_library(how.patterns):
        scope = replace(scope, functions=False)
    return how.scope(scope)


def build_plan(
    comparison: Comparison,
    request: RestoreRequest,
    scope: Scope,
    clock: Clock,
    server: str,
    seal: bytes,
    unsupported: Unsupported | None = None,
    search_seen: bool = True,
    progress: Progress = SILENT,
) -> Plan:
    """Return the plan that makes the live database (`before`) hold what the commit (`after`) does.

    Keys that `scope` does not cover are left alone. So are all function libraries if the live
    side does not cover them, for nobody could tell what is lost, and search indexes unless they
    are `search_seen`. Only who has `seal` can guess a
    value by its digest. Keys of the commit that are `unsupported` are left out. Many
    keys are created, and deleted, in bulk; few are planned one by one. If it is to have
    `digests`, each deletion is a step of its own.
    """
    builder = _PlanBuilder(request.how, clock, seal, unsupported)
    functions_seen = file_format.read_manifest(
        comparison.before.read(file_format.MANIFEST)
    ).functions
    scope_seen = replace(
        scope, functions=scope.functions and functions_seen, search=scope.search and search_seen
    )
    concerns = _concerns(request, scope_seen)
    single, blocks = parts(comparison.changes)
    digests = request.digests or request.kept is not None
    steps: list[NewKeys | OldKeys] = []
    in_bulk: list[FileGroup[KeyChange]] = []
    one_by_one: list[FileGroup[KeyChange]] = []
    every_key = _concerns_every_key(request, scope)
    live, commit = decoded(comparison.before), decoded(comparison.after)
    for block in blocks:
        surely = every_key and Key(block.db, block.names[0]).in_database
        concerned = None if surely else concerns
        whole: NewKeys | OldKeys | None = None
        if block.action is Action.ADDED:
            whole = builder.new_keys(commit, block, concerned)
        elif not digests:
            whole = builder.old_keys(live, block, concerned)
        steps += [whole] if whole else []
        (in_bulk if whole else one_by_one).append(block)

    def add(changes: Iterable[KeyChange]) -> None:
        part = replace(comparison, changes=[*changes])
        progress.start("comparing", len(part.changes))
        try:
            for number, (change, live, stored) in enumerate(_candidates(part, request.how.ttl), 1):
                if concerns(change.key):
                    builder.add(change, live, stored)
                if number % TOLD_OF == 0:
                    progress.advance(TOLD_OF)
        finally:
            progress.finish()

    add([*single, *_changes(one_by_one)])
    if steps and len(builder.keys) + sum(len(each.names) for each in steps) <= ONE_TRANSACTION:
        steps = []
        add(_changes(in_bulk))
    return Plan(
        request.commit,
        server,
        request.how,
        clock,
        listed(sorted(builder.keys, key=lambda step: step.key), steps),
        sorted(builder.expired),
        sorted(builder.soon),
        sorted(builder.kept),
        sorted(builder.unsupported),
        [NO_FUNCTIONS] if scope.functions and not functions_seen else [],
        request.name,
        request.copied,
    )


def revalidate(plan: Plan, kept: Plan, begun: bool) -> Plan:
    """Return the part of the new `plan` that a `kept` plan has, which is what is left to do.

    If the kept plan may have `begun` already, a key that is not in the new plan is done. Raises
    GitbackupError, naming keys, if one is not as it was when the plan was made.
    """
    steps_now = {step.key: step for step in plan.keys}
    moved = []
    for step in kept.keys:
        now = steps_now.get(step.key)
        same = (now.action, now.digest) == (step.action, step.digest) if now else begun
        if not same:
            moved.append(step.key)
    if moved:
        named = ", ".join(map(str, moved[:NAMED]))
        more = f" and {len(moved) - NAMED:,} more" if len(moved) > NAMED else ""
        what = "nothing else" if begun else "nothing"
        raise GitbackupError(
            f"{named}{more} changed after the plan was made: {what} was restored; make a new plan"
        )
    planned = {step.key for step in kept.keys}
    return replace(plan, keys=[step for step in plan.keys if step.key in planned])


def _changes(blocks: Iterable[FileGroup[KeyChange]]) -> Iterator[KeyChange]:
    for block in blocks:
        yield from map(block.item, range(len(block.names)))


def _concerns(request: RestoreRequest, scope: Scope) -> Callable[[Key], bool]:
    """Return a function that tells whether the restore is about a key."""
    within, matches, only = covers(scope), matcher(request.how.patterns), request.only

    def concerns(key: Key) -> bool:
        if only is not None and key not in only:
            return False
        return within(key) and bool(matches(codec.data(key.name)))

    return concerns


def _concerns_every_key(request: RestoreRequest, scope: Scope) -> bool:
    """Return whether the restore is about all keys of all databases."""
    return scope.every_key and not request.how.patterns and request.only is None


def _candidates(
    comparison: Comparison, ttl: Ttl
) -> Iterator[tuple[KeyChange, Entry | None, Entry | None]]:
    """Return the keys that differ, and if expiries are to change, all keys that have one."""
    yield from comparison.pairs()
    if ttl is Ttl.KEEP:
        return
    differing = {change.key for change in comparison.changes}
    entries = decoded(comparison.after).entries
    for path in sorted(filter(file_format.is_data, comparison.after.files)):
        for key, entry in entries(path).items():
            if key not in differing and entry.keys() & {"expires_at", "field_expires_at"}:
                yield KeyChange(key, Action.CHANGED, None, path), entry, entry
