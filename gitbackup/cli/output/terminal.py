"""Print lines to a terminal or a pipe, show progress, and ask questions."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click

from gitbackup.errors import GitbackupError
from gitbackup.format import unprintable

PAINT = re.compile(r"(\x1b\[\d*m)")
"""What colours a line: all of it that steers a terminal, and that data never hold here."""

SPACES = (
    "\n\t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005"
    "\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
)
"""Line breaks, tabs and all spaces that are one."""

_CHANGED = "gitbackup.changed"  # a name in the context's meta, which all of one command share

PATIENCE = 1.0  # seconds of work without a word
STEP = 0.1  # seconds between two looks at the line of progress


class Untouched(click.Abort):
    """Interrupted before anything was written."""


def say(lines: Iterable[str], err: bool = False) -> None:
    """Print lines of a result: on standard output, unless that is for a program.

    They may be painted; where there are no colours, it is taken off. All else that could steer
    a terminal, or hide, is told as escapes.
    """
    for line in lines:
        told = "".join(part if PAINT.fullmatch(part) else seen(part) for part in PAINT.split(line))
        _echo(told, err)


def say_stored(content: bytes) -> None:
    """Print a file's content: every byte into a pipe, but on a terminal nothing that could steer
    it."""
    if not sys.stdout.isatty():
        click.echo(content, nl=False)
        return
    text = _seen_json(content.decode("utf-8", "backslashreplace"))
    click.echo(text, nl=not text.endswith("\n"))


def say_json(value: dict[str, Any]) -> None:
    """Print an object on a line of its own. It is written by json, since it may hold integers of
    any size."""
    line = json.dumps(value, ensure_ascii=False)
    line = _seen_json(line) if sys.stdout.isatty() else line  # the same JSON
    _echo(line.encode("utf-8", "backslashreplace"))


@contextmanager
def showing_plan() -> Iterator[None]:
    """Raise GitbackupError if what is printed in the block cannot be: nobody saw what would be
    done."""
    try:
        yield
    except OSError as error:
        give_up_output()
        why = error.strerror or error
        raise GitbackupError(
            f"the plan cannot be printed ({why}), so it was not carried out"
        ) from None


def changed() -> None:
    """Note that this command has changed something: from now on it goes on even if nobody gets what
    it prints, and tells it on standard error if standard output fails, but for a pipe whose
    reader has stopped."""
    click.get_current_context().meta[_CHANGED] = True


def is_output_lost() -> bool:
    """Return whether standard output has failed after something was changed."""
    return sys.stdout is sys.stderr


def _echo(line: str | bytes, err: bool = False) -> None:
    try:
        click.echo(line, err=err)
    except OSError as error:
        context = click.get_current_context(silent=True)
        if context is None or _CHANGED not in context.meta:
            raise
        if error.errno == errno.EPIPE:  # whoever reads it has stopped on purpose
            give_up_output()
            return
        with suppress(OSError):  # then standard error has failed, too
            if not (err or is_output_lost()):
                give_up_output()
                sys.stdout = sys.stderr
                why = error.strerror or error
                warn(f"standard output has failed ({why}); what was done is told here:")
            click.echo(line, err=True)


def give_up_output() -> None:
    """Give up output that could not be written, so that Python does not fail on it at the end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def seen(text: str) -> str:
    """Return text of which nothing is hidden, or steers a terminal."""
    return unprintable.escaped(text, but=SPACES)


def _seen_json(text: str) -> str:
    """Return JSON, or the file of a snapshot, made safe in the same way."""
    return unprintable.escaped(text, unprintable.json_escape, but=SPACES)


def warn(sentence: str) -> None:
    """Print a sentence that is not a result, on standard error."""
    click.echo(f"gitbackup: {seen(sentence)}", err=True)


def warn_all(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        warn(f"warning: {sentence}")


def fail(sentence: str, exit_code: int, as_json: bool) -> None:
    """Print an error, on standard error."""
    if not as_json:
        warn(sentence)
        return
    from gitbackup.report.json.objects import error_object

    line = json.dumps(error_object(sentence, exit_code), ensure_ascii=False)
    click.echo(_seen_json(line), err=True)


def colourless() -> bool:
    """Return whether the person, or the terminal, wants no colours."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def width() -> int | None:
    """Return the columns of the terminal that the output is read on; None without a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def asks() -> bool:
    """Return whether somebody is there to answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


class Line:
    """A Progress drawn on one line of the terminal; on no terminal it is silent."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._what = self._unit = ""
        self._total: int | None = None
        self._done = 0
        self._began = self._drawn = 0.0

    def start(self, what: str, total: int | None, unit: str = "keys") -> None:
        self.finish()
        self._what, self._total, self._done, self._unit = what, total, 0, unit
        self._began = time.monotonic()

    def advance(self, count: int) -> None:
        self._done += count
        now = time.monotonic()
        if self._shown and now - self._began > PATIENCE and now - self._drawn > STEP:
            self._drawn = now
            click.echo(f"\r\x1b[K{self._text(now)}", nl=False, err=True)

    def finish(self) -> None:
        if self._drawn:
            click.echo("\r\x1b[K", nl=False, err=True)
        self._drawn = 0.0

    def _text(self, now: float) -> str:
        rate = self._done / (now - self._began)
        if not self._total:
            return f"{self._what}: {self._done:,} {self._unit}, {rate:,.0f} a second"
        left = (self._total - self._done) / rate if rate else 0
        share = 100 * self._done // self._total
        return (
            f"{self._what}: {self._done:,} of {self._total:,} {self._unit} ({share}%),"
            f" {rate:,.0f} a second, {left:.0f} s left"
        )
