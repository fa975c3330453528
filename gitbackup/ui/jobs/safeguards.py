"""What keeps the history safe, as jobs: a whole check, a restore test and a push."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from gitbackup.errors import GitbackupError, UsageError
from gitbackup.ui.jobs.jobs import Job, Opened, State
from gitbackup.ui.words.commands import quoted

if TYPE_CHECKING:
    from gitbackup.backup.events import AfterCommit
    from gitbackup.checks.check import Checked
    from gitbackup.remotes.sync import PushResult
    from gitbackup.verify.verify import Verified


class WholeCheck(Job):
    """A check that compares the whole database with the last commit, and what it `found`; nothing
    may be older than so many `days`."""

    verb = "check"

    def __init__(self, opened: Opened, days: int, command: str) -> None:
        super().__init__(opened, command)
        self.days = days
        self.found: Checked | None = None

    def work(self) -> State:
        """Check."""
        self.found = self.backup().check(timedelta(days=self.days))
        return State.DONE


class Verify(Job):
    """A restore test of a commit, and the `result` of it."""

    verb = "verify"

    def __init__(self, opened: Opened, commit: str) -> None:
        super().__init__(opened, f"gitbackup verify {quoted(commit)}")
        self.commit = commit
        self.result: Verified | None = None

    def work(self) -> State:
        """Restore it into an empty server, and compare."""
        self.result = self.backup().verify(self.commit)
        return State.DONE


class Push(Job):
    """A push to a remote, and the `result` of it, or what followed `after` its failure."""

    verb = "push"

    def __init__(self, opened: Opened, remote: str) -> None:
        super().__init__(opened, f"gitbackup push {quoted(remote)}")
        self.remote = remote
        self.result: PushResult | None = None
        self.after: AfterCommit | None = None

    def work(self) -> State:
        """Push, and tell whoever is to know if that fails."""
        backup = self.backup()
        try:
            self.result = backup.push(self.remote)
        except GitbackupError as error:
            if not isinstance(error, UsageError):
                with suppress(GitbackupError):  # of the repository: that is the error
                    self.after = backup.events.after_failure("push", error)
            raise
        return State.DONE
