"""`gitbackup status`."""

from __future__ import annotations

from pathlib import Path

import click

from gitbackup.cli.arguments.options import (
    all_option,
    connected,
    examples,
    exclude_option,
    from_replicas_option,
    logged_in,
)
from gitbackup.cli.arguments.revision_arguments import WORDS, Verbatim
from gitbackup.cli.output import terminal
from gitbackup.cli.output.diff_output import say_noise
from gitbackup.report.json import objects
from gitbackup.report.text import sentences


@click.command(
    cls=Verbatim,
    epilog=examples(
        "gitbackup status",
        "gitbackup status --exclude 'usage:*'",
        "gitbackup status --with-quiet --json",
    ),
)
@connected
@from_replicas_option
@exclude_option
@all_option
@click.pass_context
def status(
    ctx: click.Context,
    repo: Path | None,
    url: str | None,
    databases: tuple[int, ...],
    as_json: bool,
    exclude: tuple[str, ...],
    every: bool,
) -> None:
    """Show how the database differs from the last commit, in brief."""
    backup = logged_in(repo, url, databases)
    found, pushed = backup.status(exclude=exclude, every=every), backup.pushed()
    terminal.warn_all(found.warnings)
    if as_json:
        terminal.say_json(objects.status_object(found, pushed))
    else:
        terminal.say(sentences.status_lines(found))
        terminal.say(sentences.pushed_lines(pushed))
        say_noise(found.summary, ["status", *ctx.meta[WORDS]])
