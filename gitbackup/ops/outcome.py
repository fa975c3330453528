"""What a restore did, and what is said where it was cut off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from gitbackup.errors import GitbackupError
from gitbackup.live.wire import AGAIN
from gitbackup.model import Key
from gitbackup.plan import Plan, PlannedKey


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """What `restore` did.

    `done` are the keys that hold what the commit does, as was verified. `saved` is the commit
    that holds what was overwritten or deleted, None where HEAD held it all, and `saved_on` the
    branch it is on where that is not HEAD's; `meanwhile` are those of what was written while
    it ran. `recorded` is the commit that holds the state since, None where there is none, for
    the reason that `unrecorded` gives, if any. `applied` is false where there was nothing to
    do, or nobody wanted it done. `busy` keys were written to at every try; `refused` ones the
    server would not take; `differing` ones do not hold what they should, once all was done:
    somebody wrote on, or the server cannot hold it.
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

    @property
    def verified(self) -> int:
        """How many keys were read again, and hold what the commit does."""
        return len(self.done)

    @property
    def whole(self) -> bool:
        """Whether every key of the plan holds what the commit does."""
        return not (self.busy or self.refused or self.differing)

    def with_saved(self, commit: str) -> RestoreResult:
        """The result with one more commit of what was there."""
        if self.saved is None:
            return replace(self, saved=commit)
        return replace(self, meanwhile=[*self.meanwhile, commit])

    @property
    def place(self) -> str:
        """Where what was there is; empty where HEAD held it all."""
        if self.saved is None:
            return ""
        return f"commit {self.saved[:7]}" + (
            f" on the branch {self.saved_on}" if self.saved_on else ""
        )


@contextmanager
def telling(result: RestoreResult) -> Iterator[None]:
    """An error in the middle of writing says where that is which has gone already."""
    try:
        yield
    except GitbackupError as error:
        why = str(error).removesuffix(f"; {AGAIN}")
        saved = f"; what was there is {result.place}" if result.saved else ""
        sentence = f"the restore was cut off: {why}{saved}; the same command finishes it"
        raise type(error)(sentence) from error
