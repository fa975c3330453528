"""What a rehearsal proved of a commit, what it found wrong, and what it could not try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from gitbackup.model.changes import KeyChange, ValueChange
from gitbackup.model.commits import Verdict
from gitbackup.model.keys import FUNCTIONS, SEARCH, Entry, Key


class Sort(StrEnum):
    """What is wrong: a restore refuses it; it restores, but is not as a commit writes it; or
    it restores as something else."""

    DAMAGED = "damaged"
    UNTIDY = "untidy"
    DIFFERENT = "different"


class Altered(NamedTuple):
    """How a key came back from the server: as committed, as it is now, and what differs."""

    change: KeyChange
    before: Entry | None
    after: Entry | None
    values: Sequence[ValueChange]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a commit, in a sentence.

    `path` is the file that it is about, `key` the key, where there is one. `altered` shows
    the first keys that came back as something else.
    """

    sort: Sort
    sentence: str
    path: str | None = None
    key: Key | None = None
    altered: Altered | None = None


@dataclass(frozen=True, slots=True)
class Untried:
    """A key that was not tested, and why the server of the restore test cannot hold it."""

    key: Key
    type: str
    why: str


@dataclass(frozen=True, slots=True)
class SnapshotCounts:
    """What a snapshot holds: how many files, and keys of each type and in each database.

    `databases` counts the libraries of functions by the number FUNCTIONS, and search indexes by
    SEARCH; `types` does not.
    """

    files: int = 0
    types: Mapping[str, int] = field(default_factory=dict)
    databases: Mapping[int, int] = field(default_factory=dict)

    @property
    def keys(self) -> int:
        """How many keys there are in all databases."""
        return sum(count for db, count in self.databases.items() if db >= 0)

    @property
    def libraries(self) -> int:
        return self.databases.get(FUNCTIONS, 0)

    @property
    def indexes(self) -> int:
        """How many search indexes there are."""
        return self.databases.get(SEARCH, 0)


@dataclass(frozen=True, slots=True)
class Proof:
    """One commit's rehearsal.

    `server` is the brand and version that it was restored into, empty if it was not; `made`
    is the id of the tree that a commit of that server has, which is the commit's own `tree`
    where nothing is wrong and nothing untried. `past` is how many keys have expired, or will
    within a day, or some of their fields: the server was given a later instant.
    """

    commit: str
    tree: str
    held: SnapshotCounts
    findings: Sequence[Finding] = ()
    untried: Sequence[Untried] = ()
    server: str = ""
    made: str | None = None
    past: int = 0
    seconds: float = 0.0

    @property
    def verdict(self) -> Verdict:
        if self.findings:
            return Verdict.FAILED
        return Verdict.PARTLY if self.untried else Verdict.PASSED

    @property
    def damaged(self) -> bool:
        """Whether a restore would refuse it."""
        return any(finding.sort is Sort.DAMAGED for finding in self.findings)
