"""`gitbackup keys`."""

from __future__ import annotations

from pathlib import Path

import click

from gitbackup.cli.arguments.options import (
    examples,
    json_option,
    open_backup,
    read_at_length,
    repo_option,
    stored_db_option,
)
from gitbackup.cli.arguments.revision_arguments import KEYS, AfterDashes, revisions
from gitbackup.cli.completion import completions
from gitbackup.cli.output import terminal
from gitbackup.cli.output.pager import reading
from gitbackup.errors import UsageError
from gitbackup.report.json.history import keys_object
from gitbackup.report.text import history


@click.command(
    cls=AfterDashes,
    epilog=examples(
        "gitbackup keys",
        "gitbackup keys HEAD~3 'apikey:*'",
        "gitbackup keys --changed-since HEAD~5",
        "gitbackup keys --json --db 3",
    ),
)
@repo_option
@json_option
@read_at_length
@stored_db_option
@click.option(
    "--changed-since",
    metavar="COMMIT",
    help="List only keys that COMMIT does not have, or has with another value or expiry.",
)
@click.argument(
    "words",
    metavar="[COMMIT-ISH] [KEY-GLOB]...",
    nargs=-1,
    type=click.UNPROCESSED,
    shell_complete=completions.commits_then_keys,
)
@click.pass_context
def keys(
    ctx: click.Context,
    repo: Path | None,
    as_json: bool,
    databases: tuple[int, ...],
    changed_since: str | None,
    words: tuple[str, ...],
) -> None:
    """List the keys of a commit (default: HEAD): type, elements, bytes and expiry.

    Elements are fields, members, items or stream entries. Bytes is the size of the key's entry
    in the commit's files. Keys are listed file by file, in the order in which they are read.
    """
    backup = open_backup(repo, databases=databases)
    commits, patterns = revisions(backup, [*words], most=1)
    if len(commits) > 1:
        raise UsageError(
            f"at most one commit: {' '.join(map(repr, commits))}; put -- before key patterns"
        )
    commit, patterns = [*commits, "HEAD"][0], [*patterns, *ctx.meta[KEYS]]
    found = backup.keys(commit, patterns, changed_since=changed_since)
    with reading(backup):
        if as_json:
            for line in found:
                terminal.say_json(keys_object(line))
        else:
            terminal.say(history.key_lines(found))
