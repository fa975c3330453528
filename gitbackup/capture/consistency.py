"""Turn keys that were each read at a moment of their own into the database at one moment.

What was written to since it was read is read again, inside MULTI and EXEC, until the server
reports no other key. Then nothing that was read before the last EXEC had changed by then: all of it
together is the database as it was at that moment.

    tracking on -> all is read, key by key
                     |
                     v
    +--------> [catch up]   reads what is dirty, as much at a time as one EXEC takes
    |                |
    |                v  one EXEC takes all that is dirty
    +---------- [round]     reads it in one EXEC; a barrier; hears what was written to meanwhile
    other keys had   |
    changed          v  nothing else had changed
                [point in time]   the server's time in that EXEC

From catching up, and from a round:

    FLUSHALL, FLUSHDB or SWAPDB   FullRescanNeeded: all is read again, by whoever runs the loop
    no room between writers       with `pause`, after SHORT seconds, CLIENT PAUSE lets one more
                                  round be tried; else, after `patience`, each key is as it was
                                  at a moment of its own: `read_the_rest`
    keys that change silently     where those are too large or too many for one EXEC, the same

A round fails, and what it missed is dirty, where
- a key was written to that was not in the EXEC,
- in a cluster, where each slot takes an EXEC of its own: any key of any node was written to,
- a key that is too large for an EXEC, and was read alone, was written to meanwhile,
- a key's type was not as thought, or its expiry was not known within one millisecond,
- a database has keys that had none before,
- in a cluster, slots have moved to another node: then all their keys are read again, or
- commands were run that the server sends no invalidation for: then the next EXEC has all keys
  that these may have changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, groupby, product, takewhile

from gitbackup.capture.reread_buffer import RereadBuffer
from gitbackup.format.patterns import covered
from gitbackup.kinds import SILENT, Abilities
from gitbackup.live.protocol.slots import slot
from gitbackup.live.read.alone_read import RetryAlone
from gitbackup.live.read.atomic_read import AtomicReader, KeyToRead, Moment, RawKey
from gitbackup.live.read.invalidation import SilentChange, Tracker
from gitbackup.live.read.key_reader import SMALL, KeyReader
from gitbackup.live.server import keyspace
from gitbackup.live.server.keyspace import Library
from gitbackup.live.server.search_indexes import SearchIndexes
from gitbackup.model.keys import Entry, Scope

MOST = 500  # small keys in one EXEC: it blocks the server for a few milliseconds at most
TOO_LARGE = 256 * 1024  # bytes of a value that is not read in an EXEC
PATIENCE = 5.0  # seconds to wait for a gap between writers, or as long as reading all took
PAUSE = 500  # milliseconds that writers may be made to wait
SHORT = 1.0  # seconds before that
MOST_STARTS = 10_000  # beginnings of names, whose types are noted
TOGETHER = (
    "functions, or keys whose changes the server does not report, have changed, and a cluster"
    " cannot read them in one transaction with other keys"
)


class FullRescanNeeded(Exception):
    """A database was emptied or swapped: everything has to be read again."""


class TypeHints:
    """Guesses a key's type: its own when it was last read, or that of a key in its namespace."""

    def __init__(self) -> None:
        self._by_key: dict[RawKey, str] = {}
        self._by_start: dict[RawKey, str] = {}

    def note(self, db: int, names: Sequence[bytes], types: Sequence[str]) -> None:
        """Note the types of keys, whose names are sorted, for others in their namespaces."""
        typed = [*zip(types, names, strict=True)]
        if names and _start((db, names[0])) == _start((db, names[-1])):
            typed = [*dict(typed).items()]  # one namespace: a name for each type will do
        for type_, name in typed:
            start = _start((db, name))
            if start in self._by_start or len(self._by_start) < MOST_STARTS:
                self._by_start[start] = type_

    def learn(self, key: RawKey, type_: str) -> None:
        """Note the type of one key that was read again."""
        self._by_key[key] = type_

    def guess(self, key: RawKey) -> str:
        """Return the likely type; an empty string if nothing is known."""
        own = self._by_key.get(key)
        return self._by_start.get(_start(key), "") if own is None else own

    def silent(self) -> set[RawKey]:
        """Return the keys read again whose types may change without an invalidation."""
        return {key for key, type_ in self._by_key.items() if type_ in SILENT}


