"""Take a snapshot of the live database: the files that differ from a known one, and its keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice, repeat
from typing import Protocol

from gitbackup.capture.reader import SnapshotReader
from gitbackup.diff import keys as key_diff
from gitbackup.errors import Damaged, GitbackupError
from gitbackup.format.patterns import covers
from gitbackup.live.read.permissions import all_told
from gitbackup.model.amounts import counted
from gitbackup.model.changes import Action, Counts, KeyChange, Summary
from gitbackup.model.file_groups import listed, parts
from gitbackup.model.keys import Entry, Key
from gitbackup.snapshot import file_format
from gitbackup.snapshot.compare import SHOWN, summarise
from gitbackup.snapshot.entry_sources import EntrySource, decoded
from gitbackup.snapshot.manifests import scope_in
from gitbackup.snapshot.sources import Source
from gitbackup.store.repository.reply_cache import CachedBlob, ReplyCache


@dataclass(frozen=True, slots=True)
class Capture:
    """A snapshot of the live database, compared with a known one.

    `files` gives each path its blob id; `fresh` are the paths whose files are not in the known
    snapshot; `gone` are the known paths that it does not have. `changes` is empty if there was no
    snapshot to compare with: then only `summary` tells of the keys. `warnings` are sentences for
    the user.
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
        """Return what was put there."""
        ...


def take(
    live: SnapshotReader,
    known: Source,
    blob_id: Callable[[bytes], str],
    blob_store: BlobStore,
    strict: bool = False,
    reply_cache: ReplyCache | None = None,
) -> Capture:
    """Read the whole live database, and return how it differs from a known snapshot.

    `blob_store` gets the id and content of every file that differs; also of some that the
    snapshot does not have in the end, for they changed meanwhile. A known file that is not
    well-formed is named in a warning; with `strict`, Damaged is raised. `reply_cache` knows which
    files were made of the same replies before.

    Raises GitbackupError if two files would have one path, or one would not be known as data: no
    key is ever left out in silence.
    """
    collector = FileCollector(known, blob_id, blob_store, reply_cache)
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
    if file_format.MANIFEST in known.files:  # a broken one is written anew
        scope_in(partial(known.read, file_format.MANIFEST))
    files = collector.files
    differing = [path for path in paths if known.files.get(path) != files.get(path)]
    fresh = [path for path in differing if path in files]
    gone = [path for path in differing if path not in files and file_format.is_data(path)]
    differences = _Differences(decoded(known), live, strict)
    unlike = fresh if known.files else ()
    live.progress.start("comparing", len(unlike), "files")
    try:
        for path in unlike:
            live.progress.advance(1)
            differences.add(path, collector.read(path, files[path]))
    finally:
        live.progress.finish()
    differences.add_gone(gone)
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
        reply_cache: ReplyCache | None = None,
    ) -> None:
        self.files: dict[str, str] = {}
        self._known = known
        self._blob_id = blob_id
        self._blob_store = blob_store
        self._reply_cache = reply_cache

    def put(self, path: str, content: bytes) -> str:
        if not file_format.is_data(path):
            raise GitbackupError(f"{path!r} cannot be the path of a data file: please report this")
        blob_id = self.files[path] = self._blob_id(content)
        if self._known.files.get(path) != blob_id:
            self._blob_store.put(blob_id, content)
        return blob_id

    def drop(self, path: str) -> None:
        self.files.pop(path, None)  # a reader may have given it to another collector before

    def recall(self, path: str, digest: bytes) -> CachedBlob | None:
        cached = self._reply_cache.get(digest) if self._reply_cache else None
        if cached is None or self._known.files.get(path) != cached.blob:
            return None
        self.files[path] = cached.blob
        return cached

    def remember(self, digest: bytes, blob: CachedBlob) -> None:
        if self._reply_cache:
            self._reply_cache.add(digest, blob)

    def read(self, path: str, blob_id: str) -> bytes:
        known = self._known.files.get(path) == blob_id
        return self._known.read(path) if known else self._blob_store.read(blob_id)


def _no_key(fresh: Sequence[str], gone: Sequence[str], unread: int) -> str:
    """Return the subject of a commit in which files differ and, as far as is known, no key."""
    if unread:
        return f"rewrote {counted(unread, 'file')} that could not be read"
    if file_format.MANIFEST in fresh:
        return "changed the scope, no keys changed"
    count = len(fresh) + len(gone)
    return f"rewrote {counted(count, 'file')} in canonical form, no keys changed"


