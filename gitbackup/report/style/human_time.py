"""Expiries as a person says them: how long still, how much later than before."""

from __future__ import annotations

from datetime import datetime

from gitbackup.format import codec
from gitbackup.model.amounts import span
from gitbackup.report.style.escape import instant


def expiry(moment: str | int | None, now: datetime) -> str:
    """When something expires: `in 3 days (2027-01-15T08:00:00.123Z)`, or `never`."""
    return "never" if moment is None else f"{_away(moment, now)} ({instant(moment)})"


def expiry_change(before: str | int | None, after: str | int | None, now: datetime) -> str:
    """From when to when; of two instants how much later, for both are as far away, mostly."""
    if before is None or after is None:
        return f"{expiry(before, now)} -> {expiry(after, now)}"
    later = codec.milliseconds(after) - codec.milliseconds(before)
    moved = f"{span(abs(later))} {'later' if later > 0 else 'earlier'}" if later else "unchanged"
    return f"{_away(after, now)} ({instant(after)}, {moved})"


def _away(moment: str | int, now: datetime) -> str:
    left = codec.milliseconds(moment) - int(now.timestamp() * 1000)
    return f"in {span(left)}" if left > 0 else f"{span(-left)} ago"
