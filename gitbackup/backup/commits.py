"""What `commit` and `watch` of a Backup return, by its settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
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
    from gitbackup.settings import alarm_rule

    commit.expect_text(message)
    live, quiet = context.live(consistency), context.quiet()
    if dry_run:
        return commit.preview(context.repository, live, message, quiet)
    repository = context.repository or context.create()
    rule = alarm_rule(repository)
    return commit.commit(repository, live, message, allow_empty, quiet, rule=rule)


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
    from gitbackup.settings import alarm_rule

    policy = CommitPolicy(match, context.quiet(), quiet, max_wait, message)
    follow = context.followers()
    repository = context.repository or context.create()
    policy = replace(policy, rule=alarm_rule(repository))
    return Watch(repository, follow, policy, stop).run()
