"""Read the live database as the files of a snapshot, and as of one moment if possible."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import chain

from gitbackup import wording
from gitbackup.capture.consistency import PATIENCE, ConsistencyLoop, FullRescanNeeded, Reading
from gitbackup.capture.file_index import FileIndex, Sink
from gitbackup.capture.file_reader import FileReader
from gitbackup.capture.reread_buffer import BufferedEntry
from gitbackup.errors import GitbackupError, ServerError
from gitbackup.format import codec
from gitbackup.format.patterns import Matcher, covered, covers
from gitbackup.live.connection.cluster import LOST, Cluster, NodesChanged
from gitbackup.live.connection.connect import Server
from gitbackup.live.connection.connection import CutOff
from gitbackup.live.protocol.slots import slot
from gitbackup.live.read.atomic_read import RawKey
from gitbackup.live.read.cluster_read import atomic_reader, key_reader
from gitbackup.live.read.invalidation import Tracker
from gitbackup.live.server import keyspace, replicas, replication, staging_keys
from gitbackup.live.server.keyspace import Library
from gitbackup.live.server.search_indexes import SearchIndexes, has_search, search_indexes
from gitbackup.model.commits import Consistency
from gitbackup.model.keys import FUNCTIONS, SEARCH, Entry, Key, Scope
from gitbackup.model.server.replicas import ReplicaRead
from gitbackup.progress import Progress
from gitbackup.snapshot import file_format

UNHEARD = 1_000  # keys to read before the server's invalidations are taken again
FULL_READS = 3  # times to read a server whose databases are emptied or swapped meanwhile
NODES_LOST = 5  # times to read a cluster whose nodes are lost, or replaced, meanwhile


class SnapshotReader:
    """Reads the live database, once, as the files of a snapshot; `read()` does it.

    These are known then:

    - `keys`: how many keys each database has, and FUNCTIONS and SEARCH;
    - `at_once`: whether all is as it was at one moment; if not, `why`, if that was tried;
    - `taken_at`: the server's time at that moment, or else when reading began, in milliseconds;
    - `changed`: how many names were written to meanwhile; None if that could not be seen;
    - `nodes`: of a cluster, whether each node's keys are as they were at one moment, by its label;
    - `uneven`: function libraries that not all nodes of a cluster have alike;
    - `torn`: keys that were written to while they were read in pieces;
    - `watching`: whether such writes could be seen;
    - `primary`: why a replica may lack what its primary has; empty if it does not;
    - `search_indexes`: what is known of the server's search indexes;
    - `functions_refused`: whether the user may not list the function libraries, which are then
      not part of `scope`;
    - `left_over`: staging keys of a restore that was killed.

    `progress` is told of the reading, and of what is done with what was read.

    `dated` is when a commit of it is to be dated; None is now.
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
        self.search_indexes = SearchIndexes()
        self.functions_refused = False
        self.apart: set[str] = set()
        self.uneven: Sequence[str] = ()
        self.torn: tuple[Key, ...] = ()
        self.watching = True
        self.left_over: tuple[RawKey, ...] = ()
        self._consistency = consistency
        self.progress = progress
        self._tracker: Tracker | None = None
        self._indexes: dict[int, FileIndex] = {}
        self._libraries: dict[str, str] = {}  # names and paths
        self._search: dict[str, str] = {}  # the same of search indexes

    @property
    def total(self) -> int:
        """Return how many keys there are in all databases."""
        return sum(count for db, count in self.keys.items() if db >= 0)

    @property
    def searched(self) -> bool:
        """Return whether the snapshot has all search indexes whose definitions are known."""
        within = self.scope.search and self.scope.databases is None
        return within and has_search(self.server) and not self.search_indexes.refused

    @property
    def nodes(self) -> dict[str, bool]:
        """Return the labels of a cluster's nodes, and whether each was read at one moment."""
        if self.server.cluster is None:
            return {}
        heard = self._tracker is not None
        return {
            node.label: self.at_once or (heard and id_ not in self.apart)
            for id_, node in self.server.nodes.items()
        }

    @property
    def replicas(self) -> Sequence[ReplicaRead]:
        """Return which replicas are read instead of primaries, if that was asked for."""
        return replicas.reads(self.server)

    def holds(self, key: Key) -> bool:
        """Return whether the snapshot that was made has this key."""
        if key.db == FUNCTIONS:
            return key.name in self._libraries
        if key.db == SEARCH:
            return key.name in self._search
        index = self._indexes.get(key.db)
        return index is not None and index.holds(codec.data(key.name))

    def held(self) -> Iterator[Key]:
        """Yield all keys of the snapshot that was made, search indexes and libraries first."""
        yield from (Key(SEARCH, name) for name in sorted(self._search))
        yield from (Key(FUNCTIONS, name) for name in sorted(self._libraries))
        for db, index in sorted(self._indexes.items()):
            living = (name for name in index.names if name not in index.gone)
            yield from (Key(db, codec.text(name)) for name in living)

    def count(self, matches: Matcher) -> int:
        """Return how many keys, and libraries, have a name that matches."""
        names = chain.from_iterable(index.names for index in self._indexes.values())
        gone = chain.from_iterable(index.gone for index in self._indexes.values())
        libraries = map(codec.data, self._libraries)
        keys, functions, left_out = (
            sum(1 for name in some if matches(name)) for some in (names, libraries, gone)
        )
        return keys + functions - left_out

    def namespaces(self) -> Counter[tuple[int, str]]:
        """Return how many keys, libraries and search indexes there are by database and
        namespace."""
        sources = [Key(FUNCTIONS, name) for name in self._libraries]
        sources += [Key(SEARCH, name) for name in self._search]
        counts = Counter((key.db, key.namespace) for key in sources)
        for db, index in self._indexes.items():
            counts.update({(db, name): count for name, count in index.namespaces().items()})
        return counts

    def read(self, sink: Sink) -> None:
        """Read the live database, and put all its files into `sink`.

        Raises GitbackupError if it has to be of one moment and cannot be; ServerError if the
        server is lost or the user may not read.
        """
        self._look_at_primary()
        try:
            careful = False
            left, lost = FULL_READS, NODES_LOST
            while left:
                left -= 1
                self._start_over(sink)
                try:
                    if self._read(sink, careful or not left):
                        break
                except LOST as error:
                    lost -= 1
                    self._after_loss(error, lost)
                    left += 1
                careful = self._tracker is None
        finally:
            self.progress.finish()
        if self._consistency is Consistency.STRICT and not self.at_once:
            raise GitbackupError(f"cannot read the database at one point in time: {self.why}")
        self._look_at_primary()
        for index in self._indexes.values():
            index.check()
        self._count_keys()
        sink.put(file_format.MANIFEST, file_format.manifest(self.scope))

    def _after_loss(self, error: ServerError, left: int) -> None:
        """Wait for the nodes of a cluster, which may be others now, and `left` times again."""
        if self.server.cluster is None:
            self.server.ask_for_less(error)
            return
        nodes = self.server.cluster.nodes
        if not left:
            raise error
        self.server.cluster.look()
        if isinstance(error, CutOff) and self.server.cluster.nodes == nodes:
            self.server.ask_for_less(error)

    def _look_at_primary(self) -> None:
        """Note why a replica may lack data, unless that is noted. Raises ServerError for one that
        is being filled."""
        if self.server.cluster:
            self.server.cluster.look()
        if self.server.replica:
            with closing(self.server.dial()) as connection:
                self.primary = replication.doubt(connection) or self.primary

    def _count_keys(self) -> None:
        counts = {db: len(index) for db, index in self._indexes.items()}
        counts |= {FUNCTIONS: len(self._libraries), SEARCH: len(self._search)}
        self.keys = {db: count for db, count in counts.items() if count}

    def _start_over(self, sink: Sink) -> None:
        for index in self._indexes.values():
            index.drop(sink)
        for path in (*self._libraries.values(), *self._search.values()):
            sink.drop(path)
        self._indexes, self._libraries, self._search = {}, {}, {}
        self.why = ""

    def _read(self, sink: Sink, careful: bool) -> bool:
        """Read everything once; return whether the result can be used.

        It cannot if a database was emptied or swapped meanwhile, nor if the server stopped
        reporting writes: then only a `careful` reading, which takes each key at one moment, is
        good.
        """
        with self._session() as opened:
            self._tracker = self._begin(opened)
            self._read_libraries(sink)
            self._put_search(search_indexes(self.server), sink)
            hears = self._tracker is not None and not careful
            epochs = self.server.cluster.epochs if self.server.cluster else None
            reader = opened.enter_context(key_reader(self.server, hears))
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
                self._stop_tracking(error)
            if self._tracker is None and self.server.cluster:
                self._expect_settled(self.server.cluster, epochs)
        return self._tracker is not None or not hears

    def _expect_settled(self, cluster: Cluster[Server], epochs: object) -> None:
        """Raise NodesChanged if a slot may have moved while keys were listed: then nothing tells
        whether all of them were."""
        moving = cluster.moving
        cluster.look()
        hear = wording.command("check --rights watch", "rights('watch')")
        if moving or cluster.moving or cluster.epochs != epochs:
            raise NodesChanged(
                f"slots of the cluster at {self.server.label} are moving between its nodes: wait"
                " until that has ended, or let the user hear of writes, which"
                f" {hear} tells how to do"
            )

    def _session(self) -> AbstractContextManager[ExitStack]:
        """Return what holds the connections that reading opens, and closes them at its end."""
        return ExitStack()

    def _stop_tracking(self, error: ServerError) -> None:
        """Note that the server does not report writes, or no longer does.

        Raises the error if a node of a cluster is lost: another may have its place.
        """
        if self.server.cluster and isinstance(error, LOST):
            raise error
        self.why = str(error)
        self._tracker = None

    def _begin(self, opened: ExitStack) -> Tracker | None:
        """Let the server report writes from now on; return None if it may not or need not."""
        if self._consistency is Consistency.PER_KEY:
            return None
        try:
            tracker = opened.enter_context(Tracker(self.server))
            tracker.barrier()  # with the next line, all rights that a moment takes are tried
            atomic_reader(tracker.connections, self.server).read([], libraries=False)
            return tracker
        except ServerError as error:
            self._stop_tracking(error)
            return None

    def _hear(self) -> None:
        try:
            if self._tracker:
                self._tracker.drain()
        except ServerError as error:
            self._stop_tracking(error)

    def _read_libraries(self, sink: Sink) -> None:
        with closing(self.server.dial()) as connection:
            self.taken_at = keyspace.clock(connection)
        if not self.scope.functions:
            return
        libraries, self.uneven = keyspace.libraries_of(self.server)
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

    def _put_search(self, indexes: SearchIndexes, sink: Sink) -> None:
        self.search_indexes = indexes
        before, self._search = self._search, {}
        within = covers(self.scope)
        for name, text in indexes.defined.items():
            if within(Key(SEARCH, name)):
                self._search[name] = file_format.index_file(name)
                sink.put(self._search[name], text)
        for path in sorted({*before.values()} - {*self._search.values()}):
            sink.drop(path)

    def _databases(self) -> Sequence[int]:
        if self.scope.databases is not None:
            return sorted(self.scope.databases)
        found = set[int]()
        for node in self.server.nodes.values():
            with closing(node.dial()) as connection:
                found.update(keyspace.databases(connection))
        return sorted(found)

    def _read_database(self, reading: Reading, db: int, sink: Sink) -> None:
        self.progress.start(f"listing db{db}", reading.reader.size(db))
        names = reading.reader.names(db, self.progress.advance)
        if self.scope.include or self.scope.exclude:
            names = list(filter(covered(self.scope), names))
        self.progress.start(f"reading db{db}", len(names))
        index = self._indexes[db] = FileIndex(db, names)
        note = partial(reading.hints.note, db)
        unheard = 0
        for count in FileReader(reading.reader, db, index, sink, note).fill():
            self.progress.advance(count)
            unheard += count
            if unheard > UNHEARD:
                self._hear()
                unheard = 0

    def _settle(self, tracker: Tracker, reading: Reading, sink: Sink) -> ConsistencyLoop:
        """Read again what has changed; return the loop that has done so."""
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
        """Read again what has changed, and put the files that differ.

        Returns the server's time then, in milliseconds since 1970.
        """
        with loop.reread:
            moment = loop.run(self._consistency is Consistency.PAUSE, patience)
            self.at_once = moment is not None
            if moment is None:
                loop.read_the_rest(self.server.abilities)
                moment = keyspace.clock(tracker.connection)
            self.torn = () if self.at_once else _keys(reading.reader.torn)
            self.watching = self.at_once or reading.reader.watching
            self.changed, self.why = len(loop.touched), loop.why
            self.apart = loop.apart
            self._put_reread(loop, moment, sink)
        return moment

    def _loop(
        self, tracker: Tracker, reading: Reading, dirty: Iterable[bytes] = ()
    ) -> ConsistencyLoop:
        moments = reading.moments or atomic_reader(tracker.connections, self.server)
        reading.moments = moments
        return ConsistencyLoop(
            tracker,
            reading.reader,
            moments,
            self.scope,
            reading.databases,
            reading.hints,
            self._names_in,
            dirty,
            partial(search_indexes, self.server),
        )

    def _names_in(self, slots: Collection[int]) -> set[bytes]:
        """Return the names of the keys that were read in some slots."""
        if not slots:
            return set()
        names = chain.from_iterable(index.names for index in self._indexes.values())
        return {name for name in names if slot(name) in slots}

    def _put_reread(self, loop: ConsistencyLoop, moment: int, sink: Sink) -> None:
        """Put the files that differ now that some keys were read again."""
        reread: dict[int, dict[bytes, BufferedEntry | None]] = {db: {} for db in self._indexes}
        for (db, name), buffered in self._without_staging(loop.reread.kept, moment).items():
            reread.setdefault(db, {})[name] = buffered
        for db, entries in sorted(reread.items()):
            self._indexes.setdefault(db, FileIndex(db, [])).settle(entries, moment, sink)
        if loop.libraries is not None:
            self._put_libraries(loop.libraries, sink)
        if loop.search is not None:
            self._put_search(loop.search, sink)

    def _without_staging(
        self, reread: Mapping[RawKey, BufferedEntry | None], moment: int
    ) -> dict[RawKey, BufferedEntry | None]:
        """Return the keys, with the staging keys of a restore as gone, and note those."""
        staging = {
            (db, name)
            for (db, name), buffered in reread.items()
            if buffered
            and staging_keys.is_ours(name)
            and _is_staging(name, buffered.load(), moment)
        }
        known = (key for key in self.left_over if key not in reread)
        self.left_over = tuple(sorted({*known, *staging}))
        return {**reread, **dict.fromkeys(staging)}


def _is_staging(name: bytes, entry: Entry, moment: int) -> bool:
    when = entry.get("expires_at")
    return when is not None and staging_keys.still_ours_at(name, codec.milliseconds(when), moment)


def _keys(raw_keys: Iterable[RawKey]) -> tuple[Key, ...]:
    return tuple(Key(db, codec.text(name)) for db, name in raw_keys)
