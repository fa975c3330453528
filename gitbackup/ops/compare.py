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
FILES_AT_HAND = 8  # decoded files of either side: changes come sorted, so few are enough
KEPT = 8 * 1024 * 1024  # bytes of files that stay decoded


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


class Decoded:
    """A side that decodes its files: each once, as long as those that it keeps are few.

    What `entries` gives is not to be changed.
    """

    def __init__(self, side: Side) -> None:
        self.files = side.files
        self._side = side
        self._kept: dict[str, dict[Key, Entry]] = {}
        self._left = KEPT
        self._at_hand = lru_cache(FILES_AT_HAND)(self._decode)

    def read(self, path: str) -> bytes:
        return self._side.read(path)

    def entries(self, path: str) -> dict[Key, Entry]:
        """The entries of a file. Raises Damaged where it is not well-formed."""
        return self._kept.get(path) or self._at_hand(path)

    def entry(self, path: str | None, key: Key) -> Entry | None:
        """A key's entry, in the file at `path`; None where there is no path."""
        return None if path is None else self.entries(path)[key]

    def _decode(self, path: str) -> dict[Key, Entry]:
        content = self.read(path)
        entries = snapshot.decode_file(path, content)
        if len(content) <= self._left:
            self._left -= len(content)
            self._kept[path] = entries
        return entries


def decoded(side: Side) -> Decoded:
    return side if isinstance(side, Decoded) else Decoded(side)


def compare(before: Side, after: Side) -> Comparison:
    """What differs between two sides: only files that differ are opened.

    Raises Damaged where one of those is not well-formed.
    """
    found = keys.KeyDiff()
    old, new = decoded(before), decoded(after)
    for path in sorted(old.files.keys() | new.files.keys()):
        ids = old.files.get(path), new.files.get(path)
        if ids[0] != ids[1] and path != snapshot.MANIFEST:
            found.file(
                path if ids[0] else None,
                _entries(old, path) if ids[0] else {},
                path if ids[1] else None,
                _entries(new, path) if ids[1] else {},
            )
    return Comparison(old, new, found.changes())


def _entries(side: Decoded, path: str) -> dict[Key, Entry]:
    return side.entries(path) if snapshot.is_data(path) else {}


def summarise(changes: Sequence[KeyChange]) -> Summary:
    """Changes in brief."""
    first: Iterator[KeyChange] = islice(changes, SHOWN)
    return Summary(
        keys.total(changes),
        keys.count_by_namespace(changes),
        tuple((change.key, change.action) for change in first),
        keys.subject(changes),
    )