def _start(key: RawKey) -> RawKey:
    """Return a key with its name cut after the first colon; with an empty one if it has none."""
    start, colon, _ = key[1].partition(b":")
    return key[0], start + colon if colon else b""


@dataclass
class Reading:
    """What reading a server needs, and learns: its databases, and the likely types of keys."""

    reader: KeyReader
    moments: AtomicReader | None  # None until something is read again
    databases: set[int]
    hints: TypeHints = field(default_factory=TypeHints)

    def silent(self) -> set[RawKey]:
        """Return the keys that may change without an invalidation, or could once."""
        return self.reader.silent | self.hints.silent()


class ConsistencyLoop:
    """Reads again what has changed.

    `databases` are those that were read; if the scope names none, others count too. `dirty` are
    the names written to and not read since, as far as is known.

    `names_in` returns the names that were read of keys in some slots of a cluster, and
    `read_search` the search indexes.

    In the end `reread` has the entries that were read again, `touched` the names that were written
    to, `libraries` the function libraries and `search` the search indexes if they had to be listed
    again. If there is no
    moment, `why` says why, `dirty` are the names that may have changed since, and `apart` are the
    nodes of a cluster whose keys are not as they were at one moment of that node.
    """

    def __init__(
        self,
        tracker: Tracker,
        reader: KeyReader,
        moments: AtomicReader,
        scope: Scope,
        databases: Iterable[int],
        hints: TypeHints,
        names_in: Callable[[Collection[int]], Iterable[bytes]],
        dirty: Iterable[bytes] = (),
        read_search: Callable[[], SearchIndexes] = SearchIndexes,
    ) -> None:
        self.reread = RereadBuffer()
        self.search: SearchIndexes | None = None
        self._read_search = read_search
        self.apart: set[str] = set()
        self.touched: set[bytes] = {*dirty}
        self.libraries: Sequence[Library] | None = None
        self.why = ""
        self._tracker = tracker
        self._reader = reader
        self._moments = moments
        self.databases = set(databases)
        self._all_databases = scope.databases is None
        self._functions = scope.functions
        self._covered = covered(scope)
        self._hints = hints
        self._names_in = names_in
        self._alone: set[RawKey] = set()  # read by themselves, for they take more than a moment
        self._silent: set[SilentChange] = set()
        self.dirty: set[bytes] = {*dirty}

    def run(self, pause: bool, patience: float) -> int | None:
        """Return the moment, in the server's milliseconds since 1970; None if there is none.

        It tries for `patience` seconds. With `pause`, writers that leave no gap for a shorter time
        are made to wait. Raises FullRescanNeeded if everything has to be read again.
        """
        self._tracker.barrier()
        moment = self._until(SHORT if pause else patience)
        if moment is None and pause and not self.why:
            self._catch_up(time.monotonic() + patience)
            with self._tracker.pause(PAUSE):
                moment = self._until(PAUSE / 1000)
        if moment is None and not self.why:
            self.why = "clients did not stop writing long enough"
        return moment

    def read_the_rest(self, server: Abilities) -> None:
        """Read what has changed key by key, after `run()` has found no moment.

        Raises FullRescanNeeded if everything has to be read again.
        """
        self.dirty |= self._heard()
        settled = self._settle_nodes() if len(self._tracker.connections) > 1 else set()
        later = {name for name in self.dirty if self._reader.node_of(name) in settled}
        self._reader.torn.clear()  # those are read again
        silent = self._all_silent() if SilentChange.KEYS in self._silent else set()
        unread = sorted({*product(self.databases, self.dirty - later), *silent})
        self.apart = {self._reader.node_of(name) for _, name in unread}
        for db, keys in groupby(unread, key=lambda key: key[0]):
            for name, entry in self._reader.entries(db, [name for _, name in keys]):
                self.reread.keep((db, name), entry)
        if SilentChange.LIBRARIES in self._silent and self.libraries is None:
            self.libraries = keyspace.libraries(self._tracker.connection, server)
        self._look_at_search()
        self.dirty = later

    def _until(self, seconds: float) -> int | None:
        """Return the moment, in milliseconds; None if there is none within so many seconds."""
        deadline = time.monotonic() + seconds
        while not self.why and time.monotonic() < deadline:
            if self._catch_up(deadline) and (moment := self._round()) is not None:
                return moment
        return None

    def _catch_up(self, deadline: float) -> bool:
        """Read what is dirty, until one EXEC takes the rest; return whether it does.

        `deadline` is in seconds of the monotonic clock.
        """
        self.dirty |= self._heard()
        while (names := self._first_dirty()) < self.dirty and time.monotonic() < deadline:
            self.dirty -= names
            self._read_apart(names)
            _, left = self._read(names)
            self.dirty |= left | self._heard()
        return names == self.dirty

    def _first_dirty(self) -> set[bytes]:
        """Return as many of the dirty names as one EXEC takes."""
        weighed = zip(self.dirty, accumulate(map(self._weight, self.dirty)), strict=True)
        return {name for name, _ in takewhile(lambda pair: pair[1] <= MOST, weighed)}

    def _weight(self, name: bytes) -> int:
        """Return how many small keys those of this name count as; never more than an EXEC takes."""
        large, share = self._reader.large, self._reader.share
        sizes = (large.get((db, name), 0) for db in self.databases)
        shares = (size * share for size in sizes)
        weight = sum(max(share, size // SMALL) if size <= TOO_LARGE else 0 for size in shares)
        return min(weight, MOST)

    def _heard(self) -> set[bytes]:
        """Return the names in scope that were written to; raise FullRescanNeeded after a flush."""
        self._tracker.drain()
        if self._tracker.took_flush():
            raise FullRescanNeeded
        names = set(filter(self._covered, self._tracker.take()))
        self.touched |= names
        return names

    def _round(self) -> int | None:
        """Read what is dirty in one EXEC; return its moment if nothing else had changed by then."""
        apart = self._read_apart(self.dirty)
        heard = self._heard()
        names = self.dirty | heard | self._silent_names()
        self.dirty = names
        if self.why or self._first_dirty() != names:
            return None
        moment, left = self._read(names)
        if moment.several and self._silent:
            self.why = TOGETHER
            return None
        self._tracker.barrier()
        later = self._heard()
        missed = apart & (heard | later)
        loose = later - names | later & {name for _, name in moment.late}
        loose |= later if moment.several else set()
        self.dirty = left | missed | later
        whole = not (left or missed or loose or self._new_databases(moment))
        return moment.at if whole and self._all_told() and not self._slots_moved() else None

    def _slots_moved(self) -> bool:
        """Take in the keys of slots that have moved to another node since they were read.

        A node that loses a slot before all its keys have moved drops them, and may not report that.
        Raises NodesChanged if there is a node that is not heard.
        """
        if moved := self._tracker.moved():
            touched = (name for name in self.touched if slot(name) in moved)
            self.dirty |= {*touched, *self._names_in(moved)}
        return bool(moved)

    def _settle_nodes(self) -> set[str]:
        """Find a moment for each node by itself; return the nodes that have one.

        What is dirty at such a node afterwards was written to after that moment.
        """
        settled = {node for node in self._tracker.connections if self._settle_node(node)}
        self._tracker.barrier()
        silent = self._tracker.silent_changes()
        self._silent |= silent
        moved = self._slots_moved()
        self.dirty |= self._heard()
        return set() if silent or moved else settled

    def _settle_node(self, node: str) -> bool:
        """Read what is dirty at a node until nothing else is; return whether that came to be."""
        deadline = time.monotonic() + SHORT
        while time.monotonic() < deadline:
            own = self._dirty_at(node)
            self.dirty -= own
            self._read_apart(own)
            moment, left = self._read(own)
            self._tracker.barrier(node)
            self.dirty |= left | self._heard()
            if not (moment.late or self._dirty_at(node)):
                return True
        return False

    def _dirty_at(self, node: str) -> set[bytes]:
        return {name for name in self.dirty if self._reader.node_of(name) == node}

    def _read_apart(self, names: Collection[bytes]) -> set[bytes]:
        """Read the keys that are too large for an EXEC, one by one; return their names."""
        keys = {key for key in product(self.databases, names) if self._is_apart(key)}
        for db, name in sorted(keys):
            self._keep((db, name), self._reader.alone(db, name))
            self._tracker.drain()
        return {name for _, name in keys}

    def _is_apart(self, key: RawKey) -> bool:
        """Return whether a key is too large for an EXEC."""
        return key in self._alone or self._reader.large.get(key, 0) * self._reader.share > TOO_LARGE

    def _read(self, names: Iterable[bytes]) -> tuple[Moment, set[bytes]]:
        """Read the other keys in one EXEC; return the names of those that it did not read."""
        keys = [
            KeyToRead(db, name, self._hints.guess((db, name)))
            for db, name in product(sorted(self.databases), sorted(names))
            if not self._is_apart((db, name))
        ]
        moment = self._moments.read(keys, SilentChange.LIBRARIES in self._silent)
        return moment, self._settle(moment)

    def _settle(self, moment: Moment) -> set[bytes]:
        """Keep the entries that were read; return the names of keys that were not."""
        left = set()
        for key, outcome in moment.outcomes.items():
            if outcome is not RetryAlone.LATER:
                self._keep(key, outcome)
                continue
            left.add(key[1])
            if self._hints.guess(key) == moment.types[key]:
                self._alone.add(key)
            self._hints.learn(key, moment.types[key])
        if moment.libraries is not None:
            self.libraries = moment.libraries
        return left

    def _keep(self, key: RawKey, entry: Entry | None) -> None:
        self.reread.keep(key, entry)
        if entry is not None:
            self._hints.learn(key, entry["type"])

    def _new_databases(self, moment: Moment) -> bool:
        """Take in databases that had no keys before, in which any key written to may be."""
        new = moment.databases - self.databases if self._all_databases else set()
        if new:
            self.databases |= new
            self.dirty |= self.touched
        return bool(new)

    def _all_told(self) -> bool:
        """Return whether nothing changed silently; what did is part of the next round."""
        new = self._look_at_search() - self._silent
        if not self._functions:
            new.discard(SilentChange.LIBRARIES)
        if SilentChange.EVERYTHING in new:
            raise FullRescanNeeded
        self._silent |= new - {SilentChange.SEARCH}  # those have been read again
        return not new

    def _look_at_search(self) -> set[SilentChange]:
        """Read the search indexes again if they may have changed since that was last done; return
        what else, and they, may have changed silently.

        They are the same as in the last EXEC if no command has changed any since they were read.
        """
        changes = self._tracker.silent_changes()
        if SilentChange.SEARCH in changes:
            self._tracker.take_silent_change(SilentChange.SEARCH)
            self.search = self._read_search()
        return changes

    def _silent_names(self) -> set[bytes]:
        """Return the names of all keys that may have changed silently."""
        if SilentChange.KEYS not in self._silent:
            return set()
        silent = self._all_silent()
        names = {name for _, name in silent}
        if any(map(self._is_apart, silent)) or sum(map(self._weight, names)) > MOST:
            self.why = (
                "keys whose changes the server does not report, such as streams that groups read,"
                " are too large or too many to be read at once"
            )
        return names

    def _all_silent(self) -> set[RawKey]:
        return self._reader.silent | self._hints.silent()
