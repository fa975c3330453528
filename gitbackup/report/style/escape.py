"""Data as text for a terminal: nothing in it can steer the terminal, nothing is too long."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import Any

from gitbackup.format.names import LIMIT, escape, shown
from gitbackup.report.style.columns import fit, width

CONTEXT = 24
"""Characters shown of what two long texts have in common before they differ."""

PIECE = 4_096
"""Characters compared at a time."""

ARROW = " -> "

POSITION = re.compile(r"\[\d+\]")
"""A position in a list, as it is written before a path."""

STEP = re.compile(r"[^\s\"'.:\[\]]+")
"""A name that needs no quotes inside a dotted path."""


def shown_pair(before: Any, after: Any, room: int | None = None) -> str:
    """Two values that differ, in so many columns; of long texts the part where they begin to."""
    limit = LIMIT if room is None else min(LIMIT, max(room // 2, CONTEXT))
    skipped = 0
    if isinstance(before, str) and isinstance(after, str) and max(len(before), len(after)) > limit:
        skipped = max(0, shared(before, after) - CONTEXT)
    said = f"(after {skipped:,} same characters) " if skipped else ""
    sides = shown(before, start=skipped), shown(after, start=skipped)
    if room is not None:
        sides = _fitted(*sides, room - len(said) - len(ARROW))
    return said + ARROW.join(sides)


def _fitted(before: str, after: str, room: int) -> tuple[str, str]:
    """Both cut to fit in the room; one that needs less than half of it leaves the other more."""
    half = max(room // 2, 1)
    first = fit(before, max(half, room - width(after)))
    return first, fit(after, max(half, room - width(first)))


def shared(before: str, after: str) -> int:
    """How many first characters are the same."""
    end, shorter = 0, min(len(before), len(after))
    while end < shorter and before[end : end + PIECE] == after[end : end + PIECE]:
        end += PIECE
    pairs = zip(before[end : end + PIECE], after[end : end + PIECE], strict=False)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return min(end + same, shorter)


def dotted(first: str, path: tuple[str | int, ...]) -> str:
    """A path as `limits.daily` or `items[3].price`, behind the name of what holds the document."""
    start = first if POSITION.fullmatch(first) or not first else _step(first)
    steps = [f"[{step}]" if isinstance(step, int) else f".{_step(step)}" for step in path]
    return (start + "".join(steps)).removeprefix("." if not first else "")


def _step(text: str) -> str:
    return escape(text) if STEP.fullmatch(text) else shown(text)


def instant(value: str | int | None) -> str:
    """An expiry; a number is one past the year 9999."""
    if value is None:
        return "never"
    return escape(value) if isinstance(value, str) else f"{value} ms after 1970"
