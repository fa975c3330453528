"""Which of some keys exist, and which do not."""

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
    return _those(server, db, keys, exist=False)


def present(server: Server, db: int, keys: Iterable[bytes]) -> Iterator[bytes]:
    """Yield those keys that a database has, as `absent` yields the others."""
    return _those(server, db, keys, exist=True)


def _those(server: Server, db: int, keys: Iterable[bytes], exist: bool) -> Iterator[bytes]:
    """Yield those keys that exist, or those that do not."""
    if server.cluster:
        with key_reader(server) as reader:
            found = reader.entries(db, keys)
            yield from (name for name, entry in found if (entry is not None) == exist)
        return
    with closing(server.dial()) as connection:
        connection.select(db)
        ordered = iter(keys)
        while some := [*islice(ordered, TOGETHER)]:
            (count,) = connection.ask([("EXISTS", *some)])
            if count != (0 if exist else len({*some})):
                yield from _by_type(connection, some, exist)


def _by_type(connection: Connection, keys: Sequence[bytes], exist: bool) -> Iterator[bytes]:
    """Yield the keys by asking for types, since the right to TYPE is one that reading needs
    anyway."""
    asked: list[Command] = [("TYPE", key) for key in keys]
    types = connection.need(asked)
    return (key for key, type_ in zip(keys, types, strict=True) if (type_ != "none") == exist)
