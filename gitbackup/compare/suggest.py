"""`suggest`: which keys change all the time and hide the changes that matter, by the history.

The last commits and the live database are compared, each with the state before. What changes
in most of them, or makes up much of them, is proposed as `quiet`, or as `exclude` if it is gone
within the hour anyway; but no pattern is proposed that matches a key which rarely changes, or
which holds text that people write.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from gitbackup.compare.diff import Diff
from gitbackup.compare.key_shapes import HOUR, Nature, Node, Shape, only_scores
from gitbackup.errors import Damaged, NewerFormat
from gitbackup.format import codec
from gitbackup.format.patterns import apart, matcher
from gitbackup.history.entry import entries, keys
from gitbackup.history.selector import KeySelector
from gitbackup.history.stat import compared
from gitbackup.kinds import kind_of
from gitbackup.kinds.base import Holds
from gitbackup.model.amounts import counted
from gitbackup.model.changes import Action, Counts, KeyChange
from gitbackup.model.commits import CommitInfo, Selection
from gitbackup.model.keys import FUNCTIONS, Entry, Key
from gitbackup.progress import Progress
from gitbackup.settings import LONGEST
from gitbackup.snapshot.commit_scope import taken_at
from gitbackup.snapshot.compare import Comparison, summarise
from gitbackup.snapshot.manifests import Manifests
from gitbackup.store.repository.repository import Repository

RESTORED = ("Restore-Of", "Revert-Of")
"""The trailers of commits that a restore made: what these changed is no traffic."""

MANY, SHARE = 10, 0.01
"""How many changes, and what share of all, make keys loud; that keys are removed does not."""

OFTEN = 3
"""In how many commits keys change that change all the time, if these are half of the commits."""

ALIKE = 8
"""How many keys beside each other, of one nature, are taken for one kind of key."""

BY_HAND = 100
"""Keys that a person changes in one commit, at most."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """How the keys that match `pattern` changed: how often, and in how many commits.

    `keys` is how many HEAD and the live database have, `natures` what they hold.
    """

    pattern: str
    keys: int
    counts: Counts
    commits: int
    natures: Sequence[Nature]


@dataclass(frozen=True, slots=True)
class Suggestion(Evidence):
    """Keys to silence: `setting` is `quiet` or `exclude`."""

    setting: str = "quiet"


@dataclass(frozen=True, slots=True)
class Kept(Evidence):
    """Keys that must not be silenced, and why.

    `fields` are names of some fields of theirs, `by_hand` is the newest commit in which a person
    changed some. `hidden` tells that a setting silences them now.
    """

    fields: Sequence[str] = ()
    by_hand: CommitInfo | None = None
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Suggestions:
    """What `suggest` found.

    `commits` of the history were looked at, and what changed `since` HEAD, if the live database
    was read; `changes` is how many changes of keys these are, and `states` how many of the commits
    have some, the live database included. `hidden` is how many of the changes settings hide now.
    """

    commits: int
    since: bool
    changes: int
    states: int
    found: Sequence[Suggestion]
    keep: Sequence[Kept]
    warnings: Sequence[str] = field(default=())
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class _Step:
    """What changed from one state to the next, which was read at `now`; `info` is None for the
    live database."""

    comparison: Comparison
    now: int
    info: CommitInfo | None = None


def suggest(
    repository: Repository,
    live: Diff | None,
    limit: int,
    silenced: Sequence[str],
    progress: Progress,
) -> Suggestions:
    """Return which patterns to silence, by the last `limit` commits and what is `live` since HEAD.

    `silenced` are the globs of keys that are silenced already. Raises NewerFormat for a commit of a
    newer format.
    """
    evidence = _Collector(silenced)
    commits = damaged = 0
    progress.start("looking at commits", limit, "commits")
    try:
        if live:
            evidence.add(_Step(live.comparison, _now()))
        for step in _steps(repository, limit):
            commits += 1
            damaged += step is None
            if step:
                evidence.add(step)
            progress.advance(1)
    finally:
        progress.finish()
    head = repository.head()
    if head:
        evidence.look(entries(repository, head, KeySelector()), taken_at(repository, head))
    found = _Chooser(evidence).chosen()
    checked = [each for each in found if _is_exact(each, evidence.tree, repository, head)]
    warnings = [f"{counted(damaged, 'commit')} cannot be read"] if damaged else []
    chosen = {id(shape) for each in checked for shape in each.shapes}
    return Suggestions(
        commits,
        live is not None,
        evidence.changes,
        evidence.states,
        [each.suggestion() for each in checked if not each.is_hidden],
        [*_kept(evidence.tree, chosen)],
        warnings,
        evidence.hidden,
    )


def _now() -> int:
    return time.time_ns() // 1_000_000


def _steps(repository: Repository, limit: int) -> Iterator[_Step | None]:
    """Yield what each of the last commits changed, without the first one and those of restores;
    None for one that cannot be read."""
    manifests = Manifests(repository)
    for record in repository.history.records(Selection(limit=limit, first_parent=True)):
        if not record.parents or any(name in record.info.trailers for name in RESTORED):
            continue
        try:
            comparison = compared(repository, manifests, record)
        except NewerFormat:
            raise
        except Damaged:
            yield None
        else:
            yield _Step(comparison, taken_at(repository, record.id), record.info)


class _Collector:
    """Gathers how each shape of key changed."""

    def __init__(self, quiet: Sequence[str]) -> None:
        self.tree = Node()
        self.states = 0
        self.changes = 0
        self.hidden = 0
        self._is_quiet = matcher(quiet) if quiet else None
        self._quiet = quiet
        self._new: set[Key] = set()
        self._subjects: Counter[str] = Counter()
        self._by_hand: list[tuple[CommitInfo, Sequence[KeyChange]]] = []

    def add(self, step: _Step) -> None:
        """Count the changes of a step; steps are added from the newest on."""
        if not step.comparison.changes:
            return
        bit = 1 << self.states
        self.states += 1
        self.changes += len(step.comparison.changes)
        for change, before, after in step.comparison.pairs():
            if (shape := self._shape(change.key)) is None:
                continue
            _count(shape, change, before, after, step.now)
            self.hidden += shape.hidden
            shape.touched |= bit
            if step.info is None and change.action is Action.ADDED:
                shape.keys += 1
        if step.info:
            self._subjects[step.info.subject] += 1
            if _is_worded(step.info, step.comparison.changes, self._quiet):
                self._by_hand.append((step.info, step.comparison.changes))

    def look(self, head: Iterable[tuple[Key, Entry]], now: int) -> None:
        """Look at every key of HEAD; then it is known who changes which keys."""
        for key, entry in head:
            if shape := self._shape(key):
                shape.keys += 1
                shape.see(entry, now)
        for info, changes in self._by_hand:
            touched = [self._shape(change.key) for change in changes]
            theirs = [shape for shape in touched if shape and self._may_be_by_hand(shape)]
            if self._subjects[info.subject] == 1 and len(theirs) <= BY_HAND:
                for shape in theirs:
                    shape.by_hand = shape.by_hand or info

    def _may_be_by_hand(self, shape: Shape) -> bool:
        """Return whether a person may have changed such keys: they change rarely, and programs
        are not known to write them."""
        commits = shape.touched.bit_count()
        rare = commits < OFTEN or 2 * commits <= self.states
        return rare and not (shape.is_automatic and (shape.passes or shape.natures[Nature.LOG]))

    def _shape(self, key: Key) -> Shape | None:
        """Return the shape of a key; None of one whose name a setting cannot hold."""
        if key.db == FUNCTIONS or key.name.startswith(codec.PREFIX):
            return None
        shape = self.tree.shape_of(key.name)
        if self._is_quiet and self._is_quiet(codec.data(key.name)):
            shape.hidden = True
        return shape


def _count(
    shape: Shape, change: KeyChange, before: Entry | None, after: Entry | None, now: int
) -> None:
    """Count one change of a key."""
    action = change.action
    shape.counts += Counts(
        action is Action.ADDED, action is Action.CHANGED, action is Action.REMOVED
    )
    if after:
        shape.see(after, now)
    elif before:
        shape.see(before, now)
    if before and after and kind_of(before).holds is kind_of(after).holds is Holds.RANKS:
        shape.rescored += only_scores(before, after)


def _is_worded(info: CommitInfo, changes: Sequence[KeyChange], quiet: Sequence[str]) -> bool:
    """Return whether a person worded a commit: its subject does not have the words that list the
    changes."""
    subjects = {summarise(some).subject for some in (changes, apart(changes, quiet)[0])}
    return info.counts is None or not any(subject in info.subject for subject in subjects)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A pattern that silences these shapes; `whole` tells that it is all of a namespace."""

    pattern: str
    shapes: Sequence[Shape]
    whole: bool

    @property
    def is_hidden(self) -> bool:
        """Whether the settings silence all of it already."""
        return all(shape.hidden for shape in self.shapes)

    def suggestion(self) -> Suggestion:
        """Return what is proposed."""
        brief = all(shape.longest is not None and shape.longest <= HOUR for shape in self.shapes)
        return Suggestion(
            *_evidence(self.pattern, self.shapes), setting="exclude" if brief else "quiet"
        )


