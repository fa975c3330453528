"""What is in files of the keys wanted: each file is read once, and many are asked for at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cached_property, lru_cache

from gitbackup.errors import Damaged
from gitbackup.format import exact, layout
from gitbackup.history.selector import KeySelector, entry_of
from gitbackup.model.keys import Entry, Key
from gitbackup.store.repository.repository import Repository

FILES = 4  # whose bytes are kept
KEPT = 4 * 1024 * 1024  # bytes of what was found that are kept
ANY = 256  # bytes that are reckoned for a finding, whatever it is


class FoundEntry:
    """A key's entry, whole or as bytes of its file."""

    def __init__(self, path: str, key: Key, picked: bytes | Entry) -> None:
        self.path = path
        self.picked = picked
        self._key = key

    @cached_property
    def entry(self) -> Entry:
        return entry_of(self.path, self._key, self.picked)


def same(old: FoundEntry | None, new: FoundEntry | None) -> bool:
    """Whether an entry is the same before and after, or on neither side."""
    if old is None or new is None:
        return old is new
    if isinstance(old.picked, bytes) and isinstance(new.picked, bytes):
        return old.picked == new.picked
    return exact.same(old.entry, new.entry)


class EntryLookup:
    """What files hold of the keys wanted."""

    def __init__(self, repository: Repository, wanted: KeySelector) -> None:
        self._wanted = wanted
        self._read = lru_cache(FILES)(repository.read)
        self._read_all = repository.read_all
        self._anothers: dict[str, bool] = {}
        self._found: dict[tuple[str, str, bool], dict[Key, FoundEntry]] = {}
        self._size = 0

    def found(self, path: str, blob: str, canonical: bool) -> Mapping[Key, FoundEntry]:
        """Such entries of a file, whose layout is known or not.

        Raises Damaged where it is not well-formed.
        """
        kept = self._found.get((path, blob, canonical))
        return self._find(path, blob, canonical, self._read(blob)) if kept is None else kept

    def is_anothers(self, path: str, blob: str) -> bool:
        """Whether a canonical file is the own one of a key that is not wanted: its name tells
        of one key."""
        name = path.rpartition("/")[2].removesuffix(".json")
        if not layout.is_own(name) or not path.startswith("db"):
            return False
        if path not in self._anothers:
            self._anothers[path] = not self.found(path, blob, True)
        return self._anothers[path]

    def read_ahead(self, files: Iterable[tuple[str, str]]) -> None:
        """Read what is asked for soon: such keys of canonical files, by path and blob. Stop where
        that is too much to keep, or fails."""
        paths: dict[str, set[str]] = {}
        for path, blob in files:
            if (path, blob, True) not in self._found and not self._anothers.get(path):
                paths.setdefault(blob, set()).add(path)
        with suppress(Damaged):  # it is told of when it is asked for
            for blob, content in zip(paths, self._read_all(paths), strict=True):
                for path in paths[blob]:
                    self._find(path, blob, True, content)
                if self._size > KEPT:
                    return

    def _find(self, path: str, blob: str, canonical: bool, content: bytes) -> dict[Key, FoundEntry]:
        picked = (self._wanted.pick if canonical else self._wanted.read)(path, content)
        whole = any(not isinstance(entry, bytes) for entry in picked.values())
        self._make_room(len(content) if whole else sum(map(len, picked.values())))
        found = {key: FoundEntry(path, key, entry) for key, entry in picked.items()}
        self._found[path, blob, canonical] = found
        return found

    def _make_room(self, size: int) -> None:
        if self._size > KEPT:
            self._found.clear()
            self._size = 0
        self._size += size + ANY
