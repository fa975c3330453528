"""An RDB file as a commit, dated when the file was written, even years ago."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from gitbackup.capture.capture import take
from gitbackup.capture.reader import SnapshotReader
from gitbackup.commit.commit import CommitResult, changed_paths
from gitbackup.commit.message import compose, one_line, origin
from gitbackup.live.connection.connect import Server
from gitbackup.live.rdb import rdb_set
from gitbackup.live.rdb.rdb_set import LoadedRdb
from gitbackup.model.amounts import counted
from gitbackup.model.commits import Consistency
from gitbackup.model.keys import Scope
from gitbackup.model.server.rdb import RdbFile
from gitbackup.progress import Progress
from gitbackup.snapshot.commit_scope import taken_at
from gitbackup.snapshot.sources import CommitSource
from gitbackup.store.repository.repository import Repository


@dataclass(frozen=True, slots=True)
class RdbAdopted:
    """The commit of an RDB file, and the branch that it is on."""

    commit: str
    branch: str
    warnings: Sequence[str]


class RdbSnapshotReader(SnapshotReader):
    """The files of a snapshot of an RDB file, at the moment that the file was written.

    The file is of one point in time, and the clock of the server that loads it does not count. Of
    those of a cluster's nodes, each is of a point in time of its own.
    """

    def __init__(self, loaded: LoadedRdb, scope: Scope, progress: Progress) -> None:
        self.file = loaded.file
        self.dated = loaded.file.taken_at
        self._loaded = loaded
        server = _as_written(loaded.server, loaded.file)
        super().__init__(server, scope, progress, Consistency.PER_KEY)

    @property
    def taken_at(self) -> int:
        return int(self.file.taken_at.timestamp() * 1000)

    @taken_at.setter
    def taken_at(self, moment: int) -> None: ...

    @property
    def at_once(self) -> bool:
        return len(self.file.nodes) < 2

    @at_once.setter
    def at_once(self, known: bool) -> None: ...

    @property
    def nodes(self) -> dict[str, bool]:
        return {node.place: True for node in self.file.nodes}

    def _look_at_primary(self) -> None:
        """Do nothing: the server that loads the file has no primary."""

    def doubts(self) -> list[str]:
        """Return sentences on what the file is not, and on what the server that loads it does not
        show of it."""
        return [*self._apart(), *self._hidden()]

    def _apart(self) -> list[str]:
        if self.at_once:
            return []
        moments = [node.file.taken_at for node in self.file.nodes]
        seconds = (max(moments) - min(moments)).total_seconds()
        return [
            "this is not one point in time, though each node of the cluster is: the files in"
            f" {self.file.path} were saved within {seconds + 1:,.0f} s"
        ]

    def _hidden(self) -> list[str]:
        if not self._loaded.hides:
            return []
        keys = self._loaded.keys
        hidden = sum(count - self._loaded.living(db) for db, count in keys.items())
        sentence = f"left out {counted(hidden, 'key')} expired since {self.file.path} was written"
        return [f"{sentence}: Redis does not show them"] if hidden else []


@contextmanager
def loaded(
    path: Path, program: Path | None, modules: Sequence[Path], scope: Scope, progress: Progress
) -> Iterator[RdbSnapshotReader]:
    """Load a file, or those of a cluster in a folder, and give the snapshot. Raises Damaged if a
    file is not whole and right, or is missing, ServerError if no server takes it."""
    rdb_set.check(path)
    with rdb_set.load(path, program, modules) as server:
        server.drop_expired()
        yield RdbSnapshotReader(server, scope, progress)


def with_warnings(
    repository: Repository | None, live: RdbSnapshotReader, result: CommitResult
) -> CommitResult:
    """Return the result of a commit of a file with the warnings about the file."""
    warnings = [*result.warnings, *live.doubts()]
    if repository and result.parent and taken_at(repository, result.parent) > live.taken_at:
        warnings.append(f"{live.file.path} is older than the last commit: commit the oldest first")
    if not live.file.dated:
        warnings.append(
            f"{live.file.path} does not say when it was made: its modification time is used"
        )
    return replace(result, warnings=warnings)


def import_as_branch(repository: Repository, live: RdbSnapshotReader) -> RdbAdopted:
    """Commit a file without a parent, on a branch of its own; HEAD stays where it is.

    The same file gives the same commit each time, so that a restore of it that was cut off can
    be finished.
    """
    with repository.lock(), repository.commit_writer(None) as writer:
        nothing = CommitSource(None, None)
        taken = take(live, nothing, repository.blob_id, writer)
        message = compose(one_line(live.file.path.name), taken.summary, origin(taken))
        commit = writer.commit(message, changed_paths(taken), live.dated)
        branch = f"rdb/{live.file.taken_at:%Y%m%dT%H%M%S}-{commit[:7]}"
        writer.save(branch)
    return RdbAdopted(commit, branch, live.doubts())


def _as_written(server: Server, file: RdbFile) -> Server:
    """Return the server as a commit names it: the one that wrote the file, and the file."""
    brand, _, version = (file.server or "some server").partition(" ")
    mode = "RDB files" if file.nodes else "RDB file"
    return replace(server, brand=brand, version=version, mode=mode, label=file.path.name)
