"""Take a snapshot of the live database: the files that differ from a known one, and its keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import islice, repeat
from typing import Protocol

from gitbackup.capture.reader import SnapshotReader
from gitbackup.diff import keys as key_diff
from gitbackup.errors import Damaged, GitbackupError, TooLarge
from gitbackup.format.patterns import covers
from gitbackup.live.read.permissions import all_told
from gitbackup.model.amounts import counted
from gitbackup.model.changes import Action, Counts, KeyChange, Summary
from gitbackup.model.file_groups import listed, parts
from gitbackup.model.keys import Entry, Key, Scope
from gitbackup.snapshot import file_format
from gitbackup.snapshot.compare import SHOWN, summarise
from gitbackup.snapshot.entry_sources import EntrySource, decoded
from gitbackup.snapshot.manifests import scope_in
from gitbackup.snapshot.sources import Source
from gitbackup.store.repository.reply_cache import CachedBlob, ReplyCache


@dataclass(frozen=True, slots=True)
class Capture:
    """A snapshot of the live database, against the one it was compared with.

    `files` gives each path its blob id; `fresh` are the paths whose content was kept;
    `gone` are the known paths that it has no more. `changes` is empty where there was no
    snapshot to compare with: then `summary` alone tells of the keys. `warnings` are
    sentences for the user.
    """

    live: SnapshotReader
    files: Mapping[str, str]
    fresh: Sequence[str]
    gone: Sequence[str]
    changes: Sequence[KeyChange]
    summary: Summary
    warnings: Sequence[str] = field(default=())

    @property
    def differs(self) -> bool:
        """Return whether a commit of it would have another tree."""
        return bool(self.fresh or self.gone)


class BlobStore(Protocol):
    """Keeps the content of files that differ from the known ones."""

    def put(self, blob_id: str, content: bytes) -> object: ...

    def read(self, blob_id: str) -> bytes:
        """What was put there."""
        ...


def take(
    live: SnapshotReader,
    known: Source,
    blob_id: Callable[[bytes], str],
    blob_store: BlobStore,
    strict: bool = False,
    seen: ReplyCache | None = None,
) -> Capture:
    """Read the whole live database, and return how it differs from a known snapshot.

    `blob_store` gets the id and content of every file that differs; also of some that the
    snapshot does not have in the end, for they changed meanwhile. A known file that is not
    well-formed is named in a warning; with `strict`, Damaged is raised. `seen` tells what was
    made of the same replies before.

    Raises GitbackupError where two files would have one path, or one would not be known as
    data: no key is ever left out in silence.
    """
    collector = FileCollector(known, blob_id, blob_store, seen)
    with all_told(live.server):
        live.read(collector)
    gone = sorted(known.files.keys() - collector.files.keys())
    return compared(live, known, collector, [*collector.files, *gone], strict)


def compared(
    live: SnapshotReader,
    known: Source,
    collector: FileCollector,
    paths: Iterable[str],
    strict: bool = False,
) -> Capture:
    """Compare what was read with a known snapshot; these paths may differ, and no others.

    `strict` is as for `take`. Raises NewerFormat for a known snapshot of a newer format.
    """
    if file_format.MANIFEST in known.files:  # one that is broken is written anew
        scope_in(partial(known.read, file_format.MANIFEST))
    files = collector.files
    differing = [path for path in paths if known.files.get(path) != files.get(path)]
    fresh = [path for path in differing if path in files]
    gone = [path for path in differing if path not in files and file_format.is_data(path)]
    differences = _Differences(decoded(known), live, strict)
    for path in fresh if known.files else ():
        differences.differs(path, collector.read(path, files[path]))
    differences.gone(gone)
    changes, summary = differences.result()
    if known.files and (fresh or gone) and not summary.counts:
        summary = replace(summary, subject=_no_key(fresh, gone, differences.unread))
    return Capture(live, files, fresh, gone, changes, summary, tuple(differences.warnings))


class FileCollector:
    """Takes the live files: `files` gives each path the id of its blob."""

    def __init__(
        self,
        known: Source,
        blob_id: Callable[[bytes], str],
        blob_store: BlobStore,
        seen: ReplyCache | None = None,
    ) -> None:
        self.files: dict[str, str] = {}
        self._known = known
        self._blob_id = blob_id
        self._blob_store = blob_store
        self._seen = seen

    def put(self, path: str, content: bytes) -> str:
        if not file_format.is_data(path):
            raise GitbackupError(f"{path!r} cannot be the path of a data file: please report this")
        made = self.files[path] = self._blob_id(content)
        if self._known.files.get(path) != made:
            self._blob_store.put(made, content)
        return made

    def drop(self, path: str) -> None:
        del self.files[path]

    def recall(self, path: str, digest: bytes) -> CachedBlob | None:
        made = self._seen.get(digest) if self._seen else None
        if made is None or self._known.files.get(path) != made.blob:
            return None
        self.files[path] = made.blob
        return made

    def remember(self, digest: bytes, made: CachedBlob) -> None:
        if self._seen:
            self._seen.add(digest, made)

    def read(self, path: str, blob_id: str) -> bytes:
        known = self._known.files.get(path) == blob_id
        return self._known.read(path) if known else self._blob_store.read(blob_id)


def _no_key(fresh: Sequence[str], gone: Sequence[str], unread: int) -> str:
    """The subject of a commit of files that differ where no key is known to."""
    if unread:
        return f"rewrote {counted(unread, 'file')} that could not be read"
    if file_format.MANIFEST in fresh:
        return "changed the scope, no keys changed"
    count = len(fresh) + len(gone)
    return f"rewrote {counted(count, 'file')} in canonical form, no keys changed"


class _Differences:
    """Which keys differ; only counted where there is nothing to compare with."""

    def __init__(self, known: EntrySource, live: SnapshotReader, strict: bool) -> None:
        self.warnings: list[str] = []
        self.unread = 0  # known files that are not well-formed
        self._known = known
        self._live = live
        self._strict = strict
        self._seen: defaultdict[int, set[str]] = defaultdict(set)  # in known files, by database
        self._diff = key_diff.KeyDiff()

    @cached_property
    def _covered(self) -> Callable[[Key], bool]:
        """By the scope that the libraries are out of where they could not be listed."""
        return covers(self._live.scope)

    def differs(self, path: str, content: bytes) -> None:
        if path == file_format.MANIFEST:
            return
        known = path in self._known.files
        before = self._before(path) if known else {}
        if before is not None:
            entries = file_format.decode_own(path, content)
            self._diff.file(path if known else None, before, path, entries)

    def gone(self, paths: Iterable[str]) -> None:
        data = [path for path in paths if path != file_format.MANIFEST]
        self._known.prefetch_summaries(data)
        for path in data:
            before = None if self._went(path) else self._before(path)
            if before is not None:
                self._diff.file(path, before, None, {})

    def _went(self, path: str) -> bool:
        """Takes a known file as a whole; False where that takes a closer look."""
        try:
            summary = self._known.outline(path)
        except Damaged:
            return False
        db, names = summary.db, summary.names
        if not (names and self._seen[db].isdisjoint(names) and self._are_gone(db, names)):
            return False
        self._seen[db].update(names)
        whole = key_diff.FileKeys(Action.REMOVED, path, db, names)
        self._diff.whole(whole, lambda: self._known.entries(path))
        return True

    def _are_gone(self, db: int, names: Iterable[str]) -> bool:
        if db not in self._live.keys and self._live.scope == Scope():
            return True
        return all(map(self._is_gone, map(Key, repeat(db), names)))

    def _is_gone(self, key: Key) -> bool:
        return self._covered(key) and not (self._live.keys and self._live.holds(key))

    def _before(self, path: str) -> Mapping[Key, Entry] | None:
        """The known entries of a file, those in scope; None where it is not well-formed."""
        try:
            content = self._known.read(path)
        except TooLarge as damaged:
            self._warn_of(damaged)
            return None
        try:
            entries = file_format.decode_file(path, content)
        except Damaged as damaged:
            self._warn_of(damaged)
            return None
        seen = self._seen[file_format.database_of(path)]
        self._warn_of_doubles(path, sorted(key for key in entries if key.name in seen))
        fresh = {key: entry for key, entry in entries.items() if key.name not in seen}
        seen.update(key.name for key in fresh)
        return {key: entry for key, entry in fresh.items() if self._covered(key)}

    def _warn_of(self, damaged: Damaged) -> None:
        """Warns of a known file that is not well-formed, or raises what is wrong with it."""
        if self._strict:
            raise damaged
        self.unread += 1
        self.warnings.append(f"in HEAD, {damaged}; changes in this file are not listed")

    def _warn_of_doubles(self, path: str, keys: Sequence[Key]) -> None:
        if keys:
            named = (
                f"the key {keys[0]}" if len(keys) == 1 else f"{len(keys)} keys, such as {keys[0]},"
            )
            self.warnings.append(f"in HEAD, {named} in {path} was also in another file")

    def result(self) -> tuple[Sequence[KeyChange], Summary]:
        if not self._known.files:
            return [], self._first_summary()
        few, blocks = parts(self._diff.changes())
        changes = listed([*self._without_doubles(few)], blocks)
        return changes, summarise(changes)

    def _without_doubles(self, changes: Iterable[KeyChange]) -> Iterator[KeyChange]:
        """A key that went from one file and lives on in another, as it was, stood in both."""
        doubles: dict[str, list[Key]] = {}
        for change in changes:
            if change.action is Action.REMOVED and self._live.holds(change.key):
                doubles.setdefault(change.before or "", []).append(change.key)
            else:
                yield change
        for path, keys in doubles.items():
            self._warn_of_doubles(path, keys)

    def _first_summary(self) -> Summary:
        spaces = {
            (Key(db, name).place, name): Counts(added=count)
            for (db, name), count in sorted(self._live.namespaces().items())
        }
        first = tuple((key, Action.ADDED) for key in islice(self._live.held(), SHOWN))
        keys = self._live.total
        subject = f"first commit: {counted(keys, 'key')}"
        added = sum(counts.added for counts in spaces.values())
        return Summary(Counts(added=added), spaces, first, subject)
