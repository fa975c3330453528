"""`gitbackup help`."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from gitbackup.cli.arguments.options import OwnFirst, examples
from gitbackup.cli.command_list import COMMANDS
from gitbackup.cli.output import terminal
from gitbackup.cli.output.exit_codes import EXIT_CODES

TOPICS = {"exit-codes": "What each exit code means."}
"""What is no command, and has help all the same."""


def _complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    words = ctx.params.get("words") or ()
    told = {} if words else {**COMMANDS, **TOPICS}
    return [CompletionItem(name, help=told[name]) for name in told if name.startswith(incomplete)]


@click.command(
    cls=OwnFirst,
    epilog=examples(
        "gitbackup help",
        "gitbackup help restore",
        "gitbackup help rdb save",
        "gitbackup help exit-codes",
    ),
)
@click.argument("words", metavar="[COMMAND | exit-codes]", nargs=-1, shell_complete=_complete)
@click.pass_context
def help(ctx: click.Context, words: tuple[str, ...]) -> None:  # noqa: A001  the command's name
    """Show the help of COMMAND, as its --help does, or what all exit codes mean.

    Without a word, list the commands.
    """
    if words and words[0] in TOPICS:
        if len(words) > 1:
            ctx.fail(f"{words[0]} is all there is to say: leave out {words[1]!r}.")
        terminal.say(exit_code_lines(ctx))
        return
    click.echo(described(ctx.find_root(), words).get_help())


def described(ctx: click.Context, words: tuple[str, ...]) -> click.Context:
    """Return the context of the command that the words name, from the group of all on.

    Raises click.UsageError if there is no such command.
    """
    for word in words:
        group = ctx.command
        if not isinstance(group, click.Group):
            ctx.fail(f"{group.name} has no commands of its own: leave out {word!r}.")
        _, command, _ = group.resolve_command(ctx, [word])
        if command is not None:
            ctx = click.Context(command, info_name=word, parent=ctx)
    return ctx


def exit_code_lines(ctx: click.Context) -> list[str]:
    """Return the exit codes, as a list that fits the terminal."""
    formatter = ctx.make_formatter()
    with formatter.section("Exit codes"):
        formatter.write_dl([(str(code), meaning) for code, meaning in EXIT_CODES.items()])
    return formatter.getvalue().rstrip("\n").split("\n")
