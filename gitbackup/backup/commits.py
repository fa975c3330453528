"""What `commit` and `watch` of a Backup return, by its settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gitbackup.backup.context import Context
from gitbackup.model.commits import Consistency

if TYPE_CHECKING:
    from gitbackup.commit.commit import CommitResult
    from gitbackup.commit.watch import Event, Stop


def commit(
    context: Context,
    message: str | None,
    allow_empty: bool,
    dry_run: bool,
    consistency: Consistency,
) -> CommitResult:
    """Commit every key in scope, or, with `dry_run`, only say what that would record."""
    from gitbackup.commit import commit

    commit.expect_text(message)
    live, quiet = context.live(consistency), context.quiet()
    if dry_run:
        return commit.preview(context.repository, live, message, quiet)
    repository = context.repository or context.create()
    return commit.commit(repository, live, message, allow_empty, quiet)


def watch(
    context: Context,
    stop: Stop,
    match: Sequence[str],
    quiet: float,
    max_wait: float,
    message: str,
) -> Iterator[Event]:
    """Commit whenever keys have changed, until `stop` is set."""
    from gitbackup.commit.policy import CommitPolicy
    from gitbackup.commit.watch import Watch

    policy = CommitPolicy(match, context.quiet(), quiet, max_wait, message)
    follow = context.followers()
    return Watch(context.repository or context.create(), follow, policy, stop).run()
