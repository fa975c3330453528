"""RDB files: fetched from a server into a folder of their own, listed and verified.

A file has its final name only once it is whole, right, and on the disk. Until then it is
hidden; if a run was killed, the next save removes it. Of a cluster, the files of all its primaries
are in a folder, which gets its name in the same way.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from gitbackup import wording
from gitbackup.commit.warnings import primaries_read
from gitbackup.errors import Busy, Damaged, GitbackupError, ServerError, UsageError
from gitbackup.live.connection.connect import Server
from gitbackup.live.rdb import bgsave, rdb_file, rdb_set, replica_fetch
from gitbackup.live.server import keyspace, replicas
from gitbackup.live.server.search_indexes import search_indexes
from gitbackup.model.server.rdb import RdbListed, RdbSaved, RdbVerified
from gitbackup.progress import Progress
from gitbackup.store.git import lock
from gitbackup.system.atomic_file import followed, new_file

NAME = re.compile(r"dump-\d{8}-\d{6}(?:\.rdb)?")
DRAFT = (".gitbackup-", ".rdb.part")
IGNORED = b"# made by gitbackup: what is here holds every secret of the database\n*\n"
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
    """Save the server's data to a new file of `folder`, then keep the newest `keep` files there.

    Of a cluster of several primaries, it is a folder with a file of each. Only what `save` has made
    is removed, and nothing before the new file is safe. Raises ServerError if the server refuses,
    goes away, or sends a damaged file, or if slots of a cluster move meanwhile; Busy if another run
    has saved to that folder for `wait` seconds.
    """
    write = _write_set if len(server.nodes) > 1 else _write
    try:
        with _locked(folder, wait) as handle:
            for draft in folder.glob("*".join(DRAFT)):
                _drop(draft)
            checksum, path = write(server, folder, source, progress)
            os.fsync(handle)
            removed, warnings = _remove_old(folder, path, keep)
    except OSError as error:
        why = error.strerror or str(error)
        raise GitbackupError(
            f"cannot save to {folder}: {why}; the files there are unchanged"
        ) from error
    if not checksum:
        warnings.append(
            f"{server.label} writes no checksums (rdbchecksum no): the file is"
            f" complete, but not verified; {wording.command('rdb verify', 'rdb.verify()')} loads it"
        )
    read = replicas.reads(server)
    warnings += primaries_read(read)
    return RdbSaved(rdb_set.look(path), str(server), checksum, removed, warnings, read)


def _write(
    server: Server, folder: Path, source: RdbSource, progress: Progress
) -> tuple[bool, Path]:
    """Write a file and check it. Return whether it has a checksum, and its final path."""
    with _draft(folder) as (draft, file):
        checksum = _fetch(server, draft, file, source, progress)
        path = _free(folder, draft, ".rdb")
        draft.rename(path)
    return checksum, path


def _write_set(
    server: Server, folder: Path, source: RdbSource, progress: Progress
) -> tuple[bool, Path]:
    """Do the same with a file of each primary of a cluster, one after the other, in a folder."""
    draft = Path(tempfile.mkdtemp(prefix=DRAFT[0], suffix=DRAFT[1], dir=folder))
    try:
        with _settled(server):
            checksums = [
                _write_node(node, id_, draft, source, progress)
                for id_, node in server.nodes.items()
            ]
            owners = server.cluster.owners if server.cluster else []
        places = {id_: _place(node) for id_, node in server.nodes.items()}
        with new_file(draft / rdb_set.NODES) as listing:
            listing.write(rdb_set.described(places, owners))
        path = _free(folder, draft, "")
        draft.rename(path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return all(checksums), path


def _write_node(
    node: Server, id_: str, folder: Path, source: RdbSource, progress: Progress
) -> bool:
    """Write the file of one node of a cluster; return whether it has a checksum."""
    with _draft(folder) as (draft, file):
        checksum = _fetch(node, draft, file, source, progress)
        draft.rename(folder / rdb_set.file_name(*_place(node), id_))
    return checksum


def _fetch(
    server: Server, draft: Path, file: BinaryIO, source: RdbSource, progress: Progress
) -> bool:
    """Write the data of one server to a file on the disk; return whether that has a checksum.

    Raises ServerError if it is not whole and right.
    """
    source(server, file, progress)
    file.flush()
    os.fsync(file.fileno())
    try:
        return rdb_file.check(draft)
    except Damaged as damaged:
        why = str(damaged).replace(str(draft), "it")
        raise ServerError(f"the file from {server.label} was not kept: {why}") from None


def _free(folder: Path, draft: Path, suffix: str) -> Path:
    """Return the first name for what was written, by its time, that nothing there has."""
    moment = rdb_set.look(draft).taken_at
    while any(
        os.path.lexists(folder / f"dump-{moment:%Y%m%d-%H%M%S}{other}") for other in ("", ".rdb")
    ):
        moment += timedelta(seconds=1)
    return folder / f"dump-{moment:%Y%m%d-%H%M%S}{suffix}"


def _place(node: Server) -> tuple[str, int]:
    """Return the host and the port of a node, of a replica its primary's; no port for a socket."""
    options = (node.follows or node).address.options
    return str(options.get("host", "localhost")), int(options.get("port", 0))


@contextmanager
def _settled(server: Server) -> Iterator[None]:
    """Raise ServerError if slots of a cluster move at the beginning of the block, inside it, or at
    its end: then a key may be in two files, or in none."""
    cluster = server.cluster
    if cluster is None:
        yield
        return
    cluster.look()
    before = cluster.moving, cluster.epochs, [*cluster.owners]
    if not cluster.moving:
        yield
        cluster.look()
    if cluster.moving or before != (cluster.moving, cluster.epochs, [*cluster.owners]):
        raise ServerError(
            f"slots of the cluster at {server.label} are moving between its nodes, so no files"
            " were kept: run it again after that"
        )


