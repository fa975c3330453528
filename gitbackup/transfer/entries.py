"""The entries of a file to import, checked one by one, and the files of a snapshot of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import groupby
from typing import Any

from gitbackup import kinds
from gitbackup.format import codec
from gitbackup.format.patterns import covers, matcher
from gitbackup.model.keys import FUNCTIONS, Entry, Key, Scope
from gitbackup.snapshot import file_format
from gitbackup.snapshot.sources import Spool

File = tuple[str, bytes]


class EntriesToImport:
    """What a file holds; its entries are in a spool.

    `scope` and `patterns` tell what it is a copy of: what it does not name there was not there.
    `taken_at` is when that was, in milliseconds since 1970. `warnings` are sentences for the user.
    `placed` tells whether the file tells of databases; else all is of database 0.
    """

    def __init__(
        self, spool: Spool, scope: Scope, taken_at: int, patterns: Sequence[str] = ()
    ) -> None:
        self.scope = scope
        self.taken_at = taken_at
        self.patterns = tuple(patterns)
        self.keys: set[Key] = set()
        self.warnings: list[str] = []
        self.placed = True
        self._spool = spool
        self._covers, self._matches = covers(scope), matcher(patterns)

    def add(self, db: int, name: Any, entry: Any) -> None:
        """Takes an entry. Raises ValueError, saying what is wrong with it."""
        key = Key(db, kinds.normal_text(name, "the name"))
        if key in self.keys:
            raise ValueError(f"duplicate key, also as {key.name!r}")
        if not (self._covers(key) and self._matches(codec.data(key.name))):
            raise ValueError("it is outside the scope and patterns in the file's header")
        normal = kinds.normal_entry(entry)
        self._keep(key, codec.line(file_format.as_written(key.name, normal)))

    def add_library(self, name: Any, source: Any) -> None:
        """Takes a library of functions. Raises ValueError, saying what is wrong with it."""
        content = codec.data(kinds.normal_text(source, "the source"))
        told, _ = file_format.library_header(content)
        if told != name:
            raise ValueError(f"its source names it {told!r}")
        if not self.scope.functions:
            raise ValueError("the file's header says that it contains no libraries")
        self._keep(Key(FUNCTIONS, told), content)

    def files(self) -> Iterator[File]:
        """The files of a snapshot that holds these entries and nothing else."""
        for db, keys in groupby(sorted(self.keys), key=lambda key: key.db):
            if db == FUNCTIONS:
                yield from map(self._library_file, keys)
                continue
            names = sorted(codec.data(key.name) for key in keys)
            for path, some in file_format.place_files(db, names):
                entries = {codec.text(name): self._entry(db, codec.text(name)) for name in some}
                yield from file_format.encode_canonical(path, entries)
        yield file_format.MANIFEST, file_format.manifest(self.scope)

    def digest(self) -> str:
        """By which the same content is known again, in whatever file."""
        digest = sha256(file_format.manifest(self.scope))
        for key in sorted(self.keys):
            digest.update(b"%b\n%b\n" % (_place(key).encode(), self._spool.read(_place(key))))
        return digest.hexdigest()

    def _keep(self, key: Key, content: bytes) -> None:
        self.keys.add(key)
        self._spool.put(_place(key), content)

    def _library_file(self, key: Key) -> File:
        source = self._spool.read(_place(key))
        name, engine = file_format.library_header(source)
        return file_format.library_file(name, engine), source

    def _entry(self, db: int, name: str) -> Entry:
        entry: Entry = codec.load(self._spool.read(_place(Key(db, name))))
        return entry


def _place(key: Key) -> str:
    return f"{key.db} {key.name}"
