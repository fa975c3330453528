"""What a restore did, and what is said where it was cut off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from gitbackup.errors import GitbackupError
from gitbackup.live.connection.connection import AGAIN
from gitbackup.model.amounts import counted
from gitbackup.model.file_groups import merged
from gitbackup.model.keys import Key
from gitbackup.plan.plan import Plan, PlannedKey


class Why(StrEnum):
    """Why a key does not hold what it should, by what was seen of it."""

    EVICTED = "evicted"  # it is gone, and the server let keys go to make room
    DELETED = "deleted"  # it is gone, and the server let none go
    WRITTEN = "written"  # it holds something else, and the server can hold what it should
    UNHELD = "unheld"  # the server makes something else of the value
    OTHERWISE = "otherwise"  # it holds something else, and nobody could see why


class Sight(NamedTuple):
    """What was seen after the last write: why keys of the plan are not as they should be, and
    which other keys are gone. The server has `evicted` so many, None where nobody may ask."""

    why: Mapping[Key, Why]
    gone: Sequence[Key]
    evicted: int | None


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """What `restore` did.

    `done` are the keys that hold what the commit does, as was verified. `saved` is the commit of
    the state before, None where nothing was to be lost in another server, or an earlier run has
    made it, and `saved_on` the branch it is on where that is not HEAD's; `meanwhile` are those of
    what was written while it ran. `recorded` is the commit that holds the state since, None where
    there is none. `unrecorded` is the reason why that commit, or the last look at the server
    after it, failed; empty where nothing did. `applied` is false where there
    was nothing to do, or nobody wanted it done. `busy` keys were written to at every try;
    `refused` ones the server would not take; `differing` ones do not hold what they should, once
    all was done, for the reason that `why` gives. `gone` are keys that it was not to change, and
    that are not there any more: the server has `evicted` so many, None where the user may not ask.
    """

    plan: Plan
    applied: bool
    done: Sequence[PlannedKey] = ()
    saved: str | None = None
    saved_on: str | None = None
    meanwhile: Sequence[str] = ()
    recorded: str | None = None
    unrecorded: str = ""
    busy: Sequence[Key] = ()
    refused: Sequence[tuple[Key, str]] = ()
    differing: Sequence[Key] = ()
    why: Mapping[Key, Why] = field(default_factory=dict)
    gone: Sequence[Key] = ()
    evicted: int | None = 0

    @property
    def verified(self) -> int:
        """How many keys were read again, and hold what the commit does."""
        return len(self.done)

    @property
    def whole(self) -> bool:
        """Whether every key of the plan holds what the commit does."""
        return not (self.busy or self.refused or self.differing or self.gone)

    @property
    def short(self) -> str:
        """What keeps it from being whole, in a word."""
        count = sum(map(len, (self.busy, self.refused, self.differing, self.gone)))
        return f"but for {counted(count, 'key')}"

    def with_sight(self, sight: Sight) -> RestoreResult:
        """The result by what was seen last: that is added to what was."""
        why = {**self.why, **sight.why}
        return replace(
            self,
            done=merged(self.done, (), why.keys()),
            differing=sorted(why),
            why=why,
            gone=sight.gone,
            evicted=sight.evicted,
        )

    def with_saved(self, commit: str) -> RestoreResult:
        """The result with one more commit of what was there."""
        if self.saved is None:
            return replace(self, saved=commit)
        return replace(self, meanwhile=[*self.meanwhile, commit])

    @property
    def place(self) -> str:
        """Where the previous state was saved; empty where HEAD held it all."""
        if self.saved is None:
            return ""
        return f"commit {self.saved[:7]}" + (
            f" on the branch {self.saved_on}" if self.saved_on else ""
        )


def cut_off(error: GitbackupError, result: RestoreResult, since: str | None) -> GitbackupError:
    """Return an error in the middle of writing, which tells the commit of the state before, and
    the one of the state `since`, None for none."""
    told = [f"the restore was interrupted: {str(error).removesuffix(f'; {AGAIN}')}"]
    told += [f"the previous state is {result.place}"] if result.saved else []
    told += [f"the current state is commit {since[:7]} (HEAD)"] if since else []
    return type(error)("; ".join([*told, "the same command finishes it"]))
