"""Which of some keys do not exist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice

from gitbackup.kinds import Command
from gitbackup.live.connection.connect import Server
from gitbackup.live.connection.connection import Connection
from gitbackup.live.read.cluster_read import key_reader

TOGETHER = 500  # keys of one command


def absent(server: Server, db: int, keys: Iterable[bytes]) -> Iterator[bytes]:
    """Yield those keys that a database does not have.

    No key counts as used by that. In a cluster, where they may be moving, each is read.
    """
    if server.cluster:
        with key_reader(server) as reader:
            yield from (name for name, entry in reader.entries(db, keys) if entry is None)
        return
    with closing(server.dial()) as connection:
        connection.select(db)
        yield from _absent(connection, keys)


def _absent(connection: Connection, keys: Iterable[bytes]) -> Iterator[bytes]:
    ordered = iter(keys)
    while some := [*islice(ordered, TOGETHER)]:
        (count,) = connection.ask([("EXISTS", *some)])
        if count != len({*some}):
            yield from _absent_of(connection, some)


def _absent_of(connection: Connection, keys: Sequence[bytes]) -> Iterator[bytes]:
    """The right to ask for a type is one that reading takes."""
    asked: list[Command] = [("TYPE", key) for key in keys]
    return (key for key, told in zip(keys, connection.need(asked), strict=True) if told == "none")
