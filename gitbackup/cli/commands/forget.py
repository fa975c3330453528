"""`gitbackup forget`."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitbackup.cli.arguments.options import (
    OwnFirst,
    alone,
    examples,
    json_option,
    lock_wait_option,
    open_backup,
    repo_option,
    repo_words,
)
from gitbackup.cli.completion import completions
from gitbackup.cli.output import terminal
from gitbackup.errors import UsageError
from gitbackup.report.json.forget import forget_object
from gitbackup.report.text import forget as words

if TYPE_CHECKING:  # `forget --help` has no need of it
    from gitbackup.forget.forget import ForgetPlan


@click.command(
    cls=OwnFirst,
    epilog=examples(
        "gitbackup forget apikey:42 --field secret --dry-run",
        "gitbackup forget apikey:42 --field secret",
        "gitbackup forget session:7f3a --yes",
        "gitbackup forget session:7f3a --allow    it may be committed again",
        failed="failed, or the answer was no",
    ),
)
@repo_option
@lock_wait_option
@json_option
@click.option("--field", metavar="F", help="Only this field of a hash.")
@click.option("--allow", is_flag=True, help="Let what was forgotten be committed again.")
@click.option("--dry-run", is_flag=True, help="Show the plan; write nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.argument("key", metavar="KEY", shell_complete=completions.keys)
@click.pass_context
def forget(
    ctx: click.Context,
    repo: Path | None,
    as_json: bool,
    field: str | None,
    allow: bool,
    dry_run: bool,
    yes: bool,
    key: str,
) -> None:
    """Take the value of a key, or of one field, out of every commit, in every database.

    All commits from the first one that has it get new ids. Branches, tags, notes and logs
    follow, and git's old objects are removed, so the value is nowhere in the data repository.
    This cannot be undone. Remotes and other clones still have the value until they are updated;
    the command says how.

    The database is not touched. gitbackup remembers a digest of the value: a commit, restore or
    pull that would bring it back is refused. For a whole key, this includes each longer part of
    its value; to change one field of a key that is in use, forget only that field.

    Without a terminal, --yes is required.
    """
    backup = open_backup(repo)
    if allow:
        alone("--allow remembers nothing any more,", **{"dry-run": dry_run})
        allowed = backup.secrets.allow(key, field)
        terminal.changed()
        if as_json:
            terminal.say_json(forget_object(None, allowed=allowed))
        else:
            terminal.say(words.allowed_lines(allowed))
        return
    if not (yes or dry_run or terminal.asks()):
        raise UsageError(
            "forget asks before it rewrites the history: add --yes, or --dry-run to see the plan"
        )

    def confirm(plan: ForgetPlan) -> bool:
        if not as_json:
            with nullcontext() if dry_run else terminal.showing_plan():
                terminal.say(words.plan_lines(plan))
        if dry_run:
            return False
        return yes or click.confirm("Rewrite the history? It cannot be undone", err=True)

    result = backup.secrets.forget(key, confirm, field=field)
    if result.done:
        terminal.changed()
    if as_json:
        terminal.say_json(forget_object(result))
    else:
        terminal.say(words.done_lines(result, repo_words(repo), backup.secrets.rdb_files()))
    if not (result.done or result.before or dry_run):
        ctx.exit(1)
