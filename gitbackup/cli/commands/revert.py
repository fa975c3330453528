"""`gitbackup revert`."""

from __future__ import annotations

from pathlib import Path

import click

from gitbackup.cli.arguments.options import (
    OwnFirst,
    db_option,
    examples,
    lock_wait_option,
    logged_in,
    quiet_option,
    repo_option,
    url_option,
)
from gitbackup.cli.completion import completions
from gitbackup.cli.run_plan import PlanOptions, carry_out, expect_answer, plan_options
from gitbackup.model.merging import Side


@click.command(
    cls=OwnFirst,
    epilog=examples(
        "gitbackup revert HEAD --dry-run",
        "gitbackup revert 931e661 'apikey:*' 'cost_rank:*'   some keys of it",
        "gitbackup revert 931e661 --exclude 'usage:*'        all but some keys",
        "gitbackup revert 931e661 --theirs --yes             conflicts: the old value",
        "gitbackup revert 931e661 --counters",
        failed="failed, or you answered no",
        more=(3,),
    ),
)
@repo_option
@lock_wait_option
@url_option
@db_option
@plan_options
@click.option(
    "--ours",
    "side",
    flag_value=Side.OURS.value,
    help="Resolve conflicts by keeping the present value.",
)
@click.option(
    "--theirs",
    "side",
    flag_value=Side.THEIRS.value,
    help="Resolve conflicts with the value from before COMMIT.",
)
@click.option(
    "--counters",
    is_flag=True,
    help="Resolve conflicts of whole numbers by subtracting what COMMIT added.",
)
@click.option(
    "--exclude",
    multiple=True,
    metavar="GLOB",
    help="Leave matching keys alone. Repeatable.",
)
@quiet_option("Revert quiet keys too (see config).")
@click.argument("commit", metavar="COMMIT", shell_complete=completions.commits)
@click.argument("patterns", metavar="[KEY-GLOB]...", nargs=-1, shell_complete=completions.keys)
@click.pass_context
def revert(
    ctx: click.Context,
    repo: Path | None,
    url: str | None,
    databases: tuple[int, ...],
    options: PlanOptions,
    side: str | None,
    counters: bool,
    exclude: tuple[str, ...],
    every: bool,
    commit: str,
    patterns: tuple[str, ...],
) -> None:
    """Take back what COMMIT changed; what came later stays.

    Merges the database key by key, and inside a key by field, member, score, list item, stream
    entry and path of a JSON document; expiries are merged, too. A part that COMMIT changed and
    that has changed again since cannot be merged. It is a conflict: it is shown with its three
    values (before COMMIT, after it, now) and left as it is, unless --theirs, --ours or
    --counters resolves it.

    Works as a restore: shows the plan and asks, saves the previous state first, verifies, and
    can be undone. Quiet keys are left alone unless KEY-GLOB or --with-quiet asks for them. For
    a merge commit, its difference from its first parent is taken back. Without a terminal,
    --yes is required.
    """
    expect_answer(ctx, options)
    backup = logged_in(repo, url, databases)
    how = backup.reverter(
        commit,
        patterns=patterns,
        side=Side(side) if side else None,
        counters=counters,
        exclude=exclude,
        every=every,
    )
    carry_out(ctx, backup, how, options)
