"""Comparing two sides: which keys differ, and their entries on either side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gitbackup import snapshot
from gitbackup.diff import keys
from gitbackup.diff.values import diff_entries
from gitbackup.model import Action, Entry, Key, KeyChange, KeyDiff, Summary
from gitbackup.ops.decoded import Decoded, decoded
from gitbackup.ops.sides import Side
from gitbackup.redact import Redaction

SHOWN = 20  # changed keys that a commit's message names


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
        before, after = decoded(self.before).entry, decoded(self.after).entry
        for change in self.changes:
            yield change, before(change.before, change.key), after(change.after, change.key)


def compare(before: Side, after: Side) -> Comparison:
    """What differs between two sides: only files that differ are opened.

    Raises Damaged where one of those is not well-formed.
    """
    found = keys.KeyDiff()
    old, new = decoded(before), decoded(after)
    came = sorted(path for path in new.files.keys() - old.files.keys() if snapshot.is_data(path))
    for path in sorted(old.files.keys()):
        ids = old.files[path], new.files.get(path)
        if ids[0] != ids[1] and path != snapshot.MANIFEST:
            found.file(
                path,
                _entries(old, path),
                path if ids[1] else None,
                _entries(new, path) if ids[1] else {},
            )
    for path in came:
        if path != snapshot.MANIFEST:
            take_whole(found, Action.ADDED, new, path)
    return Comparison(old, new, found.changes())


def take_whole(found: keys.KeyDiff, action: Action, side: Decoded, path: str) -> None:
    """Takes a file that is on one side only."""
    outline = side.outline(path)
    if outline.names:
        file = keys.FileKeys(action, path, outline.db, outline.names)
        found.whole(file, lambda: side.entries(path))


def _entries(side: Decoded, path: str) -> dict[Key, Entry]:
    return side.entries(path) if snapshot.is_data(path) else {}


def summarise(changes: Sequence[KeyChange]) -> Summary:
    """Changes in brief."""
    return Summary(
        keys.total(changes),
        keys.count_by_namespace(changes),
        tuple((change.key, change.action) for change in changes[:SHOWN]),
        keys.subject(changes),
    )
