"""A check as a table for a person."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from gitbackup.format import unprintable
from gitbackup.format.names import escape
from gitbackup.model.safety.risk import Level, Risk
from gitbackup.report.style import Style, pad, paint, width

COLOURS = {
    Level.BAD: Style.REMOVED,
    Level.WARN: Style.COMMIT,
    Level.UNKNOWN: Style.GROUP,
    Level.OK: Style.ADDED,
}
GAP = 2  # columns between two
NARROWEST = 30  # columns of the last one, however narrow the terminal
USUAL = 100  # columns where there is no terminal: a mail, a log
LONGEST = 2_000  # characters of a sentence


def check_lines(server: str, risks: Sequence[Risk], columns: int | None = None) -> Iterator[str]:
    """Yield the lines of each risk, in order: verdict, danger, protection, and what to do.

    Sentences are wrapped to so many columns; a command stays on one line.
    """
    yield escape(server)
    verdicts = max(width(level) for level in Level) + GAP
    dangers = max((width(risk.danger) for risk in risks), default=0) + len("if ") + GAP
    left = verdicts + dangers
    room = max((columns or USUAL) - left, NARROWEST)
    for risk in risks:
        protection = f"accepted: {risk.protection}" if risk.accepted else risk.protection
        first, *rest = [*_wrapped(protection, room), *_wrapped(risk.advice, room)]
        verdict = paint(COLOURS[risk.level], risk.level.value)
        yield f"{pad(verdict, verdicts)}{pad(f'if {risk.danger}', dangers)}{first}"
        yield from (" " * left + line for line in rest)
        yield from (
            f"{' ' * verdicts}$ {unprintable.escaped(command)}" for command in risk.commands
        )
    levels = [risk.level for risk in risks]
    yield ", ".join(
        paint(COLOURS[level], f"{levels.count(level):,} {level.value}")
        for level in Level
        if level in levels
    )


def _wrapped(sentence: str, room: int) -> list[str]:
    """Return the lines of a sentence, none of which can steer the terminal."""
    clean = escape(sentence, LONGEST)
    return textwrap.wrap(clean, room, break_long_words=False, break_on_hyphens=False)
