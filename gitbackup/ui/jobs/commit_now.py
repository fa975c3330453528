"""A commit as a job."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from gitbackup.errors import GitbackupError, PartlyDone, UsageError
from gitbackup.ui.jobs.jobs import Job, Opened, State
from gitbackup.ui.words.commands import quoted

if TYPE_CHECKING:
    from gitbackup.backup.events import AfterCommit
    from gitbackup.commit.commit import CommitResult


class CommitNow(Job):
    """A commit with a `message` or without, the `result` of it, and what followed `after` it, or
    after its failure."""

    verb = "commit"

    def __init__(self, opened: Opened, message: str | None) -> None:
        words = f" -m {quoted(message)}" if message else ""
        super().__init__(opened, f"gitbackup commit{words}")
        self.message = message
        self.result: CommitResult | None = None
        self.after: AfterCommit | None = None

    def work(self) -> State:
        """Commit, and do what follows."""
        backup = self.backup()
        try:
            self.result = backup.commit(self.message)
        except GitbackupError as error:
            if not isinstance(error, UsageError | PartlyDone):
                with suppress(GitbackupError):  # of the repository: that is the error
                    self.after = backup.events.after_failure("commit", error)
            raise
        self.after = backup.events.after_commit(self.result)
        return State.DONE
