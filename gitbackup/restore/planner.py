"""Plan a restore: compare the live database with a commit, key by key."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from itertools import repeat

from gitbackup.errors import GitbackupError
from gitbackup.format import codec
from gitbackup.format.patterns import covers, matcher, may_name_library
from gitbackup.live.server.unsupported import Unsupported
from gitbackup.model.changes import Action, KeyChange
from gitbackup.model.file_groups import FileGroup, listed, parts, unordered
from gitbackup.model.keys import PLACES, Entry, Key, Scope
from gitbackup.plan.differing import elsewhere, pairs
from gitbackup.plan.plan import (
    Clock,
    FileSteps,
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
MANY = 16  # steps of a file, from which on they are kept together
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
    """Collects the steps of a plan: `keys` one by one, those of which there are many in a file as
    `blocks`; and the keys that it names besides."""

    def __init__(
        self, how: RestoreOptions, clock: Clock, seal: bytes, unsupported: Unsupported | None
    ) -> None:
        self.keys: list[PlannedKey] = []
        self.blocks: list[FileSteps] = []
        self.expired: list[Key] = []
        self.soon: list[Key] = []
        self.kept: list[Key] = []
        self.unsupported: list[Key] = []
        self._unsupported = unsupported
        self._how = how
        self._clock = clock
        self._seal = seal
        self._waiting: list[PlannedKey] = []

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
        self._waiting.append(
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

    def settle(self) -> None:
        """Keep the steps that were added since this was called last."""
        by_file = defaultdict[tuple[object, ...], list[PlannedKey]](list)
        for step in sorted(self._waiting, key=_key):
            by_file[step.key.db, step.action, step.before, step.after].append(step)
        for (db, *_), steps in by_file.items():
            if len(steps) < MANY or db in PLACES:
                self.keys += steps
            else:
                self.blocks.append(FileSteps.of(steps))
        self._waiting = []

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
    few, blocks = parts(comparison.changes)
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
        elif block.action is Action.REMOVED and not digests:
            whole = builder.old_keys(live, block, concerned)
        steps += [whole] if whole else []
        (in_bulk if whole else one_by_one).append(block)

    def add(single: Iterable[KeyChange], blocks: Sequence[FileGroup[KeyChange]]) -> None:
        part = replace(comparison, changes=listed([*single], blocks))
        progress.start("comparing", len(part.changes))
        number = 0
        try:
            for of_a_file in _candidates(part, request.how.ttl):
                for change, live, stored in of_a_file:
                    number += 1
                    if concerns(change.key):
                        builder.add(change, live, stored)
                    if number % TOLD_OF == 0:
                        progress.advance(TOLD_OF)
                builder.settle()
        finally:
            progress.finish()

    add(few, one_by_one)
    planned = listed(builder.keys, [*steps, *builder.blocks])
    if steps and len(planned) <= ONE_TRANSACTION:
        steps = []
        add((), in_bulk)
    return Plan(
        request.commit,
        server,
        request.how,
        clock,
        listed(sorted(builder.keys, key=_key), [*steps, *builder.blocks]),
        sorted(builder.expired),
        sorted(builder.soon),
        sorted(builder.kept),
        sorted(builder.unsupported),
        [NO_FUNCTIONS] if scope.functions and not functions_seen else [],
        request.name,
        request.copied,
    )


def revalidate(plan: Plan, request: RestoreRequest, home: bool) -> Plan:
    """Return the part of the new `plan` that a kept plan has, which is what is left to do; all of
    it if none was kept.

    If that may have begun already, a key that is not in the new plan is done. Raises
    GitbackupError, naming keys, if one is not as it was when the plan was made, or if another run
    of the server answers, which may have lost what the plan does not name.
    """
    kept, begun = request.kept, bool(request.unfinished) or not home
    if kept is None:
        return plan
    if kept.runs and elsewhere(kept, plan) and not request.unfinished:
        raise GitbackupError(
            "the server was started again after the plan was made, or another one answers in its"
            " place: nothing was restored; make a new plan"
        )
    moved, left = list[Key](), set[Key]()
    for pair in pairs(kept, plan):
        if pair.now and not pair.seen:
            left.add(pair.now.key)
        elif pair.seen and not (pair.same if pair.now else begun):
            moved.append(pair.seen.key)
    if moved:
        named = ", ".join(map(str, moved[:NAMED]))
        more = f" and {len(moved) - NAMED:,} more" if len(moved) > NAMED else ""
        what = "nothing else" if begun else "nothing"
        raise GitbackupError(
            f"{named}{more} changed after the plan was made: {what} was restored; make a new plan"
        )
    return replace(plan, keys=_without(plan.keys, left))


def _without(steps: Sequence[PlannedKey], keys: Set[Key]) -> Sequence[PlannedKey]:
    """Return the steps but those of some keys. Of a file that has one, each is a step by itself."""
    few, blocks = parts(steps)
    rest, whole = [*few], list[FileGroup[PlannedKey]]()
    for block in blocks:
        if keys.isdisjoint(map(Key, repeat(block.db), block.names)):
            whole.append(block)
        else:
            rest += map(block.item, range(len(block.names)))
    return listed(sorted((step for step in rest if step.key not in keys), key=_key), whole)


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


Candidate = tuple[KeyChange, Entry | None, Entry | None]


def _candidates(comparison: Comparison, ttl: Ttl) -> Iterator[Iterable[Candidate]]:
    """Return the keys that differ, and if expiries are to change, all keys that have one: first
    those that are told one by one, then those of one file after the other."""
    few, blocks = parts(comparison.changes)
    yield replace(comparison, changes=[*few]).pairs()
    for block in blocks:
        changes = [block.item(at) for at in range(len(block.names))]
        yield replace(comparison, changes=changes).pairs()
    if ttl is Ttl.KEEP:
        return
    differing = {change.key for change in unordered(comparison.changes)}
    entries = decoded(comparison.after).entries
    for path in sorted(filter(file_format.is_data, comparison.after.files)):
        yield [
            (KeyChange(key, Action.CHANGED, None, path), entry, entry)
            for key, entry in entries(path).items()
            if key not in differing and entry.keys() & {"expires_at", "field_expires_at"}
        ]


def _key(step: PlannedKey) -> Key:
    return step.key
