"""`gitbackup diff` and `gitbackup status`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitbackup.backup import Backup
from gitbackup.cli import terminal
from gitbackup.cli.options import (
    all_option,
    connected,
    examples,
    exclude_option,
    logged_in,
    open_backup,
    read_at_length,
    redact_option,
)
from gitbackup.cli.pager import reading
from gitbackup.errors import UsageError
from gitbackup.report import objects, text
from gitbackup.report.changes import change_lines
from gitbackup.report.machine import to_json

if TYPE_CHECKING:  # it loads what `diff --help` has no need of
    from gitbackup.ops.diff import Diff

GLOB = re.compile(r"[*?\[:]")  # an argument with one of these is no typing error of a commit
KEYS = "gitbackup.keys"


class AfterDashes(click.Command):
    """Keeps what follows `--`, which click would add to the rest: there it is keys only."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        before = args[: args.index("--")] if "--" in args else args
        ctx.meta[KEYS] = args[len(before) + 1 :]
        return super().parse_args(ctx, before)


@click.command(
    epilog=examples(
        "gitbackup status", "gitbackup status --exclude 'usage:*'", "gitbackup status --all --json"
    )
)
@connected
@exclude_option
@all_option
def status(
    repo: Path | None,
    url: str | None,
    databases: tuple[int, ...],
    as_json: bool,
    exclude: tuple[str, ...],
    every: bool,
) -> None:
    """Compare the database with the last commit, in brief."""
    backup = logged_in(repo, url, databases)
    found, pushed = backup.status(exclude=exclude, every=every), backup.pushed()
    terminal.warn_all(found.warnings)
    facts = found.server, found.head, found.keys, found.summary, found.hidden
    if as_json:
        terminal.say_json(objects.status_object(*facts, pushed))
    else:
        terminal.say(text.status_lines(*facts))
        terminal.say(text.pushed_lines(pushed))


@click.command(
    cls=AfterDashes,
    epilog=examples(
        "gitbackup diff                         HEAD against the live database",
        "gitbackup diff HEAD~3                  that commit against the live database",
        "gitbackup diff HEAD~1 HEAD 'apikey:*'  two commits, some keys",
        "gitbackup diff HEAD~1..HEAD --stat     two commits, in numbers",
        "gitbackup diff --exclude 'usage:*'     but for some keys",
        "gitbackup diff --redact '*token*'      that they changed, not from what to what",
        "gitbackup diff -- config               a key whose name has no : and no *",
    ),
)
@connected
@read_at_length
@click.option("--stat", is_flag=True, help="Only how many keys changed, by namespace.")
@exclude_option
@redact_option
@all_option
@click.option("--exit-code", is_flag=True, help="Exit with 1 where something differs.")
@click.argument("words", metavar="[A [B]] [KEY-GLOB]...", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def diff(
    ctx: click.Context,
    repo: Path | None,
    url: str | None,
    databases: tuple[int, ...],
    as_json: bool,
    stat: bool,
    exclude: tuple[str, ...],
    redact: tuple[str, ...],
    every: bool,
    exit_code: bool,
    words: tuple[str, ...],
) -> None:
    """Show what differs, key by key and inside the values.

    Without a commit: HEAD against the live database. With A: that commit against the live
    database. With A and B, or A..B: two commits. Key globs are those of Redis.
    """
    backup = open_backup(repo, url, databases)
    commits, patterns = sides(backup, list(words))
    patterns += ctx.meta[KEYS]
    if len(commits) < 2:
        backup = logged_in(repo, url, databases)
    a, b = [*commits, "HEAD"][0], commits[1] if len(commits) == 2 else None
    found = backup.diff(a, b, patterns, exclude=exclude, redact=redact, every=every)
    terminal.warn_all(found.warnings)
    with reading(backup):
        if stat:
            _say_stat(found, as_json)
        else:
            say_changes(found, as_json)
    if exit_code and found.changes:
        ctx.exit(1)


def sides(backup: Backup, words: list[str]) -> tuple[list[str], list[str]]:
    """Which of the words are commits, two at most, and which are key globs.

    Raises UsageError for a word that is neither.
    """
    commits: list[str] = []
    while words and len(commits) < 2:
        a, dots, b = words[0].partition("..")
        named = [a or "HEAD", b or "HEAD"] if dots and not commits else words[:1]
        missing = [word for word in named if not _resolves(backup, word)]
        if missing and GLOB.search(words[0]):
            break
        if missing:
            raise UsageError(
                f"there is no commit {missing[0]!r}; `gitbackup log` lists them, and -- goes"
                " before the name of a key"
            )
        commits += named
        del words[0]
    return commits, words


def _resolves(backup: Backup, word: str) -> bool:
    try:
        backup.resolve(word)
    except UsageError:
        return False
    return True


def say_changes(found: Diff, as_json: bool) -> None:
    """Every key that differs, as it is read."""
    for key in found:
        if as_json:
            terminal.say_json(to_json(key.change, key.before, key.after, key.values, key.redacted))
        else:
            terminal.say(change_lines(key.change, key.before, key.after, key.values))
    if as_json and found.hidden:
        terminal.say_json(objects.hidden_object(found.hidden))
    elif not as_json:
        terminal.say(text.hidden_lines(found.hidden))


def _say_stat(found: Diff, as_json: bool) -> None:
    summary = found.summary
    if as_json:
        terminal.say_json(objects.stat_object(found.before, found.after, summary, found.hidden))
        return
    if summary.counts:
        terminal.say(text.summary_lines(summary))
        click.echo(text.changed(summary))
    terminal.say(text.hidden_lines(found.hidden))
