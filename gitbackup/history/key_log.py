"""`log -- KEY-GLOB`: which commits changed such keys, and what became of each.

A merge is listed, compared with its first parent, if a key differs from that of every parent; both
sides of it are walked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from gitbackup.history.lookup import FoundEntry
from gitbackup.history.search import Wanted, every_change
from gitbackup.history.walker import HistoryStep
from gitbackup.model.changes import Action, KeyChange, KeyDiff, Summary
from gitbackup.model.commits import CommitInfo, Selection
from gitbackup.model.keys import Key
from gitbackup.redact import Redaction
from gitbackup.snapshot.compare import key_diff, masked, summarise


@dataclass(frozen=True, slots=True)
class CommitChanges:
    """A commit, and the selected keys that it changed, in order.

    `damage` says what of it cannot be read; empty if all can. `left` counts keys that it lacks
    because its scope does not cover them: they were not removed.
    """

    info: CommitInfo
    keys: Sequence[KeyDiff]
    damage: str = ""
    left: int = 0

    @property
    def summary(self) -> Summary:
        """Return the changes in brief."""
        return summarise([each.change for each in self.keys])


def trace(
    steps: Iterable[HistoryStep],
    selection: Selection,
    redaction: Redaction,
    wanted: Wanted = every_change,
) -> Iterator[CommitChanges]:
    """Yield what each of these steps changed of what is `wanted`, if anything, up to the
    selection's limit, in its order."""
    changes = (_changes(step, redaction, wanted) for step in steps)
    limited = islice(filter(None, changes), selection.limit)
    yield from reversed([*limited]) if selection.reverse else limited


def _changes(step: HistoryStep, redaction: Redaction, wanted: Wanted) -> CommitChanges | None:
    """Return what a step changed; None if it changed none of the keys."""
    if not step.edges:
        return None
    first, *others = [edge or {} for edge in step.edges]
    keys = [key for key in sorted(first) if all(key in edge for edge in others)]
    keys = [key for key in keys if wanted(*first[key])]
    left = len(step.left) if wanted is every_change else 0
    if keys or step.damage or left:
        diffs = [masked(_key_diff(key, *first[key]), redaction) for key in keys]
        return CommitChanges(step.record.info, diffs, step.damage, left)
    return None


def _key_diff(key: Key, old: FoundEntry | None, new: FoundEntry | None) -> KeyDiff:
    action = Action.CHANGED if old and new else Action.ADDED if new else Action.REMOVED
    change = KeyChange(key, action, old.path if old else None, new.path if new else None)
    return key_diff(change, old.entry if old else None, new.entry if new else None)
