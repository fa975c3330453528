"""A check as a table for a person."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from gitbackup.format.names import escape
from gitbackup.model.risk import Level, Risk
from gitbackup.report.style.color import Style, paint
from gitbackup.report.style.columns import pad, width

COLOURS = {
    Level.BAD: Style.REMOVED,
    Level.WARN: Style.COMMIT,
    Level.UNKNOWN: Style.GROUP,
    Level.OK: Style.ADDED,
}
GAP = 2  # columns between two
NARROWEST = 30  # columns of the last one, however narrow the terminal
USUAL = 100  # columns where there is no terminal: a mail, a log


def check_lines(server: str, risks: Sequence[Risk], columns: int | None = None) -> Iterator[str]:
    """A line or more for each risk, in their order: verdict, danger, protection, and what to do.

    Sentences are broken to fit that many columns; what is to be typed stays in one piece.
    """
    yield escape(server)
    verdicts = max(width(level) for level in Level) + GAP
    dangers = max((width(_danger(risk)) for risk in risks), default=0) + GAP
    left = verdicts + dangers
    room = max((columns or USUAL) - left, NARROWEST)
    for risk in risks:
        first, *rest = [*_wrapped(risk.protection, room), *_wrapped(risk.advice, room)]
        verdict = paint(COLOURS[risk.level], risk.level.value)
        yield f"{pad(verdict, verdicts)}{pad(_danger(risk), dangers)}{first}"
        yield from (" " * left + line for line in rest)
        yield from (f"{' ' * verdicts}$ {escape(command)}" for command in risk.commands)
    yield _sum(risks)


def _danger(risk: Risk) -> str:
    return f"if {risk.danger}"


def _wrapped(sentence: str, room: int) -> list[str]:
    """The lines of a sentence, none of which can steer the terminal."""
    return textwrap.wrap(escape(sentence), room, break_long_words=False, break_on_hyphens=False)


def _sum(risks: Sequence[Risk]) -> str:
    levels = [risk.level for risk in risks]
    counts = (
        paint(COLOURS[level], f"{levels.count(level):,} {level.value}")
        for level in Level
        if level in levels
    )
    return ", ".join(counts)
