"""The way back along the history of some keys: what each commit changed of them.

What is looked at is no more than has to be. Along a line of commits that gitbackup made, git
follows the few paths of a key's route; for patterns, and wherever a person or a merge had a
hand in, all files that differ are looked at that may hold such keys: any may in a snapshot
that somebody else has laid out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from gitbackup.errors import Damaged
from gitbackup.history.key_locator import KeyLocator, routes
from gitbackup.history.lookup import EntryLookup, FoundEntry, same
from gitbackup.history.selector import KeySelector
from gitbackup.model.changes import FileChange
from gitbackup.model.commits import Selection
from gitbackup.model.keys import Key
from gitbackup.snapshot import file_format
from gitbackup.snapshot.manifests import Manifests
from gitbackup.store.objects.commits import Changed, Record
from gitbackup.store.repository.repository import Repository

AT_HAND = 512  # folders, and commits, that are kept


EntryPairs = Mapping[Key, "tuple[FoundEntry | None, FoundEntry | None]"]
"""The keys that differ between a commit and one parent: what was, and what is."""


class HistoryStep(NamedTuple):
    """A commit, and what it changed against each of its parents; against nothing for a first.

    Without edges it changed nothing. `left` are keys that it lacks since its scope is another.
    """

    record: Record
    edges: Sequence[EntryPairs] = ()
    damage: str = ""
    left: frozenset[Key] = frozenset()


class Beginning(NamedTuple):
    """The keys' way from a commit back, of these places, and the files that git finds changed."""

    start: str
    places: Sequence[str]
    ways: Sequence[KeyLocator]
    changed: Iterator[Sequence[Changed]]