class _Differences:
    """Finds the keys that differ, or only counts the live ones if there is nothing to compare.

    `unread` counts the known files that are not well-formed.
    """

    def __init__(self, known: EntrySource, live: SnapshotReader, strict: bool) -> None:
        self.warnings: list[str] = []
        self.unread = 0
        self._known = known
        self._live = live
        self._strict = strict
        self._covered = covers(live.scope)
        self._known_names: defaultdict[int, set[str]] = defaultdict(set)  # so far, by database
        self._diff = key_diff.KeyDiffer()

    def add(self, path: str, content: bytes) -> None:
        """Compare a live file with the known one of its path, if there is one."""
        if path == file_format.MANIFEST:
            return
        known = path in self._known.files
        before = self._entries_before(path) if known else {}
        if before is not None:
            entries = file_format.decode_own(path, content)
            self._diff.file(path if known else None, before, path, entries)

    def add_gone(self, paths: Iterable[str]) -> None:
        """Take the keys of known files that the live database does not have."""
        data = [path for path in paths if path != file_format.MANIFEST]
        self._known.prefetch_summaries(data)
        for path in data:
            if not self._add_gone_whole(path):
                before = self._entries_before(path)
                if before is not None:
                    self._diff.file(path, before, None, {})

    def _add_gone_whole(self, path: str) -> bool:
        """Take a known file as a whole; return False if its entries have to be looked at."""
        try:
            summary = self._known.outline(path)
        except Damaged:
            return False
        db, names = summary.db, summary.names
        if not names or not self._known_names[db].isdisjoint(names):
            return False
        every_key = self._live.scope.every_key and Key(db, names[0]).in_database
        if db in self._live.keys or not every_key:
            keys = map(Key, repeat(db), names)
            if not all(self._covered(key) and not self._live_has(key) for key in keys):
                return False
        self._known_names[db].update(names)
        file = key_diff.FileKeys(Action.REMOVED, path, db, names)
        self._diff.whole(file, lambda: self._known.entries(path))
        return True

    def _live_has(self, key: Key) -> bool:
        return bool(self._live.keys) and self._live.holds(key)

    def _entries_before(self, path: str) -> Mapping[Key, Entry] | None:
        """Return a known file's entries that are in scope; None if it is not well-formed."""
        try:
            content = self._known.read(path)
        except Damaged as damaged:
            self._skip(damaged)
            return None
        try:
            entries = file_format.decode_file(path, content)
        except Damaged as damaged:
            self._skip(damaged)
            return None
        known = self._known_names[file_format.database_of(path)]
        self._warn_of_doubles(path, sorted(key for key in entries if key.name in known))
        new = {key: entry for key, entry in entries.items() if key.name not in known}
        known.update(key.name for key in new)
        return {key: entry for key, entry in new.items() if self._covered(key)}

    def _skip(self, damaged: Damaged) -> None:
        """Warn of a known file that is not well-formed; raise the error if that is strict."""
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
        """Return the keys that differ, and their summary."""
        if not self._known.files:
            return [], self._first_summary()
        single, blocks = parts(self._diff.changes())
        changes = listed([*self._without_doubles(single)], blocks)
        return changes, summarise(changes)

    def _without_doubles(self, changes: Iterable[KeyChange]) -> Iterator[KeyChange]:
        """Leave out, with a warning, the keys that were in a second file and are unchanged in
        the other."""
        doubles: dict[str, list[Key]] = {}
        for change in changes:
            if change.action is Action.REMOVED and self._live.holds(change.key):
                doubles.setdefault(change.before or "", []).append(change.key)
            else:
                yield change
        for path, keys in doubles.items():
            self._warn_of_doubles(path, keys)

    def _first_summary(self) -> Summary:
        namespaces = {
            (Key(db, name).place, name): Counts(added=count)
            for (db, name), count in sorted(self._live.namespaces().items())
        }
        first = tuple((key, Action.ADDED) for key in islice(self._live.held(), SHOWN))
        subject = f"first commit: {counted(self._live.total, 'key')}"
        added = sum(counts.added for counts in namespaces.values())
        return Summary(Counts(added=added), namespaces, first, subject)
