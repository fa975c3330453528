"""What a commit, or a key, on the command line may be: for a shell's Tab.

Each function is a click argument's `shell_complete`. It looks at the data repository only, and
at a bounded part of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import click
from click.shell_completion import CompletionItem

from gitbackup import Backup
from gitbackup.cli.arguments.options import open_backup
from gitbackup.errors import GitbackupError
from gitbackup.format.unprintable import hides

RECENT = 15
"""Commits that are offered by their ids."""

MANY = 40
"""Keys beyond which their namespaces are offered."""


def commits(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return branches, tags and recent commits."""
    return [*_commits(_backup(ctx), incomplete)]


def commit_or_key(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return a commit; after a colon the keys that it holds."""
    commit, colon, key = incomplete.partition(":")
    if not colon:
        return [*_commits(_backup(ctx), incomplete, part=True)]
    return [*_keys(_backup(ctx), commit or "HEAD", key, f"{commit}:")]


def keys(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the keys of the commit that an argument before names, else of HEAD."""
    return [*_keys(_backup(ctx), ctx.params.get("commit_ish") or "HEAD", incomplete)]


def commits_then_keys(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return commits for the first two words, or A..B, and then keys of the last commit."""
    backup, given = _backup(ctx), [*(ctx.params.get(param.name or "") or ())]
    named = [end for word in given for end in word.split("..") if _is_commit(backup, end)]
    first, dots, last = incomplete.partition("..")
    if dots and not given:
        return [*_commits(backup, last, f"{first}..")]
    found = _keys(backup, named[-1] if named else "HEAD", incomplete)
    return [*chain(_commits(backup, incomplete) if len(named) < 2 else (), found)]


def commit_then_keys(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return one commit at most, and keys of it, or of HEAD."""
    backup, given = _backup(ctx), [*(ctx.params.get(param.name or "") or ())]
    named = [word for word in given[:1] if _is_commit(backup, word)]
    found = _keys(backup, named[0] if named else "HEAD", incomplete)
    return [*chain(() if given else _commits(backup, incomplete), found)]


def _backup(ctx: click.Context) -> Backup:
    return open_backup(ctx.params.get("repo"))


def _is_commit(backup: Backup, word: str) -> bool:
    try:
        return bool(backup.resolve(word or "HEAD"))
    except GitbackupError:
        return False


def _commits(
    backup: Backup, incomplete: str, before: str = "", part: bool = False
) -> Iterator[CompletionItem]:
    """Yield commits by the names that begin so; a `part` is what a colon may follow."""
    refs = backup.repository.names() if backup.repository else ()
    named = [("HEAD", ""), *((ref.name, ref.subject) for ref in refs)]
    recent = [(info.short_id, info.subject) for info in backup.log(limit=RECENT)]
    for name, subject in (*named, *recent):
        if name.startswith(incomplete):
            yield CompletionItem(before + name, help=_plain(subject), part=part)


def _keys(
    backup: Backup, commit: str, incomplete: str, before: str = ""
) -> Iterator[CompletionItem]:
    from gitbackup.history.key_names import key_names  # it loads what no other word has need of

    if backup.repository is None:
        return
    names = key_names(backup.repository, backup.resolve(commit), incomplete)
    if len(names) > MANY:
        names = [*dict.fromkeys(_to_next_colon(name, len(incomplete)) for name in names)]
    for name in names:
        yield CompletionItem(before + name, part=name.endswith(":"))


def _to_next_colon(name: str, after: int) -> str:
    colon = name.find(":", after)
    return name if colon < 0 else name[: colon + 1]


def _plain(text: str) -> str:
    """Return text that cannot steer a terminal."""
    return "".join(" " if hides(character) else character for character in text)[:60]
