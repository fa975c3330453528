"""`log -- KEY-GLOB`: which commits changed such keys, and what became of each.

What is looked at is no more than has to be. Along a line of commits that gitbackup made, git
follows the few paths of a key's route; for patterns, and wherever a person or a merge had a
hand in, all files that differ are looked at that may hold such keys: any may in a snapshot
that somebody else has laid out.

A merge is told where a key of it is none of its parents', against the first of them; both
sides of it are walked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

from gitbackup import layout, snapshot
from gitbackup.diff import exact
from gitbackup.errors import Damaged
from gitbackup.model import (
    Action,
    CommitInfo,
    Entry,
    FileChange,
    Key,
    KeyChange,
    KeyDiff,
    Selection,
    Summary,
)
from gitbackup.ops.compare import key_diff, masked, summarise
from gitbackup.ops.route import Route, routes
from gitbackup.ops.wanted import Wanted, entry_of
from gitbackup.redact import Redaction
from gitbackup.store.history import Record
from gitbackup.store.repository import Repository

AT_HAND = 512  # files and folders of which what was found is kept
FILES = 4  # whose bytes are kept
NOTHING = Redaction()


@dataclass(frozen=True, slots=True)
class CommitChanges:
    """A commit, and the keys asked for that it changed, in order.

    `damage` says what of it cannot be read; empty where all can.
    """

    info: CommitInfo
    keys: Sequence[KeyDiff]
    damage: str = ""

    @property
    def summary(self) -> Summary:
        return summarise([each.change for each in self.keys])


@dataclass(frozen=True, slots=True)
class Found:
    """A key's entry, whole or as bytes of its file."""

    path: str
    picked: bytes | Entry

    def entry(self, key: Key) -> Entry:
        return entry_of(self.path, key, self.picked)


Edge = Mapping[Key, "tuple[Found | None, Found | None]"]
"""The keys that differ between a commit and one parent: what was, and what is."""


@dataclass(frozen=True, slots=True)
class Step:
    """A commit, and what it changed against each of its parents; against nothing for a first.

    Without edges it changed nothing.
    """

    record: Record
    edges: Sequence[Edge] = ()
    damage: str = ""


def trace(
    repository: Repository,
    selection: Selection,
    wanted: Wanted,
    redaction: Redaction = NOTHING,
) -> Iterator[CommitChanges]:
    """The selected commits that changed such keys, newest first, or in reverse."""
    every = replace(selection, limit=None, reverse=False)
    steps = Tracer(repository, wanted).steps(every)
    found = (_told(step, redaction) for step in steps)
    some = islice(filter(None, found), selection.limit)
    yield from reversed([*some]) if selection.reverse else some


def _told(step: Step, redaction: Redaction) -> CommitChanges | None:
    """What a step changed; None for nothing."""
    first, *others = step.edges or [{}]
    keys = [key for key in sorted(first) if all(key in edge for edge in others)]
    if keys or step.damage:
        diffs = [masked(_key_diff(key, *first[key]), redaction) for key in keys]
        return CommitChanges(step.record.info, diffs, step.damage)
    return None


def _key_diff(key: Key, old: Found | None, new: Found | None) -> KeyDiff:
    action = Action.CHANGED if old and new else Action.ADDED if new else Action.REMOVED
    change = KeyChange(key, action, old.path if old else None, new.path if new else None)
    return key_diff(change, old.entry(key) if old else None, new.entry(key) if new else None)


