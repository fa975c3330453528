"""`check`: is the data safe? What the server does for them, and what we keep of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from gitbackup.capture.reader import SnapshotReader
from gitbackup.checks import backups, persistence, server
from gitbackup.checks.backups import Backups
from gitbackup.checks.permissions import exposed
from gitbackup.compare.diff import status
from gitbackup.errors import ServerError
from gitbackup.live.server.health import Health, read
from gitbackup.model.rdb import RdbFile
from gitbackup.model.risk import Level, Risk, worst, worst_first
from gitbackup.rdb import files
from gitbackup.store.remotes import remote_url
from gitbackup.store.repository.repository import Repository

FAR = 1_000  # commits that are looked through for one that was rehearsed


@dataclass(frozen=True, slots=True)
class Checked:
    """What `check` found: a Risk for each thing that can happen, the worst first."""

    server: str
    risks: Sequence[Risk]

    @property
    def level(self) -> Level:
        """The worst of all."""
        return worst(self.risks)


def check(
    repository: Repository | None,
    rdbs: Path,
    live: SnapshotReader,
    max_age: timedelta,
    quick: bool,
) -> Checked:
    """Judges a server, a history (None is none yet), and the RDB files in the folder `rdbs`.

    `max_age` is how old the last commit, save, push and rehearsal may be; `quick` does not
    read the database to know what changed. Raises Damaged where the history cannot be read.
    """
    health = read(live.server)
    readable = exposed([*_secrets(repository, health), rdbs])
    known = replace(_copies(repository), rdb=_newest(rdbs), open=readable)
    if known.head and repository and not quick:
        known = _compared(known, repository, live, health)
    risks = [
        *persistence.judge(health, max_age),
        *server.judge(health),
        *backups.judge(known, max_age, datetime.now(UTC)),
    ]
    return Checked(str(live.server), worst_first(risks))


def _copies(repository: Repository | None) -> Backups:
    """What the repository tells by itself."""
    head = repository.head() if repository else None
    if repository is None or head is None:
        return Backups()
    found = Backups(repository.commit_info(head), remotes=repository.pushed())
    for since, commit in enumerate(islice(repository.log(), FAR)):
        if commit.rehearsal:
            return replace(found, rehearsed=commit, since=since)
    return found


def _newest(folder: Path) -> RdbFile | None:
    """The newest whole RDB file of a folder, which need not be there."""
    found = files.listed(folder) if folder.is_dir() else []
    return next((each.file for each in found if each.file), None)


def _compared(
    known: Backups, repository: Repository, live: SnapshotReader, health: Health
) -> Backups:
    """The same, with how many keys differ from HEAD, or why that is not known."""
    if health.loading:
        return replace(known, why="the server is still loading its data")
    try:
        counts = status(repository, live).summary.counts
    except ServerError as error:
        return replace(known, why=str(error))
    return replace(known, changed=counts.added + counts.changed + counts.removed)


def _secrets(repository: Repository | None, health: Health) -> Iterator[Path]:
    """What others should not read: the repository, what is pushed to folders of this machine,
    and the server's own files."""
    if repository:
        yield repository.path
        for remote in repository.pushed():
            path = remote_url.at(remote.place).path
            if path:
                yield path
    if health.home:
        yield from health.home.files
