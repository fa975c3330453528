"""Comparing two sides: which keys differ, and their entries on either side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from gitbackup import snapshot
from gitbackup.diff import keys
from gitbackup.diff.values import diff_entries
from gitbackup.model import Entry, Key, KeyChange, KeyDiff, Summary
from gitbackup.ops.sides import Side
from gitbackup.redact import Redaction

SHOWN = 20  # changed keys that a commit's message names
FILES_AT_HAND = 8  # decoded files kept on either side: changes come sorted, so few are enough


def key_diff(change: KeyChange, before: Entry | None, after: Entry | None) -> KeyDiff:
    """What changed inside a key."""
    return KeyDiff(change, before, after, diff_entries(before, after) if before and after else [])


def masked(diff: KeyDiff, redaction: Redaction) -> KeyDiff:
    """The same, without what is not for every eye."""
    if not redaction:
        return diff
    key, mask = diff.change.key, redaction.entry
    before = diff.before and mask(key, diff.before)
    after = diff.after and mask(key, diff.after)
    values = redaction.values(key, diff.values)
    redacted = (before, after, values) != (diff.before, diff.after, diff.values)
    return KeyDiff(diff.change, before, after, values, redacted)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides, and the keys that differ, sorted."""

    before: Side
    after: Side
    changes: Sequence[KeyChange]

    def pairs(self) -> Iterator[tuple[KeyChange, Entry | None, Entry | None]]:
        """Each change with its entries, read file by file as they are needed."""
        before, after = entry_reader(self.before), entry_reader(self.after)
        for change in self.changes:
            yield change, before(change.before, change.key), after(change.after, change.key)


class entry_reader:  # noqa: N801  stands where a function would
    """Reads entries of one side by path and key; None where there is no path."""

    def __init__(self, side: Side) -> None:
        @lru_cache(FILES_AT_HAND)
        def entries(path: str) -> dict[Key, Entry]:
            return snapshot.decode_file(path, side.read(path))

        self._entries = entries

    def __call__(self, path: str | None, key: Key) -> Entry | None:
        return None if path is None else self._entries(path)[key]


def compare(before: Side, after: Side) -> Comparison:
    """What differs between two sides: only files that differ are opened.

    Raises Damaged where one of those is not well-formed.
    """
    found = keys.KeyDiff()
    for path in sorted(before.files.keys() | after.files.keys()):
        old, new = before.files.get(path), after.files.get(path)
        if old != new and path != snapshot.MANIFEST:
            found.file(
                path if old else None,
                _decoded(before, path) if old else {},
                path if new else None,
                _decoded(after, path) if new else {},
            )
    return Comparison(before, after, found.changes())


def _decoded(side: Side, path: str) -> dict[Key, Entry]:
    return snapshot.decode_file(path, side.read(path)) if snapshot.is_data(path) else {}


def summarise(changes: Sequence[KeyChange]) -> Summary:
    """Changes in brief."""
    first: Iterator[KeyChange] = islice(changes, SHOWN)
    return Summary(
        keys.total(changes),
        keys.count_by_namespace(changes),
        tuple((change.key, change.action) for change in first),
        keys.subject(changes),
    )
