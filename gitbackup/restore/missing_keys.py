"""What was chosen to be restored, and is not there: that is said before anything is done."""

from __future__ import annotations

from collections.abc import Mapping

from gitbackup.errors import UsageError
from gitbackup.format import codec
from gitbackup.format.patterns import matcher
from gitbackup.model.keys import Scope
from gitbackup.plan import Plan
from gitbackup.restore.planner import RestoreRequest
from gitbackup.snapshot import file_format
from gitbackup.snapshot.entry_sources import EntrySource


def expect_covered(wanted: RestoreRequest, scope: Scope, commit: EntrySource) -> None:
    """Raises UsageError for a database that the commit, whose scope that is, tells nothing of."""
    source = wanted.name or f"commit {wanted.commit[:7]}"
    for of, to in wanted.how.databases or ():
        if scope.databases is not None and of not in scope.databases:
            raise UsageError(f"{source} does not cover database {of}")
        if of != to and not any(path.startswith(f"db{of}/") for path in commit.files):
            raise UsageError(f"{source} has no key in database {of}")


def expect_some(
    plan: Plan, wanted: RestoreRequest, scope: Scope, commit: EntrySource, held: Mapping[int, int]
) -> None:
    """Raises UsageError where what was chosen is no key of the commit, nor a live one.

    `commit` has the chosen databases only, and `held` tells how many keys each has in all.
    """
    how, source = wanted.how, wanted.source
    if plan.keys or plan.expired or plan.kept or not how.narrowed:
        return
    if how.patterns and not _matches_any(how.patterns, commit):
        named = " ".join(map(repr, how.patterns))
        raise UsageError(f"no key of {source} matches {named}; nothing was restored")
    empty = [of for of, _ in how.databases or () if of not in held]
    if empty and scope.databases is None:
        raise UsageError(
            f"neither {source} nor the server has a key in database {empty[0]};"
            " nothing was restored"
        )


def _matches_any(patterns: tuple[str, ...], commit: EntrySource) -> bool:
    matches, files = matcher(patterns), filter(file_format.is_data, commit.files)
    return any(matches(codec.data(key.name)) for path in files for key in commit.entries(path))
