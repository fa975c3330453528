"""`gitbackup commit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitbackup.cli import terminal
from gitbackup.cli.options import (
    OwnFirst,
    connected,
    examples,
    lock_wait_option,
    logged_in,
    open_backup,
    server_option,
)
from gitbackup.cli.push_on_commit import push_after_commit
from gitbackup.errors import PartlyDone, UsageError
from gitbackup.model.commits import Consistency
from gitbackup.report.json import objects
from gitbackup.report.text import sentences

if TYPE_CHECKING:  # it loads what `commit --help` has no need of
    from gitbackup.commit.commit import CommitResult


@click.command(
    cls=OwnFirst,
    epilog=examples(
        'gitbackup commit -m "added account"',
        "gitbackup commit --dry-run",
        "gitbackup commit --db 0 --json",
        "gitbackup commit --rdb /backup/dump-20240101.rdb",
    ),
)
@connected
@lock_wait_option
@click.option(
    "-m", "--message", metavar="TEXT", help="Why; without it the subject tells what changed."
)
@click.option("--allow-empty", is_flag=True, help="Commit even if nothing changed.")
@click.option("--dry-run", is_flag=True, help="Say what would be committed; write nothing.")
@click.option(
    "--consistency",
    type=click.Choice([choice.value for choice in Consistency]),
    default=Consistency.AUTO.value,
    help="How hard to try for one point in time. [default: auto]",
)
@click.option(
    "--rdb",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Commit what an RDB file holds, dated when it was written.",
)
@server_option
def commit(
    repo: Path | None,
    url: str | None,
    databases: tuple[int, ...],
    as_json: bool,
    message: str | None,
    allow_empty: bool,
    dry_run: bool,
    consistency: str,
    rdb: Path | None,
    server: Path | None,
) -> None:
    """Commit every key of the database, with its type and expiry.

    Makes the data repository where there is none. Where nothing changed there is no
    commit, and that is no error. With the setting gitbackup.push on-commit it is pushed.

    A commit is the database as it was at one point in time, if the server permits client
    tracking and writers leave room; else each key is as it was at a moment of its own, and
    the commit and its warning say so. With `--consistency strict` that is an error; `pause`
    lets the server keep writers waiting where they leave no room, for 500 ms in all at most;
    `per-key` does not even try.

    With --rdb no server is asked: the file, of any server and age, is loaded into one of our
    own. So old backups become history; commit the oldest first.
    """
    if server and not rdb:
        raise UsageError("--server goes with --rdb")
    how = {"allow_empty": allow_empty, "dry_run": dry_run}
    if rdb:
        backup = open_backup(repo, url, databases)
        result = backup.rdb.commit(rdb, message, server, **how)
    else:
        backup = logged_in(repo, url, databases)
        chosen = Consistency(consistency)
        if chosen is Consistency.PAUSE:
            terminal.warn("writers may have to wait, for 500 ms at most")
        result = backup.commit(message, consistency=chosen, **how)
    terminal.warn_all(result.warnings)
    if as_json:
        terminal.say_json(
            objects.commit_object(
                result.commit,
                result.parent,
                result.subject,
                result.keys,
                result.summary,
                result.consistency,
            )
        )
    else:
        _say(result, dry_run)
    if not dry_run and (unpushed := push_after_commit(backup, as_json, bool(result.commit))):
        raise PartlyDone(unpushed)


def _say(result: CommitResult, dry_run: bool) -> None:
    if dry_run:
        terminal.say(sentences.preview_lines(result.subject, result.keys, result.summary))
        return
    terminal.say(
        sentences.commit_lines(
            result.commit, result.subject, result.keys, result.summary, result.parent
        )
    )
