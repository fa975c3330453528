"""Check that a snapshot is well-formed before it is restored."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from gitbackup.capture.reader import SnapshotReader
from gitbackup.errors import Damaged, NewerFormat
from gitbackup.model.keys import Key
from gitbackup.snapshot import file_format
from gitbackup.snapshot.entry_sources import EntrySource
from gitbackup.snapshot.sources import StoredSource
from gitbackup.store.repository.repository import Repository

Names = defaultdict[int, set[str]]
"""Names of keys by database, FUNCTIONS or SEARCH."""


def count_keys(commit: EntrySource, source: EntrySource, live: SnapshotReader) -> dict[int, int]:
    """Check that a commit's snapshot is well-formed; return how many keys each database has.

    `source` is the live database as it was just read: a file of the same content there needs no
    check. Raises Damaged, naming file, line and key, if another file is not well-formed, or if two
    files hold the same key.
    """
    same = {path for path, blob_id in commit.files.items() if source.files.get(path) == blob_id}
    replaced = _names(source, source.files.keys() - same)
    counts = Counter(live.keys)
    counts.subtract({db: len(names) for db, names in replaced.items()})
    names_so_far: Names = defaultdict(set)
    others = [*_data(commit.files.keys() - same)]
    commit.prefetch_summaries(others)
    for path in others:
        db, names, *_ = commit.outline(path)
        commit.share_names(path, source)
        kept = (name for name in names if name not in replaced[db]) if live.keys else ()
        double = not names_so_far[db].isdisjoint(names)
        if double or any(live.holds(Key(db, name)) for name in kept):
            _refuse_double(commit, path)
        names_so_far[db].update(names)
        counts[db] += len(names)
    return {db: count for db, count in counts.items() if count}


def sound_part(repository: Repository, commit: str) -> tuple[StoredSource, list[str]]:
    """Return a commit's snapshot without the files that are not well-formed, and why each is not.

    Neither of two files that hold the same key is among them. Raises Damaged if the manifest,
    which says what the snapshot covers, is not well-formed.
    """
    files = repository.files(commit)
    whole, damaged = StoredSource(repository, files), list[str]()
    kept, holders = dict(files), dict[Key, str]()
    for path in _data(files):
        try:
            keys = file_format.decode_file(path, whole.read(path))
        except NewerFormat:
            raise
        except Damaged as error:
            damaged.append(str(error))
            del kept[path]
            continue
        if twin := next((key for key in keys if key in holders), None):
            damaged.append(f"{path}: key {twin.name!r} is also in {holders[twin]}")
            for other in {path, *(holders[key] for key in keys if key in holders)}:
                kept.pop(other, None)
        holders |= dict.fromkeys(keys, path)
    return StoredSource(repository, kept), damaged


def _names(source: EntrySource, paths: Iterable[str]) -> Names:
    names: Names = defaultdict(set)
    for path in _data(paths):
        summary = source.outline(path)
        names[summary.db].update(summary.names)
    return names


def _data(paths: Iterable[str]) -> Iterator[str]:
    return (
        path for path in sorted(filter(file_format.is_data, paths)) if path != file_format.MANIFEST
    )


def _refuse_double(commit: EntrySource, path: str) -> None:
    """Raise Damaged, naming the key of this file that another one holds too."""
    rest = [other for other in _data(commit.files) if other != path]
    for _ in file_format.without_doubles((each, commit.entries(each)) for each in [*rest, path]):
        pass