class Tracer:
    """Walks the history of such keys."""

    def __init__(self, repository: Repository, wanted: Wanted) -> None:
        self._history = repository.history
        self._wanted = wanted
        self._folder = lru_cache(AT_HAND)(repository.folder)
        self._picked = lru_cache(AT_HAND)(self._pick)
        self._record = lru_cache(AT_HAND)(repository.history.record)
        self._read = lru_cache(FILES)(repository.read)
        self._anothers: dict[str, bool] = {}
        self._parents = slice(None)

    def steps(self, selection: Selection) -> Iterator[Step]:
        """The selected commits; one that did not change such keys may have no edges."""
        records = [*self._history.records(selection)]
        self._parents = slice(1 if selection.first_parent else None)
        return self._on_the_way(records, self._history.places(selection) if records else ())

    def _on_the_way(self, records: Sequence[Record], places: Iterable[str]) -> Iterator[Step]:
        """Lines of canonical commits by the keys' way, the others at large."""
        here = sorted(filter(self._wanted.in_place, places))
        at = 0
        while at < len(records):
            end = next((k for k in range(at, len(records)) if not _is_plain(records, k)), None)
            for step in self._along(records[at:end], records[at + 1 :], here):
                at += 1
                yield step
            if end is not None:
                yield self._look(records[end], *records[end + 1 : end + 2])
                at += 1

    def _along(
        self, line: Sequence[Record], older: Sequence[Record], places: Sequence[str]
    ) -> Iterator[Step]:
        """Along a line of canonical commits; `older` are the parents of each."""
        at = 0
        while at < len(line):
            for step in self._on_one_way(line[at:], older[at:], places):
                at += 1
                yield step

    def _on_one_way(
        self, line: Sequence[Record], older: Sequence[Record], places: Sequence[str]
    ) -> Iterator[Step]:
        """As far as the key's way is what it is in the first of them, and where it turns."""
        ways = self._ways(line[0], places)
        if ways is None:
            yield self._look(line[0], *older[:1])
            return
        paths = {path for way in ways for path in way.paths} | ({"functions"} & {*places})
        if not paths:
            yield from map(Step, line)
            return
        if not all(literal.whole for literal in self._wanted.literals):
            paths = set()  # all that changes is told; what may hold such keys is looked at
        stop = next(iter(line[-1].parents), None)
        known = {record.id: number for number, record in enumerate(line)}
        done = 0
        for commit, changes in self._history.changed_along(line[0].id, stop, sorted(paths)):
            at = known[commit]
            yield from map(Step, line[done:at])
            done = at + 1
            if any(way.ends(changes) for way in ways):
                yield self._turn(line[at], ways, older[at:done], places)
                return
            yield Step(line[at], [self._edge(_held(changes, ways), True)])
        yield from map(Step, line[done:])

    def _turn(
        self,
        record: Record,
        ways: Sequence[Route],
        parents: Sequence[Record],
        places: Sequence[str],
    ) -> Step:
        """Where the key's way is another one in the parent."""
        before = [self._ways(parent, places) for parent in parents]
        if None in before:
            return self._look(record, *parents)
        changes = self._history.differ(next((p.tree for p in parents), None), record.tree)
        both = [*ways, *(way for other in before for way in other or ())]
        return Step(record, [self._edge(_held(changes, both), True)])

    def _ways(self, record: Record, places: Sequence[str]) -> Sequence[Route] | None:
        """The way to the key in each database; None where it cannot be told from few paths."""
        return routes(self._wanted.literals, places, record.tree, self._folder, self._read)

    def _look(self, record: Record, following: Record | None = None) -> Step:
        """At all files that differ from each parent; the record that follows may be of one."""
        edges: list[Edge] = []
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
        return Step(record, edges, damage)

    def _edge(self, changes: Iterable[FileChange], canonical: bool) -> Edge:
        """The keys that differ by these files. Raises Damaged where one is not well-formed."""
        before: dict[Key, Found] = {}
        after: dict[Key, Found] = {}
        for path, old, new in changes:
            if self._may_hold(path, canonical):
                for blob, found in ((old, before), (new, after)):
                    if blob and not (canonical and self._is_anothers(path, blob)):
                        found.update(self._picked(path, blob, canonical))
        keys = before.keys() | after.keys()
        pairs = ((key, before.get(key), after.get(key)) for key in keys)
        return {key: (old, new) for key, old, new in pairs if not _same(key, old, new)}

    def _may_hold(self, path: str, canonical: bool) -> bool:
        if canonical:
            return self._wanted.in_file(path)
        return snapshot.is_data(path) and self._wanted.in_place(path.partition("/")[0])

    def _is_anothers(self, path: str, blob: str) -> bool:
        """Whether a file is the own one of a key that is not wanted: its name tells of one key."""
        name = path.rpartition("/")[2].removesuffix(".json")
        if not layout.is_own(name) or not path.startswith("db"):
            return False
        if path not in self._anothers:
            self._anothers[path] = not self._wanted.pick(path, self._read(blob))
        return self._anothers[path]

    def _pick(self, path: str, blob: str, canonical: bool) -> dict[Key, Found]:
        pick = self._wanted.pick if canonical else self._wanted.read
        return {key: Found(path, it) for key, it in pick(path, self._read(blob)).items()}


def _held(changes: Iterable[FileChange], ways: Sequence[Route]) -> list[FileChange]:
    """Those of the files that may hold the key, and the libraries of functions."""
    return [
        change
        for change in changes
        if any(way.may_hold(change.path) for way in ways) or change.path.startswith("functions/")
    ]


def _is_plain(records: Sequence[Record], at: int) -> bool:
    """Whether a commit and its one parent, which is next, are both as gitbackup made them."""
    one, parents = records[at], records[at].parents
    if not one.canonical or len(parents) > 1:
        return False
    following = records[at + 1 : at + 2]
    return not parents or any(r.id == parents[0] and r.canonical for r in following)


def _same(key: Key, old: Found | None, new: Found | None) -> bool:
    if old is None or new is None:
        return old is new
    if isinstance(old.picked, bytes) and isinstance(new.picked, bytes):
        return old.picked == new.picked
    return exact.same(old.entry(key), new.entry(key))
