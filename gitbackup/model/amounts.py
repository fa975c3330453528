"""Counts, sizes and lengths of time as a person reads them."""

from __future__ import annotations

from datetime import UTC, datetime

STEP = 1000
UNITS = ("kB", "MB", "GB", "TB")
TIMES = ((31_536_000, "year"), (86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
"""Seconds, and what so many are called."""


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun: `1 key`, `1,164 keys`, `2 entries`.

    `many` is the plural where that is not `one` with an s.
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def size(count: int) -> str:
    """Return a number of bytes, from 1,000 on in a larger unit: `999 bytes`, `1.0 kB`, `1.5 MB`."""
    if count < STEP:
        return counted(count, "byte")
    value, unit = count / STEP, 0
    while round(value, 1) >= STEP and unit < len(UNITS) - 1:
        value, unit = value / STEP, unit + 1
    return f"{value:,.1f} {UNITS[unit]}"


def span(milliseconds: int) -> str:
    """Return a length of time in one unit, rounded down: `3 hours`."""
    for length, unit in TIMES:
        if milliseconds >= length * 1000:
            return counted(milliseconds // (length * 1000), unit)
    return f"{milliseconds} ms"


def age(moment: datetime, now: datetime | None = None) -> str:
    """Return how long ago that was: `3 hours ago`; `just now` for less than a second."""
    passed = int(((now or datetime.now(UTC)) - moment).total_seconds()) * 1000
    return f"{span(passed)} ago" if passed >= 1000 else "just now"
