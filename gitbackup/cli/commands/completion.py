"""`gitbackup completion`, and what a shell is told when somebody presses Tab.

The shell's script runs gitbackup with the line so far in the environment; click finds out which
word is asked for, and the functions here what it may be. No server is ever asked, and whatever
goes wrong is silence.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib.resources import files

import click
from click.shell_completion import CompletionItem, ShellComplete

from gitbackup.cli.arguments.options import OwnFirst, examples
from gitbackup.cli.completion.shell_line import in_bash, typed
from gitbackup.format import unprintable

SHELLS = ("bash", "zsh", "fish")
ASKS = "_GITBACKUP_COMPLETE"
"""The variable that names the shell which asks."""

LINE = "_GITBACKUP_LINE"
"""The variable with the command line up to the cursor."""

WORD = "_GITBACKUP_WORD"
"""The variable with the end of it that bash replaces: it breaks words at colons, and at quotes."""


@click.command(
    cls=OwnFirst,
    epilog=examples(
        "gitbackup completion bash >> ~/.bashrc",
        'eval "$(gitbackup completion zsh)"',
        "gitbackup completion fish > ~/.config/fish/completions/gitbackup.fish",
    ),
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script that makes the Tab key complete gitbackup commands in your shell.

    It completes commands, options, commits (branches, tags, recent ids) and the keys of a
    commit: gitbackup show HEAD:api<Tab>.
    """
    click.echo(files("gitbackup.cli").joinpath(f"complete.{shell}").read_text("utf-8"), nl=False)


def answer(app: click.Command) -> None:
    """Print how the shell's line may go on: on each line a kind, a word and its help."""
    line, shell = os.environ.get(LINE, ""), os.environ.get(ASKS, "")
    with suppress(Exception):
        words, last, quote = typed(line, shell)
        if last is None:
            return
        asked = ShellComplete(app, {}, "gitbackup", ASKS)
        for item in asked.get_completions(words[1:], last):
            is_option = last.startswith("-")  # else a word that begins so is none, until --
            if not is_option and str(item.value).startswith("-") and "--" not in words:
                continue
            if shell == "fish" and not quote and str(item.value).startswith("~"):
                continue  # fish would take it for a home
            if told := _told(item, line, shell):
                sys.stdout.write(told + "\n")


def _told(item: CompletionItem, line: str, shell: str) -> str | None:
    """Return a candidate as a line; None if it cannot be shown or typed safely."""
    if item.type != "plain":
        return f"{item.type}\t\t"
    value: str | None = str(item.value)
    if value is None or not value.strip() or unprintable.escaped(value) != value:
        return None
    if shell == "bash":
        value = in_bash(value, line, os.environ.get(WORD, ""))
    kind = "part" if getattr(item, "part", False) else "plain"
    return None if value is None else f"{kind}\t{value}\t{item.help or ''}"
