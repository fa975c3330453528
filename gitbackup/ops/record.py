"""What a restore records: the state that it ends, and the state that it makes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from gitbackup import snapshot
from gitbackup.errors import Busy
from gitbackup.model import KeyChange
from gitbackup.ops.commit import changed_paths
from gitbackup.ops.compare import summarise
from gitbackup.ops.message import PER_KEY, Origin, compose, origin
from gitbackup.ops.planning import Wanted
from gitbackup.ops.sides import LiveSide, Spool
from gitbackup.ops.take import Taken
from gitbackup.plan import Plan
from gitbackup.store.repository import Repository
from gitbackup.store.unfinished import Unfinished


@dataclass(frozen=True, slots=True)
class View:
    """The live database as it was read, on top of HEAD's commit, and the plan drawn from that."""

    plan: Plan
    taken: Taken
    parent: str | None
    side: LiveSide
    spool: Spool


def before(repository: Repository, view: View, wanted: Wanted, branch: str | None) -> str:
    """Commits the live database as it was read: to HEAD's branch, or to another.

    It is noted that the restore is under way, so that the same words finish it, though HEAD
    and what is reckoned from it have moved. Raises Busy where another run committed meanwhile.
    """
    message = compose(
        f"before restore of {wanted.commit[:7]}", view.taken.summary, origin(view.taken)
    )
    with repository.lock():
        if repository.head() != view.parent:
            raise Busy("another run made a commit meanwhile; restore again")
        with repository.importer(view.parent) as importer:
            for path in view.taken.fresh:
                importer.blob(view.spool.read(view.taken.files[path]))
            commit = importer.commit(message, changed_paths(view.taken))
            if branch:
                importer.save(branch)
            else:
                repository.begin(Unfinished(wanted.asked, wanted.commit, commit))
                importer.publish()
    return commit


def after(
    repository: Repository,
    view: View,
    wanted: Wanted,
    files: Mapping[str, str],
    keys: Mapping[int, int],
    saved: str | None,
) -> str | None:
    """Commits that the live database is the wanted commit's snapshot again, whose `files` are.

    All of it was read: what the plan touched, when it was verified, and the rest before. So
    that is not read again. There is no commit where HEAD says so already. Raises Busy where
    HEAD is neither `saved`, what `before` committed of this view, nor what the view is of.
    """
    changes = [KeyChange(p.key, p.action, p.before, p.after) for p in view.plan.keys]
    held = view.taken.files
    differing = {
        path: files.get(path)
        for path in held.keys() | files.keys()
        if snapshot.is_data(path) and held.get(path) != files.get(path)
    }
    if not differing:
        return None
    source = Origin(view.plan.server, view.plan.clock.now, PER_KEY, keys)
    message = compose(f"restore of {wanted.commit[:7]}", summarise(changes), source)
    with repository.lock():
        parent = repository.head()
        if parent != (saved or view.parent):
            raise Busy("another run made a commit meanwhile")
        with repository.importer(parent) as importer:
            commit = importer.commit(message, differing)
            importer.publish()
    return commit


def branch_for(label: str) -> str:
    """A branch of its own for the state of a server that the repository is not of."""
    place = re.sub("[^A-Za-z0-9]+", "-", label).strip("-")
    return f"saved/{place}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
