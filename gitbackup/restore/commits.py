"""What a restore records: the state that it ends, and the state that it makes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gitbackup.capture.capture import Capture
from gitbackup.commit.commit import changed_paths
from gitbackup.commit.message import PER_KEY, Origin, compose, origin
from gitbackup.errors import Busy
from gitbackup.live.connection.connect import Server
from gitbackup.model.changes import KeyChange
from gitbackup.model.file_groups import converted
from gitbackup.plan import Plan, PlannedKey
from gitbackup.plan_json import how_object
from gitbackup.restore.planner import RestoreRequest
from gitbackup.restore.trailers import BEGUN, DONE, trailers
from gitbackup.snapshot import file_format
from gitbackup.snapshot.compare import summarise
from gitbackup.snapshot.entry_sources import EntrySource
from gitbackup.snapshot.sources import Spool
from gitbackup.store.repository.repository import Repository
from gitbackup.store.repository.restore_journal import JournalEntry, State


@dataclass(frozen=True, slots=True)
class LiveState:
    """The live database as it was read, on top of HEAD's commit, and the plan drawn from that."""

    plan: Plan
    taken: Capture
    parent: str | None
    side: EntrySource
    spool: Spool


def entry(
    repository: Repository, wanted: RestoreRequest, server: Server, home: bool
) -> JournalEntry:
    """What the journal is to know of a restore: of one that was cut off, what it knows already."""
    cut = wanted.unfinished
    cut = cut if cut and cut.state is not State.DONE else None
    return JournalEntry(
        cut.asked if cut else wanted.asked,
        json.dumps(how_object(replace(wanted.how, undoes=None))),
        wanted.commit,
        server.label,
        home,
        head=repository.head(),
        replaced=cut.replaced if cut else None,
        undoes=wanted.how.undoes,
        takes_back=wanted.takes_back,
        whole=wanted.everything,
        state=State.WRITING if cut else State.SAVING,
    )


def commit_before(
    repository: Repository,
    view: LiveState,
    wanted: RestoreRequest,
    replaced: str | None,
    branch: str | None = None,
) -> str:
    """Commits the live database as it was read: to HEAD's branch, or to another.

    There is a commit though HEAD holds the same, so that the history tells of the restore.
    `replaced` is the commit of the state before the restore, where this is not it. Raises Busy
    where another run committed meanwhile.
    """
    message = compose(
        f"before {title(wanted)}",
        view.taken.summary,
        origin(view.taken),
        trailers(BEGUN, wanted, replaced),
    )
    with _unmoved(repository, view), repository.importer(view.parent) as importer:
        for path in view.taken.fresh:
            importer.blob(view.spool.read(view.taken.files[path]))
        commit = importer.commit(message, changed_paths(view.taken))
        if branch:
            importer.save(branch)
        else:
            repository.expect_resolved()
            importer.publish()
    return commit


def aside(
    repository: Repository, view: LiveState, wanted: RestoreRequest, label: str
) -> tuple[str, str]:
    """Commits the state of a server that the repository is not of to a branch of its own.

    Returns the commit and the branch.
    """
    branch = branch_for(label)
    return commit_before(repository, view, wanted, None, branch), branch


@contextmanager
def _unmoved(repository: Repository, view: LiveState) -> Iterator[None]:
    """Holds the repository, where HEAD is the commit that the view is on top of."""
    with repository.lock():
        if repository.head() != view.parent:
            raise Busy("another run made a commit meanwhile; restore again")
        yield


def commit_after(
    repository: Repository,
    view: LiveState,
    wanted: RestoreRequest,
    files: Mapping[str, str],
    keys: Mapping[int, int],
    saved: str | None,
    replaced: str | None,
) -> str | None:
    """Commits that the live database is the wanted commit's snapshot again, whose `files` are.

    All of it was read: what the plan touched, when it was verified, and the rest before. So
    that is not read again. There is no commit where HEAD says so already. Raises Busy where
    HEAD is neither `saved`, what `commit_before` committed of this view, nor what the view is of.
    """
    changes = converted(view.plan.keys, _change)
    held = view.taken.files
    differing = {
        path: files.get(path)
        for path in held.keys() | files.keys()
        if file_format.is_data(path) and held.get(path) != files.get(path)
    }
    if not differing:
        return None
    source = Origin(view.plan.server, view.plan.clock.now, PER_KEY, keys)
    facts = trailers(DONE, wanted, replaced)
    message = compose(title(wanted), summarise(changes), source, facts)
    with repository.lock():
        parent = repository.head()
        if parent != (saved or view.parent):
            raise Busy("another run made a commit meanwhile")
        with repository.importer(parent) as importer:
            commit = importer.commit(message, differing)
            importer.publish()
    return commit


def _change(step: PlannedKey) -> KeyChange:
    return KeyChange(step.key, step.action, step.before, step.after)


def title(wanted: RestoreRequest) -> str:
    """What a restore is called: `restore of 931e661`, `undo of d4da2bc`, `import of a.json`."""
    if wanted.name:
        return f"import of {wanted.name}"
    undone = wanted.how.undoes
    return f"undo of {undone[:7]}" if undone else f"restore of {wanted.commit[:7]}"


def branch_for(label: str) -> str:
    """A branch of its own for the state of a server that the repository is not of."""
    place = re.sub("[^A-Za-z0-9]+", "-", label).strip("-")
    return f"saved/{place}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
