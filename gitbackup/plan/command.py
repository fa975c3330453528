"""The command that does what a restore's options say, as words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gitbackup.model.merging import Side
from gitbackup.plan.plan import RestoreOptions, Revert, Ttl


def command_words(commit: str, how: RestoreOptions, more: Sequence[str] = ()) -> list[str]:
    """Return the words behind `gitbackup` of the command that restores or reverts a commit.

    `more` are other options of it. An undo is told by its own command, not by this one.
    """
    words = ["revert" if how.revert else "restore", commit]
    words += _of_revert(how, how.revert) if how.revert else _of_restore(how)
    words += more
    if any(glob.startswith("-") for glob in how.patterns):
        words.append("--")
    return [*words, *how.patterns]


def _of_restore(how: RestoreOptions) -> Iterator[str]:
    for source, target in how.databases or ():
        yield from ("--db", f"{source}:{target}" if source != target else f"{source}")
    if not how.delete:
        yield "--no-delete"
    if how.ttl is not Ttl.KEEP:
        yield from ("--ttl", how.ttl.value)
    if not how.field_expiry:
        yield "--without-field-expiry"


def _of_revert(how: RestoreOptions, revert: Revert) -> Iterator[str]:
    for db, _ in how.databases or ():
        yield from ("--db", f"{db}")
    if revert.rule.side:
        yield "--ours" if revert.rule.side is Side.OURS else "--theirs"
    if revert.rule.counters:
        yield "--counters"
    for glob in revert.exclude:
        yield from ("--exclude", glob)
