"""Two values, a path, an expiry: short text for a line, in which nothing can steer the terminal."""

from __future__ import annotations

import re
from datetime import datetime
from itertools import takewhile
from typing import Any

from gitbackup.format import codec
from gitbackup.format.names import LIMIT, escape, shown
from gitbackup.model.amounts import span
from gitbackup.report.style import fit, width
from gitbackup.report.words import ENGLISH, Words

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
    """Return two values that differ, in so many columns; long texts from where they differ."""
    limit = LIMIT if room is None else min(LIMIT, max(room // 2, CONTEXT))
    skipped = skippable(before, after, limit, CONTEXT)
    said = skipped_note(skipped)
    old, new = shown(before, start=skipped), shown(after, start=skipped)
    if room is not None:  # a side that needs less than half of it leaves the other more
        room -= len(said) + len(ARROW)
        half = max(room // 2, 1)
        old = fit(old, max(half, room - width(new)))
        new = fit(new, max(half, room - width(old)))
    return said + old + ARROW + new


def skippable(before: Any, after: Any, limit: int, context: int) -> int:
    """Return how many first characters two values share, less `context`, if one is longer than
    `limit`; 0 unless both are texts."""
    if not (isinstance(before, str) and isinstance(after, str)):
        return 0
    if max(len(before), len(after)) <= limit:
        return 0
    end, shorter = 0, min(len(before), len(after))
    while end < shorter and before[end : end + PIECE] == after[end : end + PIECE]:
        end += PIECE
    pairs = zip(before[end : end + PIECE], after[end : end + PIECE], strict=False)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return max(0, min(end + same, shorter) - context)


def skipped_note(skipped: int, words: Words = ENGLISH) -> str:
    """Return what stands before two texts that are shown from there on; empty for 0."""
    return words.say("(after %(num)s same characters) ", num=f"{skipped:,}") if skipped else ""


def dotted(first: str, path: tuple[str | int, ...]) -> str:
    """Return a path as `limits.daily` or `items[3].price`, behind the name of what holds it."""
    start = first if POSITION.fullmatch(first) or not first else _step(first)
    steps = [f"[{step}]" if isinstance(step, int) else f".{_step(step)}" for step in path]
    return (start + "".join(steps)).removeprefix("." if not first else "")


def _step(text: str) -> str:
    return escape(text) if STEP.fullmatch(text) else shown(text)


def instant(value: str | int | None, words: Words = ENGLISH) -> str:
    """Return an expiry; a number is one past the year 9999."""
    if value is None:
        return words.say("never")
    return (
        escape(value) if isinstance(value, str) else words.say("%(num)s ms after 1970", num=value)
    )


def expiry(moment: str | int | None, now: datetime) -> str:
    """Return when something expires: `in 3 days (2027-01-15T08:00:00.123Z)`, or `never`."""
    return "never" if moment is None else f"{_away(moment, now)} ({instant(moment)})"


def expiry_change(before: str | int | None, after: str | int | None, now: datetime) -> str:
    """Return from when to when; of two instants the second, and how much later it is."""
    if before is None or after is None:
        return f"{expiry(before, now)} -> {expiry(after, now)}"
    later = codec.milliseconds(after) - codec.milliseconds(before)
    moved = f"{span(abs(later))} {'later' if later > 0 else 'earlier'}" if later else "unchanged"
    return f"{_away(after, now)} ({instant(after)}, {moved})"


def _away(moment: str | int, now: datetime) -> str:
    left = codec.milliseconds(moment) - int(now.timestamp() * 1000)
    return f"in {span(left)}" if left > 0 else f"{span(-left)} ago"
