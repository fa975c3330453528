"""How much memory a server has left."""

from __future__ import annotations

from typing import NamedTuple

from gitbackup.live.connect import number, parse_info
from gitbackup.live.wire import Refusal, Wire

QUESTION = ("INFO", "memory")


class Room(NamedTuple):
    """Bytes up to the server's maxmemory; whether it then lets keys go, or takes no more."""

    free: int
    evicts: bool


def room(wire: Wire) -> Room | None:
    """None where there is no limit, or the user may not ask."""
    (reply,) = wire.ask([QUESTION])
    return None if isinstance(reply, Refusal) else _room(parse_info(reply))


def may_evict(wire: Wire) -> bool:
    """Whether the server makes room for new keys by removing others, as far as is known."""
    (reply,) = wire.ask([QUESTION])
    left = None if isinstance(reply, Refusal) else _room(parse_info(reply))
    return isinstance(reply, Refusal) or (left is not None and left.evicts)


def _room(info: dict[str, str]) -> Room | None:
    limit, used = number(info, "maxmemory"), number(info, "used_memory")
    uncounted = number(info, "mem_not_counted_for_evict")
    evicts = info.get("maxmemory_policy", "noeviction") != "noeviction"
    return Room(limit - used + uncounted, evicts) if limit else None
