"""New files: whole and on the disk before they have their name, and for their owner only."""

from __future__ import annotations

import errno
import glob
import os
import stat
import tempfile
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


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its name once it is whole and on the disk, readable by its owner only.

    What had that name stays as it was until then, and for good where the context fails. A link
    stays, and the file takes the place of what it leads to; a pipe or a device is written to as
    it is: but neither where it is another user's, in a folder that others can write to. Raises
    GitbackupError where it cannot be written.
    """
    try:
        target = followed(path)
        if path.exists() and not path.is_file():
            with _special(path, target.parent) as stream:
                yield stream
            return
        with _draft(target) as (draft, file):
            yield file
            file.flush()
            os.fsync(file.fileno())
            draft.replace(target)
        sync_names(target.parent)
    except OSError as error:
        why = error.strerror or str(error)
        raise GitbackupError(f"cannot write {path}: {why}; what was there is as it was") from error


def followed(path: Path) -> Path:
    """The path that links lead to. Raises OSError for a link that another user may have laid."""
    whole = path.absolute()
    at, ahead, links = Path(whole.anchor), list(reversed(whole.parts[1:])), 0
    while ahead:
        name = ahead.pop()
        at = at.parent if name == ".." else at / name
        if not at.is_symlink():
            continue
        _check_owner(at, at.lstat(), at.parent)
        links += 1
        if links > MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        target = at.readlink()
        at = Path(target.anchor) if target.is_absolute() else at.parent
        ahead += reversed(target.parts[target.is_absolute() :])
    return at


@contextmanager
def _special(path: Path, folder: Path) -> Iterator[BinaryIO]:
    """A pipe or a device in a folder, opened for writing, and looked at again once it is open."""
    _check_owner(path, path.stat(), folder)  # a pipe may wait for its reader for ever
    handle = os.open(path, os.O_WRONLY | getattr(os, "O_NOCTTY", 0))
    with os.fdopen(handle, "wb") as stream:
        found = os.fstat(handle)
        _check_owner(path, found, folder)
        if stat.S_ISREG(found.st_mode):
            raise OSError(errno.EEXIST, "another file has taken its place")
        yield cast("BinaryIO", stream)


def _check_owner(path: Path, found: os.stat_result, folder: Path) -> None:
    """Raise OSError where it may be a trap: another user's, in a folder that others write to."""
    if not hasattr(os, "geteuid") or found.st_uid in (0, os.geteuid()):
        return
    if folder.stat().st_mode & (stat.S_ISVTX | stat.S_IWOTH):
        what = "link" if stat.S_ISLNK(found.st_mode) else "pipe"
        sentence = f"{path} is a {what} of user {found.st_uid}, in a folder that others write to"
        raise OSError(errno.EPERM, sentence)


@contextmanager
def _draft(target: Path) -> Iterator[tuple[Path, BinaryIO]]:
    prefix = f".{target.name[:40]}-"
    sweep(target.parent, prefix)
    handle, name = tempfile.mkstemp(SUFFIX, prefix, target.parent)
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield draft, cast("BinaryIO", cast("IO[bytes]", file))
    finally:
        draft.unlink(missing_ok=True)


def sweep(folder: Path, prefix: str) -> None:
    """Removes what our runs that were killed have left: drafts whose names begin so."""
    for left in folder.glob(f"{glob.escape(prefix)}*{SUFFIX}"):
        with suppress(OSError):
            found = left.lstat()
            ours = not hasattr(os, "geteuid") or found.st_uid == os.geteuid()
            if ours and time.time() - found.st_mtime > STALE:
                left.unlink()


def sync_names(folder: Path) -> None:
    """Makes the names in a folder last through a loss of power, where the disk can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
