"""Entries that were read again, kept in a temporary file: they may be of all keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Self

from gitbackup import kinds
from gitbackup.capture.expiries import first_expiry, living
from gitbackup.format import codec
from gitbackup.live.read.atomic_read import RawKey
from gitbackup.model.keys import Entry
from gitbackup.snapshot.sources import temporary_file

Load = Callable[[], Entry]
"""Returns an entry, as it is stored."""


def ready(entry: Entry | None) -> Load | None:
    """Return a `Load` of this entry; None if there is none."""
    return (lambda: entry) if entry is not None else None


class BufferedEntry:
    """One key's entry, as it is stored: where it is, and when the first part of it expires."""

    __slots__ = ("_due", "_file", "_length", "_start")

    def __init__(self, file: IO[bytes], entry: Entry) -> None:
        content = codec.line(entry)
        self._due = first_expiry([entry])
        self._file = file
        self._start = file.seek(0, 2)
        self._length = file.write(content)

    def load(self) -> Entry:
        """Return the entry."""
        self._file.seek(self._start)
        entry: Entry = codec.load(self._file.read(self._length))
        return entry

    def living(self, instant: str) -> Load | None:
        """Return a `Load` of what is left of it at an instant; None if nothing is."""
        if not self._due or self._due >= instant:
            return self.load
        return ready(living(self.load(), instant))


class RereadBuffer:
    """Entries by database and key, None for a key that is gone.

    A context manager: leaving it removes the temporary file.
    """

    def __init__(self) -> None:
        self.kept: dict[RawKey, BufferedEntry | None] = {}
        self._file = temporary_file()

    def keep(self, key: RawKey, entry: Entry | None) -> None:
        """Keep an entry of loose text, in place of an earlier one of the key."""
        self.kept[key] = BufferedEntry(self._file, kinds.canonical(entry)) if entry else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
