"""Make the request for a restore: by a commit's name, by a kept plan, or to undo the last one.

A restore that was cut off and is asked for again continues with the commit that was meant then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from gitbackup import wording
from gitbackup.errors import Ambiguous, UsageError
from gitbackup.live.connection.connect import Server
from gitbackup.model.commits import CommitInfo
from gitbackup.plan.plan import Plan, RestoreOptions
from gitbackup.plan.plan_json import how_object, plan_object
from gitbackup.restore import trailers
from gitbackup.restore.planner import RestoreRequest
from gitbackup.store.metadata.rehearsals import moment
from gitbackup.store.repository.repository import Repository
from gitbackup.store.repository.restore_journal import JournalEntry, State

UNDO = "undo"


@dataclass(frozen=True, slots=True)
class Target:
    """The server of a restore: its label, and whether commits are taken from it (`home`).

    `nodes` returns the ids of the primaries if it is a cluster, which is asked for if need be.
    """

    server: str
    home: bool
    nodes: Callable[[], Collection[str]] = frozenset

    def is_of(self, begun: JournalEntry) -> bool:
        """Return whether a restore that has begun is into this server."""
        if self.home or begun.home or self.server == begun.server:
            return self.home == begun.home
        return bool(begun.nodes) and not {*begun.nodes}.isdisjoint(self.nodes())


def by_words(
    repository: Repository, commit_ish: str, how: RestoreOptions, target: Target
) -> RestoreRequest:
    """Return the request to restore a commit that a person has named.

    If a restore in the same words was cut off, it is to be continued, with the commit that they
    meant then. Raises UsageError if there is no such commit; Ambiguous if the words mean another
    commit by now, and not because of what the restore did.
    """
    asked = json.dumps([commit_ish, how_object(how)])

    def ask() -> RestoreRequest:
        cut = unfinished(repository, asked, target)
        if cut is None:
            commit = repository.resolve(commit_ish)
            return RestoreRequest(commit, how, asked, _same_commit(repository, commit, how, target))
        _expect_meant(repository, commit_ish, cut)
        return RestoreRequest(cut.commit, how, asked, cut)

    return _while_head_stays(repository, ask)


def by_plan(repository: Repository, plan: Plan, server: Server, home: bool) -> RestoreRequest:
    """Return the request to carry out a plan that was kept.

    Raises UsageError if it is for another server, or if its commit is not in the repository.
    """
    place = plan.server.rpartition(" at ")[2]
    if plan.server != str(server) and not (server.cluster and server.was_at(place, plan.nodes)):
        raise UsageError(f"the plan is for {plan.server}, but this server is {server}")
    try:
        repository.resolve(plan.commit)
    except UsageError:
        folder = repository.path
        raise UsageError(f"the plan's commit {plan.commit[:7]} is not in {folder}") from None
    asked = sha256(json.dumps(plan_object(plan)).encode()).hexdigest()
    cut = unfinished(repository, asked, Target(server.label, home, lambda: server.node_ids))
    return RestoreRequest(plan.commit, plan.how, asked, cut, kept=plan)


def by_undo(repository: Repository, server: Server) -> RestoreRequest:
    """Return the request to restore the state before the last restore, of the keys it changed.

    Raises UsageError if there was no restore, or if the last one was into another server.
    """
    return _while_head_stays(repository, lambda: _undo(repository, server))


def _undo(repository: Repository, server: Server) -> RestoreRequest:
    known = [each for each in repository.journal.known() if each.home]
    begun = known[-1] if known and known[-1].asked == UNDO and known[-1].undoes else None
    if begun:
        last = trailers.restore_told_by(repository, begun.undoes or "")
    else:
        last = _last(repository, known)
    if not server.was_at(last.place, last.nodes):
        raise UsageError(
            f"the last restore, {last.info.short_id}, was into the server at {last.place},"
            f" but this is the one at {server.label}"
        )
    keys = trailers.planned_keys(repository, last)
    if not keys:
        _expect_not_forgotten(repository, last.info)
    commit = repository.resolve(last.replaced)
    how = RestoreOptions(undoes=last.info.id)
    return RestoreRequest(commit, how, UNDO, begun, only=keys, takes_back=last.replaced)


def _expect_not_forgotten(repository: Repository, restore: CommitInfo) -> None:
    """Raise UsageError if keys were forgotten since this restore, of which nothing is left."""
    records = [(each, moment(each.at)) for each in repository.forgotten()]
    if gone := [each for each, at in records if at and at > restore.date]:
        raise UsageError(
            f"nothing to undo: what the last restore, {restore.short_id}, changed was forgotten"
            f" since ({'; '.join(map(str, gone))}): change or delete that in the database yourself"
        )


def _last(repository: Repository, known: Sequence[JournalEntry]) -> trailers.Restored:
    """Return the last restore: the latest in HEAD's history, unless one was cut off that is not
    in there."""
    cut = [each for each in known if each.state is not State.DONE]
    if not cut:
        return trailers.last(repository)
    before = cut[-1].replaced
    if before is None:
        raise UsageError(
            f"a restore of {cut[-1].commit[:7]} was interrupted, and no commit in"
            " the history of HEAD holds the previous state: restore it from the"
            " branch saved/... that was named then"
        )
    begun = trailers.restored_in(repository.commit_info(before))
    if begun is None:  # gitbackup 0.1 noted it in no commit if there was nothing to save
        back = wording.command(f"restore {before[:7]}", f"restore('{before[:7]}')")
        raise UsageError(
            f"a restore of {cut[-1].commit[:7]} was interrupted; commit {before[:7]}"
            f" holds the previous state: {back} puts it back"
        )
    return trailers.last(repository) if repository.is_past(before) else begun


def _while_head_stays(repository: Repository, ask: Callable[[], RestoreRequest]) -> RestoreRequest:
    """Return what `ask` does, once HEAD is the same before and after: a git that outlives a
    killed run may move it."""
    while True:
        head = repository.head()
        request = ask()
        if repository.head() == head:
            return request


def unfinished(repository: Repository, asked: str, target: Target) -> JournalEntry | None:
    """Return the last restore in these words that was cut off; None if there is none."""
    return _latest(each for each in _into(repository, target) if each.asked == asked)


def _same_commit(
    repository: Repository, commit: str, how: RestoreOptions, target: Target
) -> JournalEntry | None:
    """Return the last restore of the same commit that was cut off, whatever the words were."""
    options = json.dumps(how_object(how))
    return _latest(
        each
        for each in _into(repository, target)
        if (each.commit, each.how, each.undoes, each.state)
        == (commit, options, None, State.WRITING)
    )


def _into(repository: Repository, target: Target) -> Iterator[JournalEntry]:
    for each in repository.journal.known():
        if target.is_of(each):
            yield each


def _latest(entries: Iterable[JournalEntry]) -> JournalEntry | None:
    return [None, *entries][-1]


def _expect_meant(repository: Repository, commit_ish: str, cut: JournalEntry) -> None:
    """Raise Ambiguous if the words mean another commit, and not because of the restore itself."""
    if repository.head() in cut.heads:
        return
    try:
        now = repository.resolve(commit_ish)
    except UsageError:
        return
    if now != cut.commit:
        then, other = cut.commit[:7], now[:7]
        finish = "restore it again" if cut.state is State.DONE else "finish it"
        raise Ambiguous(
            f"a restore of {commit_ish} was interrupted; {commit_ish} was commit"
            f" {then} then, and is {other} now: name {then} to {finish}, or {other} to"
            " restore that one",
            cut.commit,
            now,
        )
