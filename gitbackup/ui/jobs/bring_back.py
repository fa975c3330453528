"""A restore, a revert or an undo as a job: its plan, the answer to it, and what it did.

What is carried out is what was shown. The database is read again once the plan is confirmed, and if
a key has changed by then, or another server answers, nothing is written: the new plan is shown, and
asked about anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

from gitbackup.model.file_groups import unordered
from gitbackup.model.keys import Key
from gitbackup.plan.differing import elsewhere, pairs
from gitbackup.plan.plan import Plan
from gitbackup.ui.jobs.jobs import Job, Jobs, Opened, State
from gitbackup.ui.jobs.shown_plan import ShownPlan
from gitbackup.ui.jobs.wish import UNDO, Wish

if TYPE_CHECKING:
    from gitbackup.backup.events import AfterCommit
    from gitbackup.restore.result import RestoreResult

PATIENCE = 3600.0
"""Seconds that a plan waits for an answer; meanwhile it has a temporary file."""


class BringBack(Job):
    """What somebody wants back. Without an answer to its plan nothing is written.

    - `shown`: the plan that is, or was, shown last; `resumes`: whether it goes on with one that was
      cut off;
    - `moved`: the keys that had changed when the plan before was confirmed; `elsewhere`: whether
      another server answered then, or the same had been started again;
    - `damaged`: what is wrong with files of the commit that are left out;
    - `wrote`: whether it was begun to carry out a plan;
    - `result` and `after`: what was done, and what followed its commits.
    """

    def __init__(self, opened: Opened, jobs: Jobs, wish: Wish) -> None:
        super().__init__(opened, "gitbackup undo" if wish.verb == UNDO else "")
        self.verb = wish.verb
        self.wish = wish
        self.shown: ShownPlan | None = None
        self.resumes = False
        self.moved: Sequence[Key] = ()
        self.elsewhere = False
        self.damaged: Sequence[str] = ()
        self.result: RestoreResult | None = None
        self.after: AfterCommit | None = None
        self.wrote = False
        self._jobs = jobs
        self._answer = Event()

    @property
    def asks(self) -> bool:
        """Whether its plan waits for an answer."""
        return self.state is State.ASKING and not self._answer.is_set()

    def plan(self) -> None:
        """Begin to make the plan, for the first time or anew."""
        self._answer.set()
        self.result = self.after = None
        self._jobs.look(self, self._plan)

    def confirm(self, turn: int, tolerant: bool = False) -> bool:
        """Begin to carry out the plan of that turn, if it still waits for an answer and nothing
        else writes. Return whether it has begun.

        If `tolerant`, keys of the plan may have other values by then, which are saved.
        """
        answer = self._answer
        if not self._jobs.write(self, partial(self._carry_out, tolerant), turn=turn):
            return False
        answer.set()
        return True

    def leave(self) -> None:
        """Let the plan go, or make it no further: nobody is to be asked any more."""
        self._jobs.cancel(self)
        self._answer.set()

    def _plan(self) -> State:
        self._answer = answer = Event()
        restorer = self.wish.restorer(self.backup())
        self.damaged, self.resumes = restorer.damaged, restorer.resumes

        def see(plan: Plan) -> None:
            self.meter.expect_wanted()
            self._pin(plan)
            with ShownPlan(plan) as self.shown:
                self._jobs.reach(self, State.ASKING)
                answer.wait(PATIENCE)

        restorer.plan(see)
        return State.LEFT

    def _pin(self, plan: Plan) -> None:
        """From now on, the commit is the one that was meant, wherever its name leads later."""
        if self.verb != UNDO:
            self.wish = replace(self.wish, commit=plan.commit)
        self.command = self.wish.command(plan.commit, plan.how)

    def _carry_out(self, tolerant: bool) -> State:
        backup = self.backup()
        self.moved, self.elsewhere = (), False
        agreed = partial(self._agreed, tolerant)
        result = self.wish.restorer(backup).run(agreed, self._keep, digests=True)
        if self.moved or self.elsewhere:
            self._jobs.look(self, self._plan)
            return State.PLANNING
        self._keep(result)
        self.shown = None
        made = [*filter(None, (result.saved, *result.meanwhile, result.recorded))]
        if made:
            self.after = backup.events.after_commit(*made)
        return State.DONE

    def _agreed(self, tolerant: bool, plan: Plan) -> bool:
        """Return whether a plan is the one that was confirmed."""
        assert self.shown  # noqa: S101  it was confirmed
        shown = self.shown.plan
        self.elsewhere = elsewhere(shown, plan)
        self.moved = () if self.elsewhere else differing(shown, plan, tolerant)
        agreed = not (self.elsewhere or self.moved)
        self.wrote = self.wrote or agreed
        return agreed

    def _keep(self, result: RestoreResult) -> None:
        self.result = replace(result, plan=result.plan.alone())


def differing(shown: Plan, now: Plan, tolerant: bool = False) -> Sequence[Key]:
    """Return the keys to which another thing would happen than was shown; none if none would.

    If `tolerant`, a key may hold another value by now, or need not be written any more.
    """
    if (shown.commit, shown.how) != (now.commit, now.how):
        return sorted(step.key for step in unordered(now.keys))
    if tolerant:
        both = ((pair.seen, pair.now) for pair in pairs(shown, now))
        new = (step for seen, step in both if step and not (seen and seen.action == step.action))
        return [step.key for step in new]
    moved = {each.key for pair in pairs(shown, now) if not pair.same for each in pair if each}
    return sorted(moved | _other_conflicts(shown, now))


def _other_conflicts(one: Plan, other: Plan) -> set[Key]:
    """Return the keys that have other conflicts in the one plan than in the other."""
    differ = [each for each in one.conflicts if each not in other.conflicts]
    differ += (each for each in other.conflicts if each not in one.conflicts)
    return {each.key for each in differ}
