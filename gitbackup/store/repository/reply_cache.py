"""Digests of the server's replies for each file of the last commit: a file whose replies are the
same again need not be made again.

It is a file in the git directory, which only saves time: if it is missing, damaged or of another
version, all files are made anew. A digest covers everything that a file's content depends on. Its
blob is used only if the commit at hand has it at that path.
"""

from __future__ import annotations

import hashlib
import struct
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from gitbackup.errors import GitbackupError
from gitbackup.system.atomic_file import new_file

_HEADER = b"gitbackup: replies and the blobs made of them, 1\n"
_RECORD = struct.Struct("32s20s24s")
_SUM = 32


class CachedBlob(NamedTuple):
    """The id of the blob made of some replies, and when the first of its keys expires, if any."""

    blob: str
    due: str


class ReplyCache:
    """Digests of replies, and the blobs that were made of them.

    Only digests that were looked up or added since it was loaded are saved.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = _load(path)
        self._kept: dict[bytes, CachedBlob] = {}

    def blobs(self) -> set[str]:
        """Return the ids of all blobs that are known to be made of replies."""
        return {cached.blob for cached in self._known.values()}

    def get(self, digest: bytes) -> CachedBlob | None:
        """Return the blob that was made of replies with this digest; None if there is none."""
        if cached := self._known.get(digest):
            self._kept[digest] = cached
        return cached

    def add(self, digest: bytes, blob: CachedBlob) -> None:
        """Note the blob that was made of replies with this digest."""
        self._kept[digest] = blob

    def save(self) -> None:
        """Write the file. If that fails, the old one stays, without an error."""
        if self._kept == self._known:
            return
        records = b"".join(
            _RECORD.pack(digest, bytes.fromhex(blob), due.encode("ascii"))
            for digest, (blob, due) in sorted(self._kept.items())
        )
        content = _HEADER + records
        with suppress(GitbackupError, OSError):
            self._path.parent.mkdir(exist_ok=True)
            with new_file(self._path) as file:
                file.write(content + hashlib.sha256(content).digest())


def _load(path: Path) -> dict[bytes, CachedBlob]:
    try:
        content = path.read_bytes()
    except OSError:
        return {}
    content, checksum = content[:-_SUM], content[-_SUM:]
    if not content.startswith(_HEADER) or hashlib.sha256(content).digest() != checksum:
        return {}
    records = content[len(_HEADER) :]
    return {
        digest: CachedBlob(blob.hex(), due.rstrip(b"\0").decode("ascii"))
        for digest, blob, due in _RECORD.iter_unpack(records)
    }
