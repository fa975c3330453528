"""`gitbackup push`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gitbackup.cli.after_commit import failure_hook
from gitbackup.cli.arguments.encryption import encrypt_to_option, identity_options, keys_of
from gitbackup.cli.arguments.options import (
    OwnFirst,
    examples,
    json_option,
    lock_wait_option,
    open_backup,
    repo_option,
)
from gitbackup.cli.output import terminal
from gitbackup.report.json.remotes import push_object
from gitbackup.report.text import sentences


@click.command(
    cls=OwnFirst,
    epilog=examples(
        "gitbackup push ~/Dropbox/backups          one file there, always complete",
        "gitbackup push git@example.org:relay.git  any URL that git knows",
        "gitbackup push                            to the same place again",
        "gitbackup push --passphrase /mnt/disk     encrypted with a passphrase",
        "gitbackup config set push on-commit       after every commit",
    ),
)
@repo_option
@lock_wait_option
@json_option
@encrypt_to_option
@identity_options
@click.argument("target", metavar="[TARGET]", required=False)
def push(
    repo: Path | None,
    as_json: bool,
    target: str | None,
    encrypt_to: tuple[str, ...],
    **how: Any,
) -> None:
    """Push the whole history: every branch, tag and note.

    TARGET is a git remote, a URL or a folder. In a folder that is not a git repository,
    gitbackup keeps one file, a git bundle, which gets its name only once it is verified. TARGET
    becomes a git remote; without TARGET, gitbackup pushes to the remote that the setting
    gitbackup.push-to names, or to the only one.

    Nothing is ever forced: if TARGET has commits that you do not have, it is not changed. If
    gitbackup.push is on-commit, every commit and restore is pushed.

    With --encrypt-to or --passphrase the bundle is encrypted with age, now and at every later
    push. RESTORE.txt beside the bundle tells how it is restored on a new machine.
    """
    backup = open_backup(repo)
    with failure_hook(backup, "push"):
        result = backup.push(target, keys=keys_of(**how, encrypt_to=encrypt_to))
    terminal.changed()
    terminal.warn_all(result.warnings)
    if as_json:
        terminal.say_json(push_object(result))
    else:
        terminal.say([sentences.push_line(result)])
