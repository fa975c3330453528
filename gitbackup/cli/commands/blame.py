"""`gitbackup blame`."""

from __future__ import annotations

from pathlib import Path

import click

from gitbackup.cli.arguments.options import (
    OwnFirst,
    examples,
    json_option,
    key_db_option,
    open_backup,
    read_at_length,
    redact_option,
    repo_option,
)
from gitbackup.cli.completion import completions
from gitbackup.cli.output import terminal
from gitbackup.cli.output.diff_output import labels_of
from gitbackup.cli.output.pager import reading
from gitbackup.report.json.history import blame_object
from gitbackup.report.text import history


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
@click.argument("key", metavar="KEY", shell_complete=completions.keys)
@click.argument(
    "commit_ish",
    metavar="[COMMIT-ISH]",
    default="HEAD",
    shell_complete=completions.commits,
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

    A part is a field, a member and its score, a list item, a path in a JSON document, or an
    expiry. The entries of a stream count as one part. A name that is not UTF-8 is written as
    base64: followed by its base64.
    """
    backup = open_backup(repo)
    found = backup.blame(key, commit_ish, db, redact=redact)
    terminal.warn_all(found.warnings)
    label = labels_of(backup).of(found.key, found.entry)
    with reading(backup):
        if as_json:
            for line in found.lines:
                terminal.say_json(blame_object(found.key, line, found.redacted, label))
        else:
            terminal.say(history.blame_lines(found.key, found.entry, found.lines, label))
