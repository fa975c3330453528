"""How much memory a server has left."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import NamedTuple

from gitbackup.kinds import Command
from gitbackup.live.connection.connect import Server
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.protocol.info import number, parse_info

QUESTIONS: Sequence[Command] = (("INFO", "memory"), ("INFO", "keyspace"))


class Memory(NamedTuple):
    """Bytes up to the server's maxmemory; whether it then lets keys go, or takes no more.

    One whose policy is about keys that expire has none to let go of where none does.
    """

    free: int
    evicts: bool


def room(server: Server) -> Memory | None:
    """Return how much memory is free, and whether keys are evicted; None if there is no limit, or
    the user may not ask.

    Of a cluster, the bytes of all nodes together; it lets keys go if one of them does.
    """
    rooms = []
    for node in server.nodes.values():
        with closing(node.dial()) as connection:
            rooms.append(_room_at(connection))
    found = [each for each in rooms if each is not None]
    if len(found) < len(rooms):
        return None
    return Memory(sum(each.free for each in found), any(each.evicts for each in found))


def _room_at(connection: Connection) -> Memory | None:
    told = connection.ask([*QUESTIONS])
    return None if _refused(told) else _room(_parsed(told))


def may_evict(server: Server) -> bool:
    """Return whether the server, or a node of the cluster, evicts keys to make room, as far as is
    known."""
    for node in server.nodes.values():
        with closing(node.dial()) as connection:
            if _may_evict(connection):
                return True
    return False


def _may_evict(connection: Connection) -> bool:
    told = connection.ask([*QUESTIONS])
    left = None if _refused(told) else _room(_parsed(told))
    return _refused(told) or (left is not None and left.evicts)


def _refused(replies: Sequence[object]) -> bool:
    return any(isinstance(reply, Refusal) for reply in replies)


def _parsed(replies: Sequence[str]) -> dict[str, str]:
    return parse_info("\n".join(replies))


def _room(info: dict[str, str]) -> Memory | None:
    limit, used = number(info, "maxmemory"), number(info, "used_memory")
    uncounted = number(info, "mem_not_counted_for_evict")
    policy = info.get("maxmemory_policy", "noeviction")
    expiring = (value for name, value in info.items() if name[:2] == "db" and name[2:].isdecimal())
    some = policy.startswith("allkeys") or any("expires=0," not in told for told in expiring)
    evicts = policy != "noeviction" and some
    return Memory(limit - used + uncounted, evicts) if limit else None