def _evidence(
    pattern: str, shapes: Sequence[Shape]
) -> tuple[str, int, Counts, int, Sequence[Nature]]:
    natures: Counter[Nature] = sum((shape.natures for shape in shapes), Counter())
    keys = sum(shape.keys for shape in shapes)
    counts = sum((shape.counts for shape in shapes), Counts())
    return (
        pattern,
        keys,
        counts,
        _touched(shapes).bit_count(),
        [nature for nature, _ in natures.most_common()],
    )


def _touched(shapes: Iterable[Shape]) -> int:
    touched = 0
    for shape in shapes:
        touched |= shape.touched
    return touched


class _Chooser:
    """Chooses the widest patterns that match nothing but keys that change all the time."""

    def __init__(self, evidence: _Collector) -> None:
        self._tree = evidence.tree
        self._states = evidence.states
        self._changes = evidence.changes
        self._of_many = {
            id(shape)
            for group in evidence.tree.groups()
            if len(group) >= ALIKE and 2 * sum(map(_has_changed, group)) >= len(group)
            for shape in group
        }

    def chosen(self) -> list[_Candidate]:
        """Return what silences most first."""
        found = [
            each
            for namespace in self._tree.children.values()
            for each in self._within(namespace)
            if len(codec.raw(each.pattern)) <= LONGEST
        ]
        return sorted(found, key=lambda each: -sum(shape.counts.total for shape in each.shapes))

    def _within(self, node: Node) -> Iterator[_Candidate]:
        below = [shape for end, shape in node.ends() if end is not node]
        if len(node.children) > 1 and self._fits(below):
            yield _Candidate(f"{node.pattern}:*", below, node.depth == 1)
        else:
            for child in node.children.values():
                yield from self._within(child)
        if node.shape and self._fits([node.shape]):
            yield _Candidate(node.pattern, [node.shape], False)

    def _fits(self, shapes: Sequence[Shape]) -> bool:
        """Return whether keys of these shapes change all the time, and none of them is more than
        that."""
        commits = _touched(shapes).bit_count()
        written = sum(shape.counts.added + shape.counts.changed for shape in shapes)
        loud = written >= MANY and written >= SHARE * self._changes
        often = commits >= OFTEN and 2 * commits >= self._states
        return (loud or often) and all(
            shape.is_automatic and (shape.passes or self._is_busy(shape, commits))
            for shape in shapes
        )

    def _is_busy(self, shape: Shape, commits: int) -> bool:
        """Return whether keys of this shape change about as often as those beside them."""
        return id(shape) in self._of_many or 3 * shape.touched.bit_count() >= commits


