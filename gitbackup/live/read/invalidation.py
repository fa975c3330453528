"""Hearing which keys are written to, by the server's own client tracking.

The server tells the names of keys, without their database, at the end of the turn of its loop
in which they changed; and a flush of any database as one of everything. What it does not tell
is seen by its counters of commands: SWAPDB, whatever alters a stream's groups and counters, and
the libraries of functions.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any, Self

from gitbackup.format import codec
from gitbackup.kinds import KINDS, Command
from gitbackup.kinds.shapes import are_texts
from gitbackup.live.connection.connect import Server
from gitbackup.live.connection.connection import Connection
from gitbackup.live.connection.info import parse_info

TRACKING: Command = ("CLIENT", "TRACKING", "ON", "BCAST")
CALLS = re.compile(r"calls=([0-9]{1,19})")


class SilentChange(Enum):
    """What the server sends no invalidation for; seen by how often these commands were run."""

    EVERYTHING = ("swapdb",)
    KEYS = tuple(command for kind in KINDS.values() for command in kind.silent_commands)
    LIBRARIES = ("function",)


class Tracker:
    """Hears from its making on. A context manager: leaving it closes the connection.

    Every method raises ServerError, saying which right is missing, where the server does not
    let us hear it, or has dropped the connection. `wire` is that connection, `began` when it
    was made, by our monotonic clock.
    """

    def __init__(self, server: Server) -> None:
        self.began = time.monotonic()
        self.wire: Connection = server.listen()
        self._names: set[bytes] = set()
        self._flushed = False
        try:
            self.wire.call(*TRACKING)
            self._counts = self._earlier = self._latest = self._counted()
        except BaseException:
            self.wire.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wire.close()

    def drain(self, seconds: float = 0) -> None:
        """Takes what was said by now, so that the server need not keep it; or waits for some."""
        for said in self.wire.told(seconds):
            if said[:1] == ["invalidate"]:
                self._note(said)

    def barrier(self) -> None:
        """Waits until all was said of what was written before this.

        The second PING is answered in a later turn of the server's loop than any write that
        the first could have overtaken.
        """
        self.wire.call("PING")
        self.wire.call("PING")
        self.drain()

    def take(self) -> set[bytes]:
        """The names of keys that were written to, and not taken before, in whatever database."""
        names, self._names = self._names, set()
        return names

    def took_flush(self) -> bool:
        """Whether a database was emptied at once since this was last asked."""
        flushed, self._flushed = self._flushed, False
        return flushed

    def silent_changes(self) -> set[SilentChange]:
        """Return what may have changed without an invalidation, since it was last forgotten."""
        self._earlier, self._latest = self._latest, self._counted()
        now = self._latest
        if any(now.get(name, 0) < count for name, count in self._counts.items()):
            return set(SilentChange)  # somebody has reset them
        return {kind for kind in SilentChange if _of(now, kind) != _of(self._counts, kind)}

    def forget_silent_changes(self) -> None:
        """Note that what `silent_changes` told before its last call was read since."""
        self._counts = self._earlier

    @contextmanager
    def pause(self, milliseconds: int) -> Iterator[None]:
        """Makes writers wait, no longer than so long: also if we end, the server lets them on."""
        self.wire.call("CLIENT", "PAUSE", milliseconds, "WRITE")
        try:
            yield
        finally:
            self.wire.call("CLIENT", "UNPAUSE")

    def _note(self, said: list[Any]) -> None:
        names = said[1] if len(said) == 2 else ()
        if names is None:
            self._flushed = True
        elif are_texts(names):
            self._names.update(map(codec.raw, names))
        else:
            raise self.wire.nonsense(TRACKING)

    def _counted(self) -> dict[str, int]:
        """How often each command was run, by its name in lower case; our own listing apart."""
        info = parse_info(self.wire.call("INFO", "commandstats"))
        found = {name.removeprefix("cmdstat_"): CALLS.match(said) for name, said in info.items()}
        counts = {name: int(calls[1]) for name, calls in found.items() if calls}
        return {name: count for name, count in counts.items() if name != "function|list"}


def _of(counts: dict[str, int], kind: SilentChange) -> int:
    return sum(count for name, count in counts.items() if name.partition("|")[0] in kind.value)