class HistoryWalker:
    """Walks the history of such keys."""

    def __init__(self, repository: Repository, wanted: KeySelector) -> None:
        self._history = repository.history
        self._wanted = wanted
        self._folder = lru_cache(AT_HAND)(repository.folder)
        self._record = lru_cache(AT_HAND)(repository.history.record)
        self._tops = repository.tops
        self._findings = EntryLookup(repository, wanted)
        self._manifests = Manifests(repository)
        self._early: Beginning | None = None
        self._parents = slice(None)

    def steps(self, selection: Selection) -> Iterator[HistoryStep]:
        """The selected commits, newest first; one that did not change such keys may have no
        edges. git begins to read them now, and goes on until they are asked for."""
        every = replace(selection, limit=None, reverse=False)
        self._parents = slice(1 if selection.first_parent else None)
        records = self._history.records(every)
        first = next(records, None)
        if first is None:
            return iter(())
        if first.canonical and not (every.since or every.until or every.grep):
            self._begin_early(first)
        return self._on_the_way(first, records)

    def _on_the_way(self, first: Record, others: Iterable[Record]) -> Iterator[HistoryStep]:
        """Lines of canonical commits by the keys' way, the others at large."""
        self._manifests.expect_known(first)
        records = [first]
        places = self._places(records, others)
        yield from self._checked(self._walk(records, places), records)

    def _checked(
        self, steps: Iterable[HistoryStep], records: Sequence[Record]
    ) -> Iterator[HistoryStep]:
        """The steps, without keys that left the scope. Raises NewerFormat at one to or from a
        commit of such a format."""
        by_id = {record.id: record for record in records}
        for step in steps:
            self._manifests.expect_known(step.record)
            trees: list[str | None] = [None]
            if step.edges and step.record.parents:
                parents = [by_id.get(each) or self._record(each) for each in step.record.parents]
                trees = [parent.tree for parent in parents]
                for parent in parents:
                    self._manifests.expect_known(parent)
            yield self._in_scope(step, trees)

    def _in_scope(self, step: HistoryStep, before: Sequence[str | None]) -> HistoryStep:
        """The step, where a key that its commit does not cover is not told as removed."""
        edges, left = list[EntryPairs](), set[Key]()
        for edge, tree in zip(step.edges, before, strict=False):
            gone = [key for key, (_, new) in edge.items() if new is None]
            went = set(filter(self._manifests.left(tree, step.record.tree), gone)) if gone else ()
            edges.append({key: pair for key, pair in edge.items() if key not in went})
            left.update(went)
        return step._replace(edges=edges, left=frozenset(left)) if left else step

    def _walk(self, records: Sequence[Record], places: Sequence[str]) -> Iterator[HistoryStep]:
        at = 0
        while at < len(records):
            end = _end(records, at)
            for step in self._along(records[at:end], records[at + 1 : end + 1], places):
                at += 1
                yield step
            if at < len(records):
                yield self._look(records[at], *records[at + 1 : at + 2])
                at += 1

    def _along(
        self, line: Sequence[Record], older: Sequence[Record], places: Sequence[str]
    ) -> Iterator[HistoryStep]:
        """Along a line of canonical commits; `older` are the parents of each."""
        at = 0
        while at < len(line):
            for step in self._on_one_way(line[at:], older[at:], places):
                at += 1
                yield step

    def _on_one_way(
        self, line: Sequence[Record], older: Sequence[Record], places: Sequence[str]
    ) -> Iterator[HistoryStep]:
        """As far as the key's way is what it is in the first of them, and where it turns."""
        began = self._began(line[0], next(iter(line[-1].parents), None), places)
        if began is None:
            yield self._look(line[0], *older[:1])
            return
        known = {record.id: number for number, record in enumerate(line)}
        done = 0
        for some in began.changed:
            held = [_held(changes, began.ways) for _, changes in some]
            self._read_ahead(some, held, began.ways)
            for (commit, changes), mine in zip(some, held, strict=True):
                at = known[commit]
                yield from map(HistoryStep, line[done:at])
                done = at + 1
                if any(way.ends(changes) for way in began.ways):
                    yield self._turn(line[at], began.ways, older[at:done], places)
                    return
                yield HistoryStep(line[at], [self._edge(mine, True)])
        yield from map(HistoryStep, line[done:])

    def _begin_early(self, first: Record) -> None:
        """Along all of the history, as if it had no other places than there are now."""
        with suppress(Damaged):  # it is told of when the commit's turn comes
            now = self._wanted.places or self._in_place(self._folder(first.tree))
            self._early = self._begin(first, None, now)

    def _places(self, records: list[Record], others: Iterable[Record]) -> Sequence[str]:
        """The folders at the top that such keys are, or ever were, in.

        The others come to the records, while git reads what stood at the top of those before.
        """

        def trees() -> Iterator[str]:
            yield records[0].tree
            for record in others:
                records.append(record)
                if record.canonical:
                    yield record.tree

        if self._wanted.places is None:
            return self._in_place(self._tops(trees()))
        records += others
        return self._wanted.places

    def _in_place(self, tops: Iterable[str]) -> Sequence[str]:
        return sorted(filter(self._wanted.in_place, tops))

    def _began(self, first: Record, stop: str | None, places: Sequence[str]) -> Beginning | None:
        """A beginning; the early one, where it turned out to be right."""
        early, self._early = self._early, None
        if early and (early.start, None, early.places) == (first.id, stop, places):
            return early
        return self._begin(first, stop, places)

    def _begin(self, first: Record, stop: str | None, places: Sequence[str]) -> Beginning | None:
        """None where the way cannot be told from few paths."""
        ways = self._ways(first, places)
        if ways is None:
            return None
        paths = {path for way in ways for path in way.paths} | ({"functions"} & {*places})
        if not paths:
            return Beginning(first.id, places, ways, iter(()))
        if not all(literal.whole for literal in self._wanted.literals):
            paths = set()  # all that changes is told; what may hold such keys is looked at
        changed = self._history.changed_along(first.id, stop, sorted(paths))
        return Beginning(first.id, places, ways, changed)

    def _read_ahead(
        self,
        some: Sequence[Changed],
        held: Sequence[Sequence[FileChange]],
        ways: Sequence[KeyLocator],
    ) -> None:
        """What is looked at in these commits is read together."""
        telling = {path for way in ways for path in way.telling}
        self._findings.read_ahead(
            (
                (path, blob)
                for mine in held
                for path, *blobs in mine
                if self._wanted.in_file(path)
                for blob in blobs
                if blob
            ),
            (old for _, changes in some for path, old, _ in changes if old and path in telling),
        )

    def _turn(
        self,
        record: Record,
        ways: Sequence[KeyLocator],
        parents: Sequence[Record],
        places: Sequence[str],
    ) -> HistoryStep:
        """Where the key's way is another one in the parent."""
        before = [self._ways(parent, places) for parent in parents]
        if None in before:
            return self._look(record, *parents)
        changes = self._history.differ(next((p.tree for p in parents), None), record.tree)
        both = [*ways, *(way for other in before for way in other or ())]
        return HistoryStep(record, [self._edge(_held(changes, both), True)])

    def _ways(self, record: Record, places: Sequence[str]) -> Sequence[KeyLocator] | None:
        """The way to the key in each database; None where it cannot be told from few paths."""
        ends_of = self._findings.ends_of
        return routes(self._wanted.literals, places, record.tree, self._folder, ends_of)

    def _look(self, record: Record, following: Record | None = None) -> HistoryStep:
        """At all files that differ from each parent; the record that follows may be of one."""
        edges: list[EntryPairs] = []
        damage = ""
        for parent in record.parents[self._parents] or (None,):
            before = following if following and following.id == parent else None
            before = before or (self._record(parent) if parent else None)
            changes = self._history.differ(before.tree if before else None, record.tree)
            canonical = record.canonical and (before is None or before.canonical)
            try:
                edges.append(self._edge(changes, canonical))
            except Damaged as damaged:
                edges.append({})
                damage = str(damaged)
        return HistoryStep(record, edges, damage)

    def _edge(self, changes: Iterable[FileChange], canonical: bool) -> EntryPairs:
        """The keys that differ by these files. Raises Damaged where one is not well-formed."""
        before: dict[Key, FoundEntry] = {}
        after: dict[Key, FoundEntry] = {}
        for path, old, new in changes:
            if self._may_hold(path, canonical):
                for blob, found in ((old, before), (new, after)):
                    if blob and not (canonical and self._findings.is_anothers(path, blob)):
                        found.update(self._findings.found(path, blob, canonical))
        keys = before.keys() | after.keys()
        pairs = ((key, before.get(key), after.get(key)) for key in keys)
        return {key: (old, new) for key, old, new in pairs if not same(old, new)}

    def _may_hold(self, path: str, canonical: bool) -> bool:
        if canonical:
            return self._wanted.in_file(path)
        return file_format.is_data(path) and self._wanted.in_place(path.partition("/")[0])


def _held(changes: Iterable[FileChange], ways: Sequence[KeyLocator]) -> list[FileChange]:
    """Those of the files that may hold the key, and the libraries of functions."""
    return [
        change
        for change in changes
        if any(way.may_hold(change.path) for way in ways) or change.path.startswith("functions/")
    ]


def _end(records: Sequence[Record], at: int) -> int:
    """Where the line ends, from `at` on, of commits that with their one parents, each the next,
    are as gitbackup made them."""
    while at < len(records) and records[at].canonical:
        parents, following = records[at].parents, records[at + 1 : at + 2]
        if parents and not (following and following[0].canonical and parents == (following[0].id,)):
            break
        at += 1
    return at
