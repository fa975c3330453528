"""Commits, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from gitbackup.model.changes import Counts, Part
from gitbackup.model.keys import Key


class Consistency(StrEnum):
    """What to do so that a snapshot is of one moment."""

    AUTO = "auto"  # be of one moment, where that can be
    STRICT = "strict"  # or else fail
    PAUSE = "pause"  # make writers wait, for half a second at most, if they leave no room
    PER_KEY = "per-key"  # read each key at a moment of its own


class Verdict(StrEnum):
    """How a commit's restore test ended: passed, passed except for types that no server here knows,
    or failed."""

    PASSED = "passed"
    PARTLY = "partly"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The last restore test of a commit: when it was, how it ended, and by what server.

    `server` is the brand and version that it was restored into, `version` gitbackup's own;
    `problem` is the first of what was wrong, in a sentence, empty if nothing was.
    """

    at: datetime
    verdict: Verdict
    server: str
    version: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """A commit of the data repository, as its message tells it.

    `trailers` holds every git trailer by name. `counts` is None for a commit that a
    person made with plain git, `rehearsal` for one that was never verified here. `note` are the
    words that were put on it afterwards; empty if there are none.
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
    note: str = ""

    @property
    def short_id(self) -> str:
        return self.id[:7]


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a remote has of HEAD's branch, as far as this repository knows.

    `commit` is None if nothing was pushed there yet; `missing` is how many of HEAD's
    commits it does not have; `when` it got that commit is None if that is not known.
    """

    remote: str
    place: str
    commit: str | None
    missing: int
    when: datetime | None


class RefName(NamedTuple):
    """A branch or a tag, the commit that it leads to, and that commit's or the tag's subject."""

    name: str
    commit: str
    subject: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Which commits of the history, newest first: as `git log` takes them.

    `revisions` may be ranges such as `A..B`; `since` and `until` what git takes for a date;
    `grep` are patterns of which a message has one. `reverse` has the oldest of them first,
    `topological` every commit before its parents, whatever their dates. The first `skip` of them
    are left out.
    """

    revisions: tuple[str, ...] = ("HEAD",)
    limit: int | None = None
    since: str | None = None
    until: str | None = None
    grep: tuple[str, ...] = ()
    reverse: bool = False
    first_parent: bool = False
    topological: bool = False
    skip: int = 0


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

    `elements` are its fields, members, items or stream entries; None if the type has none.
    `size` is how many bytes its entry has in the commit's files. `label` is shown beside its name.
    """

    key: Key
    type: str
    expires_at: str | int | None
    elements: int | None
    size: int
    label: str = ""
