"""`diff`, `status` and `show`: what differs, between commits or against the live database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from gitbackup import wording
from gitbackup.capture.capture import take
from gitbackup.capture.reader import SnapshotReader
from gitbackup.commit.warnings import doubts, surprises
from gitbackup.compare.redis_commands import commands
from gitbackup.diff.labels import NO_LABELS, Labels
from gitbackup.errors import ForbiddenKey, UsageError
from gitbackup.format import codec
from gitbackup.format.patterns import apart, covers, matcher
from gitbackup.kinds import Command
from gitbackup.live.connection.connect import Server
from gitbackup.model.changes import Counts, KeyChange, KeyDiff, Summary
from gitbackup.model.commits import CommitInfo
from gitbackup.model.file_groups import count_by_prefix, total
from gitbackup.model.keys import Key, Scope, Space
from gitbackup.model.server.replicas import ReplicaRead
from gitbackup.progress import Progress
from gitbackup.redact import Redaction
from gitbackup.snapshot import file_format
from gitbackup.snapshot.base import source_of_head
from gitbackup.snapshot.compare import Comparison, compare, key_diff, masked, summarise
from gitbackup.snapshot.manifests import Manifests, out_of_scope, parted
from gitbackup.snapshot.sources import CommitSource, LiveSource, Spool, differing_sources
from gitbackup.store.repository.repository import Repository

LIVE = "live"

CALLED = 3
"""Keys of a namespace whose labels a status tells."""


@dataclass(frozen=True, slots=True)
class Diff:
    """What differs between two sides, each a commit's id or `live`.

    Iterating yields a KeyDiff for each key, in order, masked by `redaction`; entries are read
    as they are needed. `quiet` are changes of quiet keys, which are only counted.
    """

    before: str
    after: str
    comparison: Comparison
    warnings: Sequence[str] = ()
    quiet: Sequence[KeyChange] = ()
    redaction: Redaction = Redaction()  # noqa: RUF009  nothing, and nothing can change that

    @property
    def changes(self) -> Sequence[KeyChange]:
        """Return the keys that differ, without quiet ones."""
        return self.comparison.changes

    @property
    def hidden(self) -> Counts:
        """Return how many quiet keys differ."""
        return total(self.quiet)

    @property
    def summary(self) -> Summary:
        """Return the changes in brief."""
        return summarise(self.changes)

    def ordered(self, order: Callable[[KeyChange], Any]) -> Diff:
        """Return a copy with the keys sorted by this key function."""
        changes = sorted(self.changes, key=order)
        return replace(self, comparison=replace(self.comparison, changes=changes))

    def __iter__(self) -> Iterator[KeyDiff]:
        for change, before, after in self.comparison.pairs():
            yield masked(key_diff(change, before, after), self.redaction)

    def commands(self) -> Iterator[Command]:
        """Return the commands that make a server which holds the first side hold the second.

        Raises UsageError if a value is masked, for the commands would write the mask.
        """
        if self.redaction and (key := next(self._hidden(), None)):
            raise UsageError(
                f"{str(key)!r} is masked by {wording.option('--redact')} or gitbackup.redact, and"
                " the commands would write the mask: leave the key out with"
                f" {wording.option('--exclude')}, or do not mask it"
            )
        return commands(self.comparison, time.time_ns() // 1_000_000)

    def _hidden(self) -> Iterator[Key]:
        mask = self.redaction.entry
        for change, *sides in self.comparison.pairs():
            if any(entry and mask(change.key, entry) != entry for entry in sides):
                yield change.key


@dataclass(frozen=True, slots=True)
class Status:
    """The live database against HEAD, in brief.

    `head` is None before the first commit. `hidden` counts the quiet keys that differ, and
    `excluded` those that were excluded; `summary` has neither. `replicas` were read instead of
    primaries. `called` has the labels of some keys that differ, by namespace. `prefixes` counts
    what `summary` does, by place and prefix.
    """

    server: str
    head: CommitInfo | None
    keys: int
    summary: Summary
    warnings: Sequence[str]
    hidden: Counts
    excluded: Counts = Counts()  # noqa: RUF009  frozen
    replicas: Sequence[ReplicaRead] = ()
    called: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)
    prefixes: Mapping[Space, Counts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shown:
    """A commit, and what it changed against its first parent."""

    info: CommitInfo
    diff: Diff


class Split(NamedTuple):
    """Changes to show, those of quiet keys, and those that are excluded."""

    shown: Sequence[KeyChange]
    quiet: Sequence[KeyChange]
    excluded: Sequence[KeyChange]


@dataclass(frozen=True, slots=True)
class Narrow:
    """Which of the keys that differ are shown: those in these databases that match a pattern.

    No patterns are all keys, None is all databases. Keys that `exclude` matches are not shown;
    those that `quiet` matches are only counted.
    """

    patterns: Sequence[str] = ()
    databases: Sequence[int] | None = None
    exclude: Sequence[str] = ()
    quiet: Sequence[str] = ()

    def split(self, changes: Sequence[KeyChange]) -> Split:
        """Split the changes by these rules. Keys of no pattern or database are in no part."""
        if self == EVERYTHING:
            return Split(changes, (), ())
        matches = matcher(self.patterns)
        selected = [
            change
            for change in changes
            if (self.databases is None or change.key.db in self.databases)
            and matches(codec.data(change.key.name))
        ]
        kept, excluded = apart(selected, self.exclude)
        return Split(*apart(kept, self.quiet), excluded)


EVERYTHING = Narrow()


def diff_commits(repository: Repository, a: str | None, b: str, narrow: Narrow) -> Diff:
    """Return what differs between two commits, given by id; None is an empty snapshot.

    Raises NewerFormat if one of them is of a newer format.
    """
    manifests = Manifests(repository)
    manifests.scope(a), manifests.scope(b)
    comparison = compare(*differing_sources(repository, a, b))
    shown, quiet, _ = narrow.split(comparison.changes)
    left = manifests.left(a, b)
    changes, left_scope = parted(shown, left)
    warnings = [out_of_scope(len(left_scope))] if left_scope else []
    comparison = replace(comparison, changes=changes)
    return Diff(a or "", b, comparison, warnings, parted(quiet, left)[0])


def diff_live(
    repository: Repository,
    commit: str,
    server: Server,
    scope: Scope,
    narrow: Narrow,
    progress: Progress,
) -> Diff:
    """Return what differs between a commit, within its scope, and the live database.

    `scope` serves where the commit, made by hand, tells none. Where the user may not read all keys
    of it, only those are read that the patterns of `narrow` match.
    """
    side = CommitSource(repository, commit)
    narrow = replace(narrow, databases=scope.databases)
    if file_format.MANIFEST in side.files:
        scope = file_format.read_manifest(side.read(file_format.MANIFEST))
    try:
        return _diff_live(repository, side, SnapshotReader(server, scope, progress), commit, narrow)
    except ForbiddenKey:
        if not narrow.patterns:
            raise
    within = covers(replace(scope, functions=False, search=False))
    only = replace(scope, include=tuple(narrow.patterns), functions=False, search=False)
    found = _diff_live(repository, side, SnapshotReader(server, only, progress), commit, narrow)
    told = [change for change in found.changes if within(change.key)]
    quiet = [change for change in found.quiet if within(change.key)]
    return replace(found, comparison=replace(found.comparison, changes=told), quiet=quiet)


def _diff_live(
    repository: Repository,
    side: CommitSource,
    live_files: SnapshotReader,
    commit: str,
    narrow: Narrow,
) -> Diff:
    spool, reply_cache = Spool(), repository.reply_cache()  # the spool lives as long as the result
    taken = take(live_files, side, Repository.blob_id, spool, strict=True, reply_cache=reply_cache)
    live = LiveSource(repository, taken.files, spool)
    shown, quiet, _ = narrow.split(taken.changes)
    warnings = [*taken.warnings, *doubts(taken)]
    return Diff(commit, LIVE, Comparison(side, live, shown), warnings, quiet)


def status(
    repository: Repository,
    live: SnapshotReader,
    narrow: Narrow = EVERYTHING,
    labels: Labels = NO_LABELS,
    redaction: Redaction = Redaction(),  # noqa: B008  nothing, and nothing can change that
) -> Status:
    """Return what a commit of the live database would record, and what HEAD is.

    `labels` are told of keys that differ, unless `redaction` masks them.
    """
    head = repository.head()
    side = source_of_head(repository, head)
    with Spool() as spool:
        reply_cache = repository.reply_cache()
        taken = take(live, side, Repository.blob_id, spool, strict=True, reply_cache=reply_cache)
        shown, quiet, excluded = narrow.split(taken.changes)
        live_side = LiveSource(repository, taken.files, spool)
        called = _called(Comparison(side, live_side, shown), labels, redaction)
    warnings = [*taken.warnings, *doubts(taken), *surprises(repository, taken, head, side)]
    return Status(
        server=str(live.server),
        head=repository.commit_info(head) if head else None,
        keys=live.total,
        summary=summarise(shown) if len(shown) < len(taken.changes) else taken.summary,
        warnings=warnings,
        hidden=total(quiet),
        excluded=total(excluded),
        replicas=live.replicas,
        called=called,
        prefixes=count_by_prefix(shown),
    )


def _called(
    comparison: Comparison, labels: Labels, redaction: Redaction
) -> dict[tuple[str, str], list[str]]:
    """Return the labels of the first keys that have one in each namespace."""
    spaces: dict[tuple[str, str], list[KeyChange]] = {}
    for change in comparison.changes:
        if labels.concern(change.key):
            some = spaces.setdefault((change.key.place, change.key.namespace), [])
            some += [change] * (len(some) < CALLED)
    chosen = [change for some in spaces.values() for change in some]
    called: dict[tuple[str, str], list[str]] = {}
    for change, before, after in replace(comparison, changes=chosen).pairs():
        key = change.key
        old, new = (each and redaction.entry(key, each) for each in (before, after))
        if label := labels.of(key, new, old):
            called.setdefault((key.place, key.namespace), []).append(label)
    return called


def show(repository: Repository, commit: str, narrow: Narrow = EVERYTHING) -> Shown:
    """Return what a commit changed against its first parent."""
    info = repository.commit_info(commit)
    parent = info.parents[0] if info.parents else None
    return Shown(info, diff_commits(repository, parent, commit, narrow))
