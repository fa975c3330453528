"""A snapshot of a server, read without git."""

from __future__ import annotations

from collections.abc import Callable

from gitbackup.capture.reader import SnapshotReader
from gitbackup.live.connection.address import parse
from gitbackup.live.connection.connect import connect
from gitbackup.model.commits import Consistency
from gitbackup.model.keys import Scope
from gitbackup.progress import SILENT
from gitbackup.store.objects.object_reader import blob_id
from gitbackup.store.repository.reply_cache import CachedBlob
from tests.servers import LiveServer


class Kept:
    """Takes files: `files` are those that are left in the end. `taken` is told of each."""

    def __init__(self, taken: Callable[[str], object] = lambda path: None) -> None:
        self.files: dict[str, bytes] = {}
        self._taken = taken
        self._blobs: dict[str, bytes] = {}

    def put(self, path: str, content: bytes) -> str:
        self.files[path] = content
        self._blobs[blob_id(content)] = content
        self._taken(path)
        return blob_id(content)

    def drop(self, path: str) -> None:
        del self.files[path]

    def recall(self, path: str, digest: bytes) -> None:
        """Nothing was ever seen before."""

    def remember(self, digest: bytes, made: CachedBlob) -> None:
        """Nothing is to be recalled."""

    def read(self, path: str, blob_id: str) -> bytes:
        return self._blobs[blob_id]


ALL = Scope()


def live_files(
    server: LiveServer, scope: Scope = ALL, consistency: Consistency = Consistency.AUTO
) -> SnapshotReader:
    return SnapshotReader(connect(parse(server.url)), scope, SILENT, consistency)


def files_of(server: LiveServer) -> dict[str, bytes]:
    """The files of a snapshot of all that the server holds."""
    kept = Kept()
    live_files(server).read(kept)
    return kept.files
