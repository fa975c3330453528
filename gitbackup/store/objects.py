"""Blobs by their ids, through one `git cat-file` that stays open."""

from __future__ import annotations

import hashlib

from gitbackup.errors import Damaged
from gitbackup.store.command import Commands, Talk


def blob_id(data: bytes) -> str:
    """The id that git gives a blob of these bytes."""
    digest = hashlib.sha1(b"blob %d\0" % len(data), usedforsecurity=False)
    digest.update(data)
    return digest.hexdigest()


class Blobs:
    """Reads blobs of a repository. Not for two threads at once."""

    def __init__(self, git: Commands) -> None:
        self._git = git
        self._talk: Talk | None = None

    def read(self, wanted: str) -> bytes:
        """The bytes of a blob; Damaged where it is missing, or not what its id says."""
        talk = self._started()
        try:
            data = answer(talk, wanted.encode("ascii"))
        except (OSError, ValueError, IndexError) as error:
            raise self._damaged(wanted, self.close("git does not say why")) from error
        if data is None:
            raise self._damaged(wanted, self.close("it is missing"))
        if blob_id(data) != wanted:
            raise self._damaged(wanted, "its bytes are not what its id says")
        return data

    def tree(self, wanted: str) -> bytes:
        """The tree object of a tree, or of a commit's snapshot; Damaged where it is missing."""
        talk = self._started()
        try:
            data = answer(talk, f"{wanted}^{{tree}}".encode("ascii"), b"tree")
        except (OSError, ValueError, IndexError) as error:
            raise self._damaged(wanted, self.close("git does not say why")) from error
        if data is None:
            raise self._damaged(wanted, self.close("it is missing"))
        return data

    def close(self, otherwise: str = "") -> str:
        """Ends the process, where one runs; tells what it complained of, or `otherwise`."""
        talk, self._talk = self._talk, None
        said = talk.finish().error if talk else ""
        return "; ".join(said.strip().split("\n")) if said else otherwise

    def _started(self) -> Talk:
        if self._talk is None:
            self._talk = self._git.start("cat-file", "--batch")
        return self._talk

    def _damaged(self, wanted: str, why: str) -> Damaged:
        folder = self._git.folder
        return Damaged(f"{folder} is damaged, blob {wanted} cannot be read: {why} (see `git fsck`)")


def answer(talk: Talk, question: bytes, kind: bytes = b"blob") -> bytes | None:
    """The bytes of the blob that a line asks for, or of another kind of object; None where it
    is missing."""
    talk.stdin.write(question + b"\n")
    talk.stdin.flush()
    words = talk.stdout.readline().split()
    if words[1:] == [b"missing"]:
        return None
    size = int(words[2])
    data = talk.stdout.read(size + 1)  # the bytes, and a newline
    if words[1] != kind or len(data) != size + 1:
        raise ValueError(words)
    return data[:-1]
