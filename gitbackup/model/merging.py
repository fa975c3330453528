"""The rule by which three versions of a key are merged, and what could not be merged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from gitbackup.model.changes import ABSENT, Part
from gitbackup.model.keys import Key


class Versions(NamedTuple):
    """A key, or a part of one: before a commit, after it, and now; ABSENT where it does not exist.

    An expiry that does not exist is None if the key, or the field, does.
    """

    before: Any
    after: Any
    now: Any

    def each(self, make: Callable[[Any], Any], absent: Any = ABSENT) -> Versions:
        """Return what `make` makes of each version, and `absent` in place of ABSENT."""
        return Versions(*(absent if one is ABSENT else make(one) for one in self))

    def of(self, name: str) -> Versions:
        """Return the members called `name` of three objects."""
        return Versions(*(one.get(name, ABSENT) for one in self))


class Side(StrEnum):
    """Which version a part takes that cannot be merged."""

    OURS = "ours"  # now
    THEIRS = "theirs"  # before the commit


@dataclass(frozen=True, slots=True)
class MergeRule:
    """How a part is merged that has changed in the commit and again since.

    With `counters`, a whole number gets the commit's difference taken off. What still cannot be
    merged takes the version of `side`; if that is None, it is a conflict.
    """

    side: Side | None = None
    counters: bool = False


class Clash(NamedTuple):
    """A part of an entry that cannot be merged: it differs in all three versions.

    `part`, `name` and `path` are as in a ValueChange. `note` says what the versions are, if they
    are not the part itself, or why no closer look was possible.
    """

    part: Part
    name: str
    path: tuple[str | int, ...]
    versions: Versions
    note: str = ""


class Conflict(NamedTuple):
    """A clash, and the key that has it."""

    key: Key
    clash: Clash
