"""`blame`: which commit last changed each part of a key, as `git blame` does for lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gitbackup.diff.parts import Parts, parts_of, survivors
from gitbackup.format import codec
from gitbackup.history.entry import find_entry
from gitbackup.history.selector import KeySelector
from gitbackup.history.walker import HistoryStep, HistoryWalker
from gitbackup.model.changes import Action, ValueChange
from gitbackup.model.commits import BlameLine, CommitInfo, Selection
from gitbackup.model.keys import Entry, Key
from gitbackup.redact import Redaction
from gitbackup.store.repository.repository import Repository


@dataclass(frozen=True, slots=True)
class Blame:
    """A key's entry in a commit, given by id, and where each part of it is from.

    `redacted` tells whether something of it is masked.
    """

    commit: str
    key: Key
    entry: Entry
    lines: Sequence[BlameLine]
    redacted: bool = False

    def masked(self, redaction: Redaction) -> Blame:
        """The same, without what is not for every eye."""
        if not redaction:
            return self
        lines = [_masked(line, self.key, redaction) for line in self.lines]
        once = [line for at, line in enumerate(lines) if line not in lines[max(at - 1, 0) : at]]
        entry = redaction.entry(self.key, self.entry)
        return replace(self, entry=entry, lines=once, redacted=entry != self.entry)


def _masked(line: BlameLine, key: Key, redaction: Redaction) -> BlameLine:
    change = ValueChange(line.part, Action.ADDED, line.name, line.path, None, line.value)
    (told,) = redaction.values(key, [change])
    return replace(line, name=told.name, path=told.path, value=told.after)


def blame(repository: Repository, commit: str, name: str, db: int | None) -> Blame:
    """Walks back through the commits that changed the key, no further than it has to.

    Raises UsageError where the commit does not have the key.
    """
    key, entry = find_entry(repository, commit, name, db)
    parts = parts_of(entry)
    steps = HistoryWalker(repository, KeySelector.key(codec.data(key.name), [key.db])).steps(
        Selection((commit,), topological=True)
    )
    found = dict(_origins(steps, commit, key, parts))
    lines = [BlameLine(*part, found[at]) for at, part in enumerate(parts) if at in found]
    return Blame(commit, key, entry, lines)


def _origins(
    steps: Iterator[HistoryStep], commit: str, key: Key, parts: Parts
) -> Iterator[tuple[int, CommitInfo]]:
    """Each part by its number, and the commit that made it so.

    What a commit has as one of its parents has it is that parent's; `sought` tells for each
    commit ahead which of its parts are sought still, and their numbers.
    """
    sought: dict[str, dict[int, int]] = {commit: {at: at for at in range(len(parts))}}
    for step in steps:
        mine = sought.pop(step.record.id, {})
        for parent, places in _passed_on(step, key, mine):
            handed = sought.setdefault(parent, {})
            handed.update({place: mine.pop(at) for at, place in places.items() if at in mine})
        if mine:
            info = step.record.info
            yield from ((number, info) for number in mine.values())
        if not sought:
            return


def _passed_on(
    step: HistoryStep, key: Key, mine: Mapping[int, int]
) -> Iterator[tuple[str, Mapping[int, int]]]:
    """For each parent the parts that it has too: where they are here, and where there."""
    for at, parent in enumerate(step.record.parents if mine else ()):
        edge = step.edges[at] if step.edges else {}
        if key not in edge:
            yield parent, {place: place for place in mine}
        else:
            old, new = edge[key]
            if old and new:
                yield parent, survivors(old.entry, new.entry)
