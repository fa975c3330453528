"""`gitbackup clone`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gitbackup import Backup
from gitbackup.cli.arguments.encryption import identity_options, keys_of
from gitbackup.cli.arguments.options import FOLDER, OwnFirst, examples, json_option, repo_words
from gitbackup.cli.arguments.parameter_types import Folder
from gitbackup.cli.output import terminal
from gitbackup.report.json.remotes import clone_object
from gitbackup.report.text import sentences
from gitbackup.report.text.settings import arrived_lines, offered_lines


@click.command(
    cls=OwnFirst,
    epilog=examples(
        "gitbackup clone ~/Dropbox/backups",
        "gitbackup clone git@example.org:relay.git",
        "gitbackup clone /mnt/disk --identity ~/keys/backup.txt",
        "gitbackup clone --bare /mnt/disk/relay.bundle /var/backups/relay.git",
    ),
)
@json_option
@click.option("--bare", is_flag=True, help="Create a bare repository, without a work tree.")
@identity_options
@click.argument("source", metavar="SOURCE")
@click.argument(
    "folder",
    metavar="[DIR]",
    default=FOLDER,
    envvar="GITBACKUP_REPO",
    type=Folder(path_type=Path),
    required=False,
)
def clone(as_json: bool, bare: bool, source: str, folder: Path, **how: Any) -> None:
    """Copy a data repository from elsewhere to DIR.

    DIR is by default GITBACKUP_REPO, or data-git-backup. SOURCE is a git URL, the folder of a
    repository, a bundle, or a folder that contains one; pull and push then use it. Settings are
    copied as `gitbackup config --help` describes; if the history has none, the scope of its
    last commit is set. The database is not touched; `gitbackup restore` changes it.
    """
    result = Backup(folder).clone(source, bare, keys=keys_of(**how))
    terminal.changed()
    terminal.warn_all(result.warnings)
    if as_json:
        terminal.say_json(clone_object(result))
    else:
        terminal.say([sentences.clone_line(result)])
        words = repo_words(folder)
        terminal.say(arrived_lines(result.came, words))
        terminal.say(offered_lines(result.came.url, words))