def _has_changed(shape: Shape) -> bool:
    return shape.touched > 0


def _is_exact(candidate: _Candidate, tree: Node, repository: Repository, head: str | None) -> bool:
    """Return whether a pattern matches no key of HEAD but those that it is meant for."""
    if candidate.whole or head is None:
        return True
    meant = {id(shape) for shape in candidate.shapes}
    with suppress(Damaged):  # it was read before
        for key in keys(repository, head, KeySelector([candidate.pattern])):
            if key.db != FUNCTIONS and id(tree.shape_of(key.name)) not in meant:
                return False
    return True


def _kept(node: Node, silenced: set[int]) -> Iterator[Kept]:
    """Yield the keys that are not silenced, those that a person changed first, and then those that
    changed most."""
    found = [item for child in node.children.values() for item in _keep_in(child, silenced)]
    yield from sorted(
        found, key=lambda kept: (kept.by_hand is None, -kept.counts.total, kept.pattern)
    )


def _keep_in(node: Node, silenced: set[int]) -> Iterator[Kept]:
    shapes = [shape for _, shape in node.ends()]
    if not any(id(shape) in silenced for shape in shapes) and (
        node.depth or len(node.children) != 1
    ):
        if len(node.children) == 1 and not node.shape:
            yield from _keep_in(next(iter(node.children.values())), silenced)
            return
        yield _kept_item(f"{node.pattern}:*" if node.children else node.pattern, shapes)
        return
    for child in node.children.values():
        yield from _keep_in(child, silenced)
    if node.shape and id(node.shape) not in silenced:
        yield _kept_item(node.pattern, [node.shape])


def _kept_item(pattern: str, shapes: Sequence[Shape]) -> Kept:
    by_hand = [shape.by_hand for shape in shapes if shape.by_hand]
    fields = next((shape.fields for shape in shapes if shape.fields), [])
    return Kept(
        *_evidence(pattern, shapes),
        fields=fields,
        by_hand=max(by_hand, key=lambda info: info.date, default=None),
        hidden=any(shape.hidden for shape in shapes),
    )
