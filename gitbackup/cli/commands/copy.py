"""`gitbackup copy`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from gitbackup.cli.arguments.options import (
    OwnFirst,
    access_options,
    examples,
    lock_wait_option,
    logged_in,
    password_in_url,
    repo_option,
)
from gitbackup.cli.arguments.write_options import write_options
from gitbackup.cli.output import terminal
from gitbackup.cli.run_plan import (
    PlanOptions,
    carry_out,
    expect_answer,
    plan_options,
)

PASSWORD = "GITBACKUP_TARGET_PASSWORD"  # noqa: S105  the name of a variable


@click.command(
    cls=OwnFirst,
    epilog=examples(
        "gitbackup copy redis://old:6379 redis://new:6379 --dry-run",
        "gitbackup copy redis://old:6379 redis://new:6379 'account:*' --yes",
        "gitbackup copy redis://old:6379 redis://new:6379 --delete",
        "gitbackup copy redis://old:6379/0 redis://new:6379/3          db0 into db3",
    ),
)
@repo_option
@lock_wait_option
@access_options
@plan_options
@click.option(
    "--delete/--no-delete",
    default=False,
    show_default=True,
    help="Whether to delete keys of the target that the source does not have.",
)
@write_options
@click.argument("source", metavar="SOURCE-URL")
@click.argument("target", metavar="TARGET-URL")
@click.argument("patterns", metavar="[KEY-GLOB]...", nargs=-1)
@click.pass_context
def copy(
    ctx: click.Context,
    repo: Path | None,
    values: dict[str, Any],
    options: PlanOptions,
    delete: bool,
    source: str,
    target: str,
    patterns: tuple[str, ...],
) -> None:
    """Copy the keys of one live server into another; other keys there are kept, unless --delete.

    Reads the source, at one point in time if possible, as a commit does; never writes to it.
    Then works as a restore: shows the plan and asks, changes each key atomically, and reads all
    keys again to compare them. Values that are overwritten or deleted in the target are saved
    first, on a branch saved/... of the data repository, which is created if there is none. HEAD
    does not change. To finish an interrupted copy, run the same command again; it copies what
    the source holds by then. Without a terminal, --yes is required.

    Other users may see a URL in the list of processes. So set the password of the source in
    REDISCLI_AUTH, and that of the target in GITBACKUP_TARGET_PASSWORD.
    """
    expect_answer(ctx, options)
    backup = logged_in(repo, source)
    with password_in_url("the target", f"set {PASSWORD}, or put it in the URL"):
        how = backup.copier(
            target,
            patterns=patterns,
            delete=delete,
            to_password=os.environ.get(PASSWORD) or None,
            **values,
        )
    terminal.warn_all(how.warnings)
    carry_out(ctx, backup, how, options)
