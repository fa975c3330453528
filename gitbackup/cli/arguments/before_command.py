"""Options that may stand before the command.

`gitbackup --repo DIR log` is `gitbackup log --repo DIR`. They are the ones that most commands
share. A command that has no such option refuses it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gitbackup.cli.arguments.parameter_types import Folder

SHARED = {
    "--repo": "DIR",
    "--url": "URL",
    "--json": None,
    "--lock-wait": "SECONDS",
    "--color": "WHEN",
    "--no-pager": None,
    "--timeout": "SECONDS",
    "--cacert": "FILE",
    "--cacertdir": "DIR",
    "--cert": "FILE",
    "--key": "FILE",
    "--sni": "NAME",
    "--insecure": None,
}
"""The options that most commands have, each with the name of its value; None for a flag."""

SHOWN = {
    "--repo": "Data repository. [default: data-git-backup]",
    "--url": "URL of the server, if the command needs one.",
}
"""What the list of commands says of two of them."""

GIVEN = "gitbackup.before-command"
EXEMPT = "help"
"""The command that describes others: what is meant for them may stand before it."""


def options() -> list[click.Parameter]:
    """Return the options for the group of all commands: each notes the word that it was."""
    return [
        click.Option(
            [name],
            is_flag=True if metavar is None else None,  # False would make a value optional
            metavar=metavar,
            type=Folder(path_type=Path) if name == "--repo" else None,
            expose_value=False,
            callback=_note,
            hidden=name not in SHOWN,
            help=SHOWN.get(name),
        )
        for name, metavar in SHARED.items()
    ]


def _note(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value is not None and value is not False:
        word = param.opts[0] if value is True else f"{param.opts[0]}={value}"
        ctx.meta.setdefault(GIVEN, []).append(word)


def behind(ctx: click.Context, command: click.Command, words: list[str]) -> list[str]:
    """Return a command's words with the options that stood before the command.

    Raises click.UsageError for an option that the command does not have.
    """
    given: list[str] = ctx.meta.get(GIVEN, [])
    if not given or command.name == EXEMPT:
        return words
    if isinstance(command, click.Group):
        inner = command.commands.get(words[0]) if words else None
        return [words[0], *behind(ctx, inner, words[1:])] if inner else words
    known = {name for param in command.params for name in param.opts}
    for word in given:
        name = word.partition("=")[0]
        if name not in known:
            ctx.fail(f"{command.name} has no option {name!r}.")
    return [*given, *words]
