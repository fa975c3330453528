"""The namespaces of a page: which keys belong together, how many of them, and how it is called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gitbackup.format.names import escape
from gitbackup.model.changes import Action, Counts, KeyChange
from gitbackup.model.keys import FUNCTIONS, Key
from gitbackup.report.html.marks import safe


class Space(NamedTuple):
    """A namespace in its place; the one without a name is of all keys that are in none."""

    place: str
    name: str

    @property
    def markup(self) -> str:
        if self.name:
            return f"<code>{safe(escape(self.name))}</code>"
        return "functions" if self.place == "functions" else "<i>(no prefix)</i>"


def space_of(key: Key) -> Space:
    """Where a page shows a key."""
    whole = key.db == FUNCTIONS or key.name.startswith("base64:") or ":" not in key.name
    return Space(key.place, "" if whole else key.name.partition(":")[0] + ":")


def order(change: KeyChange) -> tuple[int, Space, str]:
    """How the keys of a page are sorted: by database, by namespace, by name."""
    return change.key.db, space_of(change.key), change.key.name


def count(changes: Sequence[KeyChange]) -> dict[Space, Counts]:
    """How many keys came, changed and went in each namespace, in order of the first of each."""
    found: dict[Space, Counter[Action]] = {}
    for change in changes:
        found.setdefault(space_of(change.key), Counter())[change.action] += 1
    return {space: Counts(*(each[action] for action in Action)) for space, each in found.items()}


def total(counts: Iterable[Counts]) -> Counts:
    """The counts of several namespaces together."""
    each = list(counts)
    return Counts(*(sum(getattr(one, action.value) for one in each) for action in Action))


def size(counts: Counts) -> int:
    """How many keys that are."""
    return counts.added + counts.changed + counts.removed
