"""What to silence, found out as a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitbackup.errors import ServerError
from gitbackup.ui.jobs.jobs import Job, Opened, State

if TYPE_CHECKING:
    from gitbackup.compare.suggest import Suggestions

COMMITS = 30
"""Commits that suggestions go by, as those of the command do."""


class SuggestNow(Job):
    """The suggestions that were `found`; `unseen` tells why the database was not looked at."""

    verb = "suggest"

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened, "gitbackup suggest")
        self.found: Suggestions | None = None
        self.unseen = ""

    def work(self) -> State:
        """Look at the last commits, and at the database if that can be reached."""
        backup = self.backup()
        try:
            backup.connect()
        except ServerError as error:
            self.unseen = str(error)
        self.found = backup.suggest(COMMITS, live=not self.unseen)
        return State.DONE
