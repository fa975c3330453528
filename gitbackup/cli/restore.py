"""`gitbackup restore` and `gitbackup undo`."""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import click

from gitbackup.backup import Backup
from gitbackup.cli import candidates, terminal
from gitbackup.cli.options import (
    examples,
    json_option,
    logged_in,
    move_option,
    open_backup,
    password_in_url,
    repo_option,
    to_option,
    ttl_option,
    url_option,
)
from gitbackup.cli.remote import push_after_commit
from gitbackup.errors import PartlyDone, UsageError
from gitbackup.plan import Plan, Ttl
from gitbackup.report import plans, text
from gitbackup.report.plan_text import plan_lines

if TYPE_CHECKING:  # it loads what `restore --help` has no need of
    from gitbackup.ops.importing import Importing
    from gitbackup.ops.outcome import RestoreResult
    from gitbackup.ops.restore import Restorer


class Manner(NamedTuple):
    """How a plan is shown and carried out: options that `restore`, `undo` and `import` share."""

    dry_run: bool
    yes: bool
    as_json: bool
    full: bool


dry_run_option = click.option("--dry-run", is_flag=True, help="Show the plan; write nothing.")
yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
full_option = click.option("--full", is_flag=True, help="Name every key of a long plan.")


@click.command(
    epilog=examples(
        "gitbackup restore HEAD~1 --dry-run",
        "gitbackup restore before-upgrade",
        "gitbackup restore @{yesterday} 'apikey:*' --no-delete --yes",
        "gitbackup restore HEAD --db 3:5",
        "gitbackup restore HEAD --to redis://localhost:6380",
        "gitbackup restore HEAD --dry-run --json > plan.json",
        "gitbackup restore --plan plan.json --yes",
    )
)
@repo_option
@url_option
@move_option
@json_option
@dry_run_option
@full_option
@yes_option
@click.option("--no-delete", is_flag=True, help="Keep keys that the commit does not have.")
@ttl_option
@to_option
@click.option(
    "--plan",
    "file",
    type=click.File("rb"),
    metavar="FILE",
    help="Carry out what --dry-run --json printed, if none of its keys has changed since;"
    " it stands for COMMIT-ISH, key globs, --db, --no-delete and --ttl.",
)
@click.argument(
    "commit_ish", metavar="COMMIT-ISH", required=False, shell_complete=candidates.commits
)
@click.argument("patterns", metavar="[KEY-GLOB]...", nargs=-1, shell_complete=candidates.keys)
@click.pass_context
def restore(
    ctx: click.Context,
    repo: Path | None,
    url: str | None,
    moves: tuple[tuple[int, int], ...],
    as_json: bool,
    dry_run: bool,
    full: bool,
    yes: bool,
    no_delete: bool,
    ttl: str,
    to: str | None,
    file: IO[bytes] | None,
    commit_ish: str | None,
    patterns: tuple[str, ...],
) -> None:
    """Make the database hold what COMMIT-ISH does: nothing less, and nothing more.

    Shows the plan and asks. What the database holds and HEAD does not is committed before
    any of it goes, and what it holds since in the end. Each key changes at once; a key that
    somebody writes to meanwhile is saved, and done again. In the end all is read again and
    compared. A restore that was cut off is finished by the same command, and taken back by
    `gitbackup undo`.

    Only keys that the commit's scope covers are touched; with --db 3:5, those of database 5
    whose names it covers in database 3. Off a terminal it needs --yes.
    """
    if file:
        _expect_plan_alone(ctx)
    elif not commit_ish:
        raise click.UsageError("Missing argument 'COMMIT-ISH'.", ctx)
    expect_answer(ctx, yes, dry_run)
    backup = open_backup(repo, url) if to else logged_in(repo, url)
    with password_in_url():
        if file:
            how = backup.planned(plans.read_plan(file.read()), to)
        else:
            how = backup.restorer(
                commit_ish or "",
                patterns=patterns,
                databases=databases_of(moves),
                delete=not no_delete,
                ttl=Ttl(ttl),
                to=to,
            )
    carry_out(ctx, backup, how, Manner(dry_run, yes, as_json, full))


@click.command(
    epilog=examples("gitbackup undo", "gitbackup undo --dry-run", "gitbackup undo --yes --json")
)
@repo_option
@url_option
@json_option
@dry_run_option
@full_option
@yes_option
@click.pass_context
def undo(
    ctx: click.Context,
    repo: Path | None,
    url: str | None,
    as_json: bool,
    dry_run: bool,
    full: bool,
    yes: bool,
) -> None:
    """Put back what the last restore replaced.

    The keys that it was to change hold again what they held before it, others are left alone.
    It is a restore as any: it shows its plan and asks, commits what would be lost, verifies,
    and can be undone in turn. The last restore is the newest that HEAD's history tells of,
    whole or cut off. One into another server is in no such history: restore the branch
    saved/... that it named, with --to.

    Off a terminal it needs --yes.
    """
    expect_answer(ctx, yes, dry_run)
    backup = logged_in(repo, url)
    carry_out(ctx, backup, backup.undoer(), Manner(dry_run, yes, as_json, full))


