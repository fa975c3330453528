"""`gitbackup import`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import click

from gitbackup.cli.arguments.options import (
    OwnFirst,
    examples,
    lock_wait_option,
    logged_in,
    open_backup,
    password_in_url,
    repo_option,
    to_option,
    url_option,
)
from gitbackup.cli.arguments.write_options import write_options
from gitbackup.cli.output import terminal
from gitbackup.cli.run_plan import (
    PlanOptions,
    carry_out,
    expect_answer,
    plan_options,
)


@click.command(
    "import",
    cls=OwnFirst,
    epilog=examples(
        "gitbackup import then.json --dry-run",
        "gitbackup import apikeys.jsonl 'apikey:4*' --yes",
        "gitbackup import then.json --delete            and delete all other keys",
        "gitbackup import redis-dump.json --db 0:3      another tool's dump, into db3",
        "gitbackup import load.json --encoding iso-8859-1",
    ),
)
@repo_option
@lock_wait_option
@url_option
@plan_options
@click.option(
    "--delete/--no-delete",
    default=False,
    show_default=True,
    help="Whether to delete keys that the file covers but does not contain.",
)
@write_options
@to_option
@click.option(
    "--encoding",
    metavar="NAME",
    help="Encoding of another tool's dump: utf-8, or what redis-dump-load was given with -E.",
)
@click.argument("file", metavar="FILE", type=click.File("rb"))
@click.argument("patterns", metavar="[KEY-GLOB]...", nargs=-1)
@click.pass_context
def import_(
    ctx: click.Context,
    repo: Path | None,
    url: str | None,
    values: dict[str, Any],
    options: PlanOptions,
    delete: bool,
    to: str | None,
    encoding: str | None,
    file: BinaryIO,
    patterns: tuple[str, ...],
) -> None:
    """Write the contents of FILE into the database; other keys are kept, unless --delete.

    FILE is an export (json or jsonl), or a dump made by npm's redis-dump --json or Python's
    redis-dump-load; - is standard input. All of it is read and checked first.

    An import is itself a restore: it shows its plan and asks, commits what would be lost,
    changes each key atomically, reads all keys again, and commits the new state. `gitbackup
    undo` takes it back. It creates the data repository if there is none. Without a terminal,
    --yes is required.
    """
    expect_answer(ctx, options)
    backup = open_backup(repo, url) if to else logged_in(repo, url)
    name = "standard input" if file.name == "<stdin>" else Path(file.name).name
    with password_in_url():
        how = backup.importer(
            file,
            name,
            patterns=patterns,
            delete=delete,
            to=to,
            encoding=encoding,
            **values,
        )
    terminal.warn_all(how.warnings)
    carry_out(ctx, backup, how, options)
