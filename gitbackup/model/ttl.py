"""What becomes of the expiries of keys that are restored."""

from __future__ import annotations

from enum import StrEnum


class Ttl(StrEnum):
    """What becomes of expiries: the same instant, as much time as was left, or none."""

    KEEP = "keep"
    REMAINING = "remaining"
    NONE = "none"
