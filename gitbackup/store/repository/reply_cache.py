"""What the server's replies were for each file of the last commit, so that the same ones again
need not be made a file again.

It is a file of ours in the git directory, and no more than a saving: where it is missing,
damaged or of another version, all is made anew. A digest of SHA-256 covers all that a file's
content is made of; what it leads to counts only where the commit at hand has that very blob.
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
    """Digests of replies, and what was made of them.

    Only what was found or added since it was loaded is there when it is loaded again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = _load(path)
        self._kept: dict[bytes, CachedBlob] = {}

    def get(self, digest: bytes) -> CachedBlob | None:
        """Return what was made of replies with this digest; None where nobody knows."""
        if found := self._known.get(digest):
            self._kept[digest] = found
        return found

    def add(self, digest: bytes, made: CachedBlob) -> None:
        """That was made of replies with this digest."""
        self._kept[digest] = made

    def save(self) -> None:
        """Keep what was found and added; where that fails, nothing is kept."""
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
    content, told = content[:-_SUM], content[-_SUM:]
    if not content.startswith(_HEADER) or hashlib.sha256(content).digest() != told:
        return {}
    records = content[len(_HEADER) :]
    return {
        digest: CachedBlob(blob.hex(), due.rstrip(b"\0").decode("ascii"))
        for digest, blob, due in _RECORD.iter_unpack(records)
    }
