"""What a restore is asked for by: words, a plan that was kept, or that the last one be undone.

One that was cut off and is asked for again goes on with the commit that was meant then.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256

from gitbackup.errors import UsageError
from gitbackup.live.connect import Server
from gitbackup.ops import restored
from gitbackup.ops.planning import Wanted
from gitbackup.plan import How, Plan
from gitbackup.report.plans import how_object, plan_object
from gitbackup.store.repository import Repository
from gitbackup.store.unfinished import Unfinished

UNDO = "undo"


def by_words(repository: Repository, commit_ish: str, how: How, home: bool) -> Wanted:
    """A commit, as a person names it. Raises UsageError where there is none."""
    asked = json.dumps([commit_ish, how_object(how)])

    def ask() -> Wanted:
        note = unfinished(repository, asked, home)
        commit = note.commit if note else repository.resolve(commit_ish)
        return Wanted(commit, how, asked, note)

    return _while_head_stays(repository, ask)


def by_plan(repository: Repository, plan: Plan, server: Server, home: bool) -> Wanted:
    """A plan that was kept. Raises UsageError for another server's, or a commit that is gone."""
    if plan.server != str(server):
        raise UsageError(f"the plan is for {plan.server}, and this is {server}")
    try:
        repository.resolve(plan.commit)
    except UsageError:
        folder = repository.path
        raise UsageError(f"the plan's commit {plan.commit[:7]} is not in {folder}") from None
    asked = sha256(json.dumps(plan_object(plan)).encode()).hexdigest()
    return Wanted(plan.commit, plan.how, asked, unfinished(repository, asked, home), kept=plan)


def by_undo(repository: Repository, server: Server) -> Wanted:
    """The state before the last restore, of the keys that it was to change.

    Raises UsageError where there is none, or the last one was into another server.
    """
    return _while_head_stays(repository, lambda: _undo(repository, server))


def _undo(repository: Repository, server: Server) -> Wanted:
    note = repository.unfinished()
    if note and note.asked == UNDO and note.undoes:
        last, begun = restored.told(repository, note.undoes), note
    else:
        last, begun = restored.last(repository), None
        _expect_told(note, last)
    _expect_same(last, server)
    keys = restored.touched(repository, last)
    commit = repository.resolve(last.replaced)
    return Wanted(commit, How(undoes=last.info.id), UNDO, begun, only=keys)


def _while_head_stays(repository: Repository, ask: Callable[[], Wanted]) -> Wanted:
    """What is asked for, by one HEAD: the git of a run that was killed may move it just then."""
    while True:
        head = repository.head()
        wanted = ask()
        if repository.head() == head:
            return wanted


def unfinished(repository: Repository, asked: str, home: bool) -> Unfinished | None:
    """The restore in these words that was cut off; None where none was.

    What is restored into another server moves no HEAD: there is nothing to go on with."""
    note = repository.unfinished() if home else None
    return note if note and note.asked == asked else None


def _expect_told(note: Unfinished | None, last: restored.Restored) -> None:
    """A restore that was cut off, and had nothing to save, is in no commit yet."""
    if note and not (last.begun and last.info.id == note.head):
        raise UsageError(
            f"a restore of {note.commit[:7]} was cut off, and HEAD holds what was there before it:"
            " `gitbackup restore HEAD` puts that back"
        )


def _expect_same(last: restored.Restored, server: Server) -> None:
    place = last.info.trailers.get("Server", "").rpartition(" at ")[2]
    if place != server.label:
        raise UsageError(
            f"the last restore, {last.info.short_id}, was into the server at {place}, and this is"
            f" the one at {server.label}"
        )