def expect_answer(ctx: click.Context, yes: bool, dry_run: bool) -> None:
    """Raises UsageError where nobody can be asked, and has to be."""
    if not (yes or dry_run or terminal.asks()):
        raise UsageError(
            f"{ctx.info_name} asks before it writes: add --yes, or --dry-run to see the plan"
        )


def _expect_plan_alone(ctx: click.Context) -> None:
    """Raises UsageError for an option or argument that the plan settles."""
    named = {
        "commit_ish": "COMMIT-ISH",
        "patterns": "key globs",
        "moves": "--db",
        "no_delete": "--no-delete",
        "ttl": "--ttl",
    }
    default = click.core.ParameterSource.DEFAULT
    given = [word for name, word in named.items() if ctx.get_parameter_source(name) is not default]
    if given:
        raise UsageError(f"the plan settles that itself: with --plan, give no {given[0]}")


def databases_of(moves: tuple[tuple[int, int], ...]) -> dict[int, int] | None:
    databases: dict[int, int] = {}
    for of, to in moves:
        if databases.setdefault(of, to) != to:
            raise UsageError(f"--db: database {of} cannot go into two")
    return databases or None


def carry_out(
    ctx: click.Context, backup: Backup, how: Restorer | Importing, manner: Manner
) -> None:
    """Shows the plan, and carries it out where that is wanted."""
    if how.resumes:
        terminal.warn("going on with the same restore, which was cut off")
    if manner.dry_run:
        _say_plan(how.plan(), manner)
        return
    result = how.run(lambda plan: _agreed(plan, manner))
    if not result.applied:
        _say_nothing(ctx, result, manner.as_json)
        return
    _say_done(result, manner.as_json)
    made = result.saved or result.recorded
    undone = [] if result.whole else [_left(result)]
    undone += filter(None, [push_after_commit(backup, manner.as_json) if made else ""])
    if undone:
        raise PartlyDone("; ".join(undone))


def _say_plan(plan: Plan, manner: Manner) -> None:
    if manner.as_json:
        terminal.say_json(plans.plan_object(plan))
    else:
        terminal.say(plan_lines(plan, manner.full))


def _agreed(plan: Plan, manner: Manner) -> bool:
    """Shows the plan, beside what is for a program, and asks."""
    if not (manner.yes and manner.as_json):
        terminal.say(plan_lines(plan, manner.full), err=manner.as_json)
    return manner.yes or click.confirm(f"Write this to {plan.server}?", err=True)


def _say_nothing(ctx: click.Context, result: RestoreResult, as_json: bool) -> None:
    """Nothing was to be done, or somebody said no."""
    if as_json:
        terminal.say_json(_result_object(result))
    elif result.plan.keys:
        click.echo("nothing was restored, nothing was changed")
    else:
        terminal.say(plan_lines(result.plan))
    if result.plan.keys:
        ctx.exit(1)


def _say_done(result: RestoreResult, as_json: bool) -> None:
    if as_json:
        terminal.say_json(_result_object(result))
        return
    if result.saved:
        click.echo(f"what was there is {result.place}")
    for commit in result.meanwhile:
        click.echo(f"what was written meanwhile is commit {commit[:7]}")
    equal = "equals" if result.verified == 1 else "equal"
    click.echo(f"verified: {text.keys(result.verified)} {equal} {result.plan.source}")
    if result.recorded:
        click.echo(f"what is there now is commit {result.recorded[:7]}, HEAD")
    if result.unrecorded:
        terminal.warn(f"warning: what is there now is not committed: {result.unrecorded}")


def _result_object(result: RestoreResult) -> dict[str, Any]:
    return plans.restore_object(
        result.plan,
        {
            "saved": result.saved,
            "saved_on": result.saved_on,
            "meanwhile": list(result.meanwhile),
            "recorded": result.recorded,
        },
        result.done,
        {
            "busy": result.busy,
            "refused": [key for key, _ in result.refused],
            "differing": result.differing,
        },
    )


def _left(result: RestoreResult) -> str:
    """Which keys do not hold what they should, and why."""
    parts = []
    if result.refused:
        why = result.refused[0][1]
        parts.append(f"the server refused {text.key_list(k for k, _ in result.refused)} ({why})")
    if result.busy:
        parts.append(f"somebody goes on writing to {text.key_list(result.busy)}")
    if result.differing:
        parts.append(
            f"{text.key_list(result.differing)} hold something else by now: somebody wrote to"
            " them, or this server cannot hold all of it"
        )
    return "restored but for some keys: " + "; ".join(parts)
