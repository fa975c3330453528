"""`Backup.secrets`: values that are to be in no commit, for any Python program.

Each method imports what it needs when it is called, as those of Backup do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gitbackup.backup.context import Context

if TYPE_CHECKING:
    from gitbackup.forget.forget import Confirm, ForgetResult
    from gitbackup.store.metadata.forgotten import Forgotten


class Secrets:
    """What is taken out of the history of a data repository, and what was before."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def forget(self, key: str, confirm: Confirm, *, field: str | None = None) -> ForgetResult:
        """Take a key, or one field of a hash, out of every commit, whose ids change by that.

        `confirm` is given the plan, and returns True to carry it out, which cannot be undone. The
        database is not touched. Raises UsageError if no commit has it, GitbackupError if a restore
        was not finished, Busy beside a watch.
        """
        from gitbackup.forget.forget import forget

        result = forget(self._context.history, key, field, confirm)
        if result.done:
            self._context.look_again()
        return result

    def allow(self, key: str, field: str | None = None) -> Sequence[Forgotten]:
        """Let the forgotten values of a key be committed again; return what was forgotten.
        Raises UsageError if nothing was."""
        from gitbackup.forget.forget import allow

        return allow(self._context.history, key, field)

    def forgotten(self) -> Sequence[Forgotten]:
        """Return what was forgotten, here or where the history comes from."""
        return self._context.history.forgotten()

    def rdb_files(self) -> int:
        """Return how many RDB files there are, which may hold a value that was forgotten."""
        return sum(1 for file in self._context.rdb_folder.glob("*.rdb") if file.is_file())
