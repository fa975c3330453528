"""Read every file of a snapshot: is it well-formed, canonical to the byte, and in its place?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest

from gitbackup.errors import Damaged
from gitbackup.format import codec
from gitbackup.format.names import key_list
from gitbackup.format.patterns import covers
from gitbackup.model.keys import FUNCTIONS, SEARCH, Key, Scope
from gitbackup.model.safety.proof import Finding, SnapshotCounts, Sort
from gitbackup.progress import Progress
from gitbackup.snapshot import file_format
from gitbackup.snapshot.sources import content_of
from gitbackup.store.objects.trees import TreeEntry
from gitbackup.store.repository.repository import Repository

PLAIN = "100644"  # git's mode for a file that is neither a program nor a link
NOT_PLAIN = "not a regular file in git; `git update-index --chmod=-x` and a commit make it one"
TIDY = "the next `gitbackup commit` rewrites it; `gitbackup restore` can read it as it is"


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is kept of a file once it was read: `line` is the first that is not canonical.

    `large` are the names of entries that belong in files of their own; `opaque` has the name
    of one key of each type that only the server can read.
    """

    names: tuple[str, ...] = ()
    types: Mapping[str, int] = field(default_factory=dict)
    large: frozenset[str] = frozenset()
    opaque: Mapping[str, str] = field(default_factory=dict)
    line: int | None = None
    damage: str = ""


@dataclass(slots=True)
class FsckResult:
    """A snapshot that was read: where each key is, what it holds, and what is wrong with it.

    `scope` is None if the manifest cannot be read; `opaque` has a path and a key for each
    type that only a server which knows it can read.
    """

    listing: Mapping[str, TreeEntry]
    scope: Scope | None = None
    findings: list[Finding] = field(default_factory=list)
    where: dict[int, dict[str, str]] = field(default_factory=dict)
    large: set[Key] = field(default_factory=set)
    types: Counter[str] = field(default_factory=Counter)
    opaque: dict[str, tuple[str, Key]] = field(default_factory=dict)

    @property
    def data(self) -> list[str]:
        """The paths of the files that are ours."""
        return sorted(filter(file_format.is_data, self.listing))

    @property
    def counts(self) -> SnapshotCounts:
        databases = {db: len(names) for db, names in sorted(self.where.items())}
        return SnapshotCounts(len(self.data), dict(sorted(self.types.items())), databases)

    @property
    def damaged(self) -> bool:
        return any(finding.sort is Sort.DAMAGED for finding in self.findings)

    def add(self, sort: Sort, sentence: str, path: str, key: Key | None = None) -> None:
        self.findings.append(Finding(sort, sentence, path, key))


