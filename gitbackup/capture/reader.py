"""Reading the live database as the files of a snapshot, one by one, and as of one moment."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import replace
from datetime import datetime
from functools import partial

from gitbackup.capture.consistency import PATIENCE, ConsistencyLoop, FullRescanNeeded, Reading
from gitbackup.capture.file_index import FileIndex, Sink
from gitbackup.capture.file_reader import FileReader
from gitbackup.capture.reread_buffer import BufferedEntry
from gitbackup.errors import GitbackupError, ServerError
from gitbackup.format import codec
from gitbackup.format.patterns import covered, covers
from gitbackup.live.connection.connect import Server
from gitbackup.live.connection.connection import CutOff
from gitbackup.live.read.atomic_read import AtomicReader, Place
from gitbackup.live.read.invalidation import Tracker
from gitbackup.live.read.key_reader import KeyReader
from gitbackup.live.server import keyspace, replication, staging_keys
from gitbackup.live.server.keyspace import Library
from gitbackup.model.commits import Consistency
from gitbackup.model.keys import FUNCTIONS, Entry, Key, Scope
from gitbackup.progress import Progress
from gitbackup.snapshot import file_format

UNHEARD = 1_000  # keys that are read between two times that we listen for writes
TRIES = 3  # readings of a server whose databases are emptied or swapped meanwhile


class SnapshotReader:
    """The files that a snapshot of the live database has; read() makes them, once.

    Told once that is done: `keys`, how many each database has; `at_once`, whether all is as it
    was at one moment, and if not `why`, where that was tried; `taken_at`, the server's time in
    milliseconds at that moment, or else when reading began; `changed`, how many names of keys
    were written to meanwhile, None where nobody could see that.

    `primary` tells what keeps a replica from having what its primary has; nothing of another.
    `functions_refused` tells whether the user may not list the function libraries, which are
    then no part of `scope`; `torn`, keys that were written to while they were read in pieces;
    `watching`, whether such writes could be seen; `left_over`, names of values that a killed
    restore had built aside. `dated` is when a commit of it is to be dated, None for now.
    """

    dated: datetime | None = None

    def __init__(
        self,
        server: Server,
        scope: Scope,
        progress: Progress,
        consistency: Consistency = Consistency.AUTO,
    ) -> None:
        self.server = server
        self.scope = scope
        self.keys: dict[int, int] = {}
        self.at_once = False
        self.why = ""
        self.taken_at = 0
        self.changed: int | None = None
        self.primary = ""
        self.functions_refused = False
        self.torn: tuple[Key, ...] = ()
        self.watching = True
        self.left_over: tuple[Place, ...] = ()
        self._consistency = consistency
        self._progress = progress
        self._tracker: Tracker | None = None
        self._indexes: dict[int, FileIndex] = {}
        self._libraries: dict[str, str] = {}  # names and paths

    @property
    def total(self) -> int:
        """Return how many keys there are in all databases, function libraries left out."""
        return sum(count for db, count in self.keys.items() if db != FUNCTIONS)

    def holds(self, key: Key) -> bool:
        """Return whether the snapshot that was made has this key."""
        if key.db == FUNCTIONS:
            return key.name in self._libraries
        index = self._indexes.get(key.db)
        return index is not None and index.holds(codec.data(key.name))

    def held(self) -> Iterator[Key]:
        """Yield all keys of the snapshot that was made, function libraries first."""
        yield from (Key(FUNCTIONS, name) for name in sorted(self._libraries))
        for db, index in sorted(self._indexes.items()):
            living = (name for name in index.names if name not in index.gone)
            yield from (Key(db, codec.text(name)) for name in living)

    def namespaces(self) -> Counter[tuple[int, str]]:
        """Return how many keys, and libraries, there are by database and namespace."""
        found = Counter((FUNCTIONS, Key(FUNCTIONS, name).namespace) for name in self._libraries)
        for db, index in self._indexes.items():
            found.update({(db, name): count for name, count in index.namespaces().items()})
        return found

    def read(self, sink: Sink) -> None:
        """Read the live database, and give all its files to `sink`.

        Raises GitbackupError where it is to be of one moment, and cannot be; ServerError where
        the server is lost, or the user may not read.
        """
        self._look_at_primary()
        try:
            careful = False
            left = TRIES
            while left:
                left -= 1
                self._start_over(sink)
                try:
                    if self._read(sink, careful or not left):
                        break
                except CutOff as error:
                    left += self._bear(error)
                careful = self._tracker is None
        finally:
            self._progress.finish()
        if self._consistency is Consistency.STRICT and not self.at_once:
            raise GitbackupError(f"cannot read the database at one point in time: {self.why}")
        self._look_at_primary()
        for index in self._indexes.values():
            index.check()
        self._count()
        sink.put(file_format.MANIFEST, file_format.manifest(self.scope))

    def _bear(self, error: CutOff) -> int:
        """Asks for less from now on, where the server is there and may have minded the size of what
        it was asked for; raises the error where not."""
        try:
            self.server.dial().close()
        except ServerError:
            raise error from None
        if not self.server.patience.less():
            raise error
        return 1

    def _look_at_primary(self) -> None:
        """Notes whether a replica is behind, unless it was before. Raises ServerError for one that
        is being filled."""
        if self.server.replica:
            with closing(self.server.dial()) as connection:
                self.primary = replication.doubt(connection) or self.primary

    def _count(self) -> None:
        counts = {db: len(index) for db, index in self._indexes.items()}
        counts[FUNCTIONS] = len(self._libraries)
        self.keys = {db: count for db, count in counts.items() if count}

    def _start_over(self, sink: Sink) -> None:
        for index in self._indexes.values():
            index.drop(sink)
        for path in self._libraries.values():
            sink.drop(path)
        self._indexes, self._libraries = {}, {}
        self.why = ""

    def _read(self, sink: Sink, careful: bool) -> bool:
        """Reads all there is; False where a database was emptied or swapped meanwhile.

        Also where writes were told, but not to the end, unless it was `careful`: whatever else
        changed, each key was then read at one moment.
        """
        with self._session() as opened:
            self._tracker = self._begin(opened)
            self._read_libraries(sink)
            hears = self._tracker is not None and not careful
            reader = opened.enter_context(KeyReader(self.server, hears))
            reading = Reading(reader, None, set(self._databases()))
            for db in sorted(reading.databases):
                self._read_database(reading, db, sink)
            self.torn, self.watching = _keys(reader.torn), reader.watching
            self.left_over = tuple(reader.left_over)
            try:
                if self._tracker:
                    self._settle(self._tracker, reading, sink)
            except FullRescanNeeded:
                self.why = "databases were flushed or swapped during every read"
                return False
            except ServerError as error:
                self._miss(error)
        return self._tracker is not None or not hears

    def _session(self) -> AbstractContextManager[ExitStack]:
        """What is open while all is read."""
        return ExitStack()

    def _miss(self, error: ServerError) -> None:
        """Note that the server does not tell of writes, or no longer does."""
        self.why = str(error)
        self._tracker = None

    def _begin(self, opened: ExitStack) -> Tracker | None:
        """Hears of writes from now on, where that is wanted and permitted."""
        if self._consistency is Consistency.PER_KEY:
            return None
        try:
            tracker = opened.enter_context(Tracker(self.server))
            tracker.barrier()  # with that, all rights that a moment takes have been tried
            AtomicReader(tracker.wire, self.server.abilities).read([], libraries=False)
            return tracker
        except ServerError as error:
            self._miss(error)
            return None

    def _hear(self) -> None:
        try:
            if self._tracker:
                self._tracker.drain()
        except ServerError as error:
            self._miss(error)

    def _read_libraries(self, sink: Sink) -> None:
        with closing(self.server.dial()) as connection:
            self.taken_at = keyspace.clock(connection)
            if not self.scope.functions:
                return
            libraries = keyspace.libraries(connection, self.server.abilities)
        if libraries is None:
            self.functions_refused = True
            self.scope = replace(self.scope, functions=False)
        self._put_libraries(libraries or (), sink)

    def _put_libraries(self, libraries: Sequence[Library], sink: Sink) -> None:
        before, self._libraries = self._libraries, {}
        within = covers(self.scope)
        for library in (each for each in libraries if within(Key(FUNCTIONS, each.name))):
            path = file_format.library_file(library.name, library.engine)
            self._libraries[library.name] = path
            sink.put(path, codec.raw(library.source))
        for path in sorted({*before.values()} - {*self._libraries.values()}):
            sink.drop(path)

    def _databases(self) -> Sequence[int]:
        if self.scope.databases is not None:
            return sorted(self.scope.databases)
        with closing(self.server.dial()) as connection:
            return keyspace.databases(connection)

    def _read_database(self, reading: Reading, db: int, sink: Sink) -> None:
        self._progress.start(f"listing db{db}", reading.reader.size(db))
        names = reading.reader.names(db, self._progress.advance)
        if self.scope.include or self.scope.exclude:
            names = list(filter(covered(self.scope), names))
        self._progress.start(f"reading db{db}", len(names))
        index = self._indexes[db] = FileIndex(db, names)
        note = partial(reading.hints.note, db)
        unheard = 0
        for count in FileReader(reading.reader, db, index, sink, note).fill():
            self._progress.advance(count)
            unheard += count
            if unheard > UNHEARD:
                self._hear()
                unheard = 0

    def _settle(self, tracker: Tracker, reading: Reading, sink: Sink) -> ConsistencyLoop:
        """Make it the snapshot of one moment, if there is one."""
        loop = self._loop(tracker, reading)
        patience = max(PATIENCE, time.monotonic() - tracker.began)
        moment = self._read_again(loop, tracker, reading, patience, sink)
        if self.at_once:
            self.taken_at = moment
        return loop

    def _read_again(
        self,
        loop: ConsistencyLoop,
        tracker: Tracker,
        reading: Reading,
        patience: float,
        sink: Sink,
    ) -> int:
        """Read what has changed, and give the files that differ.

        Returns the server's time then, in milliseconds since 1970.
        """
        with loop.reread:
            moment = loop.run(self._consistency is Consistency.PAUSE, patience)
            self.at_once = moment is not None
            if moment is None:
                loop.read_the_rest(self.server.abilities)
                moment = keyspace.clock(tracker.wire)
            self.torn = () if self.at_once else _keys(reading.reader.torn)
            self.watching = self.at_once or reading.reader.watching
            self.changed, self.why = len(loop.touched), loop.why
            self._give(loop, moment, sink)
        return moment

    def _loop(
        self, tracker: Tracker, reading: Reading, dirty: Iterable[bytes] = ()
    ) -> ConsistencyLoop:
        moments = reading.moments or AtomicReader(tracker.wire, self.server.abilities)
        reading.moments = moments
        return ConsistencyLoop(
            tracker,
            reading.reader,
            moments,
            self.scope,
            reading.databases,
            reading.hints,
            dirty,
        )

    def _give(self, loop: ConsistencyLoop, moment: int, sink: Sink) -> None:
        """Give the files that differ now that some keys were read again."""
        again: dict[int, dict[bytes, BufferedEntry | None]] = {db: {} for db in self._indexes}
        for (db, name), kept in self._without_aside(loop.reread.kept, moment).items():
            again.setdefault(db, {})[name] = kept
        for db, entries in sorted(again.items()):
            self._indexes.setdefault(db, FileIndex(db, [])).settle(entries, moment, sink)
        if loop.libraries is not None:
            self._put_libraries(loop.libraries, sink)

    def _without_aside(
        self, again: Mapping[Place, BufferedEntry | None], moment: int
    ) -> dict[Place, BufferedEntry | None]:
        """The keys without those that a restore is building aside, or has left behind."""
        ours = {
            (db, name)
            for (db, name), kept in again.items()
            if kept and staging_keys.is_ours(name) and _is_aside(name, kept.load(), moment)
        }
        known = (place for place in self.left_over if place not in again)
        self.left_over = tuple(sorted({*known, *ours}))
        return {**again, **dict.fromkeys(ours)}


def _is_aside(name: bytes, entry: Entry, moment: int) -> bool:
    when = entry.get("expires_at")
    return when is not None and staging_keys.still_ours_at(name, codec.milliseconds(when), moment)


def _keys(places: Iterable[Place]) -> tuple[Key, ...]:
    return tuple(Key(db, codec.text(name)) for db, name in places)