def sync(server: Server, file: BinaryIO, progress: Progress) -> None:
    """Fetch a file over the replication protocol."""
    replica_fetch.fetch(server, file, progress)


def copy(path: Path | None, server: Server, file: BinaryIO, progress: Progress) -> None:
    """Have the server save, and copy its file, which is at `path` if the server is not to be asked.

    Raises ServerError if that is not the file just saved, or cannot be read.
    """
    saved = bgsave.save(server, path, progress)
    try:
        known = rdb_file.look(saved.path)
        if known.dated and known.taken_at.timestamp() < saved.began - SLACK:
            raise ServerError(
                f"{saved.path} is from {known.taken_at:%Y-%m-%d %H:%M:%S} UTC, and is"
                f" not the file that the server at {server.label} has just saved: name"
                f" that file with {wording.option('--file')}"
            )
        with saved.path.open("rb") as stream:
            shutil.copyfileobj(stream, file)
    except (UsageError, PermissionError) as error:
        raise ServerError(
            f"the server at {server.label} has saved, but its file cannot be copied:"
            f" {error}; if it is elsewhere on this machine, name it with"
            f" {wording.option('--file')}"
        ) from None


def listed(folder: Path) -> list[RdbListed]:
    """Return the RDB files of a folder, the newest first."""
    if not folder.is_dir():
        creates = f"{wording.command('rdb save', 'rdb.save()')} creates it"
        raise UsageError(f"there is no folder {folder}; {creates}")
    files = [
        _listed(path)
        for path in sorted(folder.iterdir())
        if (path.suffix == ".rdb" and path.is_file()) or _is_set(path)
    ]
    files.sort(key=lambda each: each.file.taken_at.timestamp() if each.file else 0)
    return files[::-1]


def _is_set(path: Path) -> bool:
    """Return whether there is a folder of a cluster's files that is no draft."""
    return path.name[0] != "." and rdb_set.is_set(path)


def _listed(path: Path) -> RdbListed:
    files = path.glob("*.rdb") if path.is_dir() else [path]
    size = sum(file.stat().st_size for file in files)
    try:
        return RdbListed(path, size, rdb_set.look(path))
    except Damaged as damaged:
        return RdbListed(path, size, None, str(damaged))


def verify(path: Path, program: Path | None, modules: Sequence[Path] = ()) -> RdbVerified:
    """Check a file, load it into a server of our own, or `program`, and count its keys.

    So are the files of a cluster in a folder, each in a server. Raises Damaged if one is not whole
    and right, ServerError if no server takes it.
    """
    checksum = rdb_set.check(path)
    with rdb_set.load(path, program, modules) as loaded:
        libraries = keyspace.libraries_of(loaded.server)[0] or []
        indexes = search_indexes(loaded.server)
        expired = {db: count - loaded.living(db) for db, count in loaded.keys.items()}
        servers = loaded.server.nodes.values()
        by = ", ".join(dict.fromkeys(f"{one.brand} {one.version}" for one in servers))
        counts = loaded.keys, loaded.expiring, expired
        definitions = len(libraries), len(indexes.defined) + len(indexes.untold)
        return RdbVerified(loaded.file, checksum, by, *counts, *definitions)


@contextmanager
def _locked(folder: Path, wait: float) -> Iterator[int]:
    """Open and lock the folder, and make it if need be. The end of the process unlocks it, too."""
    followed(folder)
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
        with new_file(folder / ".gitignore") as file:  # it may be inside somebody's project
            file.write(IGNORED)
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    else:  # Windows, which opens no folder
        handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not lock.take(handle, wait):
            raise Busy(f"another run of gitbackup is saving to {folder}; waited {wait:g} s for it")
        yield handle
    finally:
        os.close(handle)


@contextmanager
def _draft(folder: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Make a hidden file that only its owner can read; remove it at the end unless renamed."""
    handle, name = tempfile.mkstemp(prefix=DRAFT[0], suffix=DRAFT[1], dir=folder)
    try:
        with open(handle, "wb") as file:  # noqa: PTH123  mkstemp gives a handle
            yield Path(name), file
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()


def _remove_old(folder: Path, new: Path, keep: int | None) -> tuple[list[Path], list[str]]:
    """Remove the oldest files that `save` made, except `keep`; return them, and warnings."""
    old = sorted(
        path
        for path in folder.iterdir()
        if NAME.fullmatch(path.name) and not path.is_symlink() and path != new
        if (path.is_file() if path.suffix else rdb_set.is_set(path))
    )
    removed: list[Path] = []
    warnings: list[str] = []
    for path in old[: max(len(old) + 1 - keep, 0)] if keep else ():
        try:
            _remove(path)
            removed.append(path)
        except OSError as error:
            warnings.append(f"the old file {path} could not be removed: {error.strerror}")
    return removed, warnings


def _drop(draft: Path) -> None:
    """Remove what a run that was killed has left."""
    if draft.is_dir() and not draft.is_symlink():
        shutil.rmtree(draft)
    else:
        draft.unlink()


def _remove(path: Path) -> None:
    """Remove a file, or a folder of a cluster's files; one that has others stays with these."""
    if path.is_dir():
        for file in [*path.glob("redis-node-*.rdb"), path / rdb_set.NODES]:
            file.unlink()
        path.rmdir()
    else:
        path.unlink()
