"""How many keys a server has, and has let go of to make room; and which of some are there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from gitbackup.kinds import Command
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.connection.info import number, parse_info
from gitbackup.live.server.keyspace import numbers

TOGETHER = 500  # keys of one command


class Tally(NamedTuple):
    """How many keys the server has evicted since it began, and how many each database has."""

    evicted: int
    keys: Mapping[int, int]


def tally(connection: Connection) -> Tally | None:
    """Return the tally; None where the user may not ask."""
    stats, keyspace = connection.ask([("INFO", "stats"), ("INFO", "keyspace")])
    if isinstance(stats, Refusal) or isinstance(keyspace, Refusal):
        return None
    told = parse_info(keyspace)
    keys = {db: _keys(told[f"db{db}"]) for db in numbers(told)}
    return Tally(number(parse_info(stats), "evicted_keys"), keys)


def _keys(told: str) -> int:
    """The first of what INFO tells of a database: `keys=5,expires=0,avg_ttl=0`."""
    return number({"keys": told.partition(",")[0].removeprefix("keys=")}, "keys")


def absent(connection: Connection, keys: Iterable[bytes]) -> Iterator[bytes]:
    """Yield those keys that are not in the wire's database. No key counts as used by that."""
    ordered = iter(keys)
    while some := [*islice(ordered, TOGETHER)]:
        (count,) = connection.ask([("EXISTS", *some)])
        if count != len({*some}):
            yield from _absent_of(connection, some)


def _absent_of(connection: Connection, keys: Sequence[bytes]) -> Iterator[bytes]:
    """The right to ask for a type is one that reading takes."""
    asked: list[Command] = [("TYPE", key) for key in keys]
    return (key for key, told in zip(keys, connection.need(asked), strict=True) if told == "none")
