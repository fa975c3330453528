"""The names of a database's keys, by SCAN."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain
from operator import eq

from gitbackup.kinds import Command
from gitbackup.live.shapes import fits
from gitbackup.live.wire import Refusal, Wire

COUNT = 1_000  # names asked for at once
FRUITLESS = 100_000  # times that it may bring next to nothing, as in a table that was emptied


def scanned(wire: Wire, share: int = 1) -> Iterator[list[bytes]]:
    """The names of the keys of the wire's database, some at a time; one may come repeatedly.

    Raises ServerError where the user may not ask.
    """
    cursor, seen, found = "0", set[str](), 0
    wire.send([_command(cursor, share)])
    while True:
        (reply,) = wire.receive(1, decoded=False)
        if isinstance(reply, Refusal):
            raise wire.refused(reply, _command(cursor, share))
        if not fits(_command(cursor, share), reply):
            raise wire.nonsense(_command(cursor, share))
        following, names = reply
        cursor = following.decode()
        found += len(names)
        if cursor in seen or len(seen) > FRUITLESS * share + 10 * found:
            raise wire.nonsense(_command(cursor, share))  # it would never end
        seen.add(cursor)
        if cursor != "0":
            wire.send([_command(cursor, share)])
        yield names
        if cursor == "0":
            return


class Names:
    """Puts names that come in pieces in the order of their bytes, while the server looks for more:
    what is sorted is joined with as many others at a time."""

    def __init__(self) -> None:
        self._runs: list[list[bytes]] = []

    def add(self, names: list[bytes]) -> None:
        """Takes some, in any order."""
        self._runs.append(sorted(names))
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            last = self._runs.pop()
            self._runs[-1] += last
            self._runs[-1].sort()

    def each_once(self, but: Collection[bytes]) -> list[bytes]:
        """All of them, without some."""
        names = sorted(chain.from_iterable(self._runs))
        self._runs = []
        if any(map(eq, names, names[1:])):
            names = [*dict.fromkeys(names)]
        left_out = {*but}
        return [name for name in names if name not in left_out] if left_out else names


def _command(cursor: str, share: int) -> Command:
    return "SCAN", cursor, "COUNT", max(1, COUNT // share)
