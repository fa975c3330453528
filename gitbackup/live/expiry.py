"""When keys expire, to the millisecond, on servers that tell only how much time is left.

Redis before 7.0 has no PEXPIRETIME. PTTL counts from the server's own clock, which TIME
reads: where that clock shows the same millisecond before and after, their sum is exact.
"""

from __future__ import annotations

from typing import Any

from gitbackup.kinds import Command
from gitbackup.live.wire import Wire

GONE, NEVER = -2, -1
TOGETHER = 32  # keys between two looks at the clock
TRIES = 200  # for a key alone, until it falls within one millisecond


def expiries(wire: Wire, keys: list[bytes]) -> list[int]:
    """Each key's instant in milliseconds since 1970, or GONE, or NEVER."""
    found: list[int] = []
    for start in range(0, len(keys), TOGETHER):
        found += _together(wire, keys[start : start + TOGETHER])
    return found


def _together(wire: Wire, keys: list[bytes]) -> list[int]:
    replies = wire.need([("TIME",), *_left(keys), ("TIME",)])
    before, after = _now(replies[0]), _now(replies[-1])
    left = replies[1:-1]
    if before == after or all(time < 0 for time in left):
        return [time if time < 0 else before + time for time in left]
    return [_alone(wire, key) for key in keys]


def _alone(wire: Wire, key: bytes) -> int:
    for _ in range(TRIES):
        first, time, last = wire.need([("TIME",), *_left([key]), ("TIME",)])
        if time < 0 or _now(first) == _now(last):
            break
    return int(time if time < 0 else _now(first) + time)


def _left(keys: list[bytes]) -> list[Command]:
    return [("PTTL", key) for key in keys]


def _now(reply: Any) -> int:
    seconds, microseconds = reply
    return int(seconds) * 1000 + int(microseconds) // 1000
