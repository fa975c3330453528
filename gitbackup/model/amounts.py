"""Counts and sizes as a person reads them."""

from __future__ import annotations

STEP = 1000
UNITS = ("kB", "MB", "GB", "TB")


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
