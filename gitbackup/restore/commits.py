"""The commits of a restore: the state before it, and the state after it."""

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
from gitbackup.plan.plan import Plan, PlannedKey
from gitbackup.plan.plan_json import how_object
from gitbackup.restore.planner import RestoreRequest
from gitbackup.restore.trailers import BEGUN, DONE, trailers
from gitbackup.snapshot import file_format
from gitbackup.snapshot.base import Base
from gitbackup.snapshot.compare import summarise
from gitbackup.snapshot.entry_sources import EntrySource
from gitbackup.snapshot.sources import Spool
from gitbackup.store.repository.repository import Repository
from gitbackup.store.repository.restore_journal import JournalEntry, State


@dataclass(frozen=True, slots=True)
class LiveState:
    """The live database as it was read, compared with HEAD (`parent`), and the plan made of that.

    `base` stands for HEAD's files. `source` gives the entries; the files that `base` does not have
    are in `spool`. `target` gives those that the plan's keys are to have.
    """

    plan: Plan
    capture: Capture
    parent: str | None
    base: Base
    source: EntrySource
    spool: Spool
    target: EntrySource


def entry(
    repository: Repository, request: RestoreRequest, server: Server, home: bool
) -> JournalEntry:
    """Return the journal's entry for a restore; one that was cut off keeps what it has."""
    cut = request.unfinished
    cut = cut if cut and cut.state is not State.DONE else None
    return JournalEntry(
        cut.asked if cut else request.asked,
        json.dumps(how_object(replace(request.how, undoes=None))),
        request.commit,
        server.label,
        home,
        head=repository.head(),
        replaced=cut.replaced if cut else None,
        saved_on=cut.saved_on if cut else "",
        undoes=request.how.undoes,
        takes_back=request.takes_back,
        whole=request.everything,
        state=State.WRITING if cut else State.SAVING,
        nodes=server.node_ids,
    )


def commit_before(
    repository: Repository,
    live_state: LiveState,
    request: RestoreRequest,
    replaced: str | None,
    branch: str | None = None,
) -> str:
    """Commit the live database as it was read, to HEAD's branch or another; return the commit.

    A commit is made even if HEAD holds the same, so that the history tells of the restore.
    `replaced` is the commit of the state before the restore, if this is not it. Raises Busy if
    another run committed meanwhile.
    """
    message = compose(
        f"before {title(request)}",
        live_state.capture.summary,
        origin(live_state.capture),
        trailers(BEGUN, request, replaced, live_state.plan.nodes),
    )
    base = live_state.base
    with (
        _unmoved(repository, live_state),
        repository.commit_writer(live_state.parent, base.commit, base.lost) as writer,
    ):
        for path in live_state.capture.fresh:
            writer.blob(live_state.spool.read(live_state.capture.files[path]))
        commit = writer.commit(message, changed_paths(live_state.capture))
        if branch:
            writer.save(branch)
        else:
            repository.expect_finished()
            writer.publish()
    return commit


def aside(
    repository: Repository, live_state: LiveState, request: RestoreRequest, label: str
) -> tuple[str, str]:
    """Commit the state of another server than the repository's to a branch of its own.

    Returns the commit and the branch.
    """
    branch = branch_for(label)
    return commit_before(repository, live_state, request, None, branch), branch


@contextmanager
def _unmoved(repository: Repository, live_state: LiveState) -> Iterator[None]:
    """Hold the repository's lock. Raises Busy if HEAD is not what the state was compared with."""
    with repository.lock():
        if repository.head() != live_state.parent:
            raise Busy("another run has made a commit meanwhile; restore again")
        yield


def commit_after(
    repository: Repository,
    live_state: LiveState,
    request: RestoreRequest,
    files: Mapping[str, str],
    keys: Mapping[int, int],
    saved: str | None,
    replaced: str | None,
) -> str | None:
    """Commit that the live database equals the restored commit, whose snapshot's files these are.

    All of it was read already: what the plan touched when it was verified, and the rest before.
    Returns None if HEAD holds the same. Raises Busy if HEAD is neither `saved`, which
    `commit_before` made of this state, nor what the state was compared with.
    """
    changes = converted(live_state.plan.keys, _change)
    live_files = live_state.capture.files
    differing = {
        path: files.get(path)
        for path in live_files.keys() | files.keys()
        if file_format.is_data(path) and live_files.get(path) != files.get(path)
    }
    if not differing:
        return None
    searched = live_state.capture.live.searched
    source = Origin(
        live_state.plan.server, live_state.plan.clock.now, PER_KEY, keys, search=searched
    )
    facts = trailers(DONE, request, replaced, live_state.plan.nodes)
    message = compose(title(request), summarise(changes), source, facts)
    with repository.lock():
        parent = repository.head()
        if parent != (saved or live_state.parent):
            raise Busy("another run has made a commit meanwhile")
        with repository.commit_writer(parent) as writer:
            commit = writer.commit(message, differing)
            writer.publish()
    return commit


def _change(step: PlannedKey) -> KeyChange:
    return KeyChange(step.key, step.action, step.before, step.after)


def title(request: RestoreRequest) -> str:
    """Return a restore's title: `restore of 931e661`, `revert of 931e661`, `undo of d4da2bc`,
    `import of a.json`, `copy of Redis 7.0.15 standalone at localhost:6379`."""
    if request.name:
        return f"{'copy' if request.copied else 'import'} of {request.name}"
    undone = request.how.undoes
    if undone:
        return f"undo of {undone[:7]}"
    return f"{'revert' if request.how.revert else 'restore'} of {request.commit[:7]}"


def branch_for(label: str) -> str:
    """Return a new branch's name for the state of the server with this label."""
    place = re.sub("[^A-Za-z0-9]+", "-", label).strip("-")
    return f"saved/{place}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
