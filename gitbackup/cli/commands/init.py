"""`gitbackup init`."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path

import click

from gitbackup.cli import terminal
from gitbackup.cli.options import OwnFirst, examples, lock_wait_option, open_backup, repo_option
from gitbackup.report.text.settings import settings_lines


@click.command(
    cls=OwnFirst,
    epilog=examples(
        "gitbackup init --url redis://localhost:6379 --exclude 'session:*'",
        "gitbackup init --quiet 'usage:*' --redact '*token*'",
        "gitbackup init --bare --repo /var/backups/relay.git",
    ),
)
@repo_option
@lock_wait_option
@click.option("--url", metavar="URL", help="The server's URL, kept in the repository's git config.")
@click.option(
    "--include", multiple=True, metavar="GLOB", help="Commit only keys that match. May repeat."
)
@click.option(
    "--exclude",
    multiple=True,
    metavar="GLOB",
    help="Commit no keys that match; to restore such a commit leaves them alone. May repeat.",
)
@click.option(
    "--quiet",
    multiple=True,
    metavar="GLOB",
    help="Commit and restore keys that match, but show them only with --all. May repeat.",
)
@click.option(
    "--redact",
    multiple=True,
    metavar="GLOB",
    help="Mask the values of keys, fields and JSON members that match, wherever they are shown;"
    " commits hold them all the same. May repeat.",
)
@click.option("--bare", is_flag=True, help="No work tree: only git's own files.")
def init(
    repo: Path | None,
    url: str | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    quiet: tuple[str, ...],
    redact: tuple[str, ...],
    bare: bool,
) -> None:
    """Make the data repository and keep its settings.

    Settings are in the repository's own git config (gitbackup.url, .include, .exclude,
    .quiet, .redact), readable by its owner only. An existing data repository keeps its
    history and its settings; the globs that are given are added. `gitbackup config` lists
    the settings and changes them.
    """
    backup = open_backup(repo, url)
    result = backup.init(include, exclude, bare, quiet=quiet, redact=redact)
    what = "reinitialised" if result.existed else "made"
    terminal.say([f"{what} the data repository in {result.path}"])
    given = {"url": url, "include": include, "exclude": exclude, "quiet": quiet, "redact": redact}
    found = [each for each in backup.config.in_force(url_from="--url") if given.get(each.name)]
    terminal.say(settings_lines([astuple(each) for each in found]))
