"""Read the values of a database's keys, and write each file as soon as it is complete."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import cast

from gitbackup.capture.file_index import FileIndex, Sink
from gitbackup.format import codec
from gitbackup.live.read.alone_read import RetryAlone
from gitbackup.live.read.file_replies import File, FileReplies, FileReplyReader
from gitbackup.live.read.key_reader import KeyReader
from gitbackup.model.keys import Entry

Note = Callable[[Sequence[bytes], Sequence[str]], None]
Group = tuple[str, Sequence[bytes]]
"""The path of a file, and the names of its keys."""


class FileReader:
    """Reads one database's files into a sink. `note` is called with keys and their types."""

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

        A file whose values are all small is read by its raw replies, any other key by key. Raises
        ServerError if reading fails.
        """
        raw = self._reader.raw(self._db)
        if raw is None:
            yield from self._read_by_key([*self._index])
            return
        large: list[Group] = []
        for file, replies in raw.read(File(*group) for group in self._index):
            if replies and self._put_replies(raw, replies):
                self._note(replies.keys, replies.types)
                yield len(replies.keys)
            else:
                large.append((file.path, file.keys))
        yield from self._read_by_key(large)

    def _put_replies(self, raw: FileReplyReader, replies: FileReplies) -> bool:
        """Write the file that these replies make: last time's, if the replies are last time's.

        Return False if the replies do not give all entries.
        """
        path, digest = replies.path, replies.digest()
        if self._index.recall(path, digest, self._sink):
            return True
        outcomes = raw.entries(replies)
        if RetryAlone in set(map(type, outcomes)):
            return False
        entries = cast(Sequence[Entry | None], outcomes)
        self._put(path, replies.keys, entries)
        if all(entries):
            self._index.remember(path, digest, self._sink)
        return True

    def _read_by_key(self, groups: Sequence[Group]) -> Iterator[int]:
        """Read files with values of any size; yield after each how many keys it has."""
        pairs = self._reader.entries(self._db, chain.from_iterable(keys for _, keys in groups))
        for path, keys in groups:
            entries = [entry for _, entry in islice(pairs, len(keys))]
            self._put(path, keys, entries)
            there = [
                (name, entry["type"]) for name, entry in zip(keys, entries, strict=True) if entry
            ]
            self._note([name for name, _ in there], [type_ for _, type_ in there])
            yield len(keys)

    def _put(self, path: str, names: Sequence[bytes], entries: Sequence[Entry | None]) -> None:
        there = dict(zip(map(codec.loose, names), entries, strict=True))
        if not all(entries):
            pairs = zip(names, entries, strict=True)
            self._index.gone.update(name for name, entry in pairs if entry is None)
        self._index.put(path, {name: entry for name, entry in there.items() if entry}, self._sink)
