"""`log -- KEY-GLOB`: which commits changed such keys, and what became of each.

A merge is told where a key of it is none of its parents', against the first of them; both
sides of it are walked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from gitbackup.history.lookup import FoundEntry
from gitbackup.history.walker import HistoryStep
from gitbackup.model.changes import Action, KeyChange, KeyDiff, Summary
from gitbackup.model.commits import CommitInfo, Selection
from gitbackup.model.keys import Key
from gitbackup.redact import Redaction
from gitbackup.snapshot.compare import key_diff, masked, summarise


@dataclass(frozen=True, slots=True)
class CommitChanges:
    """A commit, and the keys asked for that it changed, in order.

    `damage` says what of it cannot be read; empty where all can. `left` counts keys that it
    lacks since its scope is another: they were not removed.
    """

    info: CommitInfo
    keys: Sequence[KeyDiff]
    damage: str = ""
    left: int = 0

    @property
    def summary(self) -> Summary:
        return summarise([each.change for each in self.keys])


def trace(
    steps: Iterable[HistoryStep], selection: Selection, redaction: Redaction
) -> Iterator[CommitChanges]:
    """Those of the selected commits, each a step, that changed such keys: newest first, or in
    reverse."""
    found = (_told(step, redaction) for step in steps)
    some = islice(filter(None, found), selection.limit)
    yield from reversed([*some]) if selection.reverse else some


def _told(step: HistoryStep, redaction: Redaction) -> CommitChanges | None:
    """What a step changed; None for nothing."""
    if not step.edges and not step.damage:
        return None
    first, *others = step.edges or [{}]
    keys = [key for key in sorted(first) if all(key in edge for edge in others)]
    if keys or step.damage or step.left:
        diffs = [masked(_key_diff(key, *first[key]), redaction) for key in keys]
        return CommitChanges(step.record.info, diffs, step.damage, len(step.left))
    return None


def _key_diff(key: Key, old: FoundEntry | None, new: FoundEntry | None) -> KeyDiff:
    action = Action.CHANGED if old and new else Action.ADDED if new else Action.REMOVED
    change = KeyChange(key, action, old.path if old else None, new.path if new else None)
    return key_diff(change, old.entry if old else None, new.entry if new else None)
