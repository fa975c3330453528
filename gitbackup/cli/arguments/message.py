"""A person's words: `-m TEXT`, `-F FILE`, or what they write in their editor, as for git."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, cast

import click

from gitbackup import Backup
from gitbackup.cli.arguments.options import Command
from gitbackup.cli.output import terminal
from gitbackup.cli.output.pager import without_passwords
from gitbackup.errors import GitbackupError, UsageError
from gitbackup.format import codec

DEFAULT = "vi"
FILE = "GITBACKUP_MESSAGE"
LARGEST = 1 << 20  # bytes of a message in a file
COMMENT = re.compile(r"^#.*\n?", re.MULTILINE)


def message_options(told: str) -> Callable[[Command], Command]:
    """Give a command `-m` and `-F`; it is given their words as its `message`, None for none."""

    def options(command: Command) -> Command:
        @click.option("-m", "--message", "messages", metavar="TEXT", multiple=True, help=told)
        @click.option(
            "-F",
            "--file",
            type=click.File("rb"),
            metavar="FILE",
            help="Read the message from a file; - is standard input.",
        )
        @wraps(command)
        def worded(
            *given: Any, messages: tuple[str, ...], file: IO[bytes] | None, **words: Any
        ) -> Any:
            return command(*given, message=_words(messages, file), **words)

        return cast(Command, worded)

    return options


def _words(messages: Sequence[str], file: IO[bytes] | None) -> str | None:
    """Return what the options say; each -m is a paragraph, as for git."""
    if messages and file:
        raise UsageError("-m and -F both give the message: choose one")
    if file is None:
        return "\n\n".join(messages) if messages else None
    content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise UsageError(f"a message may have at most {LARGEST:,} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError("the message is not UTF-8") from None


def from_editor(backup: Backup, before: str, hint: str) -> str:
    """Return what the person makes of the text `before` in their editor, without comments.

    Raises UsageError if nobody is there to write, GitbackupError if the editor fails.
    """
    editor = _editor(backup)
    with TemporaryDirectory() as folder:
        file = Path(folder) / FILE
        comments = "".join(f"# {line}\n" for line in hint.splitlines())
        file.write_bytes(codec.data(f"{before}\n\n{comments}"))
        done = subprocess.run(  # noqa: S602  an editor is a line for the shell, as in git
            f"{editor} {shlex.quote(str(file))}",
            shell=True,
            check=False,
            env=without_passwords(os.environ),
        )
        if done.returncode:
            raise GitbackupError(f"the editor failed ({editor}): nothing was changed")
        text = file.read_bytes().decode("utf-8", "replace")
    words = COMMENT.sub("", text).strip()
    if not words:
        raise UsageError("the message is empty: nothing was changed")
    return words


def _editor(backup: Backup) -> str:
    """Return the editor, chosen as git does. Raises UsageError if nobody can write."""
    settings = backup.repository.config() if backup.repository else {}
    named = (
        os.environ.get("GIT_EDITOR"),
        settings.get("core.editor"),
        os.environ.get("VISUAL"),
        os.environ.get("EDITOR"),
    )
    if not terminal.asks():
        raise UsageError("name the words: -m TEXT, or -F - to read them from standard input")
    return next(filter(None, named), DEFAULT)
