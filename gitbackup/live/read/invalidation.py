"""Learn which keys are written to, by the server's client tracking.

The server sends the names of keys, without their database, at the end of the turn of its event loop
in which they changed; a flush of any database it sends as a flush of everything. Other changes show
in its counters of commands: SWAPDB, commands that change a key without an invalidation, the
function libraries, and the search indexes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import Any, Self

from gitbackup.format import codec
from gitbackup.kinds import SILENT_COMMANDS, Command
from gitbackup.kinds.shapes import are_texts
from gitbackup.live.connection import cluster
from gitbackup.live.connection.connect import Server
from gitbackup.live.connection.connection import Connection
from gitbackup.live.protocol.info import parse_info
from gitbackup.live.server.replicas import IN_SYNC, LOOK, is_level
from gitbackup.live.server.replication import QUESTION

TRACKING: Command = ("CLIENT", "TRACKING", "ON", "BCAST")
CALLS = re.compile(r"calls=([0-9]{1,19})")
LISTS = "function|list"
_Counter = tuple[str, str]
"""A node's id, and the name of a command."""


class SilentChange(Enum):
    """A change that the server sends no invalidation for, and the commands that make it."""

    EVERYTHING = ("swapdb", "pfdebug")
    KEYS = tuple(command for commands in SILENT_COMMANDS.values() for command in commands)
    LIBRARIES = ("function",)
    SEARCH = (
        *("ft.create", "ft._createifnx", "ft.alter", "ft._alterifnx", "ft.dropindex"),
        *("ft._dropindexifx", "ft.drop", "ft._dropifx", "ft.synupdate", "ft.synadd"),
    )


