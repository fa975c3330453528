"""What commits changed by namespace: it is read once for each, for it never changes."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable

from gitbackup import Backup
from gitbackup.errors import Damaged
from gitbackup.history.stat import CommitSummary, has_large
from gitbackup.model.changes import Counts
from gitbackup.model.commits import CommitInfo

MOST_KEYS = 20_000
"""Changed keys of a commit that is summed up unasked; for more, all of them would have to be read
to say what its own message says."""

KEPT = 2_000
"""Summaries that are kept."""


class Summaries:
    """The summaries of commits, for all pages of a site."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, ...], CommitSummary] = OrderedDict()
        self._lock = threading.Lock()

    def of(
        self, backup: Backup, commits: Iterable[CommitInfo], patience: float, *, large: bool
    ) -> dict[str, CommitSummary]:
        """Return the summaries of these commits by id: those that are known, and those that can be
        read in so many seconds. Commits that changed very many keys have none, and unless `large`,
        those that changed an entry over 1 MiB are not read."""
        quiet = tuple(backup.repository.get_all("quiet")) if backup.repository else ()
        until = time.monotonic() + patience
        found = {}
        for info in commits:
            known = self._known((info.id, quiet))
            in_time = known is None and time.monotonic() < until and is_summed_up(info)
            if in_time and (large or not _has_large(backup, info)):
                known = _read(backup, info)
                self._keep((info.id, quiet), known)
            if known:
                found[info.id] = known
        return found

    def _known(self, which: tuple[object, ...]) -> CommitSummary | None:
        with self._lock:
            if which in self._kept:
                self._kept.move_to_end(which)
            return self._kept.get(which)

    def _keep(self, which: tuple[object, ...], summary: CommitSummary) -> None:
        with self._lock:
            self._kept[which] = summary
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)


def _has_large(backup: Backup, info: CommitInfo) -> bool:
    try:
        return backup.repository is not None and has_large(backup.repository, info.id)
    except Damaged:  # which the summary tells
        return False


def _read(backup: Backup, info: CommitInfo) -> CommitSummary:
    try:
        return backup.summary(info.id)
    except Damaged as damage:  # of a newer format, or the commit itself
        return CommitSummary(info, None, Counts(), str(damage))


def is_summed_up(info: CommitInfo) -> bool:
    """Return whether a commit is summed up unasked: also one made by hand, which says nothing."""
    return info.counts is None or info.counts.total <= MOST_KEYS
