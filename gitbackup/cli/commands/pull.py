"""`gitbackup pull`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gitbackup.cli.arguments.encryption import identity_options, keys_of
from gitbackup.cli.arguments.options import (
    OwnFirst,
    examples,
    json_option,
    lock_wait_option,
    open_backup,
    repo_option,
    repo_words,
)
from gitbackup.cli.output import terminal
from gitbackup.report.json.remotes import pull_object
from gitbackup.report.text import sentences
from gitbackup.report.text.settings import arrived_lines


@click.command(
    cls=OwnFirst,
    epilog=examples(
        "gitbackup pull",
        "gitbackup pull origin",
        "gitbackup pull /mnt/disk --json",
        "gitbackup pull --identity ~/keys/backup.txt   from an encrypted bundle",
    ),
)
@repo_option
@lock_wait_option
@json_option
@identity_options
@click.argument("target", metavar="[TARGET]", required=False)
def pull(repo: Path | None, as_json: bool, target: str | None, **how: Any) -> None:
    """Fetch the commits that were pushed from elsewhere, and move HEAD forward to them.

    TARGET is as for push. If both sides have commits that the other lacks, nothing is changed,
    and a message says how to join them. The database is not touched; `gitbackup restore`
    changes it.
    """
    result = open_backup(repo).pull(target, keys=keys_of(**how))
    terminal.changed()
    terminal.warn_all(result.warnings)
    if as_json:
        terminal.say_json(pull_object(result))
    else:
        terminal.say([sentences.pull_line(result)])
        terminal.say(arrived_lines(result.came, repo_words(repo)))
