"""How much memory a server has left."""

from __future__ import annotations

from typing import NamedTuple

from gitbackup.live.connect import parse_info
from gitbackup.live.wire import Refusal, Wire


class Room(NamedTuple):
    """Bytes up to the server's maxmemory; whether it then lets keys go, or takes no more."""

    free: int
    evicts: bool


def room(wire: Wire) -> Room | None:
    """None where there is no limit, or the user may not ask."""
    (reply,) = wire.ask([("INFO", "memory")])
    if isinstance(reply, Refusal):
        return None
    info = parse_info(reply)
    limit, used = int(info.get("maxmemory", 0)), int(info.get("used_memory", 0))
    uncounted = int(info.get("mem_not_counted_for_evict", 0))
    evicts = info.get("maxmemory_policy", "noeviction") != "noeviction"
    return Room(limit - used + uncounted, evicts) if limit else None
