"""`gitbackup config`: what is in force, where it comes from, and changing it."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from gitbackup import Backup
from gitbackup.cli.arguments.options import (
    OwnFirst,
    examples,
    json_option,
    open_backup,
    repo_option,
)
from gitbackup.cli.output import terminal
from gitbackup.errors import UsageError
from gitbackup.format.names import escape
from gitbackup.model.safety.risk import CHECKS
from gitbackup.model.server.access import NAMES as ACCESS
from gitbackup.report.json import objects
from gitbackup.report.text.settings import settings_lines

URL_FROM = "REDIS_URL"

NAMES = {
    "url": "the server",
    "include": "commit only matching keys",
    "exclude": "do not commit matching keys",
    "quiet": "commit matching keys, but show them only with --with-quiet",
    "redact": "mask the values of matching keys and fields",
    "accept": "names of checks whose risks you accept, such as replicas",
    "label": "show a part of matching keys beside their names: GLOB=PART",
    "push": "on-commit, or off",
    "push-to": "the remote to push to, if there are several",
    "encrypt-to": "the public keys that bundles are encrypted to",
    "identity": "the files with private keys that open encrypted bundles",
    "rdbDir": "the folder in which rdb save puts files",
    "on-commit": "a command, or an https URL, that gets each commit as JSON",
    "on-failure": "the same for each failure of commit, watch, push and rdb save",
    "on-alarm": "the same for each commit that removes most of the keys",
    "hook-timeout": "how many seconds such a command may take: 30",
    "alarm-share": "the share of the keys that counts as most of them: 50%",
    "alarm-keys": "how many keys that has to be, at least: 20",
    "accept-alarm": "the ids of commits that were meant to remove most of the keys",
    **dict.fromkeys(ACCESS, "as the option of this name"),
}
MANY = (
    *("include", "exclude", "quiet", "redact", "label", "accept", "encrypt-to", "identity"),
    "accept-alarm",
)


def _names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    many = ctx.info_name in ("add", "remove")
    fits = [name for name in (MANY if many else NAMES) if name.startswith(incomplete)]
    return [CompletionItem(name, help=NAMES[name]) for name in fits]


def _values(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the values that a setting may have, or that can be removed from it."""
    name = ctx.params.get("name") or ""
    if ctx.info_name == "remove":
        found = open_backup(ctx.params.get("repo")).config.in_force(name)
        known = [each.value for each in found if each.source in ("repository", "history")]
    else:
        known = ["on-commit", "off"] if name == "push" and ctx.info_name == "set" else []
        known = [*CHECKS] if name == "accept" else known
    return [CompletionItem(value) for value in known if value.startswith(incomplete)]


name_argument = click.argument("name", metavar="NAME", shell_complete=_names)
values_argument = click.argument(
    "values", metavar="VALUE...", nargs=-1, required=True, shell_complete=_values
)


@click.group(
    epilog=examples(
        "gitbackup config list",
        "gitbackup config add exclude 'session:*'",
        "gitbackup config remove exclude 'session:*'",
        "gitbackup config set url redis://db.example.org:6379",
        "gitbackup config set push on-commit",
        "gitbackup config unset push",
    )
)
def config() -> None:
    """List the settings and where they come from, or change the repository's own.

    \b
      url         the server
      include     commit only matching keys
      exclude     do not commit matching keys
      quiet       commit matching keys, but show them only with --with-quiet
      redact      mask the values of matching keys and fields
      label       show a part of matching keys beside their names: GLOB=PART
      accept      checks whose risks you accept, such as replicas
      push        on-commit, or off
      push-to     the remote to push to, if there are several
      encrypt-to  the public keys that bundles are encrypted to
      identity    the files with private keys that open encrypted bundles
      rdbDir      the folder in which rdb save puts files
      on-commit   a command, or an https URL, that gets each commit as JSON
      on-failure  the same for each failure of commit, watch, push and rdb save
      on-alarm    the same for each commit that removes most of the keys
      alarm-share, alarm-keys   what counts as most: over 50%, and at least 20
      accept-alarm   the ids of commits that were meant to remove most of them
      hook-timeout   how many seconds such a command may take: 30
      timeout, cacert, cacertdir, cert, key, sni, insecure   as the options

    A setting is gitbackup.NAME in git's config, of the repository or, for all repositories,
    of the user. push, pull and clone copy include, exclude, quiet and redact. A pull only
    ever hides more: if the other side has removed a glob, gitbackup says so and keeps it
    until you remove it here. Passwords and commands are never copied.
    """


