"""Reading the values of a database's keys into its files, each of which is given out at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import cast

from gitbackup.capture.file_index import FileIndex, Sink
from gitbackup.format import codec
from gitbackup.live.read.alone_read import RetryAlone
from gitbackup.live.read.file_replies import File, FileReplies, FileReplyReader
from gitbackup.live.read.key_reader import KeyReader
from gitbackup.model.keys import Entry

Note = Callable[[Sequence[bytes], Sequence[str]], None]
Place = tuple[str, Sequence[bytes]]
"""The path of a file, and the names of its keys."""


class FileReader:
    """Reads one database's files and gives them to a sink; `note` is called with keys and their
    types."""

    def __init__(
        self, reader: KeyReader, db: int, index: FileIndex, sink: Sink, note: Note
    ) -> None:
        self._reader = reader
        self._db = db
        self._index = index
        self._sink = sink
        self._note = note

    def fill(self) -> Iterator[int]:
        """Read all files; yield after each how many keys it has.

        Raises ServerError where that fails.
        """
        raw = self._reader.raw(self._db)
        left: list[Place] = [] if raw else [*self._index]
        if raw:
            yield from self._small(raw, self._index, left)
        yield from self._each(left)

    def _small(
        self, raw: FileReplyReader, files: Iterable[Place], left: list[Place]
    ) -> Iterator[int]:
        """The files whose values are all small; the others are added to those that are left."""
        for file, replies in raw.read(File(*file) for file in files):
            if replies and self._put(raw, replies):
                self._note(replies.keys, replies.types)
                yield len(replies.keys)
            else:
                left.append((file.path, file.keys))

    def _put(self, raw: FileReplyReader, replies: FileReplies) -> bool:
        """Gives out a file: that of the last time, where the replies are those of the last time.

        False where the replies do not tell all.
        """
        path, digest = replies.path, replies.digest()
        if self._index.recall(path, digest, self._sink):
            return True
        outcomes = raw.entries(replies)
        if RetryAlone in set(map(type, outcomes)):
            return False
        entries = cast(Sequence[Entry | None], outcomes)
        self._give(path, replies.keys, entries)
        if all(entries):
            self._index.remember(path, digest, self._sink)
        return True

    def _each(self, files: Sequence[Place]) -> Iterator[int]:
        """The files, whatever values they have."""
        found = self._reader.entries(self._db, chain.from_iterable(keys for _, keys in files))
        for path, keys in files:
            entries = [entry for _, entry in islice(found, len(keys))]
            self._give(path, keys, entries)
            there = [
                (name, entry["type"]) for name, entry in zip(keys, entries, strict=True) if entry
            ]
            self._note([name for name, _ in there], [type_ for _, type_ in there])
            yield len(keys)

    def _give(self, path: str, names: Sequence[bytes], entries: Sequence[Entry | None]) -> None:
        found = dict(zip(map(codec.loose, names), entries, strict=True))
        if not all(entries):
            pairs = zip(names, entries, strict=True)
            self._index.gone.update(name for name, entry in pairs if entry is None)
        there = {name: entry for name, entry in found.items() if entry}
        self._index.put(path, there, self._sink)
