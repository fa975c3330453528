"""The names of a database's keys, by SCAN."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from operator import eq

from gitbackup.kinds import Command
from gitbackup.live.wire import Refusal, Wire

COUNT = 1_000  # names asked for at once


def scanned(wire: Wire) -> Iterator[list[bytes]]:
    """The names of the keys of the wire's database, some at a time; one may come repeatedly.

    Each time they are sorted, while the server looks for more: sorting them all takes less then.
    Raises ServerError where the user may not ask.
    """
    cursor = "0"
    wire.send([_command(cursor)])
    while True:
        (reply,) = wire.receive(1, decoded=False)
        if isinstance(reply, Refusal):
            raise wire.refused(reply, _command(cursor))
        following, names = reply
        cursor = following.decode()
        if cursor != "0":
            wire.send([_command(cursor)])
        yield sorted(names)
        if cursor == "0":
            return


def each_once(names: list[bytes], but: Collection[bytes]) -> list[bytes]:
    """The names sorted as bytes, each once, without some."""
    names.sort()
    if any(map(eq, names, names[1:])):
        names = [*dict.fromkeys(names)]
    return [name for name in names if name not in but] if but else names


def _command(cursor: str) -> Command:
    return "SCAN", cursor, "COUNT", COUNT
