"""`gitbackup push`."""

from __future__ import annotations

from pathlib import Path

import click

from gitbackup.cli import terminal
from gitbackup.cli.options import (
    OwnFirst,
    examples,
    json_option,
    lock_wait_option,
    open_backup,
    repo_option,
)
from gitbackup.report.json import objects
from gitbackup.report.text import sentences


@click.command(
    cls=OwnFirst,
    epilog=examples(
        "gitbackup push ~/Dropbox/backups          one file there, always a whole one",
        "gitbackup push git@example.org:relay.git  any URL that git knows",
        "gitbackup push                            there again",
        "gitbackup config set push on-commit        from now on by itself",
    ),
)
@repo_option
@lock_wait_option
@json_option
@click.argument("target", metavar="[TARGET]", required=False)
def push(repo: Path | None, as_json: bool, target: str | None) -> None:
    """Push the whole history: every branch, tag and note.

    TARGET is a git remote or URL, or a folder: a git repository there, or else one file, a
    git bundle, written aside and proved before it takes its name. It is remembered as a git
    remote; without TARGET it is the setting gitbackup.push-to, or the only remote.

    Nothing is forced: where TARGET has commits that are not here, it is left as it is. With
    the setting gitbackup.push on-commit, every commit and restore pushes.
    """
    result = open_backup(repo).push(target)
    terminal.warn_all(result.warnings)
    if as_json:
        terminal.say_json(
            objects.push_object(
                result.remote,
                result.place,
                result.head,
                result.commits,
                result.first,
                result.settings,
            )
        )
    else:
        facts = (result.remote, result.place, result.head, result.commits)
        terminal.say(sentences.push_lines(*facts, result.settings))
