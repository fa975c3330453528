"""What a person's words mean where commits and keys may stand side by side."""

from __future__ import annotations

import re

import click

from gitbackup import Backup
from gitbackup.cli.options import OwnFirst
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

    Raises UsageError for a word that is neither.
    """
    commits: list[str] = []
    while words and len(commits) < 2:
        if "..." in words[0] and not GLOB.search(words[0]):
            raise UsageError(f"{words[0]!r} is not a pair of commits here: write A..B, or A B")
        a, dots, b = words[0].partition("..")
        named = [a or "HEAD", b or "HEAD"] if dots and not commits else words[:1]
        missing = [word for word in named if not _resolves(backup, word)]
        if missing and GLOB.search(words[0]):
            break
        if missing:
            raise _neither(missing[0])
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

    After `most` commits, where a command takes no more, a word that is none is a key. Raises
    UsageError for one that is neither.
    """
    chosen: list[str] = []
    for at, word in enumerate(words):
        ends = [end or "HEAD" for end in re.split(r"\.{2,3}", word.removeprefix("^"), maxsplit=1)]
        missing = [end for end in ends if not _resolves(backup, end)]
        if missing and (GLOB.search(word) or len(chosen) == most):
            return chosen, words[at:]
        if missing:
            raise _neither(missing[0])
        chosen.append(word)
    return chosen, []


def _neither(word: str) -> UsageError:
    return UsageError(
        f"there is no commit {word!r}; `gitbackup log` lists them; put -- before the name of a key"
    )
