"""The snapshot that a watch commits next: which files differ from HEAD, and their content."""

from __future__ import annotations

from collections.abc import Mapping

from gitbackup.capture.capture import FileCollector
from gitbackup.snapshot import file_format
from gitbackup.snapshot.sources import Spool, StoredSource
from gitbackup.store.repository.repository import Repository


class PendingSnapshot(FileCollector):
    """Takes the files that differ from those of the commit `head`, which are `known`.

    `files` gives each path the id of its blob; `paths` are those that may differ from `head`.
    The content of files that are not committed yet is in `spool`.
    """

    def __init__(self, repository: Repository, head: str, files: Mapping[str, str]) -> None:
        self.head: str = head
        self._head_files = repository.files(head)
        self.known = StoredSource(repository, self._head_files)
        self.spool = Spool()
        self.paths: set[str] = set()
        self._repository = repository
        super().__init__(self.known, repository.blob_id, self.spool)
        self.files = dict(files)

    def put(self, path: str, content: bytes) -> str:
        self.paths.add(path)
        return super().put(path, content)

    def drop(self, path: str) -> None:
        self.paths.add(path)
        super().drop(path)

    def read(self, path: str, blob_id: str) -> bytes:
        spooled = blob_id in self.spool
        return self.spool.read(blob_id) if spooled else self._repository.read(blob_id)

    def follow(self, head: str) -> None:
        """Take `head`, which another run has made, as the commit to compare with.

        Raises Damaged if it, or the commit before, cannot be read.
        """
        for path, _, blob_id in self._repository.changed_files(self.head, head):
            if file_format.is_data(path):
                self._know(path, blob_id)
                self.paths.add(path)
        self.head = head

    def committed(self, head: str) -> None:
        """Take `head`, which was made of this snapshot, as the commit to compare with."""
        for path in self.paths:
            self._know(path, self.files.get(path))
        self.paths.clear()
        self.head = head
        self.spool.clear()

    def _know(self, path: str, blob_id: str | None) -> None:
        if blob_id is None:
            self._head_files.pop(path, None)
        else:
            self._head_files[path] = blob_id

    def close(self) -> None:
        self.spool.close()
