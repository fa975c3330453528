"""`gitbackup suggest`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitbackup import Backup
from gitbackup.cli.arguments.options import (
    OwnFirst,
    color_option,
    connected,
    examples,
    lock_wait_option,
    logged_in,
    open_backup,
    repo_words,
)
from gitbackup.cli.output import terminal
from gitbackup.errors import ServerError, UsageError
from gitbackup.report.text.suggestions import apply_lines, suggestion_lines

if TYPE_CHECKING:  # it loads what `suggest --help` has no need of
    from gitbackup.compare.suggest import Suggestions


@click.command(
    cls=OwnFirst,
    epilog=examples(
        "gitbackup suggest",
        "gitbackup suggest -n 200         look at more commits",
        "gitbackup suggest --apply        show them, ask, and set them",
        "gitbackup suggest --json | jq -r '.suggestions[].pattern'",
        failed="failed, or you said no",
    ),
)
@connected
@lock_wait_option
@color_option
@click.option(
    "-n",
    "--max-count",
    type=click.IntRange(1, 10_000),
    default=30,
    show_default=True,
    metavar="N",
    help="Look at the last N commits.",
)
@click.option("--apply", is_flag=True, help="Ask, then add the settings to the repository.")
@click.option("-y", "--yes", is_flag=True, help="With --apply: do not ask.")
@click.option("--full", is_flag=True, help="List all keys to keep in sight.")
@click.pass_context
def suggest(
    ctx: click.Context,
    repo: Path | None,
    url: str | None,
    databases: tuple[int, ...],
    as_json: bool,
    max_count: int,
    apply: bool,
    yes: bool,
    full: bool,
) -> None:
    """Propose which keys to silence, by what changed in the last commits and since.

    If programs keep counters and logs in a database, most changes mean nothing to a person. Two
    settings silence such keys: quiet (the keys are committed and restored, but only counted
    where changes are shown) and exclude (they are not committed).

    It proposes patterns of keys that change in most commits, or make up much of all changes, if
    they hold only counters, log entries, scores or values that expire: exclude for keys that
    are gone within the hour, quiet for the others. No pattern matches a key that rarely
    changes, or that holds text which people write; these keys are listed, with the reason to
    keep them in sight. Without --apply, nothing is changed.
    """
    if yes and not apply:
        raise UsageError("--yes needs --apply")
    if apply and not yes and not terminal.asks():
        raise UsageError("--apply asks, which needs a terminal: give --yes to set them at once")
    backup, found = _found(repo, url, databases, max_count)
    terminal.warn_all(found.warnings)
    words = repo_words(repo)
    if not as_json:
        terminal.say(suggestion_lines(found, words, full, apply))
    applied = bool(apply and found.found and (yes or _asked(found)))
    if applied:
        for setting in dict.fromkeys(each.setting for each in found.found):
            patterns = [each.pattern for each in found.found if each.setting == setting]
            backup.config.add(setting, *patterns)
        terminal.changed()
    if as_json:
        from gitbackup.report.json.suggestions import suggestions_object

        terminal.say_json(suggestions_object(found, applied))
    elif applied:
        terminal.say(apply_lines(found, words))
    elif apply and found.found:
        click.echo("nothing was changed")
    if apply and found.found and not applied:
        ctx.exit(1)


def _found(
    repo: Path | None, url: str | None, databases: tuple[int, ...], limit: int
) -> tuple[Backup, Suggestions]:
    """Return what is proposed; without a server by the history alone, and with a warning."""
    backup = open_backup(repo, url, databases)
    backup.resolve("HEAD")
    try:
        backup = logged_in(repo, url, databases)
    except ServerError as error:
        terminal.warn(f"warning: what changed since HEAD was not looked at: {error}")
        return backup, backup.suggest(limit, live=False)
    return backup, backup.suggest(limit)


def _asked(found: Suggestions) -> bool:
    count = len(found.found)
    what = "this setting" if count == 1 else f"these {count:,} settings"
    return click.confirm(f"Add {what}?", err=True)
