"""Show long output through the pager of git's settings, in colour."""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from typing import IO, TYPE_CHECKING, Any

import click

from gitbackup import Backup
from gitbackup.cli.output import terminal

if TYPE_CHECKING:  # it loads what no `--help` has need of
    from subprocess import Popen

NO_PAGER = "gitbackup.no-pager"
DEFAULT = "less"
SURROUNDINGS = {"LESS": "FRX", "LV": "-c"}
"""What git tells a pager that nobody told anything."""

SHELL = re.compile(r"[|&;<>()$`\\\"' \t\n*?\[#~=%]")
"""What only a shell can read; a command without any of it is the name of a program."""

NOT_FOR_CHILDREN = (
    "REDISCLI_AUTH",
    "REDIS_URL",
    "GITBACKUP_SENTINEL_PASSWORD",
    "GITBACKUP_TARGET_PASSWORD",
    "GITBACKUP_PASSPHRASE",
    "GITBACKUP_UI_PASSWORD",
)

YES = ("true", "yes", "on", "1")
NO = ("false", "no", "off", "0", "never", "")


class QuitEarly(Exception):
    """The person has seen enough."""


@contextmanager
def reading(backup: Backup) -> Iterator[None]:
    """Send what is printed inside the block through the pager, in colour, if there is a terminal.

    The settings are those of git in the data repository. A pager that is quit early ends
    what is said within, and is no error.
    """
    if not sys.stdout.isatty():
        yield
        return
    ctx = click.get_current_context()
    settings = backup.repository.config() if backup.repository else {}
    command = None if ctx.meta.get(NO_PAGER) else pager_of(ctx.info_name or "", settings)
    if ctx.color is None:
        ctx.color = coloured(settings, paged=command is not None)
    with _through(command) if command else nullcontext():
        yield


def pager_of(command: str, settings: Mapping[str, str]) -> str | None:
    """Return the pager of a command, chosen as git does; None for none."""
    own = settings.get(f"pager.{command}", "true")
    if own.lower() in NO:
        return None
    configured = settings.get("core.pager") if own.lower() in YES else own
    named = (os.environ.get("GIT_PAGER"), configured, os.environ.get("PAGER"))
    pager = next((one for one in named if one is not None), DEFAULT)
    if pager in ("", "cat"):
        return None
    if not SHELL.search(pager) and shutil.which(pager) is None:
        if pager != DEFAULT:
            terminal.warn(f"warning: no pager {pager!r}")
        return None
    return pager


def coloured(settings: Mapping[str, str], paged: bool) -> bool:
    """Return whether git would colour what is on a terminal, or in a pager."""
    wanted = settings.get("color.diff", settings.get("color.ui", "auto"))
    return wanted.lower() not in NO and not (
        paged and settings.get("color.pager", "true").lower() in NO
    )


@contextmanager
def _through(command: str) -> Iterator[None]:
    """Send standard output through a command until the person quits it."""
    terminal_itself = sys.stdout
    out = io.TextIOWrapper(
        io.BufferedWriter(Pager(command)), terminal_itself.encoding, "backslashreplace"
    )
    sys.stdout = out
    try:
        with suppress(QuitEarly):
            yield
    finally:
        sys.stdout = terminal_itself
        with suppress(QuitEarly):
            out.close()


class Pager(io.RawIOBase):
    """A stream into a program on the terminal, which is started with the first that it is given.

    So nothing covers a question or a line of progress that comes before.
    """

    def __init__(self, command: str) -> None:
        self._command = command
        self._process: Popen[bytes] | None = None
        self._has_quit = False

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        """Raise QuitEarly once, where nobody reads any more; the rest goes nowhere."""
        if self._has_quit:
            return len(data)
        try:
            return self._stdin.write(data)
        except BrokenPipeError:
            self._has_quit = True
            raise QuitEarly from None

    def close(self) -> None:
        """Wait until the person has read it all; what is typed meanwhile is the pager's."""
        super().close()
        if self._process is None or self._process.stdin is None:
            return
        self._process.stdin.close()
        while self._process.returncode is None:
            with suppress(KeyboardInterrupt):
                self._process.wait()

    @property
    def _stdin(self) -> IO[bytes]:
        if self._process is None:
            self._process = _started(self._command)
        if self._process.stdin is None:
            raise ValueError("a pager needs a pipe")
        return self._process.stdin


def without_passwords(environment: Mapping[str, str]) -> dict[str, str]:
    """Return all but what may hold the server's password, which is no pager's or editor's
    business."""
    return {name: value for name, value in environment.items() if name not in NOT_FOR_CHILDREN}


def _started(command: str) -> Popen[bytes]:
    from subprocess import PIPE, Popen  # deferred: no `--help` has need of it

    return Popen(  # noqa: S602  a pager is a line for the shell, as in git
        command,
        shell=True,
        stdin=PIPE,
        bufsize=0,
        env={**SURROUNDINGS, **without_passwords(os.environ)},
    )
