"""Decode the files of a snapshot: few files once, of many files a summary each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from sys import intern
from typing import NamedTuple

from gitbackup.format import codec
from gitbackup.model.keys import Entry, Key
from gitbackup.snapshot import file_format
from gitbackup.snapshot.sources import Source, StoredSource

LAST_FILES = 8  # that stay decoded: keys are asked for in order, so few are enough
LAST = 8 * 1024 * 1024  # bytes of these, but that the very last one stays, however large
KEPT = 8 * 1024 * 1024  # bytes of the first files that are decoded, which stay so for good


class FileSummary(NamedTuple):
    """What is kept of a well-formed file: the names of its keys, sorted, and their types.

    `plain` tells whether all of it is canonical, so that `codec.load` reads it; then `comes` is
    how many bytes its entries take as JSON, and `due` when the first expires, empty if none does.
    """

    db: int
    names: tuple[str, ...]
    types: tuple[str, ...]
    plain: bool
    comes: int = 0
    due: str = ""


FileSummaries = dict[tuple[int, str], FileSummary]
"""By database, FUNCTIONS or SEARCH, and id of a file's blob."""


class Decoded(NamedTuple):
    """The entries of a file of so many bytes."""

    entries: dict[Key, Entry]
    size: int


class EntrySource:
    """A source that decodes its files.

    The result of `entries()` must not be changed. `summaries` may be shared with other sources.
    `made` has ids of blobs that gitbackup has surely made, which are decoded sooner.
    """

    def __init__(
        self,
        source: Source,
        summaries: FileSummaries | None = None,
        made: Collection[str] = (),
    ) -> None:
        self.files = source.files
        self._made = made
        self._source = source
        self._summaries = {} if summaries is None else summaries
        self._kept: dict[str, dict[Key, Entry]] = {}
        self._left = KEPT
        self._last: dict[str, Decoded] = {}  # the last one that was asked for comes last

    @property
    def source(self) -> Source:
        """The source whose files it decodes."""
        return self._source

    def read(self, path: str) -> bytes:
        """Return the content of the file at `path`."""
        return self._source.read(path)

    def prefetch(self, paths: Sequence[str]) -> None:
        """Announce that the content of these files is read next, in this order."""
        if isinstance(self._source, StoredSource):
            self._source.prefetch(paths)

    def prefetch_summaries(self, paths: Iterable[str]) -> None:
        """Announce that the summaries of these files are asked for next, in this order."""
        self.prefetch([path for path in paths if self._place(path) not in self._summaries])

    def entries(self, path: str) -> dict[Key, Entry]:
        """Return the entries of a file. Raises Damaged if it is not well-formed."""
        if path in self._kept:
            return self._kept[path]
        if path not in self._last:
            return self._decode(path)
        self._last[path] = last = self._last.pop(path)
        return last.entries

    def entry(self, path: str | None, key: Key) -> Entry | None:
        """Return a key's entry in the file at `path`; None if `path` is None."""
        if path is None:
            return None
        return self.entries(path)[key]

    def versions(self, path: str, after: EntrySource) -> tuple[dict[Key, Entry], dict[Key, Entry]]:
        """Return the entries of a file that both sources have, as they are here and in `after`.

        Raises Damaged for the first that is not well-formed.
        """
        if any(path in each for each in (self._kept, self._last, after._kept, after._last)):
            return self.entries(path), after.entries(path)
        was = self.read(path)
        if len(was) > file_format.LARGE:  # most likely a single entry, of which one is enough
            first = self._keep(path, was, file_format.decode_file(path, was))
            del was
            return first, after.entries(path)
        now = after.read(path)
        before, later = file_format.decode_versions(path, was, now)
        return self._keep(path, was, before), after._keep(path, now, later)

    def outline(self, path: str) -> FileSummary:
        """Return a file's summary. Raises Damaged if it is not well-formed."""
        place = self._place(path)
        if place not in self._summaries:
            self._summaries[place] = self._outlined(path, place[0], self.read(path))
        return self._summaries[place]

    def known_names(self, path: str) -> Sequence[str]:
        """Return the names of a file's keys if its summary was asked for; else none."""
        known = self._summaries.get(self._place(path))
        return known.names if known else ()

    def share_names(self, path: str, other: EntrySource) -> None:
        """Keep the names of a file's keys once if the file of another source has the same."""
        place = self._place(path)
        own, names = self._summaries[place], other.known_names(path) if path in other.files else ()
        if own.names == names:
            self._summaries[place] = own._replace(names=names)

    def content(self, path: str) -> dict[str, Entry]:
        """Return the entries of a plain file by name."""
        entries: dict[str, Entry] = codec.load(self.read(path))
        return entries

    def _place(self, path: str) -> tuple[int, str]:
        return file_format.database_of(path), self.files[path]

    def _outlined(self, path: str, db: int, content: bytes) -> FileSummary:
        plain = file_format.decode_plain(content, self.files[path] in self._made)
        if plain is None:
            entries = self._keep(path, content, file_format.decode_file(path, content))
            keys = sorted(entries)
            types = tuple(intern(entries[key]["type"]) for key in keys)
            return FileSummary(db, tuple(key.name for key in keys), types, plain=False)
        return FileSummary(
            db,
            tuple(plain),
            tuple(map(intern, [entry["type"] for entry in plain.values()])),
            plain=True,
            comes=_size_of_entries(content, [*plain]),
            due=min(
                [str(e["expires_at"]) for e in plain.values() if "expires_at" in e], default=""
            ),
        )

    def _decode(self, path: str) -> dict[Key, Entry]:
        known = self._summaries.get(self._place(path))
        content = self.read(path)
        if known is None or not known.plain:
            return self._keep(path, content, file_format.decode_file(path, content))
        entries = {Key(known.db, name): each for name, each in codec.load(content).items()}
        return self._keep(path, content, entries)

    def _keep(self, path: str, content: bytes, entries: dict[Key, Entry]) -> dict[Key, Entry]:
        """Keep a file decoded: one of the first for good, others while they are among the last."""
        size = len(content)
        if size <= self._left:
            self._left -= size
            self._kept[path] = entries
            return entries
        self._last[path] = Decoded(entries, size)
        while len(self._last) > LAST_FILES or self._are_too_large():
            del self._last[next(iter(self._last))]
        return entries

    def _are_too_large(self) -> bool:
        return len(self._last) > 1 and sum(each.size for each in self._last.values()) > LAST


def _size_of_entries(content: bytes, names: Sequence[str]) -> int:
    """Return how many bytes `codec.encode` takes for all entries of a canonical file, each alone.

    In the file an entry has as many lines. All but the first are indented by two more columns;
    before the first are the quoted name, a colon and three blanks; after each entry but the last is
    a comma.
    """
    if not names:
        return 0
    count, lines = len(names), content.count(b"\n") - 2
    quoted = len(codec.line([*names])) - 2 - (count - 1)
    indents = 2 * (lines - count)
    return len(content) - len(b"{\n}\n") - quoted - 4 * count - indents - (count - 1)


def decoded(source: Source, summaries: FileSummaries | None = None) -> EntrySource:
    """Return a source that decodes; the source itself if it does already."""
    return source if isinstance(source, EntrySource) else EntrySource(source, summaries)
