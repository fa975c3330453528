"""`check`: is the data safe? What the server does for it, and what we keep of it."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from gitbackup.capture.reader import SnapshotReader
from gitbackup.checks import backups, nodes, persistence, places, server
from gitbackup.checks.backups import Backups
from gitbackup.commit.alarm import standing
from gitbackup.compare.diff import status
from gitbackup.errors import Damaged, ServerError, UsageError
from gitbackup.live.server.health import Health, read
from gitbackup.model.safety.risk import Level, Risk, accepted, worst, worst_first
from gitbackup.model.server.rdb import RdbFile
from gitbackup.rdb import files
from gitbackup.settings import is_pushed_at_once
from gitbackup.store.repository.repository import Repository
from gitbackup.store.transports import remote_url

FAR = 1_000  # commits that are searched for one that was restore-tested


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
    rdb_folder: Path,
    live: SnapshotReader,
    max_age: timedelta,
    quick: bool,
) -> Checked:
    """Return the risks of a server, a history (None if there is none) and a folder of RDB files.

    `max_age` is how old the last commit, save, push and restore test may be; with `quick` the
    database is not read to see what changed. Raises Damaged if the history cannot be read.
    """
    healths = {node.label: read(node) for node in live.server.nodes.values()}
    open_ = [*dict.fromkeys([*_secrets(repository, healths.values()), *_open([rdb_folder])])]
    known = replace(
        _history(repository),
        rdb=_newest(rdb_folder),
        open=open_,
        foreign=[path for path in open_ if _is_foreign(path)],
    )
    if known.head and repository and not quick:
        known = _compared(known, repository, live, healths.values())
    risks = [
        *nodes.together(
            {
                label: [*persistence.judge(health, max_age), *server.judge(health)]
                for label, health in healths.items()
            }
        ),
        *backups.judge(known, max_age, datetime.now(UTC)),
    ]
    lived_with = repository.get_all("accept") if repository else ()
    judged = [accepted(each) if _is_lived_with(each, lived_with) else each for each in risks]
    return Checked(str(live.server), worst_first(judged))


def _is_lived_with(risk: Risk, names: Sequence[str]) -> bool:
    return risk.check in names and risk.level is not Level.OK


def _history(repository: Repository | None) -> Backups:
    """Return what the repository tells by itself."""
    head = repository.head() if repository else None
    if repository is None or head is None:
        return Backups()
    remotes = repository.pushed()
    near = places.near(repository.path, remotes)
    at_once = False
    with suppress(UsageError):  # of a wrong setting, the push tells
        at_once = is_pushed_at_once(repository)
    known = Backups(repository.commit_info(head), remotes=remotes, near=near, at_once=at_once)
    with suppress(Damaged):
        known = replace(known, alarm=standing(repository))
    with suppress(Damaged):  # `verify` tells of it
        for since, commit in enumerate(islice(repository.log(), FAR)):
            if commit.rehearsal:
                return replace(known, rehearsed=commit, since=since)
    return known


def _newest(folder: Path) -> RdbFile | None:
    """Return the newest whole RDB file of a folder, if there are both."""
    listed = files.listed(folder) if folder.is_dir() else []
    return next((each.file for each in listed if each.file), None)


def _compared(
    known: Backups, repository: Repository, live: SnapshotReader, healths: Iterable[Health]
) -> Backups:
    """Return the same with how many keys differ from HEAD, or why that is not known."""
    if any(health.loading for health in healths):
        return replace(known, why="the server is still loading its data")
    try:
        return replace(known, changed=status(repository, live).summary.counts.total)
    except ServerError as error:
        return replace(known, why=str(error))


def _secrets(repository: Repository | None, healths: Iterable[Health]) -> Iterator[Path]:
    """Yield what others can read and should not: the repository, and what is pushed to folders of
    this machine; for a server's own files, which it makes anew all the time, their folder."""
    if repository:
        pushed = (remote_url.at(remote.place).path for remote in repository.pushed())
        yield from _open([repository.path, *filter(None, pushed)])
    for home in (health.home for health in healths):
        if home and any(_open(home.files)):
            yield Path(home.folder)


def _open(paths: Iterable[Path]) -> Iterator[Path]:
    return (path for path in paths if _is_open_to_others(path.absolute()))


def _is_foreign(path: Path) -> bool:
    """Return whether a path belongs to another user, so that we may not change it."""
    with suppress(OSError):
        return sys.platform != "win32" and os.geteuid() not in (0, path.stat().st_uid)
    return False


def _is_open_to_others(path: Path) -> bool:
    """Return whether any user can read a path, since no folder above it keeps others out.

    It is false for what is not there or cannot be looked at. A folder counts as soon as others
    may enter it: the names in a git repository are easy to guess.
    """
    with suppress(OSError):
        whole = path.resolve()
        mode = whole.stat().st_mode
        needed = stat.S_IROTH | stat.S_IXOTH if stat.S_ISDIR(mode) else stat.S_IROTH
        return bool(mode & needed) and all(
            folder.stat().st_mode & stat.S_IXOTH for folder in whole.parents
        )
    return False
