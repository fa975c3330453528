"""New files: whole and on the disk before they have their name, and for their owner only."""

from __future__ import annotations

import glob
import os
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


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its name once it is whole and on the disk, readable by its owner only.

    What had that name stays as it was until then, and for good where the context fails. A pipe
    or a device is written to as it is. Raises GitbackupError where it cannot be written.
    """
    target = path.resolve()
    try:
        if target.exists() and not target.is_file():
            with target.open("wb") as stream:
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
    """Removes what runs that were killed have left: drafts whose names begin so."""
    for left in folder.glob(f"{glob.escape(prefix)}*{SUFFIX}"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE:
                left.unlink()


def sync_names(folder: Path) -> None:
    """Makes the names in a folder last through a loss of power, where the disk can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
