"""List the names of a database's keys, by SCAN."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain
from operator import eq

from gitbackup import wording
from gitbackup.errors import ServerError
from gitbackup.kinds import Command
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.protocol.reply_shapes import fits
from gitbackup.system import available_memory

COUNT = 1_000  # names to ask for at once
SURELY = 1_000_000  # names to take before asking whether there are so many keys
TIMES = 4  # names for each key at most: some come twice, and keys come and go
FRUITLESS = 100_000  # replies that may hold next to nothing, as of a table that was emptied


def scanned(connection: Connection, share: int = 1) -> Iterator[list[bytes]]:
    """Yield the names of the keys of the selected database, in pieces; a name may come repeatedly.

    Raises ServerError if the user may not ask, or if there is no end.
    """
    cursor, seen, found, end = "0", set[str](), 0, _End(connection)
    connection.send([_command(cursor, share)])
    while True:
        (reply,) = connection.receive(1, decoded=False)
        if isinstance(reply, Refusal):
            raise connection.refused(reply, _command(cursor, share))
        if not fits(_command(cursor, share), reply):
            raise connection.nonsense(_command(cursor, share))
        following, names = reply
        cursor = following.decode()
        found += len(names)
        if cursor in seen or len(seen) > FRUITLESS * share + 10 * found:
            raise connection.nonsense(_command(cursor, share))  # it would never end
        end.expect(found)
        seen.add(cursor)
        if cursor != "0":
            connection.send([_command(cursor, share)])
        yield names
        if cursor == "0":
            return


class _End:
    """Expects a scan to end, by how many keys the server says that it has."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._largest = 0  # of what it has said: keys may go meanwhile
        self._sure = SURELY

    def expect(self, found: int) -> None:
        """Raise ServerError if so many names are far more than there are keys, or than fit into
        memory. No reply may be under way."""
        if found <= self._sure:
            return
        self._sure = found + SURELY
        if available_memory.is_short():
            raise ServerError(
                f"the server at {self._connection.label} has listed {found:,} keys,"
                " and their names alone fill the memory of this machine: use another"
                " machine, or commit only some keys with"
                f" {wording.command('init --include', 'init(include=...)')}"
            )
        (size,) = self._connection.ask([("DBSIZE",)])
        if isinstance(size, Refusal):
            return
        self._largest = max(self._largest, size)
        if found > TIMES * self._largest + 2 * SURELY:
            raise ServerError(
                f"the server at {self._connection.label} lists keys without end:"
                f" {found:,} so far, while it reports {size:,}; is it Redis?"
            )


class Names:
    """Sorts names that come in pieces, while the server looks for more: sorted runs of about the
    same length are merged."""

    def __init__(self) -> None:
        self._runs: list[list[bytes]] = []

    def add(self, names: list[bytes]) -> None:
        """Add names, in any order."""
        self._runs.append(sorted(names))
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            last = self._runs.pop()
            self._runs[-1] += last
            self._runs[-1].sort()

    def each_once(self, but: Collection[bytes]) -> list[bytes]:
        """Return all names, sorted, each once, without those in `but`."""
        names = sorted(chain.from_iterable(self._runs))
        self._runs = []
        if any(map(eq, names, names[1:])):
            names = [*dict.fromkeys(names)]
        left_out = {*but}
        return [name for name in names if name not in left_out] if left_out else names


def _command(cursor: str, share: int) -> Command:
    return "SCAN", cursor, "COUNT", max(1, COUNT // share)
