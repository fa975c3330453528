"""`gitbackup push`, `gitbackup pull` and `gitbackup clone`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitbackup.backup import Backup
from gitbackup.cli import terminal
from gitbackup.cli.given import Folder
from gitbackup.cli.options import (
    FOLDER,
    OwnFirst,
    examples,
    json_option,
    lock_wait_option,
    open_backup,
    repo_option,
)
from gitbackup.errors import GitbackupError
from gitbackup.report import objects, text
from gitbackup.report.settings import came_lines, offered_lines

if TYPE_CHECKING:  # it loads what `push --help` has no need of
    from gitbackup.ops.travel import Came


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
        terminal.say(text.push_lines(*facts, result.settings))


@click.command(
    cls=OwnFirst,
    epilog=examples("gitbackup pull", "gitbackup pull origin", "gitbackup pull /mnt/disk --json"),
)
@repo_option
@lock_wait_option
@json_option
@click.argument("target", metavar="[TARGET]", required=False)
def pull(repo: Path | None, as_json: bool, target: str | None) -> None:
    """Get what was pushed from elsewhere, and move HEAD forward to it.

    TARGET is as for push. Where both sides have commits that the other has not, nothing is
    changed, and it is said how to join them. The database is not touched: restore does that.
    """
    result = open_backup(repo).pull(target)
    terminal.warn_all(result.warnings)
    facts = (result.remote, result.place, result.before, result.head, result.commits)
    if as_json:
        terminal.say_json(objects.pull_object(*facts, _came_object(result.came)))
    else:
        terminal.say(text.pull_lines(*facts))
        terminal.say(came_lines(result.came.globs, result.came.kept, _named(repo)))


@click.command(
    cls=OwnFirst,
    epilog=examples(
        "gitbackup clone ~/Dropbox/backups",
        "gitbackup clone git@example.org:relay.git",
        "gitbackup clone --bare /mnt/disk/relay.bundle /var/backups/relay.git",
    ),
)
@json_option
@click.option("--bare", is_flag=True, help="No work tree: only git's own files.")
@click.argument("source", metavar="SOURCE")
@click.argument(
    "folder",
    metavar="[DIR]",
    default=FOLDER,
    envvar="GITBACKUP_REPO",
    type=Folder(path_type=Path),
    required=False,
)
def clone(as_json: bool, bare: bool, source: str, folder: Path) -> None:
    """Make the data repository in DIR of one that is elsewhere.

    Without DIR it is the folder that GITBACKUP_REPO names, or data-git-backup. SOURCE is a git
    URL, a repository's folder, a bundle, or a folder with one: it is the remote that pull and
    push take then. Settings come along as `gitbackup config` tells; of a history without any,
    the scope of its last commit. The database is not touched: restore does that.
    """
    result = Backup(folder).clone(source, bare)
    terminal.warn_all(result.warnings)
    path = str(result.path)
    if as_json:
        facts = (path, result.place, result.head, result.commits)
        terminal.say_json(objects.clone_object(*facts, _came_object(result.came)))
    else:
        terminal.say(text.clone_lines(path, result.place, result.head, result.commits))
        how = _named(folder)
        terminal.say(came_lines(result.came.globs, result.came.kept, how))
        terminal.say(offered_lines(result.came.url, how))


def _came_object(came: Came) -> dict[str, Any]:
    return objects.came_object(came.globs, came.kept, came.url)


def _named(folder: Path | None) -> str:
    """The words with which a command finds that repository."""
    return "" if folder in (None, FOLDER) else f" --repo {shlex.quote(str(folder))}"


def push_after_commit(backup: Backup, as_json: bool, made: bool = True) -> str:
    """What a command that commits ends with: pushes, where the settings say so.

    Unless a commit was `made`, only what earlier commits have left. Returns what to say where
    that failed; the commits stand.
    """
    try:
        result = backup.push_after_commit(made)
    except GitbackupError as error:
        what = "the commit is made, but it is" if made else "commits made before are"
        return f"{what} not pushed: {error}"
    if result is not None:
        terminal.warn_all(result.warnings)
        facts = (result.remote, result.place, result.head, result.commits)
        terminal.say(text.push_lines(*facts, result.settings), err=as_json)
    return ""
