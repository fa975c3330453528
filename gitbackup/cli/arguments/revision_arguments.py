"""What a person's words mean where commits and keys may stand side by side."""

from __future__ import annotations

import re
from contextlib import suppress

import click

from gitbackup import Backup
from gitbackup.cli.arguments.options import OwnFirst
from gitbackup.errors import UsageError

GLOB = re.compile(r"[*?\[:]")  # an argument with one of these is no typing error of a commit
KEYS = "gitbackup.keys"
WORDS = "gitbackup.words"


class Verbatim(OwnFirst):
    """Keeps the words as they were typed."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[WORDS] = list(args)
        return super().parse_args(ctx, args)


class AfterDashes(Verbatim):
    """Keeps what follows `--`, which click would add to the rest: there it is keys only."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        typed = list(args)  # click uses them up
        before = typed[: typed.index("--")] if "--" in typed else list(typed)
        ctx.meta[KEYS] = typed[len(before) + 1 :]
        rest = super().parse_args(ctx, before)
        ctx.meta[WORDS] = typed
        return rest


class Numbered(AfterDashes):
    """Takes `-5` for `-n 5`, as git does."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        counts = [re.sub(r"^-(?=\d+$)", "-n", word) for word in args[:end]]
        return super().parse_args(ctx, [*counts, *args[end:]])


def sides(backup: Backup, words: list[str]) -> tuple[list[str], list[str]]:
    """Return which of the words are commits, two at most, and which are key globs.

    A word that is no commit is a key if one of the commits, or HEAD, has a key of that name.
    Raises UsageError for a word that is neither.
    """
    commits: list[str] = []
    while words and len(commits) < 2:
        if "..." in words[0] and not GLOB.search(words[0]):
            raise UsageError(f"{words[0]!r} is not a pair of commits here: write A..B, or A B")
        a, dots, b = words[0].partition("..")
        named = [a or "HEAD", b or "HEAD"] if dots and not commits else words[:1]
        missing = [word for word in named if not _resolves(backup, word)]
        if missing and (GLOB.search(words[0]) or is_key(backup, commits, words[0])):
            break
        if missing:
            raise neither(missing[0])
        commits += named
        del words[0]
    return commits, words


def _resolves(backup: Backup, word: str) -> bool:
    try:
        backup.resolve(word)
    except UsageError:
        return False
    return True


def revisions(
    backup: Backup, words: list[str], most: int | None = None
) -> tuple[list[str], list[str]]:
    """Return which of the words are commits or ranges of them, and which are key globs.

    A word that is no commit is a key after `most` commits, where a command takes no more, and if
    one of the commits, or HEAD, has a key of that name. Raises UsageError for one that is neither.
    """
    chosen: list[str] = []
    commits: list[str] = []
    for at, word in enumerate(words):
        ends = [end or "HEAD" for end in re.split(r"\.{2,3}", word.removeprefix("^"), maxsplit=1)]
        missing = [end for end in ends if not _resolves(backup, end)]
        if missing and (GLOB.search(word) or len(chosen) == most or is_key(backup, commits, word)):
            return chosen, words[at:]
        if missing:
            raise neither(missing[0])
        chosen.append(word)
        commits += ends
    return chosen, []


def is_key(backup: Backup, commits: list[str], word: str) -> bool:
    """Return whether one of the commits, or HEAD, has a key of that name."""
    for commit in {*commits, "HEAD"} if backup.repository else ():
        with suppress(UsageError):  # before the first commit there is no HEAD
            if next(backup.keys(commit, [word]), None):
                return True
    return False


def neither(word: str) -> UsageError:
    """Return the error for a word that is neither a commit nor a key."""
    return UsageError(
        f"there is no commit or key {word!r}; `gitbackup log` lists the commits; put -- before the"
        " name of a key that HEAD does not have"
    )
