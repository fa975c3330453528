"""The live database, which once it was read stays known: by what changes, which alone is read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from gitbackup.capture.consistency import PATIENCE, ConsistencyLoop, Reading
from gitbackup.capture.file_index import Sink
from gitbackup.capture.reader import SnapshotReader
from gitbackup.errors import ServerError
from gitbackup.format import codec
from gitbackup.format.patterns import covered
from gitbackup.live.connection.connect import Server
from gitbackup.live.read.invalidation import SilentChange, Tracker
from gitbackup.live.server import keyspace
from gitbackup.model.keys import Scope
from gitbackup.progress import Progress


class LiveFollower(SnapshotReader):
    """Stays with the server after `read`, until `close`.

    `dirty` are the names of keys that were written to, or have expired, since they were read;
    `silent_changes` is what may have changed without an invalidation; and where `upset`, all has
    to be read anew. Methods raise ServerError where the server does not let us hear it, or is lost.
    """

    def __init__(self, server: Server, scope: Scope, progress: Progress) -> None:
        super().__init__(server, scope, progress)
        self.dirty: set[bytes] = set()
        self.silent_changes: set[SilentChange] = set()
        self.upset = False
        self._opened = ExitStack()
        self._reading: Reading | None = None
        self._covered = covered(scope)
        self._ahead = 0  # milliseconds that the server's time is ahead of our monotonic clock
        self._due = ""  # when the first key or field expires

    def close(self) -> None:
        """Leaves the server."""
        self._opened.close()

    def read(self, sink: Sink) -> None:
        super().read(sink)
        self.upset = self._reading is None

    def listen(self, seconds: float, sink: Sink) -> set[bytes]:
        """Waits so long for changes: the names of keys that were written to, or have expired."""
        tracker = self._hearing()
        tracker.drain(seconds)
        self.upset |= tracker.took_flush()
        names = {*filter(self._covered, tracker.take()), *self._expired(sink)}
        self.dirty |= names
        return names

    def ask(self) -> set[SilentChange]:
        """What has come to be `silent_changes`."""
        told = self._hearing().silent_changes()
        self.upset |= SilentChange.EVERYTHING in told
        if not self.scope.functions:
            told.discard(SilentChange.LIBRARIES)
        new, self.silent_changes = told - self.silent_changes, self.silent_changes | told
        return new

    def silent_keys(self) -> set[bytes]:
        """Return the names of keys that may change without an invalidation, or could once."""
        reading = self._reading
        return {name for _, name in reading.silent()} if reading else set()

    def catch_up(self, sink: Sink) -> None:
        """Reads what has changed, and gives the files that are otherwise.

        That is at one moment, as told by `at_once`, or else each key at its own, and what was
        written to meanwhile is dirty still. Raises FullRescanNeeded where all has to be read anew.
        """
        tracker, reading = self._hearing(), self._reading
        if reading is None:
            raise ValueError("it has not been read yet")
        self.primary = ""
        self._look_at_primary()
        loop = self._loop(tracker, reading, self.dirty)
        self.taken_at = self._read_again(loop, tracker, reading, PATIENCE, sink)
        self._know(loop, tracker, reading)

    def _settle(self, tracker: Tracker, reading: Reading, sink: Sink) -> ConsistencyLoop:
        loop = super()._settle(tracker, reading, sink)
        if not self.at_once:
            loop.dirty = loop.touched
        self._know(loop, tracker, reading)
        return loop

    def _know(self, loop: ConsistencyLoop, tracker: Tracker, reading: Reading) -> None:
        """What was read is known from now on, but for what is dirty."""
        self._reading = reading
        reading.databases |= loop.databases
        reading.reader.rest()
        self.dirty = loop.dirty
        if self.at_once:
            tracker.forget_silent_changes()
            self.silent_changes = set()
        self._ahead = keyspace.clock(tracker.wire) - _milliseconds()
        self._await_first()
        self._count()

    def _expired(self, sink: Sink) -> Iterator[bytes]:
        """The names of keys of which all or some has expired since it was last asked."""
        instant = str(codec.instant(self._ahead + _milliseconds()))
        if self._due and self._due < instant:
            for index in self._indexes.values():
                yield from index.expired(instant, sink)
            self._await_first()

    def _await_first(self) -> None:
        dues = (index.first_due() for index in self._indexes.values())
        self._due = min(filter(None, dues), default="")

    def _hearing(self) -> Tracker:
        if self._tracker is None:
            raise ServerError(f"watch has lost the server at {self.server.label}")
        return self._tracker

    @contextmanager
    def _session(self) -> Iterator[ExitStack]:
        self.close()
        with ExitStack() as opened:
            yield opened
            self._opened = opened.pop_all()

    def _miss(self, error: ServerError) -> None:
        raise error


def _milliseconds() -> int:
    return int(time.monotonic() * 1000)
