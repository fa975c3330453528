"""The entries of a file to import, checked one by one, and the files of a snapshot of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import groupby
from typing import Any

from gitbackup import kinds
from gitbackup.format import codec
from gitbackup.format.patterns import covers, matcher
from gitbackup.kinds import search_index
from gitbackup.model.keys import FUNCTIONS, SEARCH, Entry, Key, Scope
from gitbackup.snapshot import file_format
from gitbackup.snapshot.sources import Spool

File = tuple[str, bytes]


class EntriesToImport:
    """The contents of a file, whose entries are in a spool.

    `scope` and `patterns` tell which keys it is a copy of: of those, what is not in it did not
    exist. `taken_at` is when that was, in milliseconds since 1970. `warnings` are sentences for
    the user. `placed` tells whether the file names databases; if not, all is of database 0.
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
        """Add an entry. Raises ValueError that says what is wrong with it."""
        key = Key(db, kinds.normal_text(name, "the name"))
        if key in self.keys:
            raise ValueError(f"duplicate key, also as {key.name!r}")
        if not (self._covers(key) and self._matches(codec.data(key.name))):
            raise ValueError("it is outside the scope and patterns in the file's header")
        normal = kinds.normal_entry(entry)
        self._keep(key, codec.line(file_format.as_written(key.name, normal)))

    def add_library(self, name: Any, source: Any) -> None:
        """Add a library of functions. Raises ValueError that says what is wrong with it."""
        content = codec.data(kinds.normal_text(source, "the source"))
        source_name, _ = file_format.library_header(content)
        if source_name != name:
            raise ValueError(f"its source names it {source_name!r}")
        if not self.scope.functions:
            raise ValueError("the file's header says that it contains no libraries")
        self._keep(Key(FUNCTIONS, source_name), content)

    def add_index(self, name: Any, text: Any) -> None:
        """Add a search index. Raises ValueError that says what is wrong with it."""
        content = codec.data(kinds.normal_text(text, "the definition"))
        key = Key(SEARCH, codec.text(search_index.parse(content).name))
        if key.name != name:
            raise ValueError(f"its definition names it {key.name!r}")
        self._keep(key, content)

    def files(self) -> Iterator[File]:
        """Yield the files of a snapshot that has these entries and nothing else."""
        for db, keys in groupby(sorted(self.keys), key=lambda key: key.db):
            if db == FUNCTIONS:
                for key in keys:
                    source = self._spool.read(spool_name(key))
                    yield file_format.library_file(*file_format.library_header(source)), source
                continue
            if db == SEARCH:
                for key in keys:
                    yield file_format.index_file(key.name), self._spool.read(spool_name(key))
                continue
            names = sorted(codec.data(key.name) for key in keys)
            for path, names_in_file in file_format.place_files(db, names):
                entries: dict[str, Entry] = {}
                for name in map(codec.text, names_in_file):
                    entries[name] = codec.load(self._spool.read(spool_name(Key(db, name))))
                yield from file_format.encode_canonical(path, entries)
        yield file_format.MANIFEST, file_format.manifest(self.scope)

    def digest(self) -> str:
        """Return a hash of the content, whatever the file looks like."""
        digest = sha256(file_format.manifest(self.scope))
        for key in sorted(self.keys):
            name = spool_name(key)
            digest.update(b"%b\n%b\n" % (name.encode(), self._spool.read(name)))
        return digest.hexdigest()

    def _keep(self, key: Key, content: bytes) -> None:
        self.keys.add(key)
        self._spool.put(spool_name(key), content)


def spool_name(key: Key) -> str:
    """Return the name of a key's entry in a spool."""
    return f"{key.db} {key.name}"
