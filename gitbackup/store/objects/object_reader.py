"""Find and read objects, through one `git cat-file` that stays open for a whole command."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import NamedTuple
from weakref import ref

from gitbackup.errors import Damaged, GitbackupError, TooLarge, UsageError
from gitbackup.store.git.command import Commands, GitProcess, Result, failure, text
from gitbackup.store.pack.writer import object_id
from gitbackup.system import available_memory

AHEAD = 64  # questions asked before the first answer is read: the smallest of pipes holds them
_PIECE = 1 << 20
LARGE = 64 * 1024 * 1024
"""Bytes of an object beyond which we look whether there is memory for it."""


def blob_id(data: bytes) -> str:
    """Return the id that git gives a blob of these bytes."""
    return object_id(b"blob", data).hex()


class Found(NamedTuple):
    """An object that there is: its id, and its kind in git's word (`commit`, `tree`, ...)."""

    id: str
    kind: str


class ObjectReader:
    """Reads objects of a repository. Not for two threads at once."""

    def __init__(self, git: Commands) -> None:
        self._git = git
        self._process: GitProcess | None = None
        self._asked = 0  # questions whose answers have not been read yet
        self._batch: object = None  # the questions that were asked last
        self._sound: set[str] = set()  # blobs whose content was checked against their ids
        self._foretold: deque[str] = deque()
        self._coming: Iterator[bytes] = iter(())

    def find(self, name: str) -> Found | None:
        """Return the object that a name stands for, by any rule of gitrevisions(7); None if there
        is none.

        Raises UsageError if more than one id begins so, Damaged if the object cannot be read.
        """
        process = self._ask([name])
        line = process.stdout.readline()
        if line.endswith(b" missing\n"):
            self._asked = 0
            return None
        if line.endswith(b" ambiguous\n"):
            self._asked = 0
            raise UsageError(
                f"{name!r} is ambiguous: more than one id begins with it; give more digits"
            )
        id_, kind, size = line.split() or (b"", b"", b"0")
        if not id_ or not _skip(process, int(size) + 1):
            raise self._unread(name, "object")
        self._asked = 0
        return Found(text(id_), text(kind))

    def is_blob(self, wanted: str) -> bool:
        """Return whether the repository has a blob with this id. May raise Damaged."""
        if wanted in self._sound:
            return True
        found = self.find(wanted)
        return found is not None and found.kind == "blob"

    def prefetch(self, wanted: Iterable[str]) -> None:
        """Announce the blobs that are read next, in this order; git is asked for many at a time."""
        self._foretold = deque(wanted)
        self._coming = self.read_all([*self._foretold])

    def read(self, wanted: str, most: int | None = None) -> bytes:
        """Return the bytes of a blob. Raises Damaged if it is missing or not what its id says,
        TooLarge if it is larger than `most` or than the memory that is left."""
        if most is not None:
            return next(self._answers([wanted], "blob", most))
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
        a blob is missing or not what its id says.
        """
        return self._answers(wanted, "blob")

    def tree(self, wanted: str) -> bytes:
        """Return the object of a tree, or of a commit's tree. Raises Damaged if it is missing."""
        return next(self._answers([f"{wanted}^{{tree}}"], "tree"))

    def trees(self, wanted: Iterable[str]) -> Iterator[bytes]:
        """Yield the objects of these trees, as `read_all()` does those of blobs."""
        return self._answers(wanted, "tree")

    def commit(self, wanted: str) -> bytes:
        """Return the object of a commit. Raises Damaged if it is missing."""
        return next(self._answers([wanted], "commit"))

    def tag(self, wanted: str) -> bytes:
        """Return the object of an annotated tag. Raises Damaged if it is missing."""
        return next(self._answers([wanted], "tag"))

    def close(self, otherwise: str = "") -> str:
        """End the process if it runs; return its error messages, or `otherwise`."""
        process, self._process = self._process, None
        said = ""
        if process:
            said = (process.kill() if self._asked else process.finish()).error
        self._asked, self._batch = 0, None
        return _in_one_line(said) or otherwise

    def _answers(
        self, wanted: Iterable[str], kind: str, most: int | None = None
    ) -> Iterator[bytes]:
        ahead = iter(wanted)
        while some := deque(islice(ahead, AHEAD)):
            batch = None
            while some:
                if batch is None or batch is not self._batch:  # something else was read meanwhile
                    process, batch = self._ask(some), self._batch
                yield self._answer(process, some.popleft(), kind, most)

    def _ask(self, wanted: Collection[str]) -> GitProcess:
        """Ask for these objects, so few that the questions fit into the pipe."""
        if self._asked:  # not all answers were read
            self.close()
        if self._process is None:
            self._process = self._git.start("cat-file", "--batch")
            self._process.widen()
        try:
            ask(self._process, *(name.encode("utf-8", "surrogateescape") for name in wanted))
        except (OSError, ValueError) as error:
            raise self._unread(next(iter(wanted)), "object") from error
        self._asked, self._batch = len(wanted), object()
        return self._process

    def _answer(self, process: GitProcess, wanted: str, kind: str, most: int | None) -> bytes:
        """Return the next answer, which has to be this object."""
        try:
            data = answer(process, kind.encode("ascii"), most)
        except TooLarge as error:
            self.close()
            raise TooLarge(f"cannot read {kind} {wanted} of {self._git.folder}: {error}") from None
        except EOFError as error:
            raise self._unread(wanted, kind) from error
        except (OSError, ValueError) as error:
            raise self._damaged(wanted, kind, self.close("git gives no reason")) from error
        self._asked -= 1
        if data is None:
            raise self._damaged(wanted, kind, self.close("it is missing"))
        if kind == "blob" and wanted not in self._sound:
            if blob_id(data) != wanted:
                raise self._damaged(wanted, kind, "its content does not match its id")
            self._sound.add(wanted)
        return data

    def _unread(self, wanted: str, kind: str) -> GitbackupError:
        """Return the error to raise if git has ended: it was killed, or the object is damaged."""
        process, self._process, self._asked = self._process, None, 0
        result = process.finish() if process else Result(1, b"", "")
        if result.status < 0:
            self._foretold.clear()
            return failure("cat-file", result)
        return self._damaged(wanted, kind, _in_one_line(result.error) or "git gives no reason")

    def _damaged(self, wanted: str, kind: str, why: str) -> Damaged:
        self._foretold.clear()
        folder, name = self._git.folder, wanted.removesuffix("^{tree}")
        return Damaged(f"{folder} is damaged, {kind} {name} cannot be read: {why} (see `git fsck`)")


