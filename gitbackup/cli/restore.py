"""`gitbackup restore`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitbackup.backup import Backup
from gitbackup.cli import candidates, terminal
from gitbackup.cli.options import connected, examples, logged_in, open_backup, server_option
from gitbackup.cli.remote import push_after_commit
from gitbackup.errors import PartlyDone, PasswordNeeded, ServerError, UsageError
from gitbackup.plan import Plan, Ttl
from gitbackup.report import objects, text

if TYPE_CHECKING:  # it loads what `restore --help` has no need of
    from gitbackup.ops.restore import RestoreResult


@click.command(
    epilog=examples(
        "gitbackup restore HEAD~1 --dry-run",
        "gitbackup restore before-upgrade",
        "gitbackup restore @{yesterday} 'apikey:*' --no-delete --yes",
        "gitbackup restore HEAD --to redis://localhost:6380",
        "gitbackup restore --rdb dump.rdb 'account:*'",
    )
)
@connected
@click.option("--dry-run", is_flag=True, help="Show the plan; write nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--no-delete", is_flag=True, help="Keep keys that the commit does not have.")
@click.option(
    "--ttl",
    type=click.Choice([policy.value for policy in Ttl]),
    default=Ttl.KEEP.value,
    show_default=True,
    help="Expiries: the same instant, as much time as was left, or none.",
)
@click.option("--to", metavar="URL", help="Restore into another server.")
@click.option(
    "--rdb",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Restore what an RDB file holds; it stands for COMMIT-ISH.",
)
@server_option
@click.argument(
    "commit_ish", metavar="COMMIT-ISH", required=False, shell_complete=candidates.commits
)
@click.argument("patterns", metavar="[KEY-GLOB]...", nargs=-1, shell_complete=candidates.keys)
@click.pass_context
def restore(
    ctx: click.Context,
    repo: Path | None,
    url: str | None,
    databases: tuple[int, ...],
    as_json: bool,
    dry_run: bool,
    yes: bool,
    no_delete: bool,
    ttl: str,
    to: str | None,
    rdb: Path | None,
    server: Path | None,
    commit_ish: str | None,
    patterns: tuple[str, ...],
) -> None:
    """Make the database hold what COMMIT-ISH does: nothing less, and nothing more.

    Shows the plan and asks. What the database holds and HEAD does not is committed before
    any of it goes, and what it holds since in the end. Each key changes at once; a key that
    somebody writes to meanwhile is saved, and done again. In the end all is read again and
    compared. A restore that was cut off is finished by the same command.

    Only keys that the commit's scope covers are touched. Off a terminal it needs --yes.

    With --rdb the file, of any server and age, is first made a commit on a branch of its own.
    """
    if not (commit_ish or rdb):
        raise click.UsageError("Missing argument 'COMMIT-ISH'.", ctx)
    if server and not rdb:
        raise UsageError("--server goes with --rdb")
    if not (yes or dry_run or terminal.asks()):
        raise UsageError("restore asks before it writes: add --yes, or --dry-run to see the plan")
    backup = open_backup(repo, url, databases) if to else logged_in(repo, url, databases)
    if rdb:
        patterns = (commit_ish, *patterns) if commit_ish else patterns
        commit_ish = _adopted(backup, rdb, server, as_json)
    try:
        restoring = backup.restorer(
            commit_ish or "", patterns=patterns, delete=not no_delete, ttl=Ttl(ttl), to=to
        )
    except PasswordNeeded:
        raise ServerError("the server of --to wants a password: put it in that URL") from None
    if restoring.resumes:
        terminal.warn("going on with the same restore, which was cut off")
    if dry_run:
        _say_plan(restoring.plan(), as_json)
        return
    result = restoring.run(lambda plan: _agreed(plan, yes, as_json))
    if not result.applied:
        _say_nothing(ctx, result, as_json)
        return
    _say_done(result, as_json)
    made = result.saved or result.recorded
    undone = [] if result.whole else [_left(result)]
    undone += filter(None, [push_after_commit(backup, as_json) if made else ""])
    if undone:
        raise PartlyDone("; ".join(undone))


def _adopted(backup: Backup, rdb: Path, server: Path | None, as_json: bool) -> str:
    """The id of the commit that an RDB file has become."""
    adopted = backup.rdb.adopt(rdb, server)
    terminal.warn_all(adopted.warnings)
    sentence = f"{rdb} is commit {adopted.commit[:7]}, on the branch {adopted.branch}"
    terminal.say([sentence], err=as_json)
    return adopted.commit


def _say_plan(plan: Plan, as_json: bool) -> None:
    if as_json:
        terminal.say_json(objects.plan_object(plan))
    else:
        terminal.say(text.plan_lines(plan, every=True))


def _agreed(plan: Plan, yes: bool, as_json: bool) -> bool:
    """Shows the plan, beside what is for a program, and asks."""
    if not (yes and as_json):
        terminal.say(text.plan_lines(plan), err=as_json)
    return yes or click.confirm(f"Write this to {plan.server}?", err=True)


def _say_nothing(ctx: click.Context, result: RestoreResult, as_json: bool) -> None:
    """Nothing was to be done, or somebody said no."""
    if as_json:
        _say_json(result)
    elif result.plan.keys:
        click.echo("nothing was restored, nothing was changed")
    else:
        terminal.say(text.plan_lines(result.plan))
    if result.plan.keys:
        ctx.exit(1)


def _say_done(result: RestoreResult, as_json: bool) -> None:
    if as_json:
        _say_json(result)
        return
    commit = result.plan.commit[:7]
    if result.saved:
        where = f" on the branch {result.saved_on}" if result.saved_on else ""
        click.echo(f"what was there is commit {result.saved[:7]}{where}")
    equal = "equals" if result.verified == 1 else "equal"
    click.echo(f"verified: {text.keys(result.verified)} {equal} commit {commit}")
    if result.recorded:
        click.echo(f"what is there now is commit {result.recorded[:7]}, HEAD")
    if result.unrecorded:
        terminal.warn(f"warning: what is there now is not committed: {result.unrecorded}")


def _say_json(result: RestoreResult) -> None:
    left = {
        "busy": result.busy,
        "refused": [key for key, _ in result.refused],
        "differing": result.differing,
    }
    terminal.say_json(
        objects.restore_object(
            result.plan,
            result.saved,
            result.saved_on,
            result.recorded,
            result.verified,
            left,
        )
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
