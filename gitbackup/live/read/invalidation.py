"""Learn which keys are written to, by the server's client tracking.

The server sends the names of keys, without their database, at the end of the turn of its event loop
in which they changed; a flush of any database it sends as a flush of everything. Other changes show
in its counters of commands: SWAPDB, commands that change a key without an invalidation, and the
function libraries.
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
    """A change that the server sends no invalidation for, and the commands that make it."""

    EVERYTHING = ("swapdb",)
    KEYS = tuple(command for kind in KINDS.values() for command in kind.silent_commands)
    LIBRARIES = ("function",)


class Tracker:
    """Receives invalidations from its making on. A context manager: leaving it closes the
    connection.

    Every method raises ServerError if the user lacks a right, which it names, or if the connection
    is lost. `wire` is that connection; `began` is when it was made, in seconds of our monotonic
    clock.
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
        """Take the invalidations that have come; wait for the first so many seconds."""
        for said in self.wire.told(seconds):
            if said[:1] == ["invalidate"]:
                self._note(said)

    def barrier(self) -> None:
        """Wait until the invalidations of all earlier writes have come.

        The second PING is answered in a later turn of the server's event loop than any write that
        the first could have overtaken.
        """
        self.wire.call("PING")
        self.wire.call("PING")
        self.drain()

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
        if any(now.get(name, 0) < count for name, count in self._counts.items()):
            return set(SilentChange)  # somebody has reset them
        return {kind for kind in SilentChange if _runs(now, kind) != _runs(self._counts, kind)}

    def forget_silent_changes(self) -> None:
        """Note that all changes up to the last but one call of `silent_changes()` were read."""
        self._counts = self._earlier

    @contextmanager
    def pause(self, milliseconds: int) -> Iterator[None]:
        """Make writers wait inside the block, at most so long even if we are killed."""
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
        """Return how often each command was run, by its name in lower case, without the one that
        lists libraries."""
        info = parse_info(self.wire.call("INFO", "commandstats"))
        calls = {name.removeprefix("cmdstat_"): CALLS.match(said) for name, said in info.items()}
        counts = {name: int(match[1]) for name, match in calls.items() if match}
        return {name: count for name, count in counts.items() if name != "function|list"}


def _runs(counts: dict[str, int], kind: SilentChange) -> int:
    return sum(count for name, count in counts.items() if name.partition("|")[0] in kind.value)
