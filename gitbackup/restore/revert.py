"""`revert`: what the database would be without what one commit changed.

The keys that the commit changed are merged with those of the live database. The result is the
target of a restore like any other, of these keys only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gitbackup import wording
from gitbackup.errors import UsageError
from gitbackup.format import codec
from gitbackup.format.exact import same
from gitbackup.format.patterns import apart, covers, matcher
from gitbackup.history import entry as history
from gitbackup.merge.entries import Merged, merge_entries
from gitbackup.model.changes import Action, KeyChange
from gitbackup.model.keys import Entry, Key
from gitbackup.model.merging import Conflict, MergeRule
from gitbackup.plan.plan import Clock, RestoreOptions, Revert, Ttl, timed
from gitbackup.redact import NOT_MASKED, Redaction
from gitbackup.snapshot import file_format
from gitbackup.snapshot.compare import Comparison, compare
from gitbackup.snapshot.entry_sources import EntrySource, FileSummaries
from gitbackup.snapshot.manifests import Manifests
from gitbackup.snapshot.sources import CommitSource, LiveSource, Spool
from gitbackup.store.repository.repository import Repository

TOGETHER = 128
"""Merged entries that are kept as one file of the target."""


class Reversal(NamedTuple):
    """What a revert makes of the live database.

    `target` has the merged entries, and `comparison` the keys that change, from the live database
    to that. `conflicts` could not be merged: these parts are as they are in the live database.
    """

    target: EntrySource
    comparison: Comparison
    conflicts: Sequence[Conflict]


@dataclass(frozen=True, slots=True)
class _Sides:
    """A key that the commit changed: before the commit, after it, and now."""

    change: KeyChange
    live: str | None  # the file that it is in now
    before: Entry | None
    after: Entry | None
    now: Entry | None


class Reverter:
    """Takes one commit back; `how` says which of its keys, and by what rule.

    Conflicts are masked by `redaction`. Raises UsageError if the commit changed no such key.
    """

    begun: str | None = None
    """The commit of the state before this revert, if an earlier run of it was cut off."""

    def __init__(
        self,
        repository: Repository,
        commit: str,
        how: RestoreOptions,
        summaries: FileSummaries,
        redaction: Redaction = NOT_MASKED,
    ) -> None:
        self._repository = repository
        self._commit = commit
        self._revert = how.revert or Revert()
        self._redaction = redaction
        self._summaries = summaries
        parents = repository.commit_info(commit).parents
        self._parent = parents[0] if parents else None
        self._before, self._after = (
            EntrySource(CommitSource(repository, each), summaries)
            for each in (self._parent, commit)
        )
        every = compare(self._before, self._after).changes
        chosen = _chosen(how, every)
        kept, _ = apart(chosen, self._revert.exclude)
        kept, quiet = apart(kept, self._revert.quiet)
        self._changes = self._covered(kept)
        self.warnings = [*self._told_apart(len(kept) - len(self._changes), len(quiet))]
        if not self._changes:
            raise UsageError(self._nothing(how, len(every), self.warnings))

    def against(
        self, live: EntrySource, clock: Clock, spool: Spool, only: frozenset[Key] | None = None
    ) -> Reversal:
        """Return what becomes of a live database; of `only` these keys, if given.

        `clock` tells which keys have expired. What is merged is put into `spool`.
        """
        changes: list[KeyChange] = []
        conflicts: list[Conflict] = []
        merging = _Target(self._repository, self._before, spool)
        for sides in self._sides(live, only):
            key = sides.change.key
            merged = self._merged(sides, clock)
            mask = self._redaction.clash
            conflicts += (Conflict(key, mask(key, clash)) for clash in merged.clashes)
            path = merging.path(sides.change, sides.before, merged.entry)
            if not _same(merged.entry, sides.now):
                changes.append(KeyChange(key, _action(sides.now, merged.entry), sides.live, path))
        target = merging.source(self._summaries)
        return Reversal(target, Comparison(live, target, changes), conflicts)

    def _merged(self, sides: _Sides, clock: Clock) -> Merged:
        """Merge a key, as it would be today if the commit had not been made. An entry that has
        expired is no version of it, and its own result only if there is no other."""
        rule = self._revert.rule
        before, after = (
            each and timed(each, Ttl.KEEP, clock) for each in (sides.before, sides.after)
        )
        merged = merge_entries(before, after, sides.now, rule)
        if self.begun:
            merged = self._resumed(self.begun, merged, sides, before, after)
        if merged.entry is None and before is None and sides.before is not None:
            return merged._replace(entry=sides.before)
        return merged

    def _resumed(
        self,
        begun: str,
        merged: Merged,
        sides: _Sides,
        before: Entry | None,
        after: Entry | None,
    ) -> Merged:
        """Return the result for a key that may have been reverted before this run: nothing is
        taken off a counter, or put into a list, twice."""
        then = self._entry_in(begun, sides.change.key)
        if _same(then, sides.now):
            return merged
        done = merge_entries(before, after, then, self._revert.rule)
        if _same(done.entry, sides.now):
            return done
        return merge_entries(before, after, sides.now, MergeRule(self._revert.rule.side))

    def _entry_in(self, commit: str, key: Key) -> Entry | None:
        """Return a key's entry in a commit."""
        try:
            return history.find_entry(self._repository, commit, key.name, key.db)[1]
        except UsageError:
            return None

    def _sides(self, live: EntrySource, only: frozenset[Key] | None) -> Iterator[_Sides]:
        changes = [change for change in self._changes if only is None or change.key in only]
        paths = self._live_paths(live, [change.key for change in changes])
        for change in changes:
            key, path = change.key, paths.get(change.key)
            before = self._before.entry(change.before, key)
            after = self._after.entry(change.after, key)
            yield _Sides(change, path, before, after, live.entry(path, key))

    def _live_paths(self, live: EntrySource, keys: Sequence[Key]) -> Mapping[Key, str | None]:
        """Return the live file of each key. A key differs from the commit or from its parent."""
        paths: dict[Key, str | None] = {}
        for side in (self._after, self._before):
            wanted = {*keys} - paths.keys()
            if wanted:
                found = compare(live, side).changes
                paths |= {each.key: each.before for each in found if each.key in wanted}
        return paths

    def _covered(self, changes: Sequence[KeyChange]) -> list[KeyChange]:
        """Return the changes of keys that the commit and its parent cover; what only one of them
        covers was not changed by the commit."""
        manifests = Manifests(self._repository)
        scopes = [manifests.scope(each) for each in (self._parent, self._commit) if each]
        within = [covers(scope) for scope in scopes if scope is not None]
        return [change for change in changes if all(covered(change.key) for covered in within)]

    def _told_apart(self, uncovered: int, quiet: int) -> Iterator[str]:
        if uncovered:
            yield (
                f"{_keys(uncovered)} not touched: not both the commit and its parent cover"
                f" {'it' if uncovered == 1 else 'them'}"
            )
        if quiet:
            yield (
                f"{_keys(quiet)} not touched, being quiet:"
                f" {wording.option('--with-quiet', 'every')} reverts"
                f" {'it' if quiet == 1 else 'them'}, too"
            )

    def _nothing(self, how: RestoreOptions, every: int, warnings: Sequence[str]) -> str:
        commit = f"commit {self._commit[:7]}"
        if not every:
            return f"{commit} changed no key"
        if warnings:
            return f"{commit} changed no other key: {warnings[-1]}"
        if how.patterns:
            return f"{commit} changed no key that matches {' '.join(map(repr, how.patterns))}"
        return f"{commit} changed no key of the chosen ones"


