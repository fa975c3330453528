"""`gitbackup log` and `gitbackup show`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from gitbackup.backup import Backup
from gitbackup.cli import candidates, terminal
from gitbackup.cli.options import (
    PAGE,
    all_option,
    alone,
    examples,
    html_option,
    json_option,
    open_backup,
    redact_option,
    repo_option,
)
from gitbackup.errors import UsageError
from gitbackup.report import objects, text


@click.command(
    epilog=examples(
        "gitbackup log -n 5",
        "gitbackup log --json HEAD~10",
        "gitbackup log before-upgrade",
        "gitbackup log --html history.html",
    )
)
@repo_option
@json_option
@click.option(
    "-n", "--max-count", type=click.IntRange(min=0), metavar="N", help="At most so many commits."
)
@html_option
@click.argument(
    "commit_ish", metavar="[COMMIT-ISH]", default="HEAD", shell_complete=candidates.commits
)
def log(
    repo: Path | None, as_json: bool, max_count: int | None, html: str | None, commit_ish: str
) -> None:
    """Show the commits from COMMIT-ISH back, newest first: what changed, when, why.

    COMMIT-ISH is anything that git resolves: HEAD~2, a tag, a branch, a short id,
    @{yesterday}. Plain git shows the same history.
    """
    if html:
        alone(PAGE, json=as_json)
        from gitbackup.cli.page import write_log  # it loads what a terminal has no need of

        write_log(html, open_backup(repo), commit_ish, max_count)
        return
    for info in open_backup(repo).log(commit_ish, max_count):
        if as_json:
            terminal.say_json(objects.log_object(info))
        else:
            terminal.say(text.log_lines(info))


@click.command(
    epilog=examples(
        "gitbackup show",
        "gitbackup show HEAD~1",
        "gitbackup show HEAD:apikey:hash_map",
        "gitbackup show HEAD:counters --db 3",
    )
)
@repo_option
@json_option
@redact_option
@all_option
@click.option("--db", type=click.IntRange(min=0), metavar="N", help="The key's database.")
@click.argument(
    "what",
    metavar="[COMMIT-ISH[:KEY]]",
    default="HEAD",
    shell_complete=candidates.commit_or_key,
)
def show(
    repo: Path | None,
    as_json: bool,
    redact: tuple[str, ...],
    every: bool,
    db: int | None,
    what: str,
) -> None:
    """Show what a commit changed, or one key's entry as the commit stores it.

    What follows the first colon is a key's name; bytes that are not UTF-8 are written as
    base64: and their base64.
    """
    backup = open_backup(repo)
    commit_ish, colon, key = what.partition(":")
    if colon:
        _show_key(backup, commit_ish or "HEAD", key, db, redact, as_json)
    elif db is not None:
        raise UsageError("--db goes with a key: gitbackup show COMMIT-ISH:KEY --db N")
    else:
        _show_commit(backup, commit_ish, redact, every, as_json)


def _show_commit(
    backup: Backup, commit_ish: str, redact: Sequence[str], every: bool, as_json: bool
) -> None:
    from gitbackup.cli import differences  # it loads what a key's entry has no need of

    shown = backup.show(commit_ish, redact=redact, every=every)
    if as_json:
        terminal.say_json(objects.log_object(shown.info))
        differences.say_objects(shown.diff)
    else:
        terminal.say(text.show_lines(shown.info))
        differences.say_changes(shown.diff, differences.view())


def _show_key(
    backup: Backup,
    commit_ish: str,
    name: str,
    db: int | None,
    redact: Sequence[str],
    as_json: bool,
) -> None:
    key, entry = backup.entry(commit_ish, name, db, redact=redact)
    if as_json:
        terminal.say_json(objects.entry_object(backup.resolve(commit_ish), key, entry))
    else:
        terminal.say_stored(objects.entry_as_stored(key, entry))
