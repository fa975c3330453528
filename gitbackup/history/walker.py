"""Walk back along the history of some keys: what each commit changed of them.

Between two commits that gitbackup made, only those files are compared that may hold such keys.
Where a person had a hand in one of them, all files that differ are read: any may hold such keys
in a snapshot that somebody else has laid out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from gitbackup.errors import Damaged, NewerFormat
from gitbackup.history.key_locator import KeyLocator
from gitbackup.history.lookup import EntryLookup, FoundEntry, same
from gitbackup.history.selector import KeySelector
from gitbackup.model.changes import FileChange
from gitbackup.model.commits import Selection
from gitbackup.model.keys import Key
from gitbackup.snapshot import file_format
from gitbackup.snapshot.manifests import Manifests
from gitbackup.store.commits.commits import Record
from gitbackup.store.repository.repository import Repository

KEPT_COMMITS = 512
AHEAD = 64  # commits whose folders are read together

EntryPairs = Mapping[Key, "tuple[FoundEntry | None, FoundEntry | None]"]
"""The keys that differ between a commit and one parent: the entry before, and after."""

FoundEntries = dict[Key, FoundEntry]
Side = tuple[str, str, FoundEntries]
"""A file, by its path and its blob's id, and the entries of its side."""


class HistoryStep(NamedTuple):
    """A commit, and what it changed against each of its parents; a first one against nothing.

    If there are no edges, it changed nothing. An edge is None if one of the two commits cannot be
    read, and `damage` says what. `left` are keys that it lacks because its scope does not cover
    them.
    """

    record: Record
    edges: Sequence[EntryPairs | None] = ()
    damage: str = ""
    left: frozenset[Key] = frozenset()


class HistoryWalker:
    """Walks the history of the keys that a selector picks; with a `text`, as a snapshot's file has
    it, only those count whose entry contains it before a change or after it."""

    def __init__(
        self, repository: Repository, selector: KeySelector, text: bytes | None = None
    ) -> None:
        self._history = repository.history
        self._selector = selector
        self._record = lru_cache(KEPT_COMMITS)(repository.history.record)
        self._locator = KeyLocator(repository, selector)
        self._lookup = EntryLookup(repository, selector, text)
        self._others = EntryLookup(repository, selector) if text else None
        self._manifests = Manifests(repository)

    def steps(self, selection: Selection) -> Iterator[HistoryStep]:
        """Return the selected commits, newest first; one that changed no selected key may have no
        edges. git begins to read them at once.

        The iterator raises NewerFormat at a commit of a newer format, and at one that changed
        selected keys of such a commit; Damaged after the last commit, if git cannot list all.
        """
        records = self._history.records(replace(selection, limit=None, reverse=False))
        return self._walk(records, slice(1 if selection.first_parent else None))

    def _walk(self, records: Iterator[Record], which: slice) -> Iterator[HistoryStep]:
        ahead: list[Record] = []
        damage: list[Damaged] = []
        records = _up_to_damage(records, damage)
        while ahead := ahead or [*islice(records, 1)]:
            ahead += islice(records, AHEAD)
            self._locator.prepare([each.tree for each in ahead if each.canonical])
            known = {each.id: each for each in ahead}
            kept = 1 if len(ahead) > AHEAD else 0  # as the parent of the one before
            for record in ahead[: len(ahead) - kept]:
                yield self._step(record, record.parents[which], known)
            ahead = ahead[len(ahead) - kept :]
        if damage:
            raise damage[0]

    def _step(
        self, record: Record, parents: Sequence[str], known: Mapping[str, Record]
    ) -> HistoryStep:
        """Return what a commit changed against these parents, of which some are known."""
        edges = list[EntryPairs | None]()
        damage, left = "", set[Key]()
        for id_ in parents or (None,):
            try:
                parent = (known.get(id_) or self._record(id_)) if id_ else None
                edge, left_scope = self._edge(record, parent)
            except NewerFormat:
                raise
            except Damaged as damaged:
                damage = str(damaged)
                edges.append(None)
            else:
                edges.append(edge)
                left |= left_scope
        return HistoryStep(record, edges, damage, frozenset(left))

    def _edge(self, record: Record, parent: Record | None) -> tuple[EntryPairs, set[Key]]:
        """Return what a commit changed against a parent, and the keys that have left the scope.

        Raises Damaged if one of the two cannot be read, NewerFormat if one is of a newer format.
        """
        self._manifests.expect_known(record)
        before = parent.tree if parent else None
        canonical = record.canonical and (parent is None or parent.canonical)
        look = self._locator.changes if canonical else self._all_changes
        pairs = self._pairs(look(before, record.tree), canonical)
        if parent and (pairs or not canonical):
            self._manifests.expect_known(parent)
        gone = [key for key, (_, new) in pairs.items() if new is None]
        left = {*filter(self._manifests.left(before, record.tree), gone)} if gone else set[Key]()
        return {key: pair for key, pair in pairs.items() if key not in left}, left

    def _all_changes(self, before: str | None, after: str) -> list[FileChange]:
        """Return the files that differ, of those that may hold selected keys in any snapshot."""
        return [
            change
            for change in self._history.differ(before, after)
            if file_format.is_data(change.path)
            and self._selector.in_place(change.path.partition("/")[0])
        ]

    def _pairs(self, changes: Sequence[FileChange], canonical: bool) -> EntryPairs:
        """Return the keys that differ by these files, of canonical snapshots or not.

        Raises Damaged if one is not well-formed.
        """
        if not changes:
            return {}
        old, new = FoundEntries(), FoundEntries()
        sides: list[Side] = [
            (path, blob, entries)
            for path, blob_before, blob_after in changes
            for blob, entries in ((blob_before, old), (blob_after, new))
            if blob
        ]
        if canonical:
            self._lookup.read_ahead((path, blob) for path, blob, _ in sides)
        for path, blob, entries in sides:
            if not (canonical and self._lookup.is_anothers(path, blob)):
                entries.update(self._lookup.found(path, blob, canonical))
        self._complete(sides, old, new, canonical)
        pairs = ((key, old.get(key), new.get(key)) for key in old.keys() | new.keys())
        changed = {key: (was, now) for key, was, now in pairs if not same(was, now)}
        for pair in changed.values():
            for each in filter(None, pair):
                each.expect_sound()
        return changed

    def _complete(
        self, sides: Sequence[Side], old: FoundEntries, new: FoundEntries, canonical: bool
    ) -> None:
        """Add what the other side of each entry is, if that has not the text."""
        lacking = {id(old): new.keys() - old.keys(), id(new): old.keys() - new.keys()}
        for path, blob, entries in sides:
            if self._others and (keys := lacking[id(entries)]):
                found = self._others.found(path, blob, canonical)
                entries.update({key: found[key] for key in keys & found.keys()})


def _up_to_damage(records: Iterator[Record], damage: list[Damaged]) -> Iterator[Record]:
    """Yield the commits that git can list, and add to `damage` why it cannot list more."""
    try:
        yield from records
    except Damaged as error:
        damage.append(error)