class SnapshotFsck:
    """Checks snapshots of one repository; a file that several share is read once."""

    def __init__(self, repository: Repository, progress: Progress) -> None:
        self._repository = repository
        self._progress = progress
        self._facts: dict[tuple[str, str], FileFacts] = {}
        self._interned: dict[tuple[str, ...], tuple[str, ...]] = {}

    def examine(self, commit: str) -> FsckResult:
        """Read a whole snapshot. Raises Damaged if its tree cannot be read."""
        result = FsckResult(self._repository.listing(commit))
        if file_format.MANIFEST not in result.listing:
            sentence = f"there is no {file_format.MANIFEST}: not a gitbackup snapshot"
            result.add(Sort.DAMAGED, sentence, file_format.MANIFEST)
            return result
        self._manifest(result)
        self._progress.start("checking files", None)
        try:
            for path in result.data:
                if result.listing[path].mode != PLAIN:
                    result.add(Sort.UNTIDY, f"{path}: {NOT_PLAIN}", path)
                if path != file_format.MANIFEST:
                    self._file(result, path)
        finally:
            self._progress.finish()
        if not result.damaged:
            _find_misplaced(result)
            _find_out_of_scope(result)
        return result

    def _manifest(self, result: FsckResult) -> None:
        path = file_format.MANIFEST
        try:
            content = content_of(self._repository, path, result.listing[path].id)
            result.scope = file_format.read_manifest(content)
        except Damaged as damaged:
            result.add(Sort.DAMAGED, str(damaged), path)
            return
        if line := _first_difference(content, file_format.manifest(result.scope)):
            result.add(Sort.UNTIDY, _untidy(path, line), path)

    def _file(self, result: FsckResult, path: str) -> None:
        facts = self._facts_of(path, result.listing[path].id)
        self._progress.advance(len(facts.names))
        db = file_format.database_of(path)
        if facts.damage:
            result.add(Sort.DAMAGED, facts.damage, path)
        elif facts.line:
            result.add(Sort.UNTIDY, _untidy(path, facts.line), path)
        elif not facts.names:
            result.add(Sort.UNTIDY, f"{path}: contains no key; {TIDY}", path)
        places = result.where.setdefault(db, {}) if facts.names else {}
        for name in facts.names:
            if name in places:
                sentence = f"{path}: key {name!r} is also in {places[name]}; remove one of them"
                result.add(Sort.DAMAGED, sentence, path, Key(db, name))
            places[name] = path
        result.large |= {Key(db, name) for name in facts.large}
        result.types.update(facts.types)
        for type_, name in facts.opaque.items():
            result.opaque.setdefault(type_, (path, Key(db, name)))

    def _facts_of(self, path: str, blob_id: str) -> FileFacts:
        """Return what is known of a file; files of two databases may have the same content."""
        place = path if file_format.is_source_file(path) else path.partition("/")[0]
        known = self._facts.get((place, blob_id))
        if known is None or known.damage:  # which names the path
            known = self._facts[place, blob_id] = self._read(path, blob_id)
        return known

    def _read(self, path: str, blob_id: str) -> FileFacts:
        try:
            content = content_of(self._repository, path, blob_id)
            entries = file_format.decode_file(path, content)
        except Damaged as damaged:
            return FileFacts(damage=str(damaged))
        names = tuple(key.name for key in entries)
        names = self._interned.setdefault(names, names)
        if file_format.is_source_file(path):
            return FileFacts(names)
        stored = {key.name: entry for key, entry in entries.items()}
        canonical = file_format.encode_stored(stored)
        return FileFacts(
            names,
            Counter(entry["type"] for entry in stored.values()),
            frozenset(
                name
                for name, entry in stored.items()
                if len(canonical) > file_format.LARGE
                and len(file_format.encode_stored({name: entry})) > file_format.LARGE
            ),
            {entry["type"]: name for name, entry in stored.items() if file_format.is_opaque(entry)},
            _first_difference(content, canonical),
        )


def _first_difference(content: bytes, canonical: bytes) -> int | None:
    """Return the number of the first line that is not as it should be; None if all are."""
    if content == canonical:
        return None
    pairs = zip_longest(content.split(b"\n"), canonical.split(b"\n"))
    return next(number for number, (line, due) in enumerate(pairs, 1) if line != due)


def _untidy(path: str, line: int) -> str:
    return f"{path}, line {line}: not in canonical form; {TIDY}"


def _find_misplaced(result: FsckResult) -> None:
    """Find the files with keys that a commit would put elsewhere."""
    misplaced: dict[str, list[Key]] = {}
    due: dict[str, str] = {}
    for key, path, due_path in _due_paths(result):
        if path != due_path:
            misplaced.setdefault(path, []).append(key)
            due.setdefault(path, due_path)
    for path, keys in sorted(misplaced.items()):
        belongs = "belongs" if len(keys) == 1 else "belong"
        sentence = f"{path}: {key_list(keys)} {belongs} in another file ({due[path]}); {TIDY}"
        result.add(Sort.UNTIDY, sentence, path)


def _due_paths(result: FsckResult) -> Iterator[tuple[Key, str, str]]:
    """Yield each key, the path of the file that it is in, and of the one that it belongs in."""
    for db, where in result.where.items():
        if db == FUNCTIONS:
            for name, path in where.items():
                due = file_format.library_file(name, path.rpartition(".")[2])
                yield Key(db, name), path, due
            continue
        if db == SEARCH:
            yield from (
                (Key(db, name), path, file_format.index_file(name)) for name, path in where.items()
            )
            continue
        for place, names in file_format.place_files(db, sorted(map(codec.data, where))):
            for name in map(codec.text, names):
                key = Key(db, name)
                alone = (
                    file_format.beside(place, codec.data(name)) if key in result.large else place
                )
                yield key, where[name], alone


def _find_out_of_scope(result: FsckResult) -> None:
    """Find keys that the manifest's scope does not cover: a restore would leave them out."""
    if result.scope is None:
        return
    within = covers(result.scope)
    for db, where in sorted(result.where.items()):
        outside = [key for key in (Key(db, name) for name in where) if not within(key)]
        if outside:
            path = where[outside[0].name]
            sentence = (
                f"{path}: outside the scope in {file_format.MANIFEST}, so a restore"
                f" leaves it out: {key_list(outside)}; change the scope, or remove it"
            )
            result.add(Sort.DIFFERENT, sentence, path, outside[0])
