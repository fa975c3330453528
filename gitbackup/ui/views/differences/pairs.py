"""What differs between two commits is worked out once and kept; of the database, once for a view.

Two commits never change, so their changes serve every request; those that were asked for last are
kept. What the database held at one moment serves the pages of the view that it was read for, and
is never taken for what it holds now.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gitbackup import Backup
from gitbackup.compare.diff import Diff
from gitbackup.errors import UsageError
from gitbackup.model.changes import KeyChange, KeyDiff
from gitbackup.model.keys import Entry
from gitbackup.redact import Redaction
from gitbackup.snapshot import file_format
from gitbackup.snapshot.compare import key_diff, masked
from gitbackup.snapshot.entry_sources import EntrySource, decoded
from gitbackup.snapshot.sources import LiveSource, Source, StoredSource
from gitbackup.store.objects.trees import EMPTY_TREE
from gitbackup.store.repository.repository import Repository
from gitbackup.ui.views.differences.groups import Filter, Groups

Entries = tuple[Entry | None, Entry | None]
"""A key's entries before and after."""

MOST_KEPT = 400_000
"""Changes that are kept of all pairs; the pair that was asked for last is kept in any case."""

READINGS = 3
"""Readings of the database that are kept for the views that they were made for."""

NARROWED = 4
"""Filters of a pair, whose groups are kept."""

QUICK = 200
"""Files that differ, up to which a reader waits for two commits to be compared."""

OF_LARGE = 100
"""Files that the one of an entry over 1 MiB counts for."""


@dataclass(frozen=True, eq=False)
class Pair:
    """Two sides, each a commit's id, `EMPTY_TREE` for nothing, or `live`; and what differs.

    `groups` has all keys that differ, quiet ones too. A pair with the database has the time at
    which that was `read_at`, and a `reading` by which it is found. For several threads: each
    reads with a repository object of its own.
    """

    before: str
    after: str
    groups: Groups
    warnings: Sequence[str]
    sides: tuple[StoredSource | LiveSource, StoredSource | LiveSource]
    read_at: datetime | None = None
    reading: str = ""
    _narrowed: OrderedDict[Filter, Groups] = field(default_factory=OrderedDict)
    _narrowing: threading.Lock = field(default_factory=threading.Lock)

    def entries(self, repository: Repository) -> Callable[[KeyChange], Entries]:
        """Return a function that reads the entries of one of its changes, as they are."""
        before, after = (decoded(side.within(repository)).entry for side in self.sides)
        return lambda change: (
            before(change.before, change.key),
            after(change.after, change.key),
        )

    def reader(self, repository: Repository) -> Callable[[KeyChange], KeyDiff]:
        """Return a function that reads the diff of one of its changes, masked as the settings say
        by now."""
        entries, masks = self.entries(repository), Redaction(repository.get_all("redact"))
        return lambda change: masked(key_diff(change, *entries(change)), masks)

    def narrowed(self, by: Filter) -> Groups:
        """Return the groups of the keys that a filter lets through, but for its text."""
        with self._narrowing:
            if by not in self._narrowed:
                self._narrowed[by] = self.groups.narrowed(by)
                if len(self._narrowed) > NARROWED:
                    self._narrowed.popitem(last=False)
            return self._narrowed[by]


class Pairs:
    """The pairs that pages ask for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._making = dict[tuple[object, ...], threading.Lock]()
        self._known: OrderedDict[tuple[object, ...], Pair] = OrderedDict()
        self._readings: OrderedDict[str, Pair] = OrderedDict()
        self._alone = threading.Lock()
        self._last = dict[tuple[object, ...], tuple[float, str]]()  # when it began, and its name

    def of(self, backup: Backup, before: str, after: str, *, large: bool = False) -> Pair:
        """Return what differs between two commits, given by id; `EMPTY_TREE` is nothing.

        Of those that may be `large`, one at a time is worked out, for each takes much memory.
        """
        place = _place(backup, before, after)
        with self._lock:
            if place in self._known:
                self._known.move_to_end(place)
                return self._known[place]
            making = self._making.setdefault(place, threading.Lock())
        with making:  # a second reader waits for what the first one has begun
            with self._lock:
                if place in self._known:
                    return self._known[place]
            try:
                with self._alone if large else nullcontext():
                    pair = _pair(backup, before, _compared(backup, before, after))
                self._keep(place, pair)
            finally:
                with self._lock:
                    self._making.pop(place, None)
        return pair

    def _keep(self, place: tuple[object, ...], pair: Pair) -> None:
        with self._lock:
            self._known[place] = pair
            while len(self._known) > 1 and sum(map(_weight, self._known.values())) > MOST_KEPT:
                self._known.popitem(last=False)

    def is_quick(self, backup: Backup, before: str, after: str) -> bool:
        """Return whether two commits are compared already, or soon will be."""
        with self._lock:
            if _place(backup, before, after) in self._known:
                return True
        older = None if before == EMPTY_TREE else before
        files = repository_of(backup).changed_files(older, after)
        large = sum(file_format.is_of_large(each.path) for each in files)
        return len(files) + large * OF_LARGE <= QUICK

    def live(self, backup: Backup, before: str) -> Pair:
        """Read the database, and return how it differs from a commit.

        One reader does so at a time, for it takes memory in proportion to the database. Those who
        have asked before it began get the same.
        """
        asked, place = time.monotonic(), _place(backup, before, "")
        with self._alone:
            began, last = self._last.get(place, (0.0, ""))
            pair = self.reading(last) if began > asked else None
            if pair is None:
                began = time.monotonic()
                found = backup.diff(before, every=True)
                pair = _pair(backup, before, found, datetime.now(UTC), secrets.token_urlsafe(12))
                self._last = {place: (began, pair.reading)}
                self._keep_reading(pair)
        return pair

    def _keep_reading(self, pair: Pair) -> None:
        with self._lock:
            self._readings[pair.reading] = pair
            while len(self._readings) > READINGS:
                self._readings.popitem(last=False)

    def reading(self, name: str) -> Pair | None:
        """Return what was read of the database for a view; None if that is kept no longer."""
        with self._lock:
            return self._readings.get(name)


def repository_of(backup: Backup) -> Repository:
    """Return the data repository. Raises UsageError if there is none."""
    if backup.repository is None:
        raise UsageError(f"{backup.path} has no commit yet: commit first")
    return backup.repository


def _weight(pair: Pair) -> int:
    return 1 + len(pair.groups)


def _place(backup: Backup, before: str, after: str) -> tuple[object, ...]:
    repository = repository_of(backup)
    return before, after, tuple(repository.get_all("quiet"))


def _compared(backup: Backup, before: str, after: str) -> Diff:
    if before != EMPTY_TREE:
        return backup.diff(before, after, every=True)
    info = next(backup.log(after, limit=1))
    if info.parents:
        raise UsageError(f"{info.short_id} is not a first commit: name one to compare it with")
    return backup.show(after, every=True).diff


def _pair(
    backup: Backup, before: str, found: Diff, read_at: datetime | None = None, reading: str = ""
) -> Pair:
    groups = Groups.of(found.changes, repository_of(backup).get_all("quiet"))
    sides = _kept(found.comparison.before), _kept(found.comparison.after)
    return Pair(before, found.after, groups, found.warnings, sides, read_at, reading)


def _kept(side: Source) -> StoredSource | LiveSource:
    """Return a side without the repository object and the entries that it was read with."""
    source = side.source if isinstance(side, EntrySource) else side
    if isinstance(source, StoredSource):
        return source.within(None)
    if isinstance(source, LiveSource):
        return source
    raise TypeError(f"{source!r} is not kept")
