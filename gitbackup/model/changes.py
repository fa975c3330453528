"""What differs between two snapshots: of files, of keys, inside a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from gitbackup.model.keys import Entry, Key

ABSENT = object()
"""In place of a value that is not there."""


class Action(StrEnum):
    """What happened to a key between two snapshots."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A key that differs between two sides, and the file it is in on either side.

    `before` and `after` are paths in the two snapshots; None for a side without the key.
    """

    key: Key
    action: Action
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many keys were added, changed and removed."""

    added: int = 0
    changed: int = 0
    removed: int = 0

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.added + other.added, self.changed + other.changed, self.removed + other.removed
        )

    @property
    def total(self) -> int:
        """How many keys differ in one way or another."""
        return self.added + self.changed + self.removed

    def __str__(self) -> str:
        named = (("added", self.added), ("changed", self.changed), ("removed", self.removed))
        return ", ".join(f"{count:,} {name}" for name, count in named if count) or "nothing"


@dataclass(frozen=True, slots=True)
class Summary:
    """What changed, in brief.

    `counts` is in all, `namespaces` by place and namespace, `first` the first few keys;
    `subject` says it in a line.
    """

    counts: Counts
    namespaces: Mapping[tuple[str, str], Counts]
    first: Sequence[tuple[Key, Action]]
    subject: str


class FileChange(NamedTuple):
    """A path whose blob differs between two trees; an id is None if there is no file."""

    path: str
    before: str | None
    after: str | None


class Part(StrEnum):
    """Which part of an entry a ValueChange is about."""

    TYPE = "type"
    EXPIRY = "expiry"
    VALUE = "value"  # the whole of a string, or of an opaque value
    FIELD = "field"  # of a hash
    FIELD_EXPIRY = "field-expiry"
    MEMBER = "member"  # of a set
    SCORE = "score"  # of a sorted set's member
    ITEM = "item"  # of a list, by position
    STREAM_ENTRY = "entry"  # of a stream, by id
    STREAM_STATE = "stream"  # counters, groups, consumers, pending entries


@dataclass(frozen=True, slots=True)
class ValueChange:
    """One difference inside a changed key.

    `name` is the field, member, list position or stream id; empty for the whole value.
    `path` leads into a JSON document held as text: names and positions. `before` and
    `after` are the values as stored (JSON), None if there is none on that side;
    `action` tells an absent value from a null in a document. `note` stands in place of
    values that are too large to show.
    """

    part: Part
    action: Action
    name: str = ""
    path: tuple[str | int, ...] = ()
    before: Any = None
    after: Any = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class KeyDiff:
    """One key that differs: its entry on either side, None if there is none, and what changed.

    `redacted` tells whether something of it is masked.
    """

    change: KeyChange
    before: Entry | None
    after: Entry | None
    values: Sequence[ValueChange]
    redacted: bool = False


def summary_object(summary: Summary) -> dict[str, Any]:
    """Return how many keys were added, changed and removed, in all and by namespace."""
    return {
        **counts_object(summary.counts),
        "namespaces": [
            {"place": place, "namespace": name, **counts_object(counts)}
            for (place, name), counts in summary.namespaces.items()
        ],
    }


def counts_object(counts: Counts) -> dict[str, int]:
    return {"added": counts.added, "changed": counts.changed, "removed": counts.removed}
