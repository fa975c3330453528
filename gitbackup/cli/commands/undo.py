"""`gitbackup undo`."""

from __future__ import annotations

from pathlib import Path

import click

from gitbackup.cli.options import (
    OwnFirst,
    examples,
    lock_wait_option,
    logged_in,
    repo_option,
    url_option,
)
from gitbackup.cli.run_plan import PlanOptions, carry_out, expect_answer, manner_options


@click.command(
    cls=OwnFirst,
    epilog=examples("gitbackup undo", "gitbackup undo --dry-run", "gitbackup undo --yes --json"),
)
@repo_option
@lock_wait_option
@url_option
@manner_options
@click.pass_context
def undo(
    ctx: click.Context,
    repo: Path | None,
    url: str | None,
    manner: PlanOptions,
) -> None:
    """Put back what the last restore replaced.

    The keys that it was to change hold again what they held before it, others are left alone.
    It is a restore as any: it shows its plan and asks, commits what would be lost, verifies,
    and can be undone in turn. The last restore is the newest that HEAD's history tells of,
    whole or cut off. One into another server is in no such history: restore the branch
    saved/... that it named, with --to.

    Off a terminal it needs --yes.
    """
    expect_answer(ctx, manner)
    backup = logged_in(repo, url)
    carry_out(ctx, backup, backup.undoer(), manner)
