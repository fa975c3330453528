"""The keys that differ, by database and namespace, so that what matters is in sight first.

Small groups come before large ones, and those in which something was removed before the others of
their kind; quiet keys are in groups of their own, at the end. In a group, what was removed comes
first, then what changed, then what was added. Of a million keys only their names are kept.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain, groupby

from gitbackup.format import codec
from gitbackup.format.patterns import matcher
from gitbackup.model.changes import Action, Counts, KeyChange
from gitbackup.model.file_groups import parts
from gitbackup.model.keys import Key, Space, place_of

LARGE = 40
"""Keys of a group, from which on it is folded at first."""

OPEN = 150
"""Keys that are in sight at first."""

FIRST_SEEN = (Action.REMOVED, Action.CHANGED, Action.ADDED)
"""The order of the keys of a group."""


class Changes(Sequence[KeyChange]):
    """Changes by number, without an object for each."""

    def __init__(self, changes: Sequence[KeyChange]) -> None:
        few, self._blocks = parts(changes)
        self._few = [*few]
        lengths = (len(block.names) for block in self._blocks)
        self._starts = [*accumulate(lengths, initial=len(self._few))]

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, at: int) -> KeyChange:  # type: ignore[override]  # by number only
        if at < len(self._few):
            return self._few[at]
        block = bisect_right(self._starts, at) - 1
        return self._blocks[block].item(at - self._starts[block])

    def name(self, at: int) -> str:
        """Return the name of the key of a change."""
        if at < len(self._few):
            return self._few[at].key.name
        block = bisect_right(self._starts, at) - 1
        return self._blocks[block].names[at - self._starts[block]]

    def stretches(self) -> Iterator[tuple[int, Action, int, Sequence[str]]]:
        """Yield the number of the first of some changes in a row, what happened to their keys,
        the database and the names."""
        for at, change in enumerate(self._few):
            yield at, change.action, change.key.db, (change.key.name,)
        for start, block in zip(self._starts, self._blocks, strict=False):
            yield start, block.action, block.db, block.names


@dataclass(eq=False)
class Group:
    """The keys of one namespace that differ; or its quiet ones."""

    db: int
    space: Space
    quiet: bool
    _changes: Changes
    _numbers: dict[Action, array[int]] = field(
        default_factory=lambda: {action: array("I") for action in FIRST_SEEN}
    )
    _sorted: set[Action] = field(default_factory=set)

    @property
    def counts(self) -> Counts:
        """How many keys were added, changed and removed."""
        return Counts(*(len(self._numbers[action]) for action in Action))

    @property
    def is_large(self) -> bool:
        return self.quiet or self.counts.total > LARGE

    def add(self, action: Action, numbers: Iterable[int]) -> None:
        """Add changes by their numbers."""
        self._numbers[action].extend(numbers)

    def some(self, start: int, stop: int) -> list[KeyChange]:
        """Return some of the changes, in the order in which they are shown."""
        found, before = list[KeyChange](), 0
        for action in FIRST_SEEN:
            count = len(self._numbers[action])
            first, last = max(start - before, 0), min(stop - before, count)
            if first < last:
                found += (self._changes[at] for at in self._by_name(action)[first:last])
            before += count
        return found

    def change(self, name: str) -> KeyChange | None:
        """Return what happened to the key of a name; None if it is not in the group."""
        numbers = chain.from_iterable(self._numbers.values())
        found = (self._changes[at] for at in numbers if self._changes.name(at) == name)
        return next(found, None)

    def narrowed(self, actions: Iterable[Action], matches: Callable[[str], object] | None) -> Group:
        """Return the group of the keys that were changed so, and whose name matches."""
        narrow = Group(self.db, self.space, self.quiet, self._changes)
        for action in actions:
            numbers: Iterable[int] = self._numbers[action]
            if matches:
                numbers = (at for at in numbers if matches(self._changes.name(at)))
            narrow.add(action, numbers)
        return narrow

    def _by_name(self, action: Action) -> array[int]:
        if action not in self._sorted:
            numbers = sorted(self._numbers[action], key=self._changes.name)
            self._numbers[action] = array("I", numbers)
            self._sorted.add(action)
        return self._numbers[action]


@dataclass(frozen=True)
class Filter:
    """Which keys are shown: a word of their names or a glob of all of it, and what happened.

    `text` is looked for in what has changed, by whoever reads it.
    """

    key: str = ""
    text: str = ""
    actions: tuple[Action, ...] = tuple(Action)

    def __bool__(self) -> bool:
        return self != Filter()

    @property
    def glob(self) -> str:
        """The glob that the names match; empty for every name."""
        return self.key if not self.key or any(c in self.key for c in "*?[") else f"*{self.key}*"


class Groups:
    """All groups of a diff, in the order in which they are shown."""

    def __init__(self, groups: Iterable[Group]) -> None:
        kept = (group for group in groups if group.counts)
        self.every = sorted(kept, key=_place)

    @classmethod
    def of(cls, changes: Sequence[KeyChange], quiet: Sequence[str]) -> Groups:
        """Group changes by database and namespace; keys that these globs match are quiet."""
        all_of_it = Changes(changes)
        hushes = _names(quiet) if quiet else None
        found: dict[tuple[int, Space, bool], Group] = {}
        for start, action, db, names in all_of_it.stretches():
            for space, quiet_ones, first, last in _runs(db, names, hushes):
                place = db, space, quiet_ones
                if place not in found:
                    found[place] = Group(*place, all_of_it)
                found[place].add(action, range(start + first, start + last))
        return cls(found.values())

    def __len__(self) -> int:
        return sum(group.counts.total for group in self.every)

    def narrowed(self, by: Filter) -> Groups:
        """Return the groups of the keys that a filter lets through, but for its text."""
        if by.actions == tuple(Action) and not by.key:
            return self
        matches = _names([by.glob], caseless=True) if by.key else None
        return Groups(group.narrowed(by.actions, matches) for group in self.every)

    def find(self, place: str, name: str, quiet: bool) -> Group | None:
        """Return the group of a namespace; None if none of its keys differs."""
        wanted = Space(place, name), quiet
        return next((each for each in self.every if (each.space, each.quiet) == wanted), None)

    def change(self, key: Key) -> KeyChange | None:
        """Return what happened to a key; None if it does not differ."""
        for group in self.every:
            if group.space == key.space and (found := group.change(key.name)):
                return found
        return None

    def places(self) -> list[tuple[str, list[Group]]]:
        """Return each database with its groups."""
        by_database = groupby(self.every, lambda group: group.db)
        return [(place_of(db), [*inside]) for db, inside in by_database]

    def opened(self) -> set[Group]:
        """Return the groups whose keys are in sight at first: small ones, while there is room."""
        found, room = set[Group](), OPEN
        for group in self.every:
            if not group.is_large and group.counts.total <= room:
                found.add(group)
                room -= group.counts.total
        return found or {*[group for group in self.every if not group.quiet][:1]}

    def some(self, start: int, stop: int) -> list[KeyChange]:
        """Return some of all changes, group after group."""
        found, before = list[KeyChange](), 0
        for group in self.every:
            count = group.counts.total
            if start < before + count and before < stop:
                found += group.some(max(start - before, 0), stop - before)
            before += count
        return found


def counted(groups: Iterable[Group], quiet: bool = False) -> Counts:
    """Return how many keys of some groups differ, of those that are `quiet` or of the others."""
    return sum((group.counts for group in groups if group.quiet is quiet), Counts())


def _place(group: Group) -> tuple[object, ...]:
    counts = group.counts
    return (group.db, group.quiet, group.is_large, not counts.removed, counts.total, group.space)


def _names(globs: Sequence[str], caseless: bool = False) -> Callable[[str], object]:
    matches = matcher(globs, caseless)
    return lambda name: matches(codec.data(name))


def _runs(
    db: int, names: Sequence[str], hushes: Callable[[str], object] | None
) -> Iterator[tuple[Space, bool, int, int]]:
    """Yield each namespace of some names in a row, whether they are quiet, and where it begins
    and ends."""
    first, last = (Key(db, names[at]).space for at in (0, -1))
    if hushes is None and first == last and first.name:  # they are sorted: those between are too
        yield first, False, 0, len(names)
        return
    told = ((Key(db, name).space, bool(hushes and hushes(name))) for name in names)
    at = 0
    for (space, quiet), run in groupby(told):
        count = sum(1 for _ in run)
        yield space, quiet, at, at + count
        at += count
