"""What the verbs of a Backup that only read return, by its settings: of commits, and of keys.

What is needed for one of them alone is imported when it is called.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gitbackup.backup.context import Context
from gitbackup.errors import UsageError
from gitbackup.model.commits import KeyLine, Selection

if TYPE_CHECKING:
    from gitbackup.compare.diff import Diff, Narrow, Shown, Status
    from gitbackup.compare.suggest import Suggestions
    from gitbackup.history.blame import Blame
    from gitbackup.history.entry import StoredEntry
    from gitbackup.history.key_log import CommitChanges


def status(context: Context, narrow: Narrow) -> Status:
    """Return how the live database differs from HEAD."""
    from gitbackup.compare.diff import status
    from gitbackup.diff.labels import Labels

    labels, redaction = Labels(context.globs("label")), context.redaction(())
    return status(context.history, context.live(), narrow, labels, redaction)


def diff(
    context: Context,
    a: str,
    b: str | None,
    narrow: Narrow,
    redact: Sequence[str],
) -> Diff:
    """Return what differs between two commits, or a commit and, without `b`, the database."""
    from gitbackup.compare.diff import diff_commits, diff_live

    repository = context.history
    before = repository.resolve(a)
    if b is not None:
        found = diff_commits(repository, before, repository.resolve(b), narrow)
    else:
        server, scope, progress = context.source, context.scope(), context.progress
        found = diff_live(repository, before, server, scope, narrow, progress)
    return replace(found, redaction=context.redaction(redact))


def show(context: Context, commit_ish: str, redact: Sequence[str], every: bool) -> Shown:
    """Return a commit and what it changed."""
    from gitbackup.compare.diff import Narrow, show

    repository = context.history
    narrow = Narrow(quiet=context.quiet(every))
    shown = show(repository, repository.resolve(commit_ish), narrow)
    return replace(shown, diff=replace(shown.diff, redaction=context.redaction(redact)))


def suggest(context: Context, limit: int, live: bool) -> Suggestions:
    """Return which keys to silence, by the last commits and the live database."""
    from gitbackup.compare.diff import EVERYTHING, diff_live
    from gitbackup.compare.suggest import suggest

    repository = context.history
    head, since = repository.resolve("HEAD"), None
    if live:
        where = context.server, context.scope(), EVERYTHING, context.progress
        since = diff_live(repository, head, *where)
    silenced = [*context.globs("quiet"), *context.globs("exclude")]
    return suggest(repository, since, limit, silenced, context.progress)


def entry(
    context: Context, commit_ish: str, key: str, db: int | None, redact: Sequence[str]
) -> StoredEntry:
    """Return a key's entry in a commit."""
    from gitbackup.history.entry import StoredEntry, find_entry

    history = context.history
    found_key, whole = find_entry(history, history.resolve(commit_ish), key, db)
    masked = context.redaction(redact).entry(found_key, whole)
    return StoredEntry(found_key, masked, masked != whole)


def keys(
    context: Context, commit_ish: str, patterns: Sequence[str], since: str | None
) -> Iterator[KeyLine]:
    """Yield the keys of a commit; those only that have changed `since` another one, if given."""
    from gitbackup.diff.labels import Labels
    from gitbackup.history import entry
    from gitbackup.history.selector import KeySelector

    selector, history = KeySelector(patterns, context.databases), context.history
    commit = history.resolve(commit_ish)
    if since is None:
        found = entry.entries(history, commit, selector)
    else:
        found = entry.changed(history, history.resolve(since), commit, selector)
    return entry.lines(found, Labels(context.globs("label")), context.redaction(()))


def trace(
    context: Context,
    patterns: Sequence[str],
    selection: Selection,
    redact: Sequence[str],
    text: str | None,
    when: str | None,
) -> Iterator[CommitChanges]:
    """Yield the commits that changed a key which matches a pattern, in a way that is wanted."""
    from gitbackup.format import codec
    from gitbackup.history import search
    from gitbackup.history.selector import KeySelector
    from gitbackup.history.walker import HistoryWalker

    if when is not None and (patterns or text is not None):
        raise UsageError("a condition names its key itself: leave out key patterns and the text")
    selector = KeySelector(patterns, context.databases)
    wanted: search.Wanted = search.every_change if text is None else search.comes_or_goes(text)
    stored = None if text is None else search.as_stored(text)
    if when is not None:
        sought = search.condition(when)
        wanted = sought.becomes_true
        selector = KeySelector.key(codec.data(sought.key), context.databases)
    steps = HistoryWalker(context.history, selector, stored).steps(selection)
    from gitbackup.history.key_log import trace  # git reads the history while it is loaded

    return trace(steps, selection, context.redaction(redact), wanted)


def blame(
    context: Context, commit_ish: str, key: str, db: int | None, redact: Sequence[str]
) -> Blame:
    """Return which commit last changed each part of a key."""
    from gitbackup.history.blame import blame

    history = context.history
    whole = blame(history, history.resolve(commit_ish), key, db)
    return whole.masked(context.redaction(redact))
