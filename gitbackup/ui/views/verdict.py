"""Whether the data is safe, as a quick check said last: it is kept for a while."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

from gitbackup import Backup
from gitbackup.checks.check import Checked

KEPT = 300.0
"""Seconds for which a verdict is shown before the check is made again."""


class Verdict:
    """The last quick check, for all pages of a site."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: Checked | None = None
        self._head: str | None = None
        self._until = 0.0

    def of(self, backup: Backup, head: str | None, max_age: timedelta) -> Checked:
        """Return what a quick check finds, or found of the same HEAD a short time ago.

        Raises ServerError if the server cannot be asked.
        """
        with self._lock:
            found = self._found
            if found is None or self._head != head or time.monotonic() > self._until:
                found = backup.check(max_age, quick=True)
                self._keep(found, head)
            return found

    def keep(self, found: Checked, head: str | None) -> None:
        """Keep what a quick check has just found."""
        with self._lock:
            self._keep(found, head)

    def _keep(self, found: Checked, head: str | None) -> None:
        self._found, self._head, self._until = found, head, time.monotonic() + KEPT
