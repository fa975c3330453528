"""Reading the live database as the files of a snapshot, one by one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace

from gitbackup import codec, snapshot
from gitbackup.live import keyspace
from gitbackup.live.connect import Server
from gitbackup.live.read import Found, KeyReader
from gitbackup.model import FUNCTIONS, Entry, Key, Scope
from gitbackup.patterns import covered
from gitbackup.progress import Progress

File = tuple[str, bytes]


class LiveFiles:
    """The files that a snapshot of the live database has, made while one iterates over it.

    Told once that is done: `keys`, how many each database has; `taken_at`, the server's
    time in milliseconds when reading began; `functions_refused`, whether the user may not
    list the function libraries, which are then no part of `scope`; `torn`, keys that were
    written to while they were read in pieces; `watching`, whether such writes could be seen;
    `left_over`, names of values that a killed restore had built aside.
    """

    def __init__(self, server: Server, scope: Scope, progress: Progress) -> None:
        self.server = server
        self.scope = scope
        self.keys: dict[int, int] = {}
        self.taken_at = 0
        self.functions_refused = False
        self.torn: tuple[Key, ...] = ()
        self.watching = True
        self.left_over: tuple[tuple[int, bytes], ...] = ()
        self._progress = progress
        self._names: dict[int, Sequence[bytes]] = {}
        self._vanished: set[tuple[int, bytes]] = set()

    @property
    def total(self) -> int:
        """How many keys there are in all databases."""
        return sum(count for db, count in self.keys.items() if db != FUNCTIONS)

    def holds(self, key: Key) -> bool:
        """Whether the snapshot that was made has this key."""
        name, names = codec.data(key.name), self._names.get(key.db, ())
        at = bisect_left(names, name)
        found = at < len(names) and names[at] == name
        return found and (key.db, name) not in self._vanished

    def __iter__(self) -> Iterator[File]:
        yield from self._libraries()
        with KeyReader(self.server) as reader:
            try:
                for db in self._databases():
                    yield from self._files(reader, db)
            finally:
                self._progress.finish()
            self.torn = tuple(Key(db, codec.text(name)) for db, name in reader.torn)
            self.watching = reader.watching
            self.left_over = tuple(reader.left_over)
        yield snapshot.MANIFEST, snapshot.manifest(self.scope)

    def _libraries(self) -> Iterator[File]:
        wire = self.server.dial()
        try:
            self.taken_at = keyspace.clock(wire)
            if not self.scope.functions:
                return
            libraries = keyspace.libraries(wire, self.server.abilities)
        finally:
            wire.close()
        if libraries is None:
            self.functions_refused = True
            self.scope = replace(self.scope, functions=False)
        elif libraries:
            self.keys[FUNCTIONS] = len(libraries)
            self._names[FUNCTIONS] = sorted(library.name.encode() for library in libraries)
        for library in libraries or ():
            yield snapshot.library_file(library.name, library.engine), codec.raw(library.source)

    def _databases(self) -> Sequence[int]:
        if self.scope.databases is not None:
            return sorted(self.scope.databases)
        wire = self.server.dial()
        try:
            return keyspace.databases(wire)
        finally:
            wire.close()

    def _files(self, reader: KeyReader, db: int) -> Iterator[File]:
        names = self._names[db] = list(filter(covered(self.scope), reader.names(db)))
        self._progress.start(f"reading db{db}", len(names))
        files = list(snapshot.place_files(db, names))
        found = reader.entries(db, (name for _, keys in files for name in keys))
        for path, keys in files:
            entries = self._living(db, (next(found) for _ in keys))
            self._progress.advance(len(keys))
            if entries:
                self.keys[db] = self.keys.get(db, 0) + len(entries)
                yield from snapshot.encode_file(path, entries)

    def _living(self, db: int, found: Iterator[Found]) -> dict[str, Entry]:
        """The entries of a file by loose name; keys that have gone meanwhile are noted."""
        entries = {}
        for name, entry in found:
            if entry is None:
                self._vanished.add((db, name))
            else:
                entries[codec.loose(name)] = entry
        return entries
