"""A side whose files are decoded: each once where they are few; in outline where they are many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from sys import intern
from typing import NamedTuple

from gitbackup.format import codec
from gitbackup.model.keys import Entry, Key
from gitbackup.snapshot import file_format
from gitbackup.snapshot.sources import Source, StoredSource

FILES_AT_HAND = 8  # decoded files of a side: what is asked for comes sorted, so few are enough
KEPT = 8 * 1024 * 1024  # bytes of files that stay decoded


class FileSummary(NamedTuple):
    """What is kept of a file that was found well-formed: its keys by name, sorted, and their types.

    `plain` tells whether `codec.load` reads it as it is; then `comes` is how many bytes its
    entries take, and `due` the least of their instants, empty where none expires.
    """

    db: int
    names: tuple[str, ...]
    types: tuple[str, ...]
    plain: bool
    comes: int = 0
    due: str = ""


FileSummaries = dict[tuple[int, str], FileSummary]
"""By database, or FUNCTIONS, and id of a file's blob."""


class EntrySource:
    """A side that decodes its files: each once, as long as those that it keeps are few.

    What `entries` gives is not to be changed. `summaries` may be shared with other sources.
    """

    def __init__(self, source: Source, summaries: FileSummaries | None = None) -> None:
        self.files = source.files
        self._source = source
        self._summaries = {} if summaries is None else summaries
        self._kept: dict[str, dict[Key, Entry]] = {}
        self._left = KEPT
        self._at_hand: dict[str, dict[Key, Entry]] = {}  # the last asked for at its end

    def read(self, path: str) -> bytes:
        return self._source.read(path)

    def prefetch(self, paths: Sequence[str]) -> None:
        """The content of these files is going to be asked for next, in this order."""
        if isinstance(self._source, StoredSource):
            self._source.prefetch(paths)

    def prefetch_summaries(self, paths: Iterable[str]) -> None:
        """These files are, in outline."""
        self.prefetch([path for path in paths if self._place(path) not in self._summaries])

    def entries(self, path: str) -> dict[Key, Entry]:
        """The entries of a file. Raises Damaged where it is not well-formed."""
        found = self._kept.get(path)
        if found is None:
            found = self._at_hand.pop(path, None) or self._decode(path)
            self._at_hand[path] = found
            if len(self._at_hand) > FILES_AT_HAND:
                del self._at_hand[next(iter(self._at_hand))]
        return found

    def entry(self, path: str | None, key: Key) -> Entry | None:
        """A key's entry, in the file at `path`; None where there is no path."""
        if path is None:
            return None
        return self.entries(path)[key]

    def outline(self, path: str) -> FileSummary:
        """A file in outline. Raises Damaged where it is not well-formed."""
        place = self._place(path)
        if place not in self._summaries:
            self._summaries[place] = self._outlined(path, place[0], self.read(path))
        return self._summaries[place]

    def content(self, path: str) -> dict[str, Entry]:
        """The entries of a file that is plain, by name."""
        entries: dict[str, Entry] = codec.load(self.read(path))
        return entries

    def _place(self, path: str) -> tuple[int, str]:
        return file_format.database_of(path), self.files[path]

    def _outlined(self, path: str, db: int, content: bytes) -> FileSummary:
        plain = file_format.decode_plain(content)
        if plain is None:
            entries = self._keep(path, content, file_format.decode_file(path, content))
            keys = sorted(entries)
            types = tuple(intern(entries[key]["type"]) for key in keys)
            return FileSummary(db, tuple(key.name for key in keys), types, plain=False)
        if len(content) <= self._left:
            self._keep(path, content, {Key(db, name): entry for name, entry in plain.items()})
        return FileSummary(
            db,
            tuple(plain),
            tuple(intern(entry["type"]) for entry in plain.values()),
            plain=True,
            comes=_size_of_entries(content, [*plain]),
            due=min(
                (str(e["expires_at"]) for e in plain.values() if "expires_at" in e), default=""
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
        if len(content) <= self._left:
            self._left -= len(content)
            self._kept[path] = entries
        return entries


def _size_of_entries(content: bytes, names: Sequence[str]) -> int:
    """How many bytes `codec.encode` takes for each entry of a canonical file, in all.

    There an entry stands on as many lines, two columns further in but for its first, after its
    quoted name, a colon and two blanks; its last line ends in a comma, but for the last entry's.
    """
    if not names:
        return 0
    count, lines = len(names), content.count(b"\n") - 2
    quoted = len(codec.line([*names])) - 2 - (count - 1)
    indents = 2 * (lines - count)
    return len(content) - len(b"{\n}\n") - quoted - 4 * count - indents - (count - 1)


def decoded(source: Source, summaries: FileSummaries | None = None) -> EntrySource:
    """The side itself where it decodes already."""
    return source if isinstance(source, EntrySource) else EntrySource(source, summaries)
