"""What a restore is asked for by: words, a plan that was kept, or that the last one be undone.

One that was cut off and is asked for again goes on with the commit that was meant then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from gitbackup.errors import Ambiguous, UsageError
from gitbackup.live.connection.connect import Server
from gitbackup.plan.plan import Plan, RestoreOptions
from gitbackup.plan.plan_json import how_object, plan_object
from gitbackup.restore import trailers
from gitbackup.restore.planner import RestoreRequest
from gitbackup.store.repository.repository import Repository
from gitbackup.store.repository.restore_journal import JournalEntry, State

UNDO = "undo"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a restore goes: the label of a server, and whether commits are of that one."""

    server: str
    home: bool


def by_words(
    repository: Repository, commit_ish: str, how: RestoreOptions, target: Target
) -> RestoreRequest:
    """A commit, as a person names it.

    Raises UsageError where there is none; Ambiguous where a restore in these words was cut off,
    somebody else has moved HEAD since, and they mean another commit by now.
    """
    asked = json.dumps([commit_ish, how_object(how)])

    def ask() -> RestoreRequest:
        cut = unfinished(repository, asked, target)
        if cut is None:
            commit = repository.resolve(commit_ish)
            return RestoreRequest(commit, how, asked, _of(repository, commit, how, target))
        _expect_meant(repository, commit_ish, cut)
        return RestoreRequest(cut.commit, how, asked, cut)

    return _while_head_stays(repository, ask)


def by_plan(repository: Repository, plan: Plan, server: Server, home: bool) -> RestoreRequest:
    """A plan that was kept. Raises UsageError for another server's, or a commit that is gone."""
    if plan.server != str(server):
        raise UsageError(f"the plan is for {plan.server}, but this server is {server}")
    try:
        repository.resolve(plan.commit)
    except UsageError:
        folder = repository.path
        raise UsageError(f"the plan's commit {plan.commit[:7]} is not in {folder}") from None
    asked = sha256(json.dumps(plan_object(plan)).encode()).hexdigest()
    cut = unfinished(repository, asked, Target(server.label, home))
    return RestoreRequest(plan.commit, plan.how, asked, cut, kept=plan)


def by_undo(repository: Repository, server: Server) -> RestoreRequest:
    """The state before the last restore, of the keys that it was to change.

    Raises UsageError where there is none, or the last one was into another server.
    """
    return _while_head_stays(repository, lambda: _undo(repository, server))


def _undo(repository: Repository, server: Server) -> RestoreRequest:
    cut = [each for each in repository.journal.known() if each.home]
    begun = cut[-1] if cut and cut[-1].asked == UNDO and cut[-1].undoes else None
    last = _told(repository, begun.undoes) if begun else _last(repository, cut)
    _expect_same(last, server)
    keys = trailers.touched(repository, last)
    commit = repository.resolve(last.replaced)
    how = RestoreOptions(undoes=last.info.id)
    return RestoreRequest(commit, how, UNDO, begun, only=keys, takes_back=last.replaced)


def _last(repository: Repository, cut: Sequence[JournalEntry]) -> trailers.Restored:
    """The last restore: in HEAD's history, unless one was cut off that is not in there."""
    open_ = [each for each in cut if each.state is not State.DONE]
    if not open_:
        return trailers.last(repository)
    before = open_[-1].replaced
    if before is None:
        raise UsageError(
            f"a restore of {open_[-1].commit[:7]} was interrupted, and no commit in"
            " the history of HEAD holds the previous state: restore it from the"
            " branch saved/... that was named then"
        )
    begun = trailers.told_by(repository.commit_info(before))
    if begun is None:  # gitbackup 0.1 told of it in no commit, where there was nothing to save
        raise UsageError(
            f"a restore of {open_[-1].commit[:7]} was interrupted; commit {before[:7]}"
            f" holds the previous state: `gitbackup restore {before[:7]}` puts it back"
        )
    return trailers.last(repository) if repository.is_past(before) else begun


def _told(repository: Repository, commit: str | None) -> trailers.Restored:
    return trailers.told(repository, commit or "")


def _while_head_stays(repository: Repository, ask: Callable[[], RestoreRequest]) -> RestoreRequest:
    """What is asked for, by one HEAD: the git of a run that was killed may move it just then."""
    while True:
        head = repository.head()
        wanted = ask()
        if repository.head() == head:
            return wanted


def unfinished(repository: Repository, asked: str, target: Target) -> JournalEntry | None:
    """The restore in these words that was cut off; None where none was."""
    return _latest(each for each in _into(repository, target) if each.asked == asked)


def _of(
    repository: Repository, commit: str, how: RestoreOptions, target: Target
) -> JournalEntry | None:
    """One of the same commit that was cut off, in whatever words it was asked for."""
    options = json.dumps(how_object(how))
    return _latest(
        each
        for each in _into(repository, target)
        if (each.commit, each.how, each.undoes, each.state)
        == (commit, options, None, State.WRITING)
    )


def _into(repository: Repository, target: Target) -> Iterator[JournalEntry]:
    for each in repository.journal.known():
        if each.home == target.home and (each.home or each.server == target.server):
            yield each


def _latest(found: Iterable[JournalEntry]) -> JournalEntry | None:
    return [None, *found][-1]


def _expect_meant(repository: Repository, commit_ish: str, cut: JournalEntry) -> None:
    """Raises Ambiguous where the words mean another commit, and not by what the restore did."""
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


def _expect_same(last: trailers.Restored, server: Server) -> None:
    place = last.info.trailers.get("Server", "").rpartition(" at ")[2]
    if place != server.label:
        raise UsageError(
            f"the last restore, {last.info.short_id}, was into the server at {place},"
            f" but this is the one at {server.label}"
        )
