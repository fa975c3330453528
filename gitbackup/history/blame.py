"""`blame`: which commit last changed each part of a key, as `git blame` says of lines."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import inf
from typing import NamedTuple

from gitbackup.diff.parts import parts_of, survivors
from gitbackup.format import codec
from gitbackup.history.entry import find_entry
from gitbackup.history.selector import KeySelector
from gitbackup.history.walker import HistoryStep, HistoryWalker
from gitbackup.model.changes import Action, ValueChange
from gitbackup.model.commits import BlameLine, Selection
from gitbackup.model.keys import Entry, Key
from gitbackup.redact import Redaction
from gitbackup.store.repository.repository import Repository


@dataclass(frozen=True, slots=True)
class Blame:
    """A key's entry in a commit, given by id, and the commit that each part of it is from.

    `redacted` tells whether something of it is masked. `warnings` name the commits that have parts
    which may be older, because what was before them cannot be read. `more` tells whether there are
    parts after those that were asked for. The `older` ones are from the commit that stands with
    them, or from one before it: there was no time to find out.
    """

    commit: str
    key: Key
    entry: Entry
    lines: Sequence[BlameLine]
    redacted: bool = False
    warnings: Sequence[str] = ()
    more: bool = False
    older: Sequence[BlameLine] = ()

    def masked(self, redaction: Redaction) -> Blame:
        """Return a redacted copy; lines that are equal then, one after the other, are one."""
        if not redaction:
            return self
        entry = redaction.entry(self.key, self.entry)
        return replace(
            self,
            entry=entry,
            lines=self._masked(self.lines, redaction),
            redacted=entry != self.entry,
            older=self._masked(self.older, redaction),
        )

    def _masked(self, every: Sequence[BlameLine], redaction: Redaction) -> list[BlameLine]:
        lines: list[BlameLine] = []
        for line in every:
            added = ValueChange(line.part, Action.ADDED, line.name, line.path, None, line.value)
            (shown,) = redaction.values(self.key, [added])
            line = replace(line, name=shown.name, path=shown.path, value=shown.after)
            if lines[-1:] != [line]:
                lines.append(line)
        return lines


class Window(NamedTuple):
    """Which parts are asked about: so many from one on, None for all of them; and for how many
    seconds the history is walked, None for as long as it takes."""

    start: int = 0
    most: int | None = None
    patience: float | None = None


ALL = Window()


def blame(
    repository: Repository, commit: str, name: str, db: int | None, window: Window = ALL
) -> Blame:
    """Return where each part of a key in a commit is from; `db` None is any database.

    It walks back through the commits that changed the key, no further than it has to. Raises
    UsageError if the commit does not have the key, or if several databases do.
    """
    key, entry = find_entry(repository, commit, name, db)
    end = None if window.most is None else window.start + window.most
    rest = islice(enumerate(parts_of(entry)), window.start, None)
    parts = dict(islice(rest, window.most))
    until = inf if window.patience is None else time.monotonic() + window.patience
    steps = HistoryWalker(repository, KeySelector.key(codec.data(key.name), [key.db])).steps(
        Selection((commit,), topological=True)
    )
    found = dict(_origins(steps, commit, key, parts, until))
    origins = {at: step for at, step in found.items() if isinstance(step, HistoryStep)}
    lines = [
        BlameLine(*part, origins[at].record.info) for at, part in parts.items() if at in origins
    ]
    ends = {step.record.id: step.damage for step in origins.values() if step.damage}
    warnings = [
        f"parts shown with commit {id_[:7]} may be older: {damage}" for id_, damage in ends.items()
    ]
    older = [
        BlameLine(*parts[at], repository.commit_info(id_))
        for at, id_ in sorted(found.items(), key=lambda one: one[0])
        if isinstance(id_, str)
    ]
    more = end is not None and next(rest, None) is not None
    return Blame(commit, key, entry, lines, warnings=warnings, more=more, older=older)


def _origins(
    steps: Iterator[HistoryStep], commit: str, key: Key, parts: Iterable[int], until: float
) -> Iterator[tuple[int, HistoryStep | str]]:
    """Yield the number of each part, and the step of the commit that made it so; once the clock
    is past `until`, the id of a commit that still has it.

    A part that is the same in a parent is that parent's; where the two cannot be compared, it is
    followed no further. `sought` has, for each commit that is still to come, the places of its
    parts that are sought, and their numbers.
    """
    sought: dict[str, dict[int, int]] = {commit: {at: at for at in parts}}
    for step in steps:
        numbers = sought.pop(step.record.id, {})
        for parent, places in _passed_on(step, key, numbers):
            passed_on = sought.setdefault(parent, {})
            for at, place in places.items():
                if at in numbers:
                    passed_on[place] = numbers.pop(at)
        yield from ((number, step) for number in numbers.values())
        sought = {id_: left for id_, left in sought.items() if left}
        if not sought or time.monotonic() > until:
            break
    yield from ((number, id_) for id_, left in sought.items() for number in left.values())


def _passed_on(
    step: HistoryStep, key: Key, places: Mapping[int, int]
) -> Iterator[tuple[str, Mapping[int, int]]]:
    """Yield each parent and the parts that it has too: their places in the commit, and in it."""
    for at, parent in enumerate(step.record.parents if places else ()):
        edge = step.edges[at] if step.edges else {}
        if edge is None:
            continue
        if key not in edge:
            yield parent, {place: place for place in places}
        else:
            old, new = edge[key]
            if old and new:
                yield parent, survivors(old.entry, new.entry, places)
