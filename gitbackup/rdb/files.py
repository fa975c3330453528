"""RDB files: fetched from a server into a folder of their own, listed, and put to the test.

A file has its final name only once it is whole, right, and on the disk. Until then it is a
hidden one, which the next save removes where a run that was killed left it.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO

from gitbackup.errors import Busy, Damaged, GitbackupError, ServerError, UsageError
from gitbackup.live.connection.connect import Server
from gitbackup.live.rdb import bgsave, rdb_file, replica_fetch
from gitbackup.live.rdb.rdb_server import load
from gitbackup.live.server import keyspace
from gitbackup.model.rdb import RdbListed, RdbSaved, RdbVerified
from gitbackup.progress import Progress
from gitbackup.store.git import lock
from gitbackup.system.atomic_file import followed

NAME = re.compile(r"dump-\d{8}-\d{6}\.rdb")
DRAFT = (".gitbackup-", ".rdb.part")
IGNORED = "# made by gitbackup: what is here holds every secret of the database\n*\n"
SLACK = 1  # second by which the clock that dates files may lag behind the one that TIME reads
RdbSource = Callable[[Server, BinaryIO, Progress], None]


def save(
    server: Server,
    folder: Path,
    keep: int | None,
    source: RdbSource,
    progress: Progress,
    wait: float = lock.WAIT,
) -> RdbSaved:
    """Saves the server's data to a new file of `folder`, then keeps the newest `keep` there.

    Only files that `save` has made are removed, and none before the new one is safe. Raises
    ServerError where the server refuses, goes away, or sends what is not whole and right; Busy
    where another run saves to that folder for `wait` seconds.
    """
    try:
        with _held(folder, wait) as handle:
            _sweep(folder)
            checksum, path = _write(server, folder, source, progress)
            os.fsync(handle)
            removed, warnings = _thin(folder, path, keep)
    except OSError as error:
        why = error.strerror or str(error)
        raise GitbackupError(
            f"cannot save to {folder}: {why}; the files there are unchanged"
        ) from error
    if not checksum:
        warnings.append(
            f"{server.label} writes no checksums (rdbchecksum no): the file is"
            " complete, but not verified; `gitbackup rdb verify` loads it"
        )
    return RdbSaved(rdb_file.look(path), str(server), checksum, removed, warnings)


def _write(
    server: Server, folder: Path, source: RdbSource, progress: Progress
) -> tuple[bool, Path]:
    """Writes a whole file that is right; whether it has a checksum, and its final name."""
    with _draft(folder) as (draft, file):
        source(server, file, progress)
        file.flush()
        os.fsync(file.fileno())
        checksum = _checked(draft, server)
        path = _unused(folder, rdb_file.look(draft).taken_at)
        draft.rename(path)
    return checksum, path


def sync(server: Server, file: BinaryIO, progress: Progress) -> None:
    """A source: the replication protocol."""
    replica_fetch.fetch(server, file, progress)


def copy(path: Path | None) -> RdbSource:
    """A source: the server's own file, at `path` where the server is not to be asked."""
    return partial(_copy, path)


def _copy(path: Path | None, server: Server, file: BinaryIO, progress: Progress) -> None:
    saved = bgsave.save(server, path, progress)
    try:
        found = rdb_file.look(saved.path)
        if found.dated and found.taken_at.timestamp() < saved.began - SLACK:
            raise ServerError(
                f"{saved.path} is from {found.taken_at:%Y-%m-%d %H:%M:%S} UTC, and is"
                f" not the file that the server at {server.label} has just saved: name"
                " that file with --file"
            )
        with saved.path.open("rb") as stream:
            shutil.copyfileobj(stream, file)
    except (UsageError, PermissionError) as error:
        raise ServerError(
            f"the server at {server.label} has saved, but its file cannot be copied:"
            f" {error}; if it is elsewhere on this machine, name it with --file"
        ) from None


def listed(folder: Path) -> list[RdbListed]:
    """The RDB files of a folder, the newest first."""
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}; `gitbackup rdb save` creates it")
    found = [_listed(path) for path in sorted(folder.glob("*.rdb")) if path.is_file()]
    return sorted(found, key=lambda one: one.file.taken_at.timestamp() if one.file else 0)[::-1]


def _listed(path: Path) -> RdbListed:
    size = path.stat().st_size
    try:
        return RdbListed(path, size, rdb_file.look(path))
    except Damaged as damaged:
        return RdbListed(path, size, None, str(damaged))


def verify(path: Path, program: Path | None, modules: Sequence[Path] = ()) -> RdbVerified:
    """Checks a file, loads it into a server of our own, or `program`, and counts.

    Raises Damaged where it is not whole and right, ServerError where no server takes it.
    """
    checksum = rdb_file.check(path)
    with load(path, program, modules) as loaded:
        with closing(loaded.server.dial()) as connection:
            libraries = keyspace.libraries(connection, loaded.server.abilities) or []
        expired = {db: count - loaded.living(db) for db, count in loaded.keys.items()}
        by = f"{loaded.server.brand} {loaded.server.version}"
        counts = loaded.keys, loaded.expiring, expired
        return RdbVerified(loaded.file, checksum, by, *counts, len(libraries))


@contextmanager
def _held(folder: Path, wait: float) -> Iterator[int]:
    """The folder, made where it is not, held for this run; whatever ends it lets go of it."""
    followed(folder)
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
        (folder / ".gitignore").write_text(IGNORED)  # it may be inside somebody's project
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if not lock.take(handle, wait):
            raise Busy(f"another run of gitbackup is saving to {folder}; waited {wait:g} s for it")
        yield handle
    finally:
        os.close(handle)


def _sweep(folder: Path) -> None:
    for left in folder.glob("*".join(DRAFT)):
        left.unlink()


@contextmanager
def _draft(folder: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A hidden file that only its owner can read, gone at the end unless it got a name."""
    handle, name = tempfile.mkstemp(prefix=DRAFT[0], suffix=DRAFT[1], dir=folder)
    try:
        with open(handle, "wb") as file:  # noqa: PTH123  mkstemp gives a handle
            yield Path(name), file
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()


def _checked(draft: Path, server: Server) -> bool:
    try:
        return rdb_file.check(draft)
    except Damaged as damaged:
        why = str(damaged).replace(str(draft), "it")
        raise ServerError(f"the file from {server.label} was not kept: {why}") from None


def _unused(folder: Path, moment: datetime) -> Path:
    """A name for a file of this moment; where there is one of that second, of a later one."""
    while os.path.lexists(path := folder / f"dump-{moment:%Y%m%d-%H%M%S}.rdb"):
        moment += timedelta(seconds=1)
    return path


def _thin(folder: Path, new: Path, keep: int | None) -> tuple[list[Path], list[str]]:
    """Removes the oldest files that `save` made, but for `keep`; which went, and what did not."""
    made = sorted(path for path in folder.iterdir() if _is_ours(path) and path != new)
    removed: list[Path] = []
    warnings: list[str] = []
    for path in made[: max(len(made) + 1 - keep, 0)] if keep else ():
        try:
            path.unlink()
            removed.append(path)
        except OSError as error:
            warnings.append(f"the old file {path} could not be removed: {error.strerror}")
    return removed, warnings


def _is_ours(path: Path) -> bool:
    return bool(NAME.fullmatch(path.name)) and path.is_file() and not path.is_symlink()
