"""From keys that were each read at a moment of their own to a database at one moment.

What was written to since it was read is read again, inside MULTI and EXEC, until the server
tells of no other key. Then nothing that was read before the last EXEC had changed by then: all
of it together is the database as it was at that moment.

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
- a key that is too large for an EXEC, and was read alone, was written to meanwhile,
- a key's type was not as thought, or its expiry was not known within one millisecond,
- a database has keys that had none before, or
- commands were run that the server sends no invalidation for: then the next EXEC has all keys
  that these may have changed.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, groupby, product, takewhile

from gitbackup.capture.reread_buffer import RereadBuffer
from gitbackup.format.patterns import covered
from gitbackup.kinds import SILENT, Abilities
from gitbackup.live.read.alone_read import RetryAlone
from gitbackup.live.read.atomic_read import AtomicReader, KeyToRead, Moment, Place
from gitbackup.live.read.invalidation import SilentChange, Tracker
from gitbackup.live.read.key_reader import SMALL, KeyReader
from gitbackup.live.server import keyspace
from gitbackup.live.server.keyspace import Library
from gitbackup.model.keys import Entry, Scope

MOST = 500  # small keys in one EXEC: the server is kept for a few milliseconds at most
TOO_LARGE = 256 * 1024  # bytes of a value that is read in no EXEC
PATIENCE = 5.0  # seconds, or as many as all took to read, for writers to leave room for one
PAUSE = 500  # milliseconds that writers may be made to wait
SHORT = 1.0  # seconds before that
MOST_STARTS = 10_000  # of names, whose types are noted


class FullRescanNeeded(Exception):
    """A database was emptied or swapped: all has to be read again."""


class TypeHints:
    """What type a key has, most likely: that of another whose name begins alike."""

    def __init__(self) -> None:
        self._known: dict[Place, str] = {}
        self._alike: dict[Place, str] = {}

    def note(self, db: int, names: Sequence[bytes], types: Sequence[str]) -> None:
        """Of many keys, these, which are sorted, have these types."""
        typed = [*zip(types, names, strict=True)]
        if names and _start((db, names[0])) == _start((db, names[-1])):
            typed = [*dict(typed).items()]  # all begin alike: one of each type will do
        for type_, name in typed:
            start = _start((db, name))
            if start in self._alike or len(self._alike) < MOST_STARTS:
                self._alike[start] = type_

    def learn(self, place: Place, type_: str) -> None:
        """A key that matters has this type."""
        self._known[place] = type_

    def of(self, place: Place) -> str:
        """The type; nothing where nothing is known."""
        known = self._known.get(place)
        return self._alike.get(_start(place), "") if known is None else known

    def silent(self) -> set[Place]:
        """The keys whose types turned out to change without an invalidation."""
        return {place for place, type_ in self._known.items() if type_ in SILENT}


def _start(place: Place) -> Place:
    """A key's name up to its first colon; of those without one, nothing."""
    start, colon, _ = place[1].partition(b":")
    return place[0], start + colon if colon else b""


@dataclass
class Reading:
    """What was learnt of a server as it was read: which databases, who reads, what is likely."""

    reader: KeyReader
    moments: AtomicReader | None  # where the server tells of writes
    databases: set[int]
    hints: TypeHints = field(default_factory=TypeHints)

    def silent(self) -> set[Place]:
        """The keys that may change without an invalidation, or could once."""
        return self.reader.silent | self.hints.silent()


