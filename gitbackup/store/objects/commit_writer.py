"""Write a commit by one `git fast-import`, in quarantine until all of it is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Self

from gitbackup.errors import GitbackupError, UsageError
from gitbackup.store.git.command import Commands, GitProcess, failure
from gitbackup.store.git.identity import signature
from gitbackup.store.objects import attributes, refs, trees
from gitbackup.store.objects.object_reader import answer, ask, blob_id
from gitbackup.store.objects.quarantine import Quarantine

_REF = "refs/gitbackup/incoming"
_PLAIN_PATH = re.compile(rb"[A-Za-z0-9~_./-]+")

# --done: else a stream that is cut off is a success. --depth=0: deltas made while the files
# stream by are against the wrong blob, and every repack keeps them.
_FAST_IMPORT = (
    *("-c", "pack.compression=1", "-c", "core.compression=1"),
    *("fast-import", "--quiet", "--done", "--depth=0", "--date-format=raw"),
)


class CommitWriter:
    """Takes blobs, then one commit of them; a context manager, under the repository's lock.

    Nothing of it is in the repository before publish(), save() or hold(), and nothing stays if the
    block ends without one of them. git starts with the first blob or the commit.
    """

    def __init__(
        self,
        git: Commands,
        parent: str | None,
        publish: Callable[[str, str | None, Collection[str], Quarantine | None], None],
        save: Callable[[str, str, Quarantine | None], None],
        base: str | None,
    ) -> None:
        self._git = git
        self._parent = parent
        self._base = base  # whose files it starts from
        self._publish = publish
        self._save = save
        self._process: GitProcess | None = None
        self._apart: Quarantine | None = None
        self._commit: str | None = None
        self._written: Collection[str] = ()  # the paths of files that it writes

    def blob(self, data: bytes) -> str:
        """Send the bytes of a file; return its blob's id."""
        self.put("", data)
        return blob_id(data)

    def put(self, blob_id: str, content: bytes) -> None:
        """Send the bytes of a file, whose blob's id is known."""
        with self._writing() as process:
            process.stdin.write(b"blob\ndata %d\n" % len(content))
            process.stdin.write(content)
            process.stdin.write(b"\n")

    def read(self, blob_id: str) -> bytes:
        """Return the bytes of a blob that was sent."""
        with self._writing() as process:
            try:
                ask(process, b"cat-blob " + blob_id.encode("ascii"))
                data = answer(process)
            except (EOFError, ValueError) as error:
                raise BrokenPipeError from error  # git has ended: _writing() says why
        if data is None:
            raise GitbackupError(f"git fast-import has lost the blob {blob_id}")
        return data

    def commit(
        self, message: str, changes: Mapping[str, str | None], when: datetime | None = None
    ) -> str:
        """Commit the base's files with `changes`, a blob's id by path, None to remove the file.

        The blobs were sent before, or are in the repository. Author and committer are those of
        git's settings, at `when` or now. Returns the commit's id. Raises GitbackupError if git
        fails (a full disk) or if a git attribute would change a file, UsageError for a message with
        a null byte.
        """
        if "\0" in message:
            raise UsageError("a commit message cannot contain a null byte")
        attributes.check(self._git, changes)
        head = _head(self._git, message, self._start(), when)
        with self._writing() as process:
            process.stdin.write(head)
            for line in _file_commands(changes):
                process.stdin.write(line)
            process.stdin.write(b"\nget-mark :1\ndone\n")
        self._commit = self._finish()
        self._written = [path for path, blob in changes.items() if blob]
        refs.keep_subject(self._git, self._commit, message)
        return self._commit

    def publish(self) -> None:
        """Move HEAD from the parent to the commit; the work tree follows.

        Raises Busy if HEAD has moved meanwhile, GitbackupError if a person's files in the work tree
        are in the way; in both cases the repository is as it was.
        """
        self._publish(self._made(), self._parent, self._written, self._apart)

    def save(self, branch: str) -> None:
        """Put the commit on another branch, made or moved forward; HEAD stays."""
        self._save(branch, self._made(), self._apart)

    def hold(self) -> None:
        """Keep the commit on no branch, until another is kept so; HEAD stays."""
        commit = self._made()
        if self._apart is not None:
            self._apart.admit()
        refs.hold(self._git, commit)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
        if self._apart is not None:
            self._apart.remove()

    def _start(self) -> bytes:
        """Return the commands that name the parent, and the base if it is another commit."""
        if self._parent is None:
            return b""
        parent = self._parent.encode("ascii")
        if self._base == self._parent:
            return b"from " + parent
        # with `from`, git would read the files of the parent
        start = b"merge " + parent
        if self._base is None:
            return start
        tree = trees.id_of(self._git, self._base)
        return start + b'\nM 040000 %s ""' % tree.encode("ascii")

    def _made(self) -> str:
        if self._commit is None:
            raise GitbackupError("no commit to publish: call commit() first")
        return self._commit

    @contextmanager
    def _writing(self) -> Iterator[GitProcess]:
        """Give the process, started if need be; if it breaks, raise GitbackupError with git's
        words."""
        starts = self._process is None
        if self._process is None:
            self._apart = self._apart or Quarantine(self._git)
            self._process = self._git.start(*_FAST_IMPORT, environment=self._apart.writing())
            self._process.widen()
        try:
            if starts and self._base:
                # git 2.55 writes again what the repository holds, unless it has looked for
                # something there first
                ask(self._process, b"ls %s gitbackup.json" % self._base.encode("ascii"))
                self._process.stdout.readline()
            yield self._process
        except OSError as error:
            process, self._process = self._process, None
            raise failure("fast-import", process.finish()) from error

    def _finish(self) -> str:
        """End the stream; return the commit's id, once git says that all of it is written."""
        process, self._process = self._process, None
        if process is None:
            raise GitbackupError("git fast-import is not running")
        result = process.finish()
        if result.status:
            raise failure("fast-import", result)
        return result.out.decode("ascii").strip()


def quote_path(path: str) -> bytes:
    """Return a path as fast-import reads it, with special bytes as C escapes."""
    data = path.encode("utf-8", "surrogateescape")
    if _PLAIN_PATH.fullmatch(data):
        return data
    return b'"' + b"".join(_escaped(byte) for byte in data) + b'"'


def _escaped(byte: int) -> bytes:
    return bytes([byte]) if 32 <= byte < 127 and byte not in b'"\\' else b"\\%03o" % byte


def _head(git: Commands, message: str, start: bytes, when: datetime | None) -> bytes:
    """Return the commit command, up to its files."""
    data = message.encode("utf-8", "replace")
    lines = [
        b"commit " + _REF.encode(),
        b"mark :1",
        b"author " + signature(git, "AUTHOR", when),
        b"committer " + signature(git, "COMMITTER", when),
        b"data %d" % len(data),
        data,
        *([start] if start else []),
    ]
    return b"\n".join(lines) + b"\n"


def _file_commands(changes: Mapping[str, str | None]) -> Iterator[bytes]:
    """Yield the commands; removals first, for a folder may replace a file."""
    for path, blob in changes.items():
        if blob is None:
            yield b"D %s\n" % quote_path(path)
    for path, blob in changes.items():
        if blob is not None:
            yield b"M 100644 %s %s\n" % (blob.encode("ascii"), quote_path(path))
