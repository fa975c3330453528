"""Read blobs and trees by their ids, through one `git cat-file` that stays open."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

from gitbackup.errors import Damaged, GitbackupError, TooLarge
from gitbackup.store.git.command import Commands, GitProcess, Result, failure
from gitbackup.system import available_memory

AHEAD = 64  # questions asked before the first answer is read: the smallest of pipes holds them
LARGE = 64 * 1024 * 1024
"""Bytes of an object beyond which we look whether there is memory for it."""


def blob_id(data: bytes) -> str:
    """Return the id that git gives a blob of these bytes."""
    digest = hashlib.sha1(b"blob %d\0" % len(data), usedforsecurity=False)
    digest.update(data)
    return digest.hexdigest()


class Blobs:
    """Reads blobs of a repository. Not for two threads at once."""

    def __init__(self, git: Commands) -> None:
        self._git = git
        self._process: GitProcess | None = None
        self._asked = 0  # questions whose answers have not been read yet
        self._sound: set[str] = set()  # blobs whose content was checked against their ids
        self._foretold: deque[str] = deque()
        self._coming: Iterator[bytes] = iter(())

    def prefetch(self, wanted: Iterable[str]) -> None:
        """Announce the blobs that are read next, in this order; git is asked for many at a time."""
        self._foretold = deque(wanted)
        self._coming = self.read_all([*self._foretold])

    def read(self, wanted: str, most: int | None = None) -> bytes:
        """Return the bytes of a blob. Raises Damaged if it is missing or not what its id says,
        TooLarge if it is larger than `most` or than the memory that is left."""
        if most is not None:
            return next(self._answers([wanted], b"blob", most))
        if self._foretold and self._foretold[0] == wanted:
            self._foretold.popleft()
            data = next(self._coming)
            if not self._foretold:
                self._coming = iter(())  # which would keep us, and git, from going
            return data
        return next(self.read_all([wanted]))

    def read_all(self, wanted: Iterable[str]) -> Iterator[bytes]:
        """Yield the bytes of each blob; git is asked for many at a time.

        An answer is received when it is needed, so they do not fill the memory. Raises Damaged if
        a blob is missing or not what its id says. Reading anything else meanwhile ends it.
        """
        return self._answers(wanted, b"blob")

    def tree(self, wanted: str) -> bytes:
        """Return the object of a tree, or of a commit's tree. Raises Damaged if it is missing."""
        return next(self._answers([f"{wanted}^{{tree}}"], b"tree"))

    def trees(self, wanted: Iterable[str]) -> Iterator[bytes]:
        """Yield the objects of these trees, as `read_all()` does those of blobs."""
        return self._answers(wanted, b"tree")

    def close(self, otherwise: str = "") -> str:
        """End the process if it runs; return its error messages, or `otherwise`."""
        process, self._process = self._process, None
        self._foretold.clear()
        said = ""
        if process:
            said = (process.kill() if self._asked else process.finish()).error
        self._asked = 0
        return _in_one_line(said) or otherwise

    def _answers(
        self, wanted: Iterable[str], kind: bytes, most: int | None = None
    ) -> Iterator[bytes]:
        ahead = iter(wanted)
        while some := list(islice(ahead, AHEAD)):
            process = self._started()
            try:
                ask(process, *(id_.encode("ascii") for id_ in some))
            except (OSError, ValueError) as error:
                raise self._unread(some[0]) from error
            self._asked = len(some)
            for id_ in some:
                yield self._answer(process, id_, kind, most)

    def _answer(self, process: GitProcess, wanted: str, kind: bytes, most: int | None) -> bytes:
        """Return the next answer, which has to be this object."""
        try:
            data = answer(process, kind, most)
        except TooLarge as error:
            self.close()
            raise TooLarge(f"cannot read blob {wanted} of {self._git.folder}: {error}") from None
        except EOFError as error:
            raise self._unread(wanted) from error
        except (OSError, ValueError) as error:
            raise self._damaged(wanted, self.close("git gives no reason")) from error
        self._asked -= 1
        if data is None:
            raise self._damaged(wanted, self.close("it is missing"))
        if kind == b"blob" and wanted not in self._sound:
            if blob_id(data) != wanted:
                raise self._damaged(wanted, "its content does not match its id")
            self._sound.add(wanted)
        return data

    def _started(self) -> GitProcess:
        if self._asked:  # not all answers were read
            self.close()
        if self._process is None:
            self._process = self._git.start("cat-file", "--batch")
            self._process.widen()
        return self._process

    def _unread(self, wanted: str) -> GitbackupError:
        """Return the error to raise if git has ended: it was killed, or the object is damaged."""
        process, self._process, self._asked = self._process, None, 0
        result = process.finish() if process else Result(1, b"", "")
        if result.status < 0:
            self._foretold.clear()
            return failure("cat-file", result)
        return self._damaged(wanted, _in_one_line(result.error) or "git gives no reason")

    def _damaged(self, wanted: str, why: str) -> Damaged:
        self._foretold.clear()
        folder = self._git.folder
        return Damaged(f"{folder} is damaged, blob {wanted} cannot be read: {why} (see `git fsck`)")


def _in_one_line(said: str) -> str:
    return "; ".join(said.strip().split("\n"))


def ask(process: GitProcess, *questions: bytes) -> None:
    """Ask for objects, a line each: so few that they fit into the pipe."""
    process.stdin.write(b"".join(question + b"\n" for question in questions))
    process.stdin.flush()


def answer(process: GitProcess, kind: bytes = b"blob", most: int | None = None) -> bytes | None:
    """Return the bytes of the object that was asked for; None if it is missing.

    Raises EOFError if git has ended, ValueError if it answers with another kind of object, TooLarge
    if the object has more bytes than `most`, or than there is memory for.
    """
    words = process.stdout.readline().split()
    if not words:
        raise EOFError
    if words[1:] == [b"missing"]:
        return None
    if len(words) != 3 or words[1] != kind:
        raise ValueError(words)
    size = int(words[2])
    _expect_room(size, most)
    data = process.stdout.read(size)
    if len(data) < size or not process.stdout.read(1):  # a newline
        raise EOFError
    return data


def _expect_room(size: int, most: int | None) -> None:
    if most is not None and size > most:
        raise TooLarge(f"it has {size:,} bytes, more than the maximum of {most:,}")
    left = available_memory.left() if size > LARGE else None
    if left is not None and available_memory.COPIES * size > left:
        raise TooLarge(f"it has {size:,} bytes, and {left:,} bytes of memory are left")