class ConsistencyLoop:
    """Reads again what has changed.

    `databases` are those that were read; where the scope names none, others count too. `dirty`
    are the names that are known to have been written to. In the end `reread` has what was read
    again; `touched` the names that were written to; `libraries` the function libraries, where
    they had to be listed again; and `why` there is no moment, where there is none. `dirty` are
    then the names that may have changed since.
    """

    def __init__(
        self,
        tracker: Tracker,
        reader: KeyReader,
        moments: AtomicReader,
        scope: Scope,
        databases: Iterable[int],
        hints: TypeHints,
        dirty: Iterable[bytes] = (),
    ) -> None:
        self.reread = RereadBuffer()
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
        self._alone: set[Place] = set()  # read by themselves, for they take more than a moment
        self._silent: set[SilentChange] = set()
        self.dirty: set[bytes] = {*dirty}  # written to, and not read since

    def run(self, pause: bool, patience: float) -> int | None:
        """The moment, in the server's milliseconds since 1970; None where there is none.

        With `pause` writers are made to wait if they leave no room for so many seconds.

        Raises FullRescanNeeded where all has to be read again.
        """
        self._tracker.barrier()
        found = self._until(SHORT if pause else patience)
        if found is None and pause and not self.why:
            self._catch_up(time.monotonic() + patience)
            with self._tracker.pause(PAUSE):
                found = self._until(PAUSE / 1000)
        if found is None and not self.why:
            self.why = "clients did not stop writing long enough"
        return found

    def read_the_rest(self, server: Abilities) -> None:
        """Where there was no moment: what has changed, each key at one of its own.

        Raises FullRescanNeeded where all has to be read again.
        """
        self.dirty |= self._heard()
        self._reader.torn.clear()  # those are read again
        for db, places in groupby(self._unread(), key=lambda place: place[0]):
            names = [name for _, name in places]
            for name, entry in self._reader.entries(db, names):
                self.reread.keep((db, name), entry)
        if SilentChange.LIBRARIES in self._silent and self.libraries is None:
            self.libraries = keyspace.libraries(self._tracker.wire, server)
        self.dirty = set()

    def _unread(self) -> list[Place]:
        """What may have changed since it was read."""
        silent = self._all_silent() if SilentChange.KEYS in self._silent else set()
        return sorted({*product(self.databases, self.dirty), *silent})

    def _until(self, seconds: float) -> int | None:
        """The moment, if there is one within so long."""
        deadline = time.monotonic() + seconds
        while not self.why and time.monotonic() < deadline:
            if self._catch_up(deadline) and (moment := self._round()) is not None:
                return moment
        return None

    def _catch_up(self, deadline: float) -> bool:
        """Reads what has changed, until what is left can be read at one moment."""
        self.dirty |= self._heard()
        while (names := self._first_dirty()) < self.dirty and time.monotonic() < deadline:
            self.dirty -= names
            self._read_apart(names)
            _, left = self._read(names)
            self.dirty |= left | self._heard()
        return names == self.dirty

    def _first_dirty(self) -> set[bytes]:
        """As many of the names that were written to as can be read at one moment."""
        weighed = zip(self.dirty, accumulate(map(self._weight, self.dirty)), strict=True)
        return {name for name, _ in takewhile(lambda pair: pair[1] <= MOST, weighed)}

    def _weight(self, name: bytes) -> int:
        """How many small keys those of this name count as; never more than one moment takes."""
        large, share = self._reader.large, self._reader.share
        sizes = (large.get((db, name), 0) for db in self.databases)
        counted = (size * share for size in sizes)
        weight = sum(max(share, size // SMALL) if size <= TOO_LARGE else 0 for size in counted)
        return min(weight, MOST)

    def _heard(self) -> set[bytes]:
        """The names that were written to, of those that concern us."""
        self._tracker.drain()
        if self._tracker.took_flush():
            raise FullRescanNeeded
        names = set(filter(self._covered, self._tracker.take()))
        self.touched |= names
        return names

    def _round(self) -> int | None:
        """Reads at one moment what is left; gives it, if nothing else had changed by then."""
        apart = self._read_apart(self.dirty)
        heard = self._heard()
        names = self.dirty | heard | self._silent_names()
        self.dirty = names
        if self.why or self._first_dirty() != names:
            return None
        moment, left = self._read(names)
        self._tracker.barrier()
        later = self._heard()
        missed = apart & (heard | later)
        loose = later - names | later & {name for _, name in moment.hurried}
        self.dirty = left | missed | later
        whole = not (left or missed or loose or self._new_databases(moment))
        return moment.at if whole and self._all_told() else None

    def _read_apart(self, names: Collection[bytes]) -> set[bytes]:
        """Reads the keys that take more than a moment, one by one; gives their names."""
        places = {place for place in product(self.databases, names) if self._is_apart(place)}
        for db, name in sorted(places):
            self._keep((db, name), self._reader.alone(db, name))
            self._tracker.drain()
        return {name for _, name in places}

    def _is_apart(self, place: Place) -> bool:
        return (
            place in self._alone
            or self._reader.large.get(place, 0) * self._reader.share > TOO_LARGE
        )

    def _read(self, names: Iterable[bytes]) -> tuple[Moment, set[bytes]]:
        """Reads the others at one moment; gives the names of those that it was too short for."""
        wanted = [
            KeyToRead(db, name, self._hints.of((db, name)))
            for db, name in product(sorted(self.databases), sorted(names))
            if not self._is_apart((db, name))
        ]
        moment = self._moments.read(wanted, SilentChange.LIBRARIES in self._silent)
        return moment, self._settle(moment)

    def _settle(self, moment: Moment) -> set[bytes]:
        """Keeps what the moment gave; the names of keys that it did not."""
        left = set()
        for place, outcome in moment.found.items():
            if outcome is not RetryAlone.LATER:
                self._keep(place, outcome)
                continue
            left.add(place[1])
            if self._hints.of(place) == moment.types[place]:
                self._alone.add(place)
            self._hints.learn(place, moment.types[place])
        if moment.libraries is not None:
            self.libraries = moment.libraries
        return left

    def _keep(self, place: Place, entry: Entry | None) -> None:
        self.reread.keep(place, entry)
        if entry is not None:
            self._hints.learn(place, entry["type"])

    def _new_databases(self, moment: Moment) -> bool:
        """Whether keys have come where there were none: then what was written to may be there."""
        new = moment.databases - self.databases if self._all_databases else set()
        if new:
            self.databases |= new
            self.dirty |= self.touched
        return bool(new)

    def _all_told(self) -> bool:
        """Whether nothing changed without an invalidation; else the next moment has that too."""
        new = self._tracker.silent_changes() - self._silent
        if not self._functions:
            new.discard(SilentChange.LIBRARIES)
        if SilentChange.EVERYTHING in new:
            raise FullRescanNeeded
        self._silent |= new
        return not new

    def _silent_names(self) -> set[bytes]:
        """The names of all such keys, where they may have changed without an invalidation."""
        if SilentChange.KEYS not in self._silent:
            return set()
        silent = self._all_silent()
        names = {name for _, name in silent}
        if any(map(self._is_apart, silent)) or sum(map(self._weight, names)) > MOST:
            self.why = "streams that groups read are too large or too many to be read at once"
        return names

    def _all_silent(self) -> set[Place]:
        return self._reader.silent | self._hints.silent()
