"""`gitbackup undo`."""

from __future__ import annotations

from pathlib import Path

import click

from gitbackup.cli.arguments.options import (
    OwnFirst,
    examples,
    lock_wait_option,
    logged_in,
    repo_option,
    url_option,
)
from gitbackup.cli.run_plan import PlanOptions, carry_out, expect_answer, plan_options


@click.command(
    cls=OwnFirst,
    epilog=examples(
        "gitbackup undo",
        "gitbackup undo --dry-run",
        "gitbackup undo --yes --json",
        failed="failed, or you answered no",
        more=(3,),
    ),
)
@repo_option
@lock_wait_option
@url_option
@plan_options
@click.pass_context
def undo(
    ctx: click.Context,
    repo: Path | None,
    url: str | None,
    options: PlanOptions,
) -> None:
    """Put back what the last restore replaced.

    The keys that it changed get the values that they had before; other keys are not touched.
    An undo is itself a restore: it shows its plan and asks, commits what would be lost,
    verifies, and can be undone. The last restore is the newest one in the history of HEAD,
    complete or interrupted. A restore into another server is not in that history: restore the
    branch saved/... that it named, with `gitbackup restore BRANCH --to URL`.

    Without a terminal, --yes is required.
    """
    expect_answer(ctx, options)
    backup = logged_in(repo, url)
    carry_out(ctx, backup, backup.undoer(), options)
