"""`gitbackup blame` and `gitbackup keys`."""

from __future__ import annotations

from pathlib import Path

import click

from gitbackup.cli import candidates, terminal
from gitbackup.cli.options import (
    OwnFirst,
    examples,
    json_option,
    key_db_option,
    open_backup,
    read_at_length,
    redact_option,
    repo_option,
    stored_db_option,
)
from gitbackup.cli.pager import reading
from gitbackup.cli.words import KEYS, AfterDashes, revisions
from gitbackup.errors import UsageError
from gitbackup.report import history, records


@click.command(
    cls=OwnFirst,
    epilog=examples(
        "gitbackup blame claude_relay_config",
        "gitbackup blame apikey:42 before-upgrade",
        "gitbackup blame counters --db 3 --json",
    ),
)
@repo_option
@json_option
@read_at_length
@redact_option
@key_db_option
@click.argument("key", metavar="KEY", shell_complete=candidates.keys)
@click.argument(
    "commit_ish",
    metavar="[COMMIT-ISH]",
    default="HEAD",
    shell_complete=candidates.commits,
)
def blame(
    repo: Path | None,
    as_json: bool,
    redact: tuple[str, ...],
    db: int | None,
    key: str,
    commit_ish: str,
) -> None:
    """Show which commit last changed each part of a key.

    A part is a field, a member and its score, an item of a list, a path into a JSON
    document, an expiry; a stream's entries are one part. Bytes of a name that are not UTF-8
    are written as base64: and their base64.
    """
    backup = open_backup(repo)
    found = backup.blame(key, commit_ish, db, redact=redact)
    with reading(backup):
        if as_json:
            for line in found.lines:
                terminal.say_json(records.blame_object(found.key, line, found.redacted))
        else:
            terminal.say(history.blame_lines(found.key, found.entry, found.lines))


@click.command(
    cls=AfterDashes,
    epilog=examples(
        "gitbackup keys",
        "gitbackup keys HEAD~3 'apikey:*'",
        "gitbackup keys --json --db 3",
    ),
)
@repo_option
@json_option
@read_at_length
@stored_db_option
@click.argument(
    "words",
    metavar="[COMMIT-ISH] [KEY-GLOB]...",
    nargs=-1,
    type=click.UNPROCESSED,
    shell_complete=candidates.commits_then_keys,
)
@click.pass_context
def keys(
    ctx: click.Context,
    repo: Path | None,
    as_json: bool,
    databases: tuple[int, ...],
    words: tuple[str, ...],
) -> None:
    """List the keys of a commit, HEAD unless told: type, elements, bytes, expiry.

    Elements are fields, members, items or stream entries; bytes are those of the key's entry
    in the commit's files. They come file by file, as they are read.
    """
    backup = open_backup(repo, databases=databases)
    commits, patterns = revisions(backup, [*words], most=1)
    if len(commits) > 1:
        raise UsageError(f"one commit at most: {' '.join(map(repr, commits))}; -- goes before keys")
    found = backup.keys([*commits, "HEAD"][0], [*patterns, *ctx.meta[KEYS]])
    with reading(backup):
        if as_json:
            for line in found:
                terminal.say_json(records.keys_object(line))
        else:
            terminal.say(history.key_lines(found))
