"""`Backup.events`: what follows a commit or a failure, for any Python program.

Each method imports what it needs when it is called, as those of Backup do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gitbackup.backup.context import Context
from gitbackup.errors import GitbackupError

if TYPE_CHECKING:
    from gitbackup.backup.after_commit import AfterCommit
    from gitbackup.backup.hooks import Hook, HookRun
    from gitbackup.commit.alarm import StandingAlarm
    from gitbackup.commit.commit import CommitResult

    Run = Callable[[Hook], HookRun | None]


class Events:
    """What a repository's settings have for the things that happen: hooks, and pushes.

    The methods of Backup that commit do none of it: call `after_commit` after them. `run` runs a
    hook at once, unless another function is given, such as the `put` of a HookQueue. What fails is
    in the result, and not raised.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def after_commit(
        self, *commits: CommitResult | str, words: bool = False, run: Run | None = None
    ) -> AfterCommit:
        """Run the hooks of these commits, and push them if `gitbackup.push` is `on-commit`.

        They are given as the results of `commit` or `watch`, also of one that found nothing to
        commit, or by their ids. `words` tells that words were put on a commit, to be pushed.
        """
        from gitbackup.backup.after_commit import after_commit
        from gitbackup.backup.hooks import Hook

        return after_commit(self._context.history, commits, words, run or Hook.run)

    def alarm(self) -> StandingAlarm | None:
        """Return the last commit that removed most of the keys, unless it was accepted or undone.

        To accept it, its id is added to the setting `accept-alarm`.
        """
        from gitbackup.commit.alarm import standing

        return standing(self._context.history)

    def after_failure(
        self, command: str, error: GitbackupError, *, run: Run | None = None
    ) -> AfterCommit:
        """Run the hook for a command that failed with an error, if there is one."""
        from gitbackup.backup.after_commit import AfterCommit, after_failure
        from gitbackup.backup.hooks import Hook

        if self._context.repository is None:
            return AfterCommit()
        return after_failure(self._context.repository, command, error, run or Hook.run)
