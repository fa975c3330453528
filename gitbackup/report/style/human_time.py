"""Instants as a person says them: how long ago, how long still, how much later than before."""

from __future__ import annotations

from datetime import UTC, datetime

from gitbackup.format import codec
from gitbackup.report.style.escape import instant

UNITS = ((31_536_000, "year"), (86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
"""Seconds, and what so many are called."""


def span(milliseconds: int) -> str:
    """A length of time in one unit, rounded down: `3 hours`."""
    for length, unit in UNITS:
        if milliseconds >= length * 1000:
            count = milliseconds // (length * 1000)
            return f"{count:,} {unit}{'' if count == 1 else 's'}"
    return f"{milliseconds} ms"


def age(moment: datetime, now: datetime | None = None) -> str:
    """How long ago that was: `3 hours ago`."""
    passed = int(((now or datetime.now(UTC)) - moment).total_seconds()) * 1000
    return f"{span(passed)} ago" if passed >= 1000 else "just now"


def expiry(moment: str | int | None, now: datetime) -> str:
    """When something expires: `in 3 days (2027-01-15T08:00:00.123Z)`, or `never`."""
    return "never" if moment is None else f"{_away(moment, now)} ({instant(moment)})"


def expiry_change(before: str | int | None, after: str | int | None, now: datetime) -> str:
    """From when to when; of two instants how much later, for both are as far away, mostly."""
    if before is None or after is None:
        return f"{expiry(before, now)} -> {expiry(after, now)}"
    later = codec.milliseconds(after) - codec.milliseconds(before)
    moved = f"{span(abs(later))} {'later' if later > 0 else 'earlier'}" if later else "as before"
    return f"{_away(after, now)} ({instant(after)}, {moved})"


def _away(moment: str | int, now: datetime) -> str:
    left = codec.milliseconds(moment) - int(now.timestamp() * 1000)
    return f"in {span(left)}" if left > 0 else f"{span(-left)} ago"
