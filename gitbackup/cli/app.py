"""The group of commands, and the one place where errors become sentences and exit codes."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from keyword import iskeyword
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from gitbackup.cli import terminal
from gitbackup.errors import GitbackupError

INTERRUPTED = 128 + signal.SIGINT  # as a shell has it


COMMANDS = {
    "init": "Make the data repository and keep its settings.",
    "config": "List the settings, where they come from, and change them.",
    "commit": "Commit every key of the database.",
    "log": "Show the commits, newest first.",
    "show": "Show what a commit changed, or one key as it holds it.",
    "blame": "Show which commit last changed each part of a key.",
    "keys": "List the keys of a commit: type, size, expiry.",
    "status": "Compare the database with the last commit, in brief.",
    "diff": "Show what differs, key by key and inside the values.",
    "restore": "Make the database hold what a commit does.",
    "undo": "Put back what the last restore replaced.",
    "watch": "Commit by itself whenever keys have changed.",
    "push": "Push the history to a remote, or as one file into a folder.",
    "pull": "Get what was pushed from elsewhere.",
    "clone": "Make the data repository of one that is elsewhere.",
    "verify": "Prove that commits restore, on a server of its own.",
    "check": "Tell whether the data are safe, and what to do where not.",
    "export": "Write a commit, or the live database, to one portable file.",
    "import": "Write what such a file holds into the database.",
    "rdb": "Save RDB files, list them, put them to the test.",
    "completion": "Print the script that makes Tab complete in your shell.",
    "demo": "See it work, on a server of its own.",
}
"""Each command, by the name of its file, and what `--help` says of it before that is loaded."""


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
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands by what the list says of them, without loading them."""
        fits = [name for name in COMMANDS if name.startswith(incomplete)]
        found = [CompletionItem(name, help=COMMANDS[name]) for name in fits]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([*COMMANDS.items()])


def _meant(word: str) -> str:
    from difflib import get_close_matches  # deferred: only a word mistyped has need of it

    near = get_close_matches(word, COMMANDS, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gitbackup", message="%(prog)s %(version)s")
@click.pass_context
def app(ctx: click.Context) -> None:
    """Git for a Redis database.

    The database is the working tree, the data repository (data-git-backup/) is the history.

    \b
      gitbackup commit -m "added account"   every key, with type and expiry
      gitbackup log                         what changed, when, why
      gitbackup diff HEAD~1 HEAD            key by key, and inside the values
      gitbackup restore HEAD~1              the database is that version again

    The data repository is the one in data-git-backup/ or around the current folder, or
    is named by --repo or GITBACKUP_REPO. The server is named by --url, by REDIS_URL, or
    by the repository's git config; its password also by REDISCLI_AUTH or at a prompt.

    Nothing at hand? Try: gitbackup demo
    """
    ctx.obj = code_of  # with which a command can run another one
    if terminal.colourless():
        ctx.color = False


def run(arguments: list[str] | None = None) -> None:
    """Runs a command line and exits: 0, or the code of the error."""
    if "_GITBACKUP_COMPLETE" in os.environ:
        # deferred: only a shell's Tab needs it
        from gitbackup.cli.commands.completion import answer

        answer(app)
        sys.exit()
    words = sys.argv[1:] if arguments is None else arguments
    sys.exit(code_of(words))


def code_of(words: list[str]) -> int:
    """Runs a command line; its exit code."""
    try:
        return int(app(args=words, prog_name="gitbackup", standalone_mode=False) or 0)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        terminal.fail(_usage(error), error.exit_code, as_json="--json" in words)
        return error.exit_code
    except terminal.Untouched:
        terminal.warn("interrupted; nothing was restored, nothing was changed")
        return INTERRUPTED
    except (click.Abort, KeyboardInterrupt):
        terminal.warn("interrupted; what was done stays done, and the same command finishes it")
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
    """What the system has to say, in one sentence."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return "the current folder is not there any more; change to another one"
    where = f": {error.filename}" if error.filename else ""
    return f"the system says: {error.strerror or error}{where}"


def _usage(error: click.ClickException) -> str:
    """What click has to say, in one sentence, and where to read on."""
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    return error.format_message() + (f" See {ctx.command_path} --help" if ctx else "")
