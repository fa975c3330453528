"""Commands for a person to copy: they work as they stand, where this one was typed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Callable

import click

from gitbackup import Backup
from gitbackup.cli.arguments.options import access_words, typed
from gitbackup.live.connection.address import ASKS_PASSWORD

OURS = re.compile(r"^gitbackup (?:(?:rdb|config) )?\w+")
OF_SERVER = re.compile(
    r"^gitbackup (?:rdb|commit|watch|status|diff|suggest|check|restore|revert|undo|export)\b"
)
OF_DATABASES = re.compile(r"^gitbackup (?:commit|watch|status|diff|suggest)\b")


def pasting(ctx: click.Context, backup: Callable[[], Backup]) -> Callable[[str], str]:
    """Return what makes a command one to paste.

    Our own name the repository, the server and the databases that were named by hand. redis-cli
    takes the password from REDISCLI_AUTH if it is there, else it asks; where only valkey-cli is,
    that is called. `backup` is asked for the server once a command of redis-cli comes.
    """
    from gitbackup.settings import without_password  # it loads what `check --help` has no need of

    given = {name: ctx.params[name] for name in ("repo", "url", "databases") if typed(ctx, name)}
    repo = f" --repo {shlex.quote(str(given['repo']))}" if "repo" in given else ""
    url = f" --url {shlex.quote(without_password(given['url']))}" if "url" in given else ""
    databases = "".join(f" --db {number}" for number in given.get("databases", ()))
    return naming(backup, repo, url + access_words(ctx), databases)


def naming(
    backup: Callable[[], Backup], repo: str, server: str, databases: str = ""
) -> Callable[[str], str]:
    """Return the same for what our own commands are to name, a space before each."""
    other = not shutil.which("redis-cli") and shutil.which("valkey-cli")

    def pasted(line: str) -> str:
        if line.startswith("redis-cli "):
            password = backup().server.address.options.get("password")
            known = os.environ.get("REDISCLI_AUTH") == password
            line = line.replace(f" {ASKS_PASSWORD}", "", 1) if known else line
            return line.replace("redis-cli", "valkey-cli", 1) if other else line
        more = repo + (server if OF_SERVER.match(line) else "")
        more += databases if OF_DATABASES.match(line) else ""
        return OURS.sub(lambda ours: ours[0] + more, line)

    return pasted