@config.command(
    "list", cls=OwnFirst, epilog=examples("gitbackup config list", "gitbackup config list --json")
)
@repo_option
@json_option
def list_(repo: Path | None, as_json: bool) -> None:
    """List the settings in effect, and where each value comes from."""
    _say(_backup(repo), None, as_json)


@config.command(
    cls=OwnFirst,
    epilog=examples("gitbackup config get exclude", failed="failed, or the setting is not set"),
)
@repo_option
@json_option
@name_argument
@click.pass_context
def get(ctx: click.Context, repo: Path | None, as_json: bool, name: str) -> None:
    """Print the values of one setting, one per line, without passwords."""
    found = _backup(repo).config.in_force(name, URL_FROM)
    for each in found:
        if as_json:
            terminal.say_json(objects.config_object(each))
        else:
            terminal.say([escape(each.value)])
    if not found:
        ctx.exit(1)


@config.command(
    "set",
    cls=OwnFirst,
    epilog=examples("gitbackup config set push on-commit", "gitbackup config set redact '*token*'"),
)
@repo_option
@json_option
@name_argument
@values_argument
def set_(repo: Path | None, as_json: bool, name: str, values: tuple[str, ...]) -> None:
    """Set NAME to VALUE, replacing what the repository had."""
    backup = _backup(repo)
    backup.config.set(name, *values)
    _say(backup, name, as_json)
    if name.lower() == "push-to" and backup.repository:
        try:
            backup.repository.remote()
        except UsageError as error:  # it may be a disk that is not mounted now
            terminal.warn_all([f"a push would fail: {error}"])


@config.command(cls=OwnFirst, epilog=examples("gitbackup config unset push"))
@repo_option
@json_option
@name_argument
def unset(repo: Path | None, as_json: bool, name: str) -> None:
    """Remove all values of NAME from the repository."""
    backup = _backup(repo)
    backup.config.unset(name)
    _say(backup, name, as_json)


@config.command(
    cls=OwnFirst, epilog=examples("gitbackup config add exclude 'session:*' '*_lock:*'")
)
@repo_option
@json_option
@name_argument
@values_argument
def add(repo: Path | None, as_json: bool, name: str, values: tuple[str, ...]) -> None:
    """Add VALUE to a setting that has several values, such as exclude."""
    backup = _backup(repo)
    backup.config.add(name, *values)
    _say(backup, name, as_json)


@config.command(cls=OwnFirst, epilog=examples("gitbackup config remove exclude 'session:*'"))
@repo_option
@json_option
@name_argument
@click.argument("value", metavar="VALUE", shell_complete=_values)
def remove(repo: Path | None, as_json: bool, name: str, value: str) -> None:
    """Remove VALUE from a setting that has several values, such as exclude."""
    backup = _backup(repo)
    backup.config.remove(name, value)
    _say(backup, name, as_json)


def _backup(repo: Path | None) -> Backup:
    """Return a Backup with the server that the environment names, which takes precedence."""
    return open_backup(repo, os.environ.get(URL_FROM) or None)


def _say(backup: Backup, name: str | None, as_json: bool) -> None:
    """Print what is in force now, of the one setting that was changed or of all."""
    if name:
        terminal.changed()
    found = backup.config.in_force(name, URL_FROM)
    if as_json:
        for each in found:
            terminal.say_json(objects.config_object(each))
    elif found:
        terminal.say(settings_lines(found))
    else:
        terminal.say([f"{name} is not set" if name else "no settings"])
