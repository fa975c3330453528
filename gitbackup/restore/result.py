"""What a restore did, and the error of one that was cut off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from gitbackup.errors import AGAIN, GitbackupError
from gitbackup.model.amounts import counted
from gitbackup.model.file_groups import merged
from gitbackup.model.keys import Key
from gitbackup.model.merging import Conflict
from gitbackup.plan.plan import Plan, PlannedKey


class Why(StrEnum):
    """Why a key does not hold what it should, as far as could be seen."""

    EVICTED = "evicted"  # it does not exist, and the server has evicted keys
    DELETED = "deleted"  # it does not exist, and the server has evicted none
    WRITTEN = "written"  # it holds something else, though the server takes the right value
    UNHELD = "unheld"  # the server makes another value of the right one
    OTHERWISE = "otherwise"  # it holds something else, and why could not be seen


class Sight(NamedTuple):
    """What was seen after the last write: why keys of the plan are not as they should be, and
    which other keys are gone. `evicted` is how many keys the server has evicted; None if the user
    may not ask."""

    why: Mapping[Key, Why]
    gone: Sequence[Key]
    evicted: int | None


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """What `restore` did.

    - `applied`: false if there was nothing to do, or if the plan was not confirmed;
    - `done`: the keys that hold what the commit does, as was verified;
    - `saved`: the commit of the state before; None if another server had nothing to lose, or if an
      earlier run has made it; `saved_on`: its branch, if that is not HEAD's; `first_saved_on`: the
      branch that an earlier run has made, which was cut off and had written some of the keys;
    - `meanwhile`: commits of what others wrote while it ran;
    - `recorded`: the commit of the restored state, None if there is none; `unrecorded`: why that
      commit, or the last look at the server after it, failed; empty if neither did;
    - `busy`: keys that others wrote to at every try; `refused`: keys that the server would not
      take, and its errors;
    - `accepted`: keys whose dump the server took, and of which nothing that is read tells whether
      they hold what the commit does;
    - `differing`: keys that do not hold what they should in the end, for the reasons in `why`;
    - `gone`: keys that it was not to change and that do not exist any more; `evicted`: how many
      the server has evicted, None if the user may not ask;
    - `conflicts`: what a revert has left as it is, since it could not be merged; `later`: keys
      that clients wrote to after the revert did, so that they are not among those that are `done`.
    """

    plan: Plan
    applied: bool
    done: Sequence[PlannedKey] = ()
    saved: str | None = None
    saved_on: str | None = None
    first_saved_on: str | None = None
    meanwhile: Sequence[str] = ()
    recorded: str | None = None
    unrecorded: str = ""
    busy: Sequence[Key] = ()
    refused: Sequence[tuple[Key, str]] = ()
    accepted: Sequence[Key] = ()
    differing: Sequence[Key] = ()
    why: Mapping[Key, Why] = field(default_factory=dict)
    gone: Sequence[Key] = ()
    evicted: int | None = 0
    conflicts: Sequence[Conflict] = ()
    later: Sequence[Key] = ()

    @property
    def verified(self) -> int:
        """Return how many keys were read again, and hold what the commit does."""
        return len(self.done) - len(self.accepted)

    @property
    def whole(self) -> bool:
        """Return whether every key of the plan holds what the commit does, and none is gone."""
        return not (self.busy or self.refused or self.differing or self.gone)

    @property
    def short(self) -> str:
        """Return for how many keys it is not whole, to be added to a commit's subject."""
        count = sum(map(len, (self.busy, self.refused, self.differing, self.gone)))
        return f"but for {counted(count, 'key')}"

    def with_sight(self, sight: Sight) -> RestoreResult:
        """Return the result with what was seen last added."""
        why = {**self.why, **sight.why}
        return replace(
            self,
            done=merged(self.done, (), why.keys()),
            differing=sorted(why),
            why=why,
            gone=sight.gone,
            evicted=sight.evicted,
        )

    def with_later(self, keys: Sequence[Key]) -> RestoreResult:
        """Return the result with keys that clients wrote to after they were reverted."""
        later = sorted({*self.later, *keys})
        return replace(self, later=later, done=merged(self.done, (), {*keys}))

    def with_saved(self, commit: str) -> RestoreResult:
        """Return the result with one more commit of what was there."""
        if self.saved is None:
            return replace(self, saved=commit)
        return replace(self, meanwhile=[*self.meanwhile, commit])

    @property
    def place(self) -> str:
        """Return where the previous state was saved, in words; empty if HEAD held it all."""
        if self.saved is None:
            return ""
        branch = f" on the branch {self.saved_on}" if self.saved_on else ""
        return f"commit {self.saved[:7]}{branch}"

    @property
    def first_place(self) -> str:
        """Return where an earlier run, which was cut off, has saved the state before it, in words;
        empty if it has not."""
        if self.first_saved_on is None:
            return ""
        return f"the state before the interrupted run is on the branch {self.first_saved_on}"


def cut_off(error: GitbackupError, result: RestoreResult, since: str | None) -> GitbackupError:
    """Return the error of a restore that was cut off while it wrote.

    It names the commit of the state before, and `since`, the commit of the state since, if any.
    """
    parts = [f"the restore was interrupted: {str(error).removesuffix(f'; {AGAIN}')}"]
    parts += [f"the previous state is {result.place}"] if result.saved else []
    parts += filter(None, [result.first_place])
    parts += [f"the current state is commit {since[:7]} (HEAD)"] if since else []
    return error.reworded("; ".join([*parts, "the same command finishes it"]))
