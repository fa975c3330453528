"""`gitbackup completion`, and what a shell is told when somebody presses Tab.

The shell's script runs gitbackup with the line so far in the environment; click finds out which
word is asked for, and the functions here what it may be. No server is ever asked, and whatever
goes wrong is silence.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from importlib.resources import files

import click
from click.shell_completion import CompletionItem, ShellComplete, split_arg_string

from gitbackup import unseen
from gitbackup.cli.options import OwnFirst, examples

SHELLS = ("bash", "zsh", "fish")
ASKS = "_GITBACKUP_COMPLETE"
"""The variable that names the shell which asks."""

LINE = "_GITBACKUP_LINE"
"""The variable with the command line up to the cursor."""

WORD = "_GITBACKUP_WORD"
"""The variable with the part of it that bash takes for the word: it breaks words at colons."""

MARK = "\ue000"
"""Stands at the cursor, so that the last word is the one to complete even where it is empty."""

SPECIAL = re.compile(r"([^\w@%+=:,./~-])", re.ASCII)


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
    """Print the script that makes Tab complete gitbackup's words in SHELL.

    Commands and options, commits (branches, tags, recent ids) and the keys that a commit
    holds: gitbackup show HEAD:api<Tab>.
    """
    click.echo(files("gitbackup.cli").joinpath(f"complete.{shell}").read_text("utf-8"), nl=False)


def answer(app: click.Command) -> None:
    """Tells the shell how its line may go on: on each line a kind, a word and its help."""
    line = os.environ.get(LINE, "")
    with suppress(Exception):
        *words, last = split_arg_string(line + MARK)
        current = last.partition(MARK)[0]
        asked = ShellComplete(app, {}, "gitbackup", ASKS)
        for item in asked.get_completions(words[1:], current):
            if told := _told(item, current):
                sys.stdout.write(told + "\n")


def _told(item: CompletionItem, current: str) -> str | None:
    """One candidate as a line; None for one that no line can hold."""
    if item.type != "plain":
        return f"{item.type}\t\t"
    value = str(item.value)
    if unseen.escaped(value) != value:
        return None
    kind = "part" if getattr(item, "part", False) else "plain"
    if os.environ.get(ASKS) == "bash":
        value = in_bash(value, current, os.environ.get(WORD, ""))
    return f"{kind}\t{value}\t{item.help or ''}"


def in_bash(value: str, current: str, word: str) -> str:
    """What bash has to put in place of `word`, its part of the word `current`, to make it `value`.

    Within quotes that is all of it as it stands. Elsewhere bash has broken the word at a colon,
    and what is special to it needs a backslash.
    """
    if word[:1] in ("'", '"'):
        return value
    with suppress(ValueError):
        word = "".join(split_arg_string(word)) or word
    kept = "" if word in (":", "=", "@", "::") else word
    tail = value[len(current) - len(kept) :] if current.endswith(kept) else value
    return SPECIAL.sub(r"\\\1", tail)
