"""How many keys a server has, and how many it has evicted to make room."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from typing import NamedTuple

from gitbackup.live.connection.connect import Server
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.protocol.info import number, parse_info
from gitbackup.live.server.keyspace import numbers


class Tally(NamedTuple):
    """How many keys the server has evicted since it began, and how many each database has."""

    evicted: int
    keys: Mapping[int, int]


def tally(connection: Connection) -> Tally | None:
    """Return the tally; None if the user may not ask."""
    stats, keyspace = connection.ask([("INFO", "stats"), ("INFO", "keyspace")])
    if isinstance(stats, Refusal) or isinstance(keyspace, Refusal):
        return None
    told = parse_info(keyspace)
    keys = {db: _keys(told[f"db{db}"]) for db in numbers(told)}
    return Tally(number(parse_info(stats), "evicted_keys"), keys)


def tally_of(server: Server) -> Tally | None:
    """Return the tally of a server, or of all nodes of a cluster; None if the user may not ask."""
    evicted, keys = 0, Counter[int]()
    for node in server.nodes.values():
        with closing(node.dial()) as connection:
            own = tally(connection)
        if own is None:
            return None
        evicted += own.evicted
        keys.update(own.keys)
    return Tally(evicted, keys)


def _keys(told: str) -> int:
    """Return how many keys a line of INFO counts in a database: `keys=5,expires=0,avg_ttl=0`."""
    return number({"keys": told.partition(",")[0].removeprefix("keys=")}, "keys")
