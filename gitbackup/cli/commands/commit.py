"""`gitbackup commit`."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitbackup import Backup
from gitbackup.cli.after_commit import expect_done, failure_hook, say_after_commit
from gitbackup.cli.arguments.message import from_editor, message_options
from gitbackup.cli.arguments.options import (
    OwnFirst,
    alone,
    connected,
    examples,
    expect_rdb,
    from_replicas_option,
    lock_wait_option,
    logged_in,
    open_backup,
    rdb_module_option,
    repo_words,
    server_option,
    typed,
)
from gitbackup.cli.output import terminal
from gitbackup.errors import MostKeysRemoved
from gitbackup.model.commits import Consistency
from gitbackup.report.json import objects
from gitbackup.report.text import sentences

if TYPE_CHECKING:  # it loads what `commit --help` has no need of
    from gitbackup.commit.commit import CommitResult


@click.command(
    cls=OwnFirst,
    epilog=examples(
        'gitbackup commit -m "added account"',
        "gitbackup commit --amend -m 'added account'   another message for it",
        "gitbackup commit --dry-run",
        "gitbackup commit --db 0 --json",
        "gitbackup commit --rdb /backup/dump-20240101.rdb",
        more=(3, 4),
    ),
)
@connected
@from_replicas_option
@lock_wait_option
@message_options("Commit message; each -m is a paragraph. [default: a list of what changed]")
@click.option("--amend", is_flag=True, help="Give the last commit another message.")
@click.option("--allow-empty", is_flag=True, help="Make a commit even if nothing changed.")
@click.option("--dry-run", is_flag=True, help="Show what would be committed, and write nothing.")
@click.option(
    "--consistency",
    type=click.Choice([choice.value for choice in Consistency]),
    default=Consistency.AUTO.value,
    help="Whether to commit one point in time. [default: auto]",
)
@click.option(
    "--rdb",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Commit the contents of an RDB file, or of a folder with a cluster's files, with the date"
    " of the file.",
)
@server_option
@rdb_module_option
@click.pass_context
def commit(
    ctx: click.Context,
    repo: Path | None,
    url: str | None,
    databases: tuple[int, ...],
    as_json: bool,
    message: str | None,
    amend: bool,
    allow_empty: bool,
    dry_run: bool,
    consistency: str,
    rdb: Path | None,
    server: Path | None,
    modules: tuple[Path, ...],
) -> None:
    """Commit every key of the database, with its type and expiry.

    Creates the data repository if there is none. If nothing changed, no commit is made, and the
    exit code is 0. A commit that removes most of the keys is made, too, but ends with exit code
    4: an alarm. If the setting push has the value on-commit, the commit is pushed. The settings
    on-commit, on-alarm and on-failure name commands to run afterwards (see gitbackup config).

    A commit shows the database at one point in time, if the server permits client tracking and
    writers leave enough time to read. Otherwise each key is read at its own moment, and the
    commit and a warning say so. `--consistency strict` makes that an error. `pause` lets the
    server hold writers back, for at most 500 ms in total. `per-key` reads each key at its own
    moment from the start.

    --amend changes only the message of the last commit, and needs no server. If that commit was
    pushed, or if something else refers to it, the message becomes a note on it instead (see
    gitbackup note).

    --rdb reads a file instead of your server: gitbackup loads it into a temporary server. To
    make a history of old RDB files, commit the oldest first.
    """
    if amend:
        others = {"allow-empty": allow_empty, "dry-run": dry_run, "rdb": rdb is not None}
        others["consistency"] = typed(ctx, "consistency")
        alone("--amend changes the last message,", **others)
        _amend(open_backup(repo), message, as_json)
        return
    from gitbackup.commit.commit import commit_object  # deferred, as above

    expect_rdb(rdb, server=server, module=modules)
    how = {"allow_empty": allow_empty, "dry_run": dry_run}
    backup = open_backup(repo, url, databases)
    with nullcontext() if dry_run else failure_hook(backup, "commit"):
        if rdb:
            result = backup.rdb.commit(rdb, message, server, modules=modules, **how)
        else:
            backup = logged_in(repo, url, databases)
            chosen = Consistency(consistency)
            if chosen is Consistency.PAUSE:
                terminal.warn("writers may have to wait, for at most 500 ms in total")
            result = backup.commit(message, consistency=chosen, **how)
    terminal.warn_all(result.warnings)
    if dry_run:
        _say_preview(result, as_json, allow_empty)
        return
    terminal.changed()
    if as_json:
        done = say_after_commit(backup, as_json, result)
        terminal.say_json(commit_object(result) | objects.hooks_object(done.hooks))
    else:
        terminal.say(sentences.commit_lines(result))
        done = say_after_commit(backup, as_json, result)
    if message and result.parent and not result.commit:
        where = repo_words(repo) if typed(ctx, "repo") else ""
        head = next(backup.log(result.parent, limit=1))
        terminal.say(sentences.keep_words_lines(head, message, where), err=as_json)
    if result.alarm and result.commit:
        where = repo_words(repo) if typed(ctx, "repo") else ""
        told = sentences.alarm_line(result.commit, result.alarm, where)
        raise MostKeysRemoved("; ".join([told, *done.failed]))
    expect_done(done)


def _say_preview(result: CommitResult, as_json: bool, allow_empty: bool) -> None:
    from gitbackup.commit.commit import commit_object

    if as_json:
        terminal.say_json(commit_object(result))
    elif result.differs or allow_empty:
        terminal.say(sentences.preview_lines(result))
    else:
        terminal.say([sentences.unchanged_line(result)])


def _amend(backup: Backup, message: str | None, as_json: bool) -> None:
    """Give the last commit other words."""
    if message is None:
        head = next(backup.log(backup.resolve("HEAD"), limit=1))
        before = "\n".join([head.subject, *sentences.reason(head)])
        message = from_editor(backup, before, f"The message of commit {head.short_id}.")
    result = backup.words.amend(message)
    terminal.changed()
    if as_json:
        terminal.say_json(objects.amend_object(result))
    else:
        terminal.say(sentences.amended_lines(result))
    expect_done(say_after_commit(backup, as_json, words=True))
