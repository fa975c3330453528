"""Select keys by pattern and database, and pick their entries from files without parsing these."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache

from gitbackup.format import codec, layout
from gitbackup.format.patterns import Literal, literal, matcher
from gitbackup.model.keys import PLACES, Entry, Key, db_of
from gitbackup.snapshot import file_format

Picked = Mapping[Key, "bytes | Entry"]
"""Entries by key, or their bytes in a canonical file, which are equal if the entries are."""

PATHS = 10_000  # of files, for which the answer of `in_file` is kept
NAME = re.compile(rb'\n  ("(?:[^"\\]|\\.)*"): \{\n')  # a key, in a canonical file
END = b"\n  }"  # of an entry there


class KeySelector:
    """Selects the keys that match one of the patterns, all if there are none, in these databases;
    None is all databases.

    `literals` are what the names of such keys are, or begin with. `takes_all` is true if it selects
    all keys.
    """

    def __init__(self, patterns: Sequence[str] = (), databases: Sequence[int] | None = None):
        self.literals = [literal(codec.raw(each)) for each in patterns] or [Literal(b"", False)]
        self.databases = databases
        self.takes_all = not patterns and databases is None
        self._matches = matcher(patterns)
        self._prefixes = [each.text for each in self.literals]
        self._starts = [b"\n  " + start for start in self._quoted()]
        self.in_file = lru_cache(PATHS)(self._in_file)

    @classmethod
    def key(cls, name: bytes, databases: Sequence[int] | None) -> KeySelector:
        """Return a selector of one name, in which no character has a special meaning."""
        return cls([codec.loose(re.sub(rb"([*?\[\\])", rb"\\\1", name))], databases)

    def __contains__(self, key: Key) -> bool:
        within = self.databases is None or key.db in self.databases
        return within and bool(self._matches(codec.data(key.name)))

    def in_place(self, name: str) -> bool:
        """Return whether the folder `dbN`, `functions` or `search` may hold selected keys."""
        if name in PLACES.values():
            return self.databases is None or db_of(name) in self.databases
        place = file_format.DATABASE.fullmatch(f"{name}/")
        return place is not None and (self.databases is None or int(place[1]) in self.databases)

    def _in_file(self, path: str) -> bool:
        """Return whether a file of a canonical snapshot may hold selected keys."""
        place, _, rest = path.partition("/")
        if not (file_format.is_data(path) and self.in_place(place)):
            return False
        return place in PLACES.values() or any(
            _may_hold(prefix, rest.removesuffix(".json").split("/")) for prefix in self._prefixes
        )

    def pick(self, path: str, content: bytes) -> Picked:
        """Return the selected entries of a file of a canonical snapshot, as its bytes.

        A file that turns out to be another is read as `read()` does.
        """
        place = file_format.DATABASE.match(path)
        if place is None:
            return self.read(path, content)
        try:
            return self._cut_out(int(place[1]), content)
        except ValueError:
            return self.read(path, content)

    def _cut_out(self, db: int, content: bytes) -> Picked:
        """Return the selected entries of a canonical file. May raise ValueError for another one."""
        found: dict[Key, bytes | Entry] = {}
        for start in self._starts:
            for name, entry in _entries(content, start):
                key = Key(db, codec.load(name))
                if self._matches(codec.data(key.name)):
                    found[key] = entry
        return found

    def read(self, path: str, content: bytes) -> dict[Key, Entry]:
        """Return the selected entries of any file. Raises Damaged if it is not well-formed."""
        entries = file_format.decode_file(path, content)
        return {key: entry for key, entry in entries.items() if key in self}

    def _quoted(self) -> Iterator[bytes]:
        """Yield how the names begin in a canonical file; a whole name with what follows it."""
        for prefix, whole in self.literals:
            if whole:
                yield codec.encode(codec.text(prefix)).strip() + b": {\n"
                continue
            text = prefix.decode("utf-8", "ignore")  # a pattern may end inside a character
            if text.encode() == prefix[: len(text.encode())]:
                yield codec.encode(text).strip()[:-1]
        if any(prefix and not whole for prefix, whole in self.literals):
            yield b'"' + codec.PREFIX.encode()


def entry_of(path: str, key: Key, picked: bytes | Entry) -> Entry:
    """Return the entry that `pick()` or `read()` gave for a key."""
    if isinstance(picked, bytes):
        return file_format.decode_file(path, b"{" + picked + b"\n}\n")[key]
    return picked


def _entries(content: bytes, start: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the quoted name and the bytes of each entry of a canonical file that begins so."""
    at = content.find(start)
    while at >= 0:
        end = content.index(END, at) + len(END)
        name = NAME.match(content, at)
        if name:
            yield name[1], content[at:end]
        at = content.find(start, end)


def first_key(content: bytes) -> bytes | None:
    """Return the name of the first key in a canonical file; None if it has none."""
    found = NAME.search(content)
    with suppress(ValueError):  # of a file that is not canonical, whatever its commit says
        return codec.data(codec.load(found[1])) if found else None
    return None


def _may_hold(prefix: bytes, names: Sequence[str]) -> bool:
    """Return whether a file may hold a key that begins so, by the names in its path."""
    size = 0
    for at, name in enumerate(names):
        if name == "_" or layout.is_own(name) or len("/".join(names[:at])) > layout.DEEP:
            return True
        end = prefix.find(b":", size) + 1
        if not end:
            return "~" in name or codec.raw(name).startswith(prefix[size:])
        if name not in layout.place_names(prefix[:end], size):
            return False
        size = end
    return True
