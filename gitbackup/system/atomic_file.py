"""New files: complete and on the disk before they get their name, readable by their owner only."""

from __future__ import annotations

import errno
import glob
import os
import secrets
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO, cast

from gitbackup.errors import GitbackupError

STALE = 86_400
"""Seconds after which a draft belongs to no run that is still working."""

SUFFIX = ".tmp"

MOST_LINKS = 40
"""Links that are followed to a file, as on Linux."""

_NO_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}  # of a file system that cannot
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | _NO_LINK
_CAN_OPEN_WITHIN = os.open in os.supports_dir_fd  # not on Windows, which has no such traps either

_Folder = int | Path
"""A folder that is open; on Windows its path."""


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that gets its name once it is complete and on the disk.

    Only its owner can read it. A file that had the name stays unchanged until then, and for good
    if the context fails. A link is kept, and what it leads to is replaced; a pipe or a device is
    written to. Neither is done if it is another user's, in a folder that others can write to. The
    file is created in the folder that was checked, even if that was renamed since then. Raises
    GitbackupError if the file cannot be written.
    """
    placed = False
    try:
        with _walked(path) as (folder, target):
            if path.exists() and not path.is_file():
                with _special(path, target.parent) as stream:
                    yield stream
                return
            if folder is None:
                code = errno.ENOTDIR if target.parent.exists() else errno.ENOENT
                raise OSError(code, os.strerror(code))
            with _draft(folder, target) as (draft, file):
                yield file
                file.flush()
                os.fsync(file.fileno())
                file.close()  # or Windows would not rename it
                _rename(draft, target.name, folder)
                placed = True
            sync_folder(*_within(folder, "."))
    except OSError as error:
        why = error.strerror or str(error)
        unchanged = "" if placed else "; an existing file is unchanged"
        raise GitbackupError(f"cannot write {path}: {why}{unchanged}") from error


def followed(path: Path) -> Path:
    """Return the path that links lead to. Raises OSError for a link that may be a trap."""
    with _walked(path) as (_, target):
        return target


def _within(folder: _Folder, name: str) -> tuple[str | Path, int | None]:
    """Return the path of a name in a folder, and the open folder that it begins at, if any."""
    return (name, folder) if isinstance(folder, int) else (folder / name, None)


def _rename(draft: str, name: str, folder: _Folder) -> None:
    before, within = _within(folder, draft)
    after, _ = _within(folder, name)
    os.replace(before, after, src_dir_fd=within, dst_dir_fd=within)


@contextmanager
def _walked(path: Path) -> Iterator[tuple[_Folder | None, Path]]:
    """Open the folder that a path leads to, None if there is none; give it and the whole path.

    Each folder on the way is opened relative to the one before, so that nobody can replace it
    once it was checked. Raises OSError for a link that may be another user's trap.
    """
    if not _CAN_OPEN_WITHIN:
        target = Path(os.path.realpath(path))
        yield target.parent if target.parent.is_dir() else None, target
        return
    walk = _Walk(path)
    try:
        yield walk.folder, walk.at
    finally:
        walk.close()


class _Walk:
    """The way to a path: `folder` is open, or None if there is none; `at` is the whole path."""

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
        """Return where the link of this name leads; None if it is not a link."""
        if self.folder is None:
            return None
        try:
            status = os.stat(name, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if not stat.S_ISLNK(status.st_mode):
            return None
        _check_owner(self.at / name, status, os.fstat(self.folder))
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
    """Open a pipe or a device for writing, and check it again once it is open."""
    folder_status = folder.stat()
    _check_owner(path, path.stat(), folder_status)  # to open a pipe may take for ever
    handle = os.open(path, os.O_WRONLY | getattr(os, "O_NOCTTY", 0))
    with os.fdopen(handle, "wb") as stream:
        status = os.fstat(handle)
        _check_owner(path, status, folder_status)
        if stat.S_ISREG(status.st_mode):
            raise OSError(errno.EEXIST, "another file has taken its place")
        yield cast("BinaryIO", stream)


def _check_owner(path: Path, status: os.stat_result, folder: os.stat_result) -> None:
    """Raise OSError for a possible trap: another user's, in a folder that others can write to."""
    if not hasattr(os, "geteuid") or status.st_uid in (0, os.geteuid()):
        return
    if folder.st_mode & (stat.S_ISVTX | stat.S_IWOTH):
        what = f"a {'link' if stat.S_ISLNK(status.st_mode) else 'pipe'} of user {status.st_uid}"
        sentence = f"{path} is {what}, in a folder that other users can write to"
        raise OSError(errno.EPERM, sentence)


@contextmanager
def _draft(folder: _Folder, target: Path) -> Iterator[tuple[str, BinaryIO]]:
    """Make a file of a new name in the open folder of `target`; remove it unless it was renamed."""
    prefix = f".{target.name[:40]}-"
    sweep(target.parent, prefix)
    name = f"{prefix}{secrets.token_hex(8)}{SUFFIX}"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_LINK | getattr(os, "O_BINARY", 0)
    place, within = _within(folder, name)
    handle = os.open(place, flags, 0o600, dir_fd=within)
    try:
        with os.fdopen(handle, "wb") as file:
            yield name, cast("BinaryIO", cast("IO[bytes]", file))
    finally:
        with suppress(FileNotFoundError):
            os.unlink(place, dir_fd=within)


def replace_file(path: Path, content: bytes) -> None:
    """Write a small file in place of what has its name, which may be a link: none is followed.

    It has its name once it is on the disk, and only its owner can read it. The folder must have
    been checked. Raises OSError if it cannot be written.
    """
    handle, name = tempfile.mkstemp(SUFFIX, f"~{path.stem}-", path.parent)
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def sweep(folder: Path, prefix: str) -> None:
    """Remove the old drafts, whose names begin with `prefix`, of our runs that were killed."""
    for draft in folder.glob(f"{glob.escape(prefix)}*{SUFFIX}"):
        with suppress(OSError):
            status = draft.lstat()
            ours = not hasattr(os, "geteuid") or status.st_uid == os.geteuid()
            if ours and time.time() - status.st_mtime > STALE:
                draft.unlink()


def sync_folder(folder: str | Path, within: int | None = None) -> None:
    """Write the names in a folder to the disk, if its file system can do that.

    `within` is the open folder that a relative path begins at. Raises OSError if the disk fails
    or is full.
    """
    try:
        handle = os.open(folder, os.O_RDONLY, dir_fd=within)
    except PermissionError:  # a folder that may be written to and not read cannot be synced
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(handle)
