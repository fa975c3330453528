"""Keys that a server lets go of to make room: how many, and which of some are there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from gitbackup.kinds import Command
from gitbackup.live.connect import parse_info
from gitbackup.live.wire import Refusal, Wire

TOGETHER = 500  # keys of one command


def evicted(wire: Wire) -> int | None:
    """Return how many keys the server has evicted since it began; None where the user may not
    ask."""
    (reply,) = wire.ask([("INFO", "stats")])
    return None if isinstance(reply, Refusal) else int(parse_info(reply).get("evicted_keys", 0))


def absent(wire: Wire, keys: Iterable[bytes]) -> Iterator[bytes]:
    """Yield those keys that are not in the wire's database. No key counts as used by that."""
    ordered = iter(keys)
    while some := [*islice(ordered, TOGETHER)]:
        (count,) = wire.ask([("EXISTS", *some)])
        if count != len({*some}):
            yield from _absent_of(wire, some)


def _absent_of(wire: Wire, keys: Sequence[bytes]) -> Iterator[bytes]:
    """The right to ask for a type is one that reading takes."""
    asked: list[Command] = [("TYPE", key) for key in keys]
    return (key for key, told in zip(keys, wire.need(asked), strict=True) if told == "none")
