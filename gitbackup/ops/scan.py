"""Reading the live database as the files of a snapshot, one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gitbackup import codec, snapshot
from gitbackup.live import keyspace
from gitbackup.live.connect import Server
from gitbackup.live.read import KeyReader
from gitbackup.model import FUNCTIONS, Key, Scope
from gitbackup.patterns import covered
from gitbackup.progress import Progress

File = tuple[str, bytes]


class LiveFiles:
    """The files that a snapshot of the live database has, made while one iterates over it.

    Told once that is done: `keys`, how many each database has; `taken_at`, the server's
    time in milliseconds when reading began; `scope`, without the function libraries where
    the user may not list them; `torn`, keys that were written to while they were read in
    pieces; `watching`, whether such writes could be seen; `left_over`, names of values
    that a killed restore had built aside.
    """

    def __init__(self, server: Server, scope: Scope, progress: Progress) -> None:
        self.server = server
        self.scope = scope
        self.keys: dict[int, int] = {}
        self.taken_at = 0
        self.torn: tuple[Key, ...] = ()
        self.watching = True
        self.left_over: tuple[tuple[int, bytes], ...] = ()
        self._progress = progress

    @property
    def total(self) -> int:
        """How many keys there are in all databases."""
        return sum(count for db, count in self.keys.items() if db != FUNCTIONS)

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
            self.scope = replace(self.scope, functions=False)
        for library in libraries or ():
            path = snapshot.library_file(library.name, library.engine)
            self.keys[FUNCTIONS] = self.keys.get(FUNCTIONS, 0) + 1
            yield path, codec.raw(library.source)

    def _databases(self) -> Sequence[int]:
        if self.scope.databases is not None:
            return sorted(self.scope.databases)
        wire = self.server.dial()
        try:
            return keyspace.databases(wire)
        finally:
            wire.close()

    def _files(self, reader: KeyReader, db: int) -> Iterator[File]:
        names = list(filter(covered(self.scope), reader.names(db)))
        self._progress.start(f"reading db{db}", len(names))
        files = list(snapshot.place_files(db, names))
        del names
        found = reader.entries(db, (name for _, keys in files for name in keys))
        for path, keys in files:
            entries = {
                codec.loose(name): entry
                for name, entry in (next(found) for _ in keys)
                if entry is not None
            }
            self._progress.advance(len(keys))
            if entries:
                self.keys[db] = self.keys.get(db, 0) + len(entries)
                yield from snapshot.encode_file(path, entries)
