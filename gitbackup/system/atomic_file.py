"""New files: whole and on the disk before they have their name, and for their owner only."""

from __future__ import annotations

import errno
import glob
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO, cast

from gitbackup.errors import GitbackupError

STALE = 86_400
"""Seconds after which a draft is no other run's at work."""

SUFFIX = ".tmp"

MOST_LINKS = 40
"""Links on the way to a file, as Linux has it."""


_NO_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}  # what a file system says that cannot
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its name once it is whole and on the disk, readable by its owner only.

    What had that name stays as it was until then, and for good where the context fails. A link
    stays, and the file takes the place of what it leads to; a pipe or a device is written to as
    it is: but neither where it is another user's, in a folder that others can write to. The
    folder is the one that was looked at, whatever has its name by then. Raises GitbackupError
    where it cannot be written.
    """
    placed = False
    try:
        with _walked(path) as (folder, target):
            if path.exists() and not path.is_file():
                with _special(path, target.parent) as stream:
                    yield stream
                return
            if folder is None:
                why = errno.ENOTDIR if target.parent.exists() else errno.ENOENT
                raise OSError(why, os.strerror(why))
            with _draft(folder, target) as (draft, file):
                yield file
                file.flush()
                os.fsync(file.fileno())
                os.replace(draft, target.name, src_dir_fd=folder, dst_dir_fd=folder)
                placed = True
            sync_folder(".", folder)
    except OSError as error:
        said = error.strerror or str(error)
        left = "" if placed else "; an existing file is unchanged"
        raise GitbackupError(f"cannot write {path}: {said}{left}") from error


def followed(path: Path) -> Path:
    """The path that links lead to. Raises OSError for a link that another user may have laid."""
    with _walked(path) as (_, target):
        return target


@contextmanager
def _walked(path: Path) -> Iterator[tuple[int | None, Path]]:
    """The folder that a path leads to, open, None where there is none; and the whole path there.

    Each folder on the way is opened in the one before, so that nobody can put another, or a link,
    in its place once it was looked at. Raises OSError for a link that another user may have laid.
    """
    walk = _Walk(path)
    try:
        yield walk.folder, walk.at
    finally:
        walk.close()


class _Walk:
    """The way to a path: `folder` is open, or None where there is none; `at` is the whole path."""

    def __init__(self, path: Path) -> None:
        whole = path.absolute()
        self.folder: int | None = None
        self._ahead, self._links = [*reversed(whole.parts[1:])], 0
        self._begin(whole.anchor)
        try:
            while self._ahead:
                self._step(self._ahead.pop())
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        if self.folder is not None:
            os.close(self.folder)
        self.folder = None

    def _begin(self, root: str) -> None:
        self.close()
        self.folder, self.at = os.open(root, _FOLDER), Path(root)

    def _step(self, name: str) -> None:
        link = self._link(name)
        if link is not None:
            if link.is_absolute():
                self._begin(link.anchor)
            self._ahead += reversed(link.parts[link.is_absolute() :])
            return
        if self._ahead or name == "..":
            self._enter(name)
        self.at = self.at.parent if name == ".." else self.at / name

    def _link(self, name: str) -> Path | None:
        """Return where the link of this name leads; None where it is none."""
        if self.folder is None:
            return None
        try:
            found = os.stat(name, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if not stat.S_ISLNK(found.st_mode):
            return None
        _check_owner(self.at / name, found, os.fstat(self.folder))
        self._links += 1
        if self._links > MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        return Path(os.readlink(name, dir_fd=self.folder))

    def _enter(self, name: str) -> None:
        if self.folder is None:
            return
        try:
            inner = os.open(name, _FOLDER, dir_fd=self.folder)
        except (FileNotFoundError, NotADirectoryError):
            inner = None
        self.close()
        self.folder = inner


@contextmanager
def _special(path: Path, folder: Path) -> Iterator[BinaryIO]:
    """A pipe or a device in a folder, opened for writing, and looked at again once it is open."""
    around = folder.stat()
    _check_owner(path, path.stat(), around)  # a pipe may wait for its reader for ever
    handle = os.open(path, os.O_WRONLY | getattr(os, "O_NOCTTY", 0))
    with os.fdopen(handle, "wb") as stream:
        found = os.fstat(handle)
        _check_owner(path, found, around)
        if stat.S_ISREG(found.st_mode):
            raise OSError(errno.EEXIST, "another file has taken its place")
        yield cast("BinaryIO", stream)


def _check_owner(path: Path, found: os.stat_result, folder: os.stat_result) -> None:
    """Raise OSError where it may be a trap: another user's, in a folder that others write to."""
    if not hasattr(os, "geteuid") or found.st_uid in (0, os.geteuid()):
        return
    if folder.st_mode & (stat.S_ISVTX | stat.S_IWOTH):
        what = "link" if stat.S_ISLNK(found.st_mode) else "pipe"
        sentence = (
            f"{path} is a {what} of user {found.st_uid}, in a folder that other users can write to"
        )
        raise OSError(errno.EPERM, sentence)


@contextmanager
def _draft(folder: int, target: Path) -> Iterator[tuple[str, BinaryIO]]:
    """A file of a new name in the open folder of `target`, which goes unless it gets another."""
    prefix = f".{target.name[:40]}-"
    sweep(target.parent, prefix)
    name = f"{prefix}{secrets.token_hex(8)}{SUFFIX}"
    how = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    handle = os.open(name, how, 0o600, dir_fd=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            yield name, cast("BinaryIO", cast("IO[bytes]", file))
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)


def sweep(folder: Path, prefix: str) -> None:
    """Remove what our runs that were killed have left: drafts whose names begin so."""
    for left in folder.glob(f"{glob.escape(prefix)}*{SUFFIX}"):
        with suppress(OSError):
            found = left.lstat()
            ours = not hasattr(os, "geteuid") or found.st_uid == os.geteuid()
            if ours and time.time() - found.st_mtime > STALE:
                left.unlink()


def sync_folder(folder: str | Path, within: int | None = None) -> None:
    """Make the names in a folder last through a loss of power, where its file system can.

    `within` is the open folder that a relative path begins at. Raises OSError where the disk
    fails, or is full.
    """
    try:
        handle = os.open(folder, os.O_RDONLY, dir_fd=within)
    except PermissionError:  # a folder to write to, and not to read: nobody can tell the disk
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(handle)
