"""The selected entries of files: each file is read once, and many are read together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cached_property, lru_cache

from gitbackup.errors import Damaged
from gitbackup.format import exact, layout
from gitbackup.history.selector import KeySelector, Picked, entry_of
from gitbackup.model.keys import Entry, Key
from gitbackup.redact import Redaction
from gitbackup.snapshot import file_format
from gitbackup.store.repository.repository import Repository

FILES = 4  # whose content is kept
KEPT = 4 * 1024 * 1024  # bytes of entries that are kept
ANY = 256  # bytes that are counted for each file besides its entries


class FoundEntry:
    """A key's entry in a file; `picked` is the entry, or its bytes in the file."""

    def __init__(self, path: str, key: Key, picked: bytes | Entry) -> None:
        self.path = path
        self.picked = picked
        self._key = key

    @cached_property
    def entry(self) -> Entry:
        """Return the entry."""
        return entry_of(self.path, self._key, self.picked)

    @property
    def content(self) -> bytes:
        """Return the key and its entry as a snapshot's file has them."""
        if isinstance(self.picked, bytes):
            return self.picked
        return file_format.encode_entry(self._key.name, self.picked)

    def masked(self, redaction: Redaction) -> FoundEntry:
        """Return a redacted copy."""
        return FoundEntry(self.path, self._key, redaction.entry(self._key, self.entry))

    def expect_sound(self) -> None:
        """Raise Damaged if the entry cannot be read."""
        _ = self.entry


def same(old: FoundEntry | None, new: FoundEntry | None) -> bool:
    """Return whether an entry is the same before and after, or does not exist in both."""
    if old is None or new is None:
        return old is new
    if isinstance(old.picked, bytes) and isinstance(new.picked, bytes):
        return old.picked == new.picked
    return exact.same(old.entry, new.entry)


class EntryLookup:
    """Finds the entries of the keys that a selector picks; with a `text`, as a snapshot's file has
    it, only those that contain it."""

    def __init__(
        self, repository: Repository, selector: KeySelector, text: bytes | None = None
    ) -> None:
        self._selector = selector
        self._text = text
        self._read = lru_cache(FILES)(repository.read)
        self._read_all = repository.read_all
        self._anothers: dict[str, bool] = {}
        self._found: dict[tuple[str, str, bool], dict[Key, FoundEntry]] = {}
        self._size = 0

    def found(self, path: str, blob: str, canonical: bool) -> Mapping[Key, FoundEntry]:
        """Return the selected entries of a file, by its path and its blob's id.

        `canonical` tells whether gitbackup wrote it. Raises Damaged if it is not well-formed.
        """
        kept = self._found.get((path, blob, canonical))
        return self._find(path, blob, canonical, self._read(blob)) if kept is None else kept

    def is_anothers(self, path: str, blob: str) -> bool:
        """Return whether a canonical file is one key's own, by its name, and not a selected
        key's."""
        name = path.rpartition("/")[2].removesuffix(".json")
        if not layout.is_own(name) or not path.startswith("db"):
            return False
        if path not in self._anothers:
            self._anothers[path] = not self.found(path, blob, True)
        return self._anothers[path]

    def read_ahead(self, files: Iterable[tuple[str, str]]) -> None:
        """Read canonical files, by path and blob, that are asked for soon. Stop if that is too much
        to keep, or if one cannot be read."""
        paths: dict[str, set[str]] = {}
        for path, blob in files:
            if (path, blob, True) not in self._found and not self._anothers.get(path):
                paths.setdefault(blob, set()).add(path)
        with suppress(Damaged):  # it is raised when the file is asked for
            for blob, content in zip(paths, self._read_all(paths), strict=True):
                for path in paths[blob]:
                    self._find(path, blob, True, content)
                if self._size > KEPT:
                    return

    def _find(self, path: str, blob: str, canonical: bool, content: bytes) -> dict[Key, FoundEntry]:
        picked = self._pick(path, canonical, content)
        whole = any(not isinstance(entry, bytes) for entry in picked.values())
        if self._size > KEPT:
            self._found.clear()
            self._size = 0
        self._size += ANY + (len(content) if whole else sum(map(len, picked.values())))
        found = {key: FoundEntry(path, key, entry) for key, entry in picked.items()}
        if self._text:
            found = {key: each for key, each in found.items() if self._text in each.content}
        self._found[path, blob, canonical] = found
        return found

    def _pick(self, path: str, canonical: bool, content: bytes) -> Picked:
        if not canonical:
            return self._selector.read(path, content)
        if self._text and self._text not in content:
            return {}
        return self._selector.pick(path, content)
