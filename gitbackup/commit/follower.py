"""Read the live database once, and from then on only what changes in it."""

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
from gitbackup.live.connection.cluster import NodesChanged
from gitbackup.live.connection.connect import Server
from gitbackup.live.read.invalidation import SilentChange, Tracker
from gitbackup.live.server import keyspace
from gitbackup.model.keys import Scope
from gitbackup.progress import Progress


class LiveFollower(SnapshotReader):
    """A SnapshotReader that stays connected after `read()`, until `close()`.

    `dirty` are the names of keys that were written to, or have expired, since they were read;
    `silent_changes` is what may have changed without an invalidation. If `needs_rescan`, all has
    to be read anew, by another follower. Methods raise ServerError if the server is lost, or does
    not permit tracking.
    """

    def __init__(self, server: Server, scope: Scope, progress: Progress) -> None:
        super().__init__(server, scope, progress)
        self.dirty: set[bytes] = set()
        self.silent_changes: set[SilentChange] = set()
        self.needs_rescan = False
        self._opened = ExitStack()
        self._reading: Reading | None = None
        self._covered = covered(scope)
        self._clock_offset = 0  # milliseconds from our monotonic clock to the server's time
        self._due = ""  # when the first key or field expires

    def close(self) -> None:
        """Close the connections."""
        self._opened.close()

    def read(self, sink: Sink) -> None:
        super().read(sink)
        self.needs_rescan = self._reading is None

    def listen(self, seconds: float, sink: Sink) -> set[bytes]:
        """Wait so long for changes; return the names of keys that were written to or expired."""
        tracker = self._tracking()
        tracker.drain(seconds)
        self.needs_rescan |= tracker.took_flush()
        names = {*filter(self._covered, tracker.take()), *self._expired(sink)}
        self.dirty |= names
        return names

    def ask(self) -> set[SilentChange]:
        """Look for silent changes; return the kinds that are new in `silent_changes`."""
        changes = self._tracking().silent_changes()
        try:
            self.dirty |= self._names_in(self._tracking().moved())
        except NodesChanged:
            self.needs_rescan = True
        self.needs_rescan |= SilentChange.EVERYTHING in changes
        if not self.scope.functions:
            changes.discard(SilentChange.LIBRARIES)
        if not self.searched:
            changes.discard(SilentChange.SEARCH)
        new, self.silent_changes = changes - self.silent_changes, self.silent_changes | changes
        return new

    def silent_keys(self) -> set[bytes]:
        """Return the names of keys that may change without an invalidation, or could once."""
        reading = self._reading
        return {name for _, name in reading.silent()} if reading else set()

    def catch_up(self, sink: Sink) -> None:
        """Read what has changed, and put the files that differ.

        `at_once` says whether that was at one moment. If not, what was written to meanwhile is
        still dirty. Raises FullRescanNeeded if all has to be read anew.
        """
        tracker, reading = self._tracking(), self._reading
        if reading is None:
            raise ValueError("nothing has been read yet")
        self.primary = ""
        self._look_at_primary()
        loop = self._loop(tracker, reading, self.dirty)
        self.taken_at = self._read_again(loop, tracker, reading, PATIENCE, sink)
        self._follow_from(loop, tracker, reading)

    def _settle(self, tracker: Tracker, reading: Reading, sink: Sink) -> ConsistencyLoop:
        loop = super()._settle(tracker, reading, sink)
        if not self.at_once:
            loop.dirty = loop.touched
        self._follow_from(loop, tracker, reading)
        return loop

    def _follow_from(self, loop: ConsistencyLoop, tracker: Tracker, reading: Reading) -> None:
        """Take what the loop has read as known, except for what is dirty."""
        self._reading = reading
        reading.databases |= loop.databases
        reading.reader.rest()
        self.dirty = loop.dirty
        if self.at_once:
            tracker.forget_silent_changes()
            self.silent_changes = set()
        self._clock_offset = keyspace.clock(tracker.connection) - _milliseconds()
        self._note_first_due()
        self._count_keys()

    def _expired(self, sink: Sink) -> Iterator[bytes]:
        """Yield the keys that have expired, in whole or in part, since this was last asked."""
        instant = str(codec.instant(self._clock_offset + _milliseconds()))
        if self._due and self._due < instant:
            for index in self._indexes.values():
                yield from index.expired(instant, sink)
            self._note_first_due()

    def _note_first_due(self) -> None:
        dues = (index.first_due() for index in self._indexes.values())
        self._due = min(filter(None, dues), default="")

    def _tracking(self) -> Tracker:
        if self._tracker is None:
            raise ServerError(f"watch has lost the server at {self.server.label}")
        return self._tracker

    @contextmanager
    def _session(self) -> Iterator[ExitStack]:
        self.close()
        with ExitStack() as opened:
            yield opened
            self._opened = opened.pop_all()

    def _stop_tracking(self, error: ServerError) -> None:
        raise error


def _milliseconds() -> int:
    return int(time.monotonic() * 1000)