class _Target:
    """Collects the merged entries as files of a snapshot; what is as it was before the commit is
    where it was then."""

    def __init__(self, repository: Repository, before: EntrySource, spool: Spool) -> None:
        self._repository = repository
        self._before = before
        self._spool = spool
        self._files = dict(before.files)
        self._waiting: dict[str, Entry] = {}
        self._db = 0
        self._written = 0

    def path(self, change: KeyChange, before: Entry | None, merged: Entry | None) -> str | None:
        """Take a key's merged entry; return the path of the file that it will be in."""
        if merged is None:
            return None
        if before is not None and same(before, merged):
            return change.before
        if change.key.db != self._db or len(self._waiting) == TOGETHER:
            self._write()
            self._db = change.key.db
        self._waiting[change.key.name] = merged
        return self._path

    def source(self, summaries: FileSummaries) -> EntrySource:
        """Return the source of all that was taken."""
        self._write()
        return EntrySource(LiveSource(self._repository, self._files, self._spool), summaries)

    @property
    def _path(self) -> str:
        return f"db{self._db}/~/{self._written}.json"  # no layout has such a folder

    def _write(self) -> None:
        if not self._waiting:
            return
        content = file_format.encode_stored(self._waiting)
        blob_id = Repository.blob_id(content)
        self._spool.put(blob_id, content)
        self._files[self._path] = blob_id
        self._waiting = {}
        self._written += 1


def _chosen(how: RestoreOptions, changes: Sequence[KeyChange]) -> list[KeyChange]:
    """Return the changes of keys in the chosen databases that match a pattern."""
    matches = matcher(how.patterns)
    databases = None if how.databases is None else {db for db, _ in how.databases}
    return [
        change
        for change in changes
        if (databases is None or change.key.db in databases)
        and matches(codec.data(change.key.name))
    ]


def _same(one: Entry | None, other: Entry | None) -> bool:
    return one is other if one is None or other is None else same(one, other)


def _action(now: Entry | None, merged: Entry | None) -> Action:
    if now is None:
        return Action.ADDED
    return Action.REMOVED if merged is None else Action.CHANGED


def _keys(count: int) -> str:
    return "1 key is" if count == 1 else f"{count:,} keys are"
