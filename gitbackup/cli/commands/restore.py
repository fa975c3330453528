"""`gitbackup restore`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from gitbackup import Backup
from gitbackup.cli.arguments.options import (
    OwnFirst,
    examples,
    expect_rdb,
    lock_wait_option,
    logged_in,
    open_backup,
    password_in_url,
    rdb_module_option,
    repo_option,
    server_option,
    to_option,
    url_option,
)
from gitbackup.cli.arguments.write_options import write_options
from gitbackup.cli.choose import choose
from gitbackup.cli.completion import completions
from gitbackup.cli.output import terminal
from gitbackup.cli.output.diff_output import labels_of
from gitbackup.cli.run_plan import (
    PlanOptions,
    carry_out,
    expect_answer,
    plan_options,
    say_plan,
)
from gitbackup.errors import Ambiguous, Damaged, NewerFormat, UsageError
from gitbackup.plan.plan_json import read_plan
from gitbackup.report.text.plan import plan_lines
from gitbackup.system import available_memory

if TYPE_CHECKING:  # it loads what `restore --help` has no need of
    from gitbackup.restore.restore import Restorer


@click.command(
    cls=OwnFirst,
    epilog=examples(
        "gitbackup restore HEAD~1 --dry-run -p",
        "gitbackup restore before-upgrade -i",
        "gitbackup restore @{yesterday} 'apikey:*' --no-delete --yes",
        "gitbackup restore HEAD --db 3:5",
        "gitbackup restore HEAD --to redis://localhost:6380",
        "gitbackup restore --rdb dump.rdb 'account:*'",
        "gitbackup restore HEAD --dry-run --json > plan.json",
        "gitbackup restore --plan plan.json --yes",
        failed="failed, or you answered no",
        more=(3,),
    ),
)
@repo_option
@lock_wait_option
@url_option
@plan_options
@click.option(
    "-i", "--interactive", is_flag=True, help="Choose keys and namespaces from a list first."
)
@click.option("--no-delete", is_flag=True, help="Keep keys that are not in the commit.")
@click.option(
    "--skip-damaged",
    is_flag=True,
    help="Restore the intact files of a damaged commit, and delete nothing.",
)
@write_options
@to_option
@click.option(
    "--plan",
    "file",
    type=click.File("rb"),
    metavar="FILE",
    help="Apply a plan that --dry-run --json printed, if none of its keys has changed"
    " since then. Replaces COMMIT-ISH, KEY-GLOB, --db, --no-delete and --ttl.",
)
@click.option(
    "--rdb",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Restore the contents of an RDB file, or of a cluster's files in a folder. Replaces"
    " COMMIT-ISH.",
)
@server_option
@rdb_module_option
@click.argument(
    "commit_ish", metavar="COMMIT-ISH", required=False, shell_complete=completions.commits
)
@click.argument("patterns", metavar="[KEY-GLOB]...", nargs=-1, shell_complete=completions.keys)
@click.pass_context
def restore(
    ctx: click.Context,
    repo: Path | None,
    url: str | None,
    values: dict[str, Any],
    options: PlanOptions,
    interactive: bool,
    no_delete: bool,
    skip_damaged: bool,
    to: str | None,
    file: IO[bytes] | None,
    rdb: Path | None,
    server: Path | None,
    modules: tuple[Path, ...],
    commit_ish: str | None,
    patterns: tuple[str, ...],
) -> None:
    """Make the database equal to COMMIT-ISH.

    Shows the plan and asks. Commits the current state first, and the new state at the end. Each
    key is changed atomically. If a client writes to a key meanwhile, the new value is saved and
    the key is restored again. At the end all keys are read again and compared. To finish an
    interrupted restore, run the same command again; to take it back, run `gitbackup undo`.

    Only keys in the commit's scope are touched. With --db 3:5, these are the keys of database
    5 whose names are in the scope of database 3. Without a terminal, --yes is required.

    With --rdb, gitbackup first commits the file to a branch of its own, and restores that commit.
    """
    if file:
        _expect_plan_alone(ctx)
    elif not (commit_ish or rdb):
        raise click.UsageError("Missing argument 'COMMIT-ISH'.", ctx)
    expect_rdb(rdb, server=server, module=modules)
    expect_answer(ctx, options)
    backup = open_backup(repo, url) if to else logged_in(repo, url)
    patterns = (commit_ish, *patterns) if rdb and commit_ish else patterns
    words = {"patterns": patterns, "to": to, "delete": not no_delete, **values}
    with password_in_url():
        if rdb and options.dry_run:
            see = partial(say_plan, backup, options=options)
            backup.rdb.plan(rdb, server, modules=modules, see=see, **words)
            return
        if file:
            how = backup.planned(read_plan(available_memory.whole(file, "the plan")), to)
        else:
            commit = (
                _adopted(backup, rdb, server, modules, options.as_json) if rdb else commit_ish or ""
            )
            words |= {"skip_damaged": skip_damaged}
            how = _meant(ctx, backup, commit, words, options)
            if interactive:
                chosen = _chosen(ctx, backup, how, options)
                how = _meant(ctx, backup, commit, words | chosen, options)
    try:
        carry_out(ctx, backup, how, options, how.damaged)
    except NewerFormat:
        raise
    except Damaged as error:
        raise Damaged(f"{error}; --skip-damaged restores the rest, and deletes nothing") from None


def _meant(
    ctx: click.Context, backup: Backup, commit: str, words: dict[str, Any], options: PlanOptions
) -> Restorer:
    """Return the restore that is meant. If one in these words was cut off, and they name another
    commit by now, the person is asked which."""
    try:
        return backup.restorer(commit, **words)
    except Ambiguous as error:
        if options.yes or not terminal.asks():
            raise
        terminal.warn(str(error))
        try:
            go_on = click.confirm(f"Continue with {error.then[:7]}?", err=True)
        except click.Abort:
            raise terminal.Untouched from None
        if not go_on:
            click.echo("nothing was changed")
            ctx.exit(1)
        return backup.restorer(error.then, **words)


def _chosen(
    ctx: click.Context, backup: Backup, how: Restorer, options: PlanOptions
) -> dict[str, Any]:
    """Return the words that name the keys which a person chooses; exits if there are none."""
    if not terminal.asks():
        raise UsageError("-i asks which keys to restore: give key globs instead")
    plan = how.plan()
    try:
        chosen = choose(plan, options.as_json, labels_of(backup)) if plan.keys else None
    except click.Abort:
        raise terminal.Untouched from None
    if chosen is None:
        terminal.say(
            ["nothing was changed"] if plan.keys else plan_lines(plan), err=options.as_json
        )
        ctx.exit(1 if plan.keys else 0)
    return chosen._asdict()


def _expect_plan_alone(ctx: click.Context) -> None:
    """Raise UsageError for an option or argument that the plan settles."""
    named = {
        "commit_ish": "COMMIT-ISH",
        "patterns": "key globs",
        "databases": "--db",
        "interactive": "-i",
        "no_delete": "--no-delete",
        "skip_damaged": "--skip-damaged",
        "skip_unsupported": "--skip-unsupported",
        "ttl": "--ttl",
        "without_field_expiry": "--without-field-expiry",
        "rdb": "--rdb",
    }
    default = click.core.ParameterSource.DEFAULT
    given = [word for name, word in named.items() if ctx.get_parameter_source(name) is not default]
    if given:
        raise UsageError(f"--plan already contains {given[0]}: leave it out")


def _adopted(
    backup: Backup, rdb: Path, server: Path | None, modules: Sequence[Path], as_json: bool
) -> str:
    """Return the id of the commit that an RDB file has become."""
    adopted = backup.rdb.adopt(rdb, server, modules=modules)
    terminal.warn_all(adopted.warnings)
    sentence = f"committed {rdb} as {adopted.commit[:7]}, on the branch {adopted.branch}"
    terminal.say([sentence], err=as_json)
    return adopted.commit
