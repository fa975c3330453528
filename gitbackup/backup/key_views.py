"""What `entry`, `keys`, `trace` and `blame` of a Backup return, by its settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gitbackup.backup.context import Context
from gitbackup.model.commits import KeyLine, Selection

if TYPE_CHECKING:
    from gitbackup.history.blame import Blame
    from gitbackup.history.entry import StoredEntry
    from gitbackup.history.key_log import CommitChanges


def entry(
    context: Context, commit_ish: str, key: str, db: int | None, redact: Sequence[str]
) -> StoredEntry:
    """Return a key's entry in a commit."""
    from gitbackup.history.entry import StoredEntry, find_entry

    history = context.history
    found_key, whole = find_entry(history, history.resolve(commit_ish), key, db)
    masked = context.redaction(redact).entry(found_key, whole)
    return StoredEntry(found_key, masked, masked != whole)


def keys(context: Context, commit_ish: str, patterns: Sequence[str]) -> Iterator[KeyLine]:
    """Yield the keys of a commit."""
    from gitbackup.history import entry
    from gitbackup.history.selector import KeySelector

    selector, history = KeySelector(patterns, context.databases), context.history
    return entry.lines(entry.entries(history, history.resolve(commit_ish), selector))


def trace(
    context: Context, patterns: Sequence[str], selection: Selection, redact: Sequence[str]
) -> Iterator[CommitChanges]:
    """Yield the commits that changed a key which matches a pattern."""
    from gitbackup.history.selector import KeySelector
    from gitbackup.history.walker import HistoryWalker

    selector = KeySelector(patterns, context.databases)
    steps = HistoryWalker(context.history, selector).steps(selection)
    from gitbackup.history.key_log import trace  # git reads the history while it is loaded

    return trace(steps, selection, context.redaction(redact))


def blame(
    context: Context, commit_ish: str, key: str, db: int | None, redact: Sequence[str]
) -> Blame:
    """Return which commit last changed each part of a key."""
    from gitbackup.history.blame import blame

    history = context.history
    whole = blame(history, history.resolve(commit_ish), key, db)
    return whole.masked(context.redaction(redact))