class Tracker:
    """Receives invalidations from its making on, from each node of a cluster. A context manager:
    leaving it closes the connections.

    Of a replica, a barrier also waits until it has all that its primary had. Then what was heard is
    what has changed at the primary. Slots are asked of primaries, and these are paused.

    Every method raises ServerError if the user lacks a right, which it names, or if a connection
    is lost. `connections` has them, by the nodes' ids; `began` is when the first was made, in
    seconds of our monotonic clock.
    """

    def __init__(self, server: Server) -> None:
        self.began = time.monotonic()
        self.connections: dict[str, Connection] = {}
        self._primaries: dict[str, Connection] = {}  # of the replicas among the nodes
        self._cluster = server.cluster
        self._owners = [*self._cluster.owners] if self._cluster else []
        self._names: set[bytes] = set()
        self._flushed = False
        try:
            for id_, node in server.nodes.items():
                self.connections[id_] = node.listen()
                self.connections[id_].call(*TRACKING)
                if node.follows:
                    self._primaries[id_] = node.follows.dial()
            self._earlier = self._latest = self._counted()
            self._counts = {**self._latest}
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        for connection in (*self.connections.values(), *self._primaries.values()):
            connection.close()

    @property
    def connection(self) -> Connection:
        """The connection to the server, or to the first node of a cluster."""
        return next(iter(self.connections.values()))

    def drain(self, seconds: float = 0) -> None:
        """Take the invalidations that have come; wait for the first so many seconds."""
        for connection in self.connections.values():
            for said in connection.told(seconds / len(self.connections)):
                if said[:1] == ["invalidate"]:
                    self._note(connection, said)

    def barrier(self, node: str | None = None) -> None:
        """Wait until the invalidations of all earlier writes, or of those at one node, have come.

        The second PING is answered in a later turn of the server's event loop than any write that
        the first could have overtaken.
        """
        connections = self.connections if node is None else {node: self.connections[node]}
        self._level(connections)
        self._ask(("PING",), connections=connections)
        self._ask(("PING",), connections=connections)
        self.drain()

    def moved(self) -> set[int]:
        """Return the slots of a cluster that have another owner since this was last called.

        Raises NodesChanged if there is a primary that is not heard.
        """
        if self._cluster is None:
            return set()
        connections = self.connections | self._primaries
        replies = self._ask(*cluster.QUESTIONS, connections=connections)
        views = [cluster.told(connections[id_], replies[id_]) for id_ in replies]
        before, self._owners = self._owners, [*self._cluster.found(views)]
        pairs = zip(before, self._owners, strict=True)
        return {slot for slot, (was, now) in enumerate(pairs) if was != now}

    def _ask(
        self, *commands: Command, connections: Mapping[str, Connection] | None = None
    ) -> dict[str, list[Any]]:
        """Return what each node replies; all are asked before the first has answered."""
        connections = self.connections if connections is None else connections
        for connection in connections.values():
            connection.send(commands)
        replies = {
            id_: connection.receive(len(commands)) for id_, connection in connections.items()
        }
        for id_, connection in connections.items():
            connection.accept(commands, replies[id_])
        return replies

    def take(self) -> set[bytes]:
        """Return the names of keys that were written to, in any database, since the last call."""
        names, self._names = self._names, set()
        return names

    def took_flush(self) -> bool:
        """Return whether a database was flushed since the last call."""
        flushed, self._flushed = self._flushed, False
        return flushed

    def silent_changes(self) -> set[SilentChange]:
        """Return what may have changed silently since `forget_silent_changes()`."""
        self._earlier, self._latest = self._latest, self._counted()
        now = self._latest
        if any(now.get(counter, 0) < count for counter, count in self._counts.items()):
            return set(SilentChange)  # somebody has reset them
        return {kind for kind in SilentChange if _runs(now, kind) != _runs(self._counts, kind)}

    def forget_silent_changes(self) -> None:
        """Note that all changes up to the last but one call of `silent_changes()` were read."""
        self._counts = {**self._earlier}

    def take_silent_change(self, kind: SilentChange) -> None:
        """Note that what changed silently of one kind up to the last call of `silent_changes()` is
        read after this."""
        for counter, count in self._latest.items():
            if _base(counter[1]) in kind.value:
                self._counts[counter] = count

    @contextmanager
    def pause(self, milliseconds: int) -> Iterator[None]:
        """Make writers wait inside the block, at most so long even if we are killed."""
        connections = self.connections | self._primaries
        self._ask(("CLIENT", "PAUSE", milliseconds, "WRITE"), connections=connections)
        try:
            yield
        finally:
            self._ask(("CLIENT", "UNPAUSE"), connections=connections)

    def _level(self, connections: Mapping[str, Connection]) -> None:
        """Wait until the replicas among these nodes have all that their primaries have now.

        Raises NodesChanged if one is not connected to its primary, or takes too long.
        """
        primaries = {
            id_: connection for id_, connection in self._primaries.items() if id_ in connections
        }
        if not primaries:
            return
        began = time.monotonic()
        expected = self._replication(primaries)
        left = {id_: connections[id_] for id_ in primaries}
        while left:
            found = self._replication(left)
            left = {
                id_: connection
                for id_, connection in left.items()
                if not is_level(connection.label, found[id_], expected[id_])
            }
            if left and time.monotonic() - began > IN_SYNC:
                late = next(iter(left.values())).label
                raise cluster.NodesChanged(f"the replica at {late} is behind its primary")
            if left:
                time.sleep(LOOK)

    def _replication(self, connections: Mapping[str, Connection]) -> dict[str, dict[str, str]]:
        replies = self._ask(QUESTION, connections=connections)
        return {id_: parse_info(reply) for id_, (reply,) in replies.items()}

    def _note(self, connection: Connection, said: list[Any]) -> None:
        names = said[1] if len(said) == 2 else ()
        if names is None:
            self._flushed = True
        elif are_texts(names):
            self._names.update(map(codec.raw, names))
        else:
            raise connection.nonsense(TRACKING)

    def _counted(self) -> dict[_Counter, int]:
        """Return how often each node ran each command, by its name in lower case, without the one
        that lists libraries."""
        counts: dict[_Counter, int] = {}
        for id_, (reply,) in self._ask(("INFO", "commandstats")).items():
            for name, said in parse_info(reply).items():
                if match := CALLS.match(said):
                    counts[id_, name.removeprefix("cmdstat_").lower()] = int(match[1])
        return {counter: count for counter, count in counts.items() if counter[1] != LISTS}


def _runs(counts: dict[_Counter, int], kind: SilentChange) -> int:
    return sum(count for (_, name), count in counts.items() if _base(name) in kind.value)


def _base(name: str) -> str:
    """Return the name of a command without that of its subcommand."""
    return name.partition("|")[0]
