"""Compare two snapshots: which keys differ, and their entries in both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gitbackup.diff import keys
from gitbackup.diff.values import diff_entries
from gitbackup.model.changes import Action, KeyChange, KeyDiff, Summary
from gitbackup.model.file_groups import count_by_namespace, total
from gitbackup.model.keys import Entry
from gitbackup.progress import SILENT, Progress
from gitbackup.redact import Redaction
from gitbackup.snapshot import file_format
from gitbackup.snapshot.entry_sources import EntrySource, decoded
from gitbackup.snapshot.sources import Source

SHOWN = 20  # changed keys that a commit's message names


def key_diff(change: KeyChange, before: Entry | None, after: Entry | None) -> KeyDiff:
    """Return a change with its entries, and what differs inside them."""
    return KeyDiff(change, before, after, diff_entries(before, after) if before and after else [])


def masked(diff: KeyDiff, redaction: Redaction) -> KeyDiff:
    """Return a redacted copy."""
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
    """Two snapshots, and the keys that differ, sorted."""

    before: Source
    after: Source
    changes: Sequence[KeyChange]

    def pairs(self) -> Iterator[tuple[KeyChange, Entry | None, Entry | None]]:
        """Yield each change with its entries, read file by file as they are needed."""
        before, after = decoded(self.before).entry, decoded(self.after).entry
        for change in self.changes:
            yield change, before(change.before, change.key), after(change.after, change.key)


def compare(before: Source, after: Source, progress: Progress = SILENT) -> Comparison:
    """Return what differs between two snapshots. Only files that differ are opened.

    Raises Damaged if one of those is not well-formed.
    """
    found = keys.KeyDiffer()
    old, new = decoded(before), decoded(after)
    both = filter(file_format.is_data, sorted(old.files.keys() & new.files.keys()))
    unlike = [path for path in both if old.files[path] != new.files[path]]
    progress.start("comparing", len(unlike), "files")
    try:
        for path in unlike:
            progress.advance(1)
            if path != file_format.MANIFEST:
                was, now = old.versions(path, new)
                found.file(path, was, path, now, new.known_names(path))
    finally:
        progress.finish()
    gone, came = _only_in(old, new), _only_in(new, old)
    moved = _with_names_of(came, new, gone, old) if came else set()
    for path in sorted(moved):
        found.file(path, old.entries(path), None, {})
    for path in gone:
        if path not in moved:
            take_whole(found, Action.REMOVED, old, path)
    for path in came:
        take_whole(found, Action.ADDED, new, path)
    return Comparison(old, new, found.changes())


def _only_in(source: EntrySource, other: EntrySource) -> list[str]:
    """Return the paths of the data files that only the first of two snapshots has, sorted."""
    paths = filter(file_format.is_data, source.files.keys() - other.files.keys())
    return sorted(path for path in paths if path != file_format.MANIFEST)


def _with_names_of(
    came: Sequence[str], new: EntrySource, gone: Sequence[str], old: EntrySource
) -> set[str]:
    """Return those files that are `gone` of which one has `come` with a key of theirs: the key may
    have moved."""
    names = defaultdict[int, set[str]](set)
    for path in came:
        summary = new.outline(path)
        names[summary.db].update(summary.names)
    outlines = ((path, old.outline(path)) for path in gone)
    return {path for path, each in outlines if not names[each.db].isdisjoint(each.names)}


def take_whole(found: keys.KeyDiffer, action: Action, source: EntrySource, path: str) -> None:
    """Add to `found` all keys of a file that only one snapshot has."""
    summary = source.outline(path)
    if summary.names:
        file = keys.FileKeys(action, path, summary.db, summary.names)
        found.whole(file, lambda: source.entries(path))


def summarise(changes: Sequence[KeyChange]) -> Summary:
    """Return the changes in brief."""
    return Summary(
        total(changes),
        count_by_namespace(changes),
        tuple((change.key, change.action) for change in changes[:SHOWN]),
        keys.subject(changes),
    )