def reader_of(git: Commands) -> ObjectReader:
    """Return the one reader of a repository, which lasts as long as anybody holds it."""
    known: ref[ObjectReader] | None = git.memo.get(__name__)
    reader = (known and known()) or ObjectReader(git)
    git.memo[__name__] = ref(reader)
    return reader


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


def answer_of_any(process: GitProcess) -> tuple[str, str, bytes] | None:
    """Return the next object's id, kind and bytes, of those that git lists; None after the last.

    Raises EOFError if git has ended amid one, TooLarge if there is no memory for it.
    """
    words = process.stdout.readline().split()
    if not words:
        return None
    id_, kind, size = text(words[0]), text(words[1]), int(words[2])
    _expect_room(size, None)
    data = process.stdout.read(size)
    if len(data) < size or not process.stdout.read(1):  # a newline
        raise EOFError
    return id_, kind, data


def _skip(process: GitProcess, size: int) -> bool:
    """Read so many bytes and forget them; return whether all of them came."""
    while size and (piece := process.stdout.read(min(size, _PIECE))):
        size -= len(piece)
    return not size


def _expect_room(size: int, most: int | None) -> None:
    if most is not None and size > most:
        raise TooLarge(f"it has {size:,} bytes, more than the maximum of {most:,}")
    left = available_memory.left() if size > LARGE else None
    if left is not None and available_memory.COPIES * size > left:
        raise TooLarge(f"it has {size:,} bytes, and {left:,} bytes of memory are left")
