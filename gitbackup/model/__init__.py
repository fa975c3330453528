"""The nouns: keys, entries, scope, changes, commits. Frozen, and free of redis and git."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, NotRequired, TypedDict

FORMAT = 1
"""The version of the stored format that this gitbackup writes."""

FUNCTIONS = -1
"""Stands where a database number would, for the server's function libraries."""


class Masked(str):
    """Text that stands in place of what is not for every eye; it tells nothing of it."""

    __slots__ = ()


MASK = Masked("***")


class Key(NamedTuple):
    """One key: the number of its database, and its name under the text rule.

    A library of Redis Functions is a key of the place FUNCTIONS.
    """

    db: int
    name: str

    @property
    def place(self) -> str:
        """The top folder of a snapshot that holds it: `db0`, or `functions`."""
        return "functions" if self.db == FUNCTIONS else f"db{self.db}"

    @property
    def namespace(self) -> str:
        """The name up to its first colon; the whole name where there is none."""
        return self.name.partition(":")[0] if not self.name.startswith("base64:") else "base64"

    def __str__(self) -> str:
        return self.name if self.db == 0 else f"{self.place} {self.name}"


class Entry(TypedDict):
    """One key's data exactly as a snapshot stores it; all text is under the text rule.

    `expires_at` and the values of `field_expires_at` are instants such as
    `2027-01-15T08:00:00.123Z`, or a number of milliseconds past the year 9999.
    """

    type: str
    value: Any
    expires_at: NotRequired[str | int]
    field_expires_at: NotRequired[dict[str, str | int]]


@dataclass(frozen=True, slots=True)
class Scope:
    """Which databases and keys a snapshot covers.

    `databases` is None for all of them. A key is covered when it matches one of
    `include` (all do where that is empty) and none of `exclude`. `functions` tells
    whether the libraries of Redis Functions are covered.
    """

    databases: tuple[int, ...] | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    functions: bool = True


class Consistency(StrEnum):
    """What to do so that a snapshot is of one moment."""

    AUTO = "auto"  # be of one moment, where that can be
    STRICT = "strict"  # or else fail
    PAUSE = "pause"  # make writers wait, for half a second at most, if they leave no room
    PER_KEY = "per-key"  # read each key at a moment of its own


class Action(StrEnum):
    """What happened to a key between two snapshots."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A key that differs between two sides, and the file it is in on either side.

    `before` and `after` are paths in the two snapshots; None where the key is not.
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
    """A path whose blob differs between two trees; an id is None where there is no file."""

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
    `after` are the values as stored (JSON), None where there is none on that side;
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


class Verdict(StrEnum):
    """How a commit's rehearsal ended: all of it proved, all but what no server at hand knows,
    or not."""

    PASSED = "passed"
    PARTLY = "partly"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What is kept of a commit's last rehearsal: when, how it ended, by what.

    `server` is the brand and version that it was restored into, `version` gitbackup's own;
    `problem` is the first of what was wrong, in a sentence, empty where nothing was.
    """

    at: datetime
    verdict: Verdict
    server: str
    version: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class KeyDiff:
    """One key that differs: its entry on either side, None where it is not, and what changed.

    `redacted` tells whether something of it is masked.
    """

    change: KeyChange
    before: Entry | None
    after: Entry | None
    values: Sequence[ValueChange]
    redacted: bool = False


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """A commit of the data repository, as its message tells it.

    `trailers` holds every git trailer by name. `counts` is None for a commit that a
    person made with plain git, `rehearsal` for one that was never verified here.
    """

    id: str
    parents: tuple[str, ...]
    author: str
    date: datetime
    subject: str
    body: str
    trailers: Mapping[str, str] = field(default_factory=dict)
    counts: Counts | None = None
    rehearsal: Rehearsal | None = None

    @property
    def short_id(self) -> str:
        return self.id[:7]


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a remote has of HEAD's branch, as far as this repository was told.

    `commit` is None where nothing was pushed there yet; `missing` is how many of HEAD's
    commits it does not have; `when` it got that commit is None where that is not known.
    """

    remote: str
    place: str
    commit: str | None
    missing: int
    when: datetime | None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which commits of the history, newest first: as `git log` takes them.

    `revisions` may be ranges such as `A..B`; `since` and `until` what git takes for a date;
    `grep` are patterns of which a message has one. `reverse` has the oldest of them first,
    `topological` every commit before its parents, whatever their dates.
    """

    revisions: tuple[str, ...] = ("HEAD",)
    limit: int | None = None
    since: str | None = None
    until: str | None = None
    grep: tuple[str, ...] = ()
    reverse: bool = False
    first_parent: bool = False
    topological: bool = False


@dataclass(frozen=True, slots=True)
class BlameLine:
    """A part of a key's entry, as a ValueChange names it, and the commit that made it so."""

    part: Part
    name: str
    path: tuple[str | int, ...]
    value: Any
    info: CommitInfo


@dataclass(frozen=True, slots=True)
class KeyLine:
    """A key in a list.

    `elements` are its fields, members, items or stream entries; None where the type has none.
    `size` is how many bytes its entry has in the commit's files.
    """

    key: Key
    type: str
    expires_at: str | int | None
    elements: int | None
    size: int
