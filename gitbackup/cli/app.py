"""The group of commands, and the one place where errors become sentences and exit codes."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Iterable
from keyword import iskeyword
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from gitbackup import __version__, wording
from gitbackup.cli.arguments import before_command
from gitbackup.cli.command_list import COMMANDS, FAMILIES
from gitbackup.cli.output import terminal
from gitbackup.errors import GitbackupError

INTERRUPTED = 128 + signal.SIGINT  # as a shell has it


_HYPHEN = "\u2011"  # one at which no line is broken, while a page is made


class _WholeWords(click.HelpFormatter):
    """Breaks no line of a help page inside a word with hyphens, such as an option."""

    def write_text(self, text: str) -> None:
        super().write_text(text.replace("-", _HYPHEN))

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        whole = [(name, told.replace("-", _HYPHEN)) for name, told in rows]
        super().write_dl(whole, col_max, col_spacing)

    def getvalue(self) -> str:
        return super().getvalue().replace(_HYPHEN, "-")


click.Context.formatter_class = _WholeWords


class LazyGroup(click.Group):
    """Loads a command's module when that command is run, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name + "_" * iskeyword(cmd_name)
        module = importlib.import_module(f"gitbackup.cli.commands.{name}")
        command: click.Command = getattr(module, name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS:
            ctx.fail(f"No such command {args[0]!r}." + _meant(args[0]))
        name, command, words = super().resolve_command(ctx, args)
        return name, command, before_command.behind(ctx, command, words) if command else words

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command by what the list says of it, without loading it."""
        fits = [name for name in COMMANDS if name.startswith(incomplete)]
        found = [CompletionItem(name, help=COMMANDS[name]) for name in fits]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS))
        for family in FAMILIES:
            with formatter.section(family.title):
                rows = [(f"{name:<{width}}", told) for name, told in family.commands.items()]
                formatter.write_dl(rows)


def _meant(word: str) -> str:
    from difflib import get_close_matches  # deferred: only a word mistyped has need of it

    near = get_close_matches(word, COMMANDS, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


@click.group(
    cls=LazyGroup,
    params=before_command.options(),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def app(ctx: click.Context) -> None:
    """Git for a Redis database.

    The database is the working tree, and the data repository (data-git-backup/) is the history.

    \b
      gitbackup commit -m "added account"   save every key, with type and expiry
      gitbackup log                         show what changed, when and why
      gitbackup diff HEAD~1 HEAD            compare keys, and look inside values
      gitbackup restore HEAD~1              bring that version back

    gitbackup looks for data-git-backup/ in the current folder, then for a data repository
    around it; --repo or GITBACKUP_REPO names another. --url, REDIS_URL or the repository's
    git config names the server. REDISCLI_AUTH holds its password, or gitbackup asks for it.

    \b
      gitbackup demo                        new here? try it first
      gitbackup help COMMAND                its options, with examples
      gitbackup help exit-codes             what each exit code means

    Options that most commands share may stand before the command, too.
    """
    ctx.obj = code_of  # with which a command can run another one
    if terminal.colourless():
        ctx.color = False


def run(arguments: list[str] | None = None) -> None:
    """Run a command line and exit: 0, or the code of the error."""
    if "_GITBACKUP_COMPLETE" in os.environ:
        # deferred: only a shell's Tab needs it
        from gitbackup.cli.commands.completion import answer

        answer(app)
        sys.exit()
    words = sys.argv[1:] if arguments is None else arguments
    sys.exit(code_of(words))


def code_of(words: list[str]) -> int:
    """Run a command line, and return its exit code."""
    with wording.for_command_line():
        return _run(words)


def _run(words: list[str]) -> int:
    try:
        code = int(app(args=words, prog_name="gitbackup", standalone_mode=False) or 0)
        return code or (GitbackupError.exit_code if terminal.is_output_lost() else 0)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        terminal.fail(_usage(error), error.exit_code, as_json="--json" in words)
        return error.exit_code
    except terminal.Untouched:
        terminal.warn("interrupted; nothing was changed")
        return INTERRUPTED
    except (click.Abort, KeyboardInterrupt):
        terminal.warn("interrupted; what was done is kept, and the same command finishes the rest")
        return INTERRUPTED
    except GitbackupError as error:
        terminal.fail(str(error), error.exit_code, as_json="--json" in words)
        return error.exit_code
    except OSError as error:
        terminal.give_up_output()
        sentence = _refused(error)
        terminal.fail(sentence, GitbackupError.exit_code, as_json="--json" in words)
        return GitbackupError.exit_code


def _refused(error: OSError) -> str:
    """Return what the system has to say, in one sentence."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return "the current folder no longer exists; change to another one"
    where = f": {error.filename}" if error.filename else ""
    return f"system error: {error.strerror or error}{where}"


def _usage(error: click.ClickException) -> str:
    """Return what click has to say, in one sentence, and where to read on."""
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    return error.format_message() + (f" See {ctx.command_path} --help" if ctx else "")
