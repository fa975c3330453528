"""The shapes of key names, and how the keys of each shape change: evidence for `suggest`.

A shape is a name in which every part between colons that has a digit is left open:
`usage:daily:42:2026-11-22` is of the shape `usage:daily:*:*`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gitbackup.format import codec
from gitbackup.kinds import kind_of
from gitbackup.kinds.base import Holds
from gitbackup.model.changes import Counts
from gitbackup.model.commits import CommitInfo
from gitbackup.model.keys import Entry

OPEN = "*"
DEEPEST = 12  # parts of a name; what follows is one part
HOUR = 3_600_000  # milliseconds
WEEK = 7 * 24 * HOUR
LONGEST = 64 * 1024  # characters of a document that is looked into
FIELDS = 100  # names of fields that are kept

SPECIAL = re.compile(r"[*?\[\]\\]")
"""What means something in a glob."""

_DIGIT = re.compile(r"[0-9]")
_INSTANT = re.compile(r"\d{4}-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?)?")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?|" + _INSTANT.pattern)
"""A number, or an instant."""

_PASSING = re.compile(r"\d[\d:.-]*|[0-9a-f-]{16,}")
"""A part of a name that is a number, a date or an id, and so another one tomorrow."""


class Nature(StrEnum):
    """What an entry is made of, as far as it tells whether programs or people change it."""

    COUNTER = "counters"  # numbers and instants only
    LOG = "log entries"  # a list or a stream
    EXPIRING = "keys that expire"  # within a week, or without text that people write
    RANKING = "scores"  # a sorted set that does not expire
    RECORD = "text"  # configuration, accounts, membership: what people write


def nature_of(entry: Entry, now: int) -> Nature:
    """Return the nature of an entry that was read at `now`, in milliseconds since 1970."""
    holds, value, left = kind_of(entry).holds, entry["value"], lifetime(entry, now)
    if left is not None and left <= WEEK:
        return Nature.EXPIRING
    if holds is Holds.ENTRIES:
        return Nature.LOG
    if holds is Holds.RANKS:
        return Nature.RANKING if left is None else Nature.EXPIRING
    if holds is Holds.MEMBERS and left is not None:
        return Nature.EXPIRING
    if is_calendar(entry):
        return Nature.COUNTER
    if holds is Holds.FIELDS and isinstance(value, dict):
        return Nature.COUNTER if all(map(_is_number, value.values())) else Nature.RECORD
    if holds is Holds.TEXT and isinstance(value, str):
        return _of_text(value, expires=left is not None)
    return Nature.RECORD


def lifetime(entry: Entry, now: int) -> int | None:
    """Return how many milliseconds an entry had left; None if it does not expire."""
    expiry = entry.get("expires_at")
    return None if expiry is None else max(0, codec.milliseconds(expiry) - now)


def is_calendar(entry: Entry) -> bool:
    """Return whether an entry is a set of dates or instants: it changes as time passes."""
    value = entry["value"]
    if kind_of(entry).holds is not Holds.MEMBERS or not isinstance(value, list) or not value:
        return False
    return all(isinstance(member, str) and _INSTANT.fullmatch(member) for member in value)


def only_scores(before: Entry, after: Entry) -> bool:
    """Return whether two sorted sets have the same members."""
    old, new = before["value"], after["value"]
    return isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys()


def _of_text(text: str, expires: bool) -> Nature:
    if _is_number(text):
        return Nature.COUNTER
    if text[:1] not in ("{", "["):
        return Nature.EXPIRING if expires else Nature.RECORD
    try:
        document = json.loads(text) if len(text) <= LONGEST else None
    except (ValueError, RecursionError):
        document = None
    try:
        return Nature.COUNTER if document and _has_numbers_only(document) else Nature.RECORD
    except RecursionError:
        return Nature.RECORD


def _is_number(text: object) -> bool:
    return isinstance(text, str) and (not text or _NUMBER.fullmatch(text) is not None)


def _has_numbers_only(document: Any) -> bool:
    if isinstance(document, dict):
        return all(map(_has_numbers_only, document.values()))
    if isinstance(document, list):
        return all(map(_has_numbers_only, document))
    return (isinstance(document, (int, float)) and not isinstance(document, bool)) or (
        isinstance(document, str) and bool(document) and _is_number(document)
    )


@dataclass(slots=True)
class Shape:
    """The keys of one shape.

    `keys` is how many there are, `natures` of what nature their entries are. `counts` tells how
    they changed, `touched` in which commits, as the bits of a number. `rescored` counts changes of
    scores alone. `longest` is the longest time that an entry had left, in milliseconds; None if
    one does not expire. `calendars` counts entries that only time changes. `fields` are the first
    names of fields of a record, and `hidden` tells whether a setting hides such keys. `by_hand` is
    the newest commit in which a person changed some.
    """

    keys: int = 0
    natures: Counter[Nature] = field(default_factory=Counter)
    counts: Counts = Counts()  # noqa: RUF009  frozen
    touched: int = 0
    rescored: int = 0
    longest: int | None = 0
    fields: list[str] = field(default_factory=list)
    hidden: bool = False
    calendars: int = 0
    by_hand: CommitInfo | None = None

    def see(self, entry: Entry, now: int) -> None:
        """Count what an entry is."""
        nature, left = nature_of(entry, now), lifetime(entry, now)
        self.natures[nature] += 1
        self.calendars += is_calendar(entry)
        self.longest = None if left is None or self.longest is None else max(self.longest, left)
        if nature is Nature.RECORD and kind_of(entry).holds is Holds.FIELDS and not self.fields:
            self.fields = [*entry["value"]][:FIELDS]

    @property
    def passes(self) -> bool:
        """Return whether time alone ends or changes every entry."""
        return self.longest is not None or self.calendars == self.natures.total()

    @property
    def is_automatic(self) -> bool:
        """Return whether all that is known of the keys is of a kind that programs write."""
        if self.natures[Nature.RECORD]:
            return False
        return not self.natures[Nature.RANKING] or self.rescored * 5 >= self.counts.changed * 4 > 0


class Node:
    """A place in the tree of names: the shape of the keys that end there, and what follows."""

    def __init__(self, parent: Node | None = None, part: str = "") -> None:
        self.shape: Shape | None = None
        self.children: dict[str, Node] = {}
        self._parent = parent
        self._part = part
        self._alone = True  # whether all names have this very part

    def shape_of(self, name: str) -> Shape:
        """Return the shape of a key that has this name, a new one for the first such key."""
        node = self
        for part in name.split(":", DEEPEST):
            node = node._child(part)
        node.shape = node.shape or Shape()
        return node.shape

    def _child(self, part: str) -> Node:
        kind = OPEN if self._parent and _DIGIT.search(part) else part
        if (child := self.children.get(kind)) is None:
            child = self.children[kind] = Node(self, part)
        elif child._part != part:
            child._alone = False
        return child

    @property
    def pattern(self) -> str:
        """Return a glob of the keys that end here."""
        named = self._alone and not (self.depth > 1 and _PASSING.fullmatch(self._part))
        part = SPECIAL.sub(r"\\\g<0>", self._part) if named else OPEN
        above = self._parent and self._parent.pattern
        return f"{above}:{part}" if above else part

    @property
    def depth(self) -> int:
        """Return how many parts lead here."""
        return self._parent.depth + 1 if self._parent else 0

    def ends(self) -> Iterator[tuple[Node, Shape]]:
        """Yield every node at or below this one at which keys end, and their shape."""
        if self.shape:
            yield self, self.shape
        for child in self.children.values():
            yield from child.ends()

    def groups(self) -> Iterator[Sequence[Shape]]:
        """Yield the shapes of keys that end right below a node at or below this one, those of the
        same natures together."""
        alike: dict[tuple[Nature, ...], list[Shape]] = {}
        for child in self.children.values():
            if child.shape and not child.children:
                alike.setdefault(tuple(sorted(child.shape.natures)), []).append(child.shape)
            yield from child.groups()
        yield from alike.values()
