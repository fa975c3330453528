"""Sources of a snapshot's files: a commit, the live database, or a part of another source."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from threading import Lock
from typing import Protocol, Self

from gitbackup.errors import Damaged
from gitbackup.model.changes import FileChange
from gitbackup.snapshot import file_format
from gitbackup.store.repository.repository import Repository

IN_MEMORY = 16 * 1024 * 1024  # bytes of changed files; what is more goes to a temporary file


class Source(Protocol):
    """The files of one snapshot. `files` gives each path the id of its blob."""

    @property
    def files(self) -> Mapping[str, str]: ...

    def read(self, path: str) -> bytes:
        """Return the content of the file at `path`."""
        ...


class StoredSource:
    """Files of a snapshot that the repository holds."""

    def __init__(self, repository: Repository | None, files: Mapping[str, str]) -> None:
        self.files = files
        self._repository = repository
        self._paths: deque[str] = deque()  # files whose contents come next
        self._contents: Iterator[bytes] = iter(())

    def within(self, repository: Repository | None) -> StoredSource:
        """Return the same files as this repository object reads them, such as one of another
        thread."""
        return StoredSource(repository, self.files)

    def prefetch(self, paths: Sequence[str]) -> None:
        """Announce that these files are read next, in this order, which makes that faster."""
        if self._repository is not None:
            self._paths = deque(paths)
            self._contents = self._repository.read_all([self.files[path] for path in paths])

    def read(self, path: str) -> bytes:
        if self._repository is None:
            raise KeyError(path)
        if self._paths and self._paths.popleft() == path:
            with suppress(Damaged, StopIteration):  # perhaps only since something else was read
                return next(self._contents)
        self._paths.clear()
        return content_of(self._repository, path, self.files[path])


def content_of(repository: Repository, path: str, blob_id: str) -> bytes:
    """Return the content of a snapshot's file. Raises Damaged, naming it, if it cannot be read."""
    most = file_format.MOST_MANIFEST if path == file_format.MANIFEST else None
    try:
        return repository.read(blob_id, most)
    except Damaged as error:
        raise error.reworded(f"{path}: {error}") from error


class CommitSource(StoredSource):
    """The snapshot of a commit; without files if there is no repository or no commit."""

    def __init__(self, repository: Repository | None, commit: str | None) -> None:
        super().__init__(repository, repository.files(commit) if repository and commit else {})


def differing_sources(
    repository: Repository, a: str | None, b: str
) -> tuple[StoredSource, StoredSource]:
    """Return two commits, given by id, with only the files that differ; None is no commit."""
    return sources_of(repository, repository.changed_files(a, b))


def sources_of(
    repository: Repository, changes: Sequence[FileChange]
) -> tuple[StoredSource, StoredSource]:
    """Return these files as they were and as they are. They are prefetched in sorted order."""
    blobs = (
        blob
        for path, *sides in sorted(changes)
        if file_format.is_data(path) and path != file_format.MANIFEST
        for blob in sides
        if blob
    )
    repository.prefetch(blobs)
    before = {change.path: change.before for change in changes if change.before}
    after = {change.path: change.after for change in changes if change.after}
    return StoredSource(repository, before), StoredSource(repository, after)


class ChosenDatabases:
    """Some databases of another source, without function libraries.

    `databases` are pairs: its number there, and its number here.
    """

    def __init__(self, source: Source, databases: Sequence[tuple[int, int]]) -> None:
        self._source = source
        self._paths = {file_format.MANIFEST: file_format.MANIFEST}
        for path in source.files:
            folder, _, name = path.partition("/")
            for number, target in databases:
                if folder == f"db{number}":
                    self._paths[f"db{target}/{name}"] = path
        self.files = {path: source.files[original] for path, original in self._paths.items()}

    def read(self, path: str) -> bytes:
        return self._source.read(self._paths[path])


def chosen(source: Source, databases: Sequence[tuple[int, int]] | None) -> Source:
    """Return the chosen databases of a source; the source itself if `databases` is None."""
    return source if databases is None else ChosenDatabases(source, databases)


class Spool:
    """Contents by blob id, in memory up to a limit, beyond it in an unnamed temporary file.

    Several threads may read at once.
    """

    def __init__(self) -> None:
        self._reading = Lock()
        self._places: dict[str, tuple[int, int]] = {}
        self._file = temporary_file()

    def __contains__(self, blob_id: str) -> bool:
        return blob_id in self._places

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def clear(self) -> None:
        """Forget all of it."""
        self._file.close()
        self._places, self._file = {}, temporary_file()

    def put(self, blob_id: str, content: bytes) -> None:
        if blob_id not in self._places:
            self._file.seek(0, 2)
            self._places[blob_id] = (self._file.tell(), len(content))
            self._file.write(content)

    def read(self, blob_id: str) -> bytes:
        start, length = self._places[blob_id]
        with self._reading:
            self._file.seek(start)
            return self._file.read(length)


class SpooledSource:
    """A snapshot whose files are all in a spool."""

    def __init__(self, files: Mapping[str, str], spool: Spool) -> None:
        self.files = files
        self._spool = spool

    def read(self, path: str) -> bytes:
        return self._spool.read(self.files[path])


def temporary_file() -> tempfile.SpooledTemporaryFile[bytes]:
    """Return a file that is in memory while it is small, and then on disk without a name."""
    return _SpooledFile(IN_MEMORY)


class _SpooledFile(tempfile.SpooledTemporaryFile[bytes]):
    """One that is closed when nobody holds it any more, as the snapshots are that read it."""

    def __del__(self) -> None:
        self.close()


class LiveSource:
    """The live database's snapshot: files that differ from a commit's are in a spool."""

    def __init__(self, repository: Repository, files: Mapping[str, str], spool: Spool) -> None:
        self.files = files
        self._repository = repository
        self._spool = spool

    def within(self, repository: Repository) -> LiveSource:
        """Return the same files as this repository object reads them."""
        return LiveSource(repository, self.files, self._spool)

    def read(self, path: str) -> bytes:
        blob_id = self.files[path]
        if blob_id in self._spool:
            return self._spool.read(blob_id)
        return content_of(self._repository, path, blob_id)
