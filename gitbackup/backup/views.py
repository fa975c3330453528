"""What `status`, `diff` and `show` of a Backup return, by its settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gitbackup.backup.context import Context
from gitbackup.compare import diff as comparing
from gitbackup.compare.diff import Diff, Narrow, Shown, Status
from gitbackup.diff.labels import Labels

if TYPE_CHECKING:
    from gitbackup.compare.suggest import Suggestions


def status(context: Context, exclude: Sequence[str], every: bool) -> Status:
    """Return how the live database differs from HEAD."""
    narrow = Narrow(exclude=exclude, quiet=context.quiet(every))
    labels, redaction = Labels(context.globs("label")), context.redaction(())
    return comparing.status(context.history, context.live(), narrow, labels, redaction)


def diff(
    context: Context,
    a: str,
    b: str | None,
    patterns: Sequence[str],
    exclude: Sequence[str],
    redact: Sequence[str],
    every: bool,
) -> Diff:
    """Return what differs between two commits, or a commit and, without `b`, the database."""
    repository = context.history
    before = repository.resolve(a)
    quiet = context.quiet(every or bool(patterns))
    narrow = Narrow(patterns, context.databases, exclude, quiet)
    if b is not None:
        found = comparing.diff_commits(repository, before, repository.resolve(b), narrow)
    else:
        server, scope, progress = context.source, context.scope(), context.progress
        found = comparing.diff_live(repository, before, server, scope, narrow, progress)
    return replace(found, redaction=context.redaction(redact))


def show(context: Context, commit_ish: str, redact: Sequence[str], every: bool) -> Shown:
    """Return a commit and what it changed."""
    repository = context.history
    narrow = Narrow(quiet=context.quiet(every))
    shown = comparing.show(repository, repository.resolve(commit_ish), narrow)
    return replace(shown, diff=replace(shown.diff, redaction=context.redaction(redact)))


def suggest(context: Context, limit: int, live: bool) -> Suggestions:
    """Return which keys to silence, by the last commits and the live database."""
    from gitbackup.compare.suggest import suggest  # deferred: `diff` has no need of it

    repository = context.history
    head, since = repository.resolve("HEAD"), None
    if live:
        where = context.server, context.scope(), comparing.EVERYTHING, context.progress
        since = comparing.diff_live(repository, head, *where)
    silenced = [*context.globs("quiet"), *context.globs("exclude")]
    return suggest(repository, since, limit, silenced, context.progress)
