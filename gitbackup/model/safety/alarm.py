"""An alarm: a commit that removed so many keys that it may be a mistake."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

TRAILER = "Alarm"
_TOLD = re.compile(r"removed ([0-9]{1,18}) of ([0-9]{1,18}) keys")


@dataclass(frozen=True, slots=True)
class Alarm:
    """What a commit removed: so many of the keys that there were before it.

    Neither keys that expired nor quiet ones count.
    """

    removed: int
    of: int

    def __str__(self) -> str:
        return f"removed {self.removed} of {self.of} keys"


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """When to raise an alarm: if more than `share` percent of the keys are removed, and at least
    `least` of them."""

    share: int = 50
    least: int = 20

    def raises(self, removed: int, of: int) -> bool:
        """Return whether the removal of so many keys is one to raise an alarm for."""
        return removed >= self.least and removed * 100 > self.share * of


def alarm_in(trailers: Mapping[str, str]) -> Alarm | None:
    """Return the alarm that a commit's trailers tell of; None if they tell of none."""
    found = _TOLD.fullmatch(trailers.get(TRAILER, ""))
    return Alarm(int(found[1]), int(found[2])) if found else None
