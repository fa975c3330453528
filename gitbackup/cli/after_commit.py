"""Print what follows a commit, or a failure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from gitbackup import Backup
from gitbackup.cli.output import terminal
from gitbackup.errors import GitbackupError, PartlyDone, UsageError
from gitbackup.report.text import sentences

if TYPE_CHECKING:
    from gitbackup.backup.events import AfterCommit
    from gitbackup.backup.hooks import HookQueue
    from gitbackup.commit.commit import CommitResult


def say_after_commit(
    backup: Backup,
    as_json: bool,
    *commits: CommitResult | str,
    words: bool = False,
    queue: HookQueue | None = None,
) -> AfterCommit:
    """Do what is to be done after these commits, and print it; return what was done.

    Without a commit, and without `words` that were put on one, only what earlier commits have left
    undone is done. With a `queue`, nobody waits for the hooks.
    """
    done = backup.events.after_commit(*commits, words=words, run=queue.put if queue else None)
    if (pushed := done.pushed) is not None:
        terminal.warn_all(pushed.warnings)
        terminal.say([sentences.push_line(pushed)], err=as_json)
    return done


def expect_done(done: AfterCommit) -> None:
    """Raise PartlyDone if something failed that follows a commit."""
    if done.failed:
        raise PartlyDone("; ".join(done.failed))


@contextmanager
def failure_hook(backup: Backup, command: str) -> Iterator[None]:
    """Run the hook for failures if the block fails, but not for wrong usage, nor for what is only
    partly done: then there is a commit."""
    try:
        yield
    except GitbackupError as error:
        if not isinstance(error, UsageError | PartlyDone):
            say_failure(backup, command, error)
        raise


def say_failure(
    backup: Backup, command: str, error: GitbackupError, queue: HookQueue | None = None
) -> None:
    """Run the hook for failures, and print what is wrong with it."""
    with suppress(GitbackupError):  # of the repository: that is the error, or is told elsewhere
        run = queue.put if queue else None
        terminal.warn_all(backup.events.after_failure(command, error, run=run).failed)
