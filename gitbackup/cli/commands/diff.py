"""`gitbackup diff`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitbackup.cli.arguments.options import (
    PAGE,
    all_option,
    alone,
    connected,
    examples,
    exclude_option,
    from_replicas_option,
    full_option,
    html_option,
    logged_in,
    open_backup,
    read_at_length,
    redact_option,
)
from gitbackup.cli.arguments.revision_arguments import KEYS, WORDS, AfterDashes, sides
from gitbackup.cli.completion import completions
from gitbackup.cli.output import terminal
from gitbackup.cli.output.diff_output import (
    labels_of,
    say_changes,
    say_commands,
    say_names,
    say_objects,
    say_stat,
    view,
)
from gitbackup.cli.output.pager import reading
from gitbackup.report.json import objects

if TYPE_CHECKING:  # it loads what `diff --help` has no need of
    from gitbackup.compare.diff import Diff
    from gitbackup.report.text.diff import DiffView


@click.command(
    cls=AfterDashes,
    epilog=examples(
        "gitbackup diff                         HEAD against the live database",
        "gitbackup diff HEAD~3                  that commit against the live database",
        "gitbackup diff HEAD~1 HEAD 'apikey:*'  two commits, some keys",
        "gitbackup diff HEAD~1..HEAD --stat     two commits, in numbers",
        "gitbackup diff --exclude 'usage:*'     without some keys",
        "gitbackup diff --redact '*token*'      without secret values",
        "gitbackup diff HEAD~1 HEAD --html changes.html",
        "gitbackup diff HEAD HEAD~1 --format redis | redis-cli",
        "gitbackup diff -- config               a key whose name has no : and no *",
        failed="failed, or something changed, with --exit-code",
    ),
)
@connected
@from_replicas_option
@read_at_length
@click.option(
    "--stat", "shape", flag_value="stat", help="Show only how many keys changed, by key prefix."
)
@click.option(
    "--name-only", "shape", flag_value="names", help="Show only the names of the changed keys."
)
@click.option(
    "--name-status",
    "shape",
    flag_value="status",
    help="Show only the names, each with A (added), M (changed) or D (deleted).",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "redis"]),
    default="text",
    help="text for people, or the redis-cli commands that turn A into B.",
)
@full_option
@click.option(
    "--rank", is_flag=True, help="Show ranks in sorted sets; rank 1 has the highest score."
)
@html_option
@exclude_option
@redact_option
@all_option
@click.option("--exit-code", is_flag=True, help="Exit with code 1 if something changed.")
@click.argument(
    "words",
    metavar="[A [B]] [KEY-GLOB]...",
    nargs=-1,
    type=click.UNPROCESSED,
    shell_complete=completions.commits_then_keys,
)
@click.pass_context
def diff(
    ctx: click.Context,
    repo: Path | None,
    url: str | None,
    databases: tuple[int, ...],
    as_json: bool,
    shape: str | None,
    form: str,
    full: bool,
    rank: bool,
    html: str | None,
    exclude: tuple[str, ...],
    redact: tuple[str, ...],
    every: bool,
    exit_code: bool,
    words: tuple[str, ...],
) -> None:
    """Show what changed, key by key and inside the values.

    Without a commit: HEAD against the live database. With A: commit A against the live
    database. With A and B, or A..B: commit A against commit B. KEY-GLOB is a Redis glob.
    """
    _told_in_one_way(html, form, as_json, shape)
    backup = open_backup(repo, url, databases)
    commits, patterns = sides(backup, list(words))
    patterns += ctx.meta[KEYS]
    if len(commits) < 2:
        backup = logged_in(repo, url, databases)
    a, b = [*commits, "HEAD"][0], commits[1] if len(commits) == 2 else None
    found = backup.diff(a, b, patterns, exclude=exclude, redact=redact, every=every)
    terminal.warn_all(found.warnings)
    if html:
        from gitbackup.cli.output.html_output import (
            write_diff,  # it loads what a terminal has no need of
        )

        write_diff(html, backup, found, labels_of(backup))
    else:
        with reading(backup):
            if form == "redis":
                say_commands(found)
            else:
                seen = replace(view(backup, full), rank=rank)
                _say(found, as_json, shape, seen, ctx.meta[WORDS])
    if exit_code and (found.changes or found.hidden):
        ctx.exit(1)


def _told_in_one_way(html: str | None, form: str, as_json: bool, shape: str | None) -> None:
    """Raise UsageError if more than one form of output was asked for."""
    names = {"name-only": shape == "names", "name-status": shape == "status"}
    others = {"json": as_json, "stat": shape == "stat", **names}
    if form == "redis":
        alone("--format redis writes commands", html=bool(html), **others)
    if html:
        alone(PAGE, **others)
    if as_json:
        alone("--json writes objects", **names)


def _say(found: Diff, as_json: bool, shape: str | None, seen: DiffView, words: list[str]) -> None:
    """Print what differs in the form that was asked for; `words` are those of the command."""
    if as_json and shape is None:
        say_objects(found, seen)
    elif as_json:
        numbers = found.before, found.after, found.summary, found.hidden
        terminal.say_json(objects.stat_object(*numbers))
    elif shape == "stat":
        say_stat(found, seen, words)
    elif shape:
        say_names(found, shape == "status")
    else:
        say_changes(found, seen)
