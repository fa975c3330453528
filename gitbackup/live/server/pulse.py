"""Whether anything was written to a server, as it tells without any work: by INFO."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

from gitbackup.live.connection.connect import Server
from gitbackup.live.connection.connection import Refusal
from gitbackup.live.protocol.info import parse_info

WRITTEN = ("run_id", "rdb_changes_since_last_save", "rdb_last_save_time", "evicted_keys")
EXPIRED = re.compile(r"expired_(?:keys|subkeys|hash_fields)")
SECTIONS = ("server", "persistence", "stats", "keyspace")
KEYS = re.compile(r"keys=([0-9]{1,18})\b")


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a server holds at a moment: how many keys, and a mark.

    If two marks are equal, no key was written to between them, nor has one expired. Both are None
    where INFO is refused, or does not tell.
    """

    keys: int | None
    mark: tuple[str, ...] | None


def pulse(server: Server) -> Pulse:
    """Return the pulse of a server; of a cluster, that of all its primaries."""
    told = [_told(node) for _, node in sorted(server.nodes.items())]
    if not all(told):
        return Pulse(None, None)
    return Pulse(sum(map(_keys, told)), tuple(mark for info in told for mark in _mark(info)))


def _told(node: Server) -> Mapping[str, str]:
    """Return what a node tells; nothing if it does not tell all that a pulse is made of."""
    with closing(node.dial()) as connection:
        replies = connection.ask([("INFO", section) for section in SECTIONS])
    if any(isinstance(reply, Refusal) for reply in replies):
        return {}
    info = {name: value for reply in replies for name, value in parse_info(reply).items()}
    return info if all(name in info for name in WRITTEN) else {}


def _mark(info: Mapping[str, str]) -> list[str]:
    told = [name for name in info if name in WRITTEN or EXPIRED.fullmatch(name)]
    return [f"{name}={info[name]}" for name in sorted(told)]


def _keys(info: Mapping[str, str]) -> int:
    found = (KEYS.match(value) for name, value in info.items() if re.fullmatch("db[0-9]+", name))
    return sum(int(each[1]) for each in found if each)
