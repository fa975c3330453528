"""`gitbackup init`."""

from __future__ import annotations

from pathlib import Path

import click

from gitbackup.cli.arguments.options import (
    OwnFirst,
    access_given,
    examples,
    lock_wait_option,
    open_backup,
    repo_option,
    tls_options,
)
from gitbackup.cli.output import terminal
from gitbackup.report.text.settings import settings_lines


@click.command(
    cls=OwnFirst,
    epilog=examples(
        "gitbackup init --url redis://localhost:6379 --exclude 'session:*'",
        "gitbackup init --quiet 'usage:*' --redact '*token*'",
        "gitbackup init --url rediss://db.example.org:6379 --cacert ca.pem",
        "gitbackup init --bare --repo /var/backups/relay.git",
    ),
)
@repo_option
@lock_wait_option
@click.option(
    "--url", metavar="URL", help="URL of the server, saved in the repository's git config."
)
@tls_options
@click.option(
    "--include", multiple=True, metavar="GLOB", help="Commit only matching keys. Repeatable."
)
@click.option(
    "--exclude",
    multiple=True,
    metavar="GLOB",
    help="Do not commit matching keys; a restore does not touch them. Repeatable.",
)
@click.option(
    "--quiet",
    multiple=True,
    metavar="GLOB",
    help="Commit and restore matching keys, but show them only with --with-quiet. Repeatable.",
)
@click.option(
    "--redact",
    multiple=True,
    metavar="GLOB",
    help="Mask the values of matching keys, fields and JSON members in all output; commits"
    " still hold them. Repeatable.",
)
@click.option("--bare", is_flag=True, help="Create a bare repository, without a work tree.")
def init(
    repo: Path | None,
    url: str | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    quiet: tuple[str, ...],
    redact: tuple[str, ...],
    bare: bool,
) -> None:
    """Create the data repository, or add settings to an existing one.

    Settings are saved in the repository's own git config (gitbackup.url, .cacert, .include,
    .exclude and so on), which only its owner can read. An existing data repository keeps its
    history and its settings, and the given globs are added. `gitbackup config` lists the
    settings and changes them.
    """
    backup = open_backup(repo, url)
    result = backup.init(include, exclude, bare, quiet=quiet, redact=redact)
    terminal.changed()
    what = "reinitialised" if result.existed else "made"
    terminal.say([f"{what} the data repository in {result.path}"])
    given = {"url": url, "include": include, "exclude": exclude, "quiet": quiet, "redact": redact}
    given |= access_given()
    found = [each for each in backup.config.in_force(url_from="--url") if given.get(each.name)]
    terminal.say(settings_lines(found))
    if not (result.existed or quiet):
        terminal.say(["after a few commits, `gitbackup suggest` proposes which keys to hide"])
