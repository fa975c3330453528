"""`gitbackup copy`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from gitbackup.cli import terminal
from gitbackup.cli.options import (
    OwnFirst,
    access_options,
    examples,
    lock_wait_option,
    logged_in,
    move_option,
    password_in_url,
    repo_option,
    skip_unsupported_option,
    ttl_option,
)
from gitbackup.cli.run_plan import (
    PlanOptions,
    carry_out,
    databases_of,
    expect_answer,
    manner_options,
)
from gitbackup.model.ttl import Ttl

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
@move_option
@manner_options
@click.option(
    "--delete/--no-delete",
    default=False,
    show_default=True,
    help="Whether to delete keys of the target that the source does not have.",
)
@skip_unsupported_option
@ttl_option
@click.argument("source", metavar="SOURCE-URL")
@click.argument("target", metavar="TARGET-URL")
@click.argument("patterns", metavar="[KEY-GLOB]...", nargs=-1)
@click.pass_context
def copy(
    ctx: click.Context,
    repo: Path | None,
    moves: tuple[tuple[int, int], ...],
    manner: PlanOptions,
    delete: bool,
    skip_unsupported: bool,
    ttl: str,
    source: str,
    target: str,
    patterns: tuple[str, ...],
) -> None:
    """Copy what one live server holds into another; its other keys are kept, unless --delete.

    The source is only read, at one point in time where that is possible, as for a commit. Then
    it is as a restore: the plan is shown, you are asked, each key changes at once, and all keys
    are read again and compared. Values of the target that are overwritten or deleted are saved
    first, in the data repository, on a branch saved/...; there is no other trace of the copy
    in it. It is created if there is none. To finish an interrupted copy, run the same command
    again; it copies what the source holds then. Without a terminal, --yes is required.

    A password need not be in a URL, where other users may see it in the list of processes:
    REDISCLI_AUTH holds the source's, and GITBACKUP_TARGET_PASSWORD the target's.
    """
    expect_answer(ctx, manner)
    backup = logged_in(repo, source)
    with password_in_url("the target", f"set {PASSWORD}, or put it in the URL"):
        how = backup.copier(
            target,
            patterns=patterns,
            databases=databases_of(moves),
            delete=delete,
            ttl=Ttl(ttl),
            skip_unsupported=skip_unsupported,
            to_password=os.environ.get(PASSWORD) or None,
        )
    terminal.warn_all(how.warnings)
    carry_out(ctx, backup, how, manner)
