"""The snapshot that is to be committed next, kept while the live database changes."""

from __future__ import annotations

from collections.abc import Mapping

from gitbackup.capture.capture import FileCollector
from gitbackup.snapshot import file_format
from gitbackup.snapshot.sources import Spool, StoredSource
from gitbackup.store.repository.repository import Repository


class PendingSnapshot(FileCollector):
    """Takes the files that are otherwise than in a commit, `head`, which is `known`.

    `files` gives each path the id of its blob; `paths` are those that may differ. What is not
    committed yet is in `spool`.
    """

    def __init__(self, repository: Repository, head: str, files: Mapping[str, str]) -> None:
        self.head: str = head
        self._held = repository.files(head)
        self.known = StoredSource(repository, self._held)
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
        held = blob_id in self.spool
        return self.spool.read(blob_id) if held else self._repository.read(blob_id)

    def follow(self, head: str) -> None:
        """HEAD is at another commit now. Raises Damaged where one of both cannot be read."""
        for path, _, blob_id in self._repository.changed_files(self.head, head):
            if file_format.is_data(path):
                self._know(path, blob_id)
                self.paths.add(path)
        self.head = head

    def committed(self, head: str) -> None:
        """All that differed is HEAD's now."""
        for path in self.paths:
            self._know(path, self.files.get(path))
        self.paths.clear()
        self.head = head
        self.spool.clear()

    def _know(self, path: str, blob_id: str | None) -> None:
        if blob_id is None:
            self._held.pop(path, None)
        else:
            self._held[path] = blob_id

    def close(self) -> None:
        self.spool.close()
