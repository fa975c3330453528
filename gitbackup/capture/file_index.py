"""Which keys are in which file of one database, and what was last written to each file.

The layout puts the keys into groups, by the names of all of them. A group's entries are one file,
and each very large entry is a file of its own. Once some keys have come, gone or changed,
`settle()` writes only the groups that hold other keys than before, or hold them with other values:
from the entries that were read again, and from the files written before.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from functools import lru_cache
from itertools import chain
from typing import Protocol

from gitbackup.capture.expiries import first_expiry, living
from gitbackup.capture.reread_buffer import BufferedEntry, Load, ready
from gitbackup.errors import GitbackupError
from gitbackup.format import codec
from gitbackup.format.slices import find
from gitbackup.model.keys import Entry, Key
from gitbackup.snapshot import file_format
from gitbackup.store.repository.reply_cache import CachedBlob

AFTER_COLON = bytes((ord(":") + 1,))
LONGEST_RUN = 10_000  # names that are looked at together
FEW = 100  # names that are inserted one by one
DECODED_GROUPS = 8  # that are kept: keys come sorted, so few are enough


class Sink(Protocol):
    """Takes the files of a snapshot as they are made."""

    def put(self, path: str, content: bytes) -> str:
        """Take a file, in place of an earlier one of its path; return the id of its blob."""
        ...

    def drop(self, path: str) -> None:
        """Remove a file that was put."""
        ...

    def read(self, path: str, blob_id: str) -> bytes:
        """Return the content of a file that was put, even if its path has another file now."""
        ...

    def recall(self, path: str, digest: bytes) -> CachedBlob | None:
        """Put the file that was made of replies with this digest before.

        Return its blob; None if the file is not known, or is another one at this path.
        """
        ...

    def remember(self, digest: bytes, blob: CachedBlob) -> None:
        """Note that the file was made of replies with this digest."""
        ...


class FileIndex:
    """One database's groups and their files.

    `names` are its keys, sorted; those in `gone` have vanished since they were listed.
    """

    def __init__(self, db: int, names: Sequence[bytes]) -> None:
        self.names = names
        self.gone: set[bytes] = set()
        self._db = db
        self._blobs: dict[str, dict[str, str]] = {}  # by a group's path, its files' ids by path
        self._due: dict[str, str] = {}  # when the first key or field of a group expires

    def __len__(self) -> int:
        return len(self.names) - len(self.gone)

    def __iter__(self) -> Iterator[tuple[str, Sequence[bytes]]]:
        """Yield each group's path and the names of its keys.

        Raises GitbackupError if two groups have the same path.
        """
        paths: set[str] = set()
        for path, names in file_format.place_files(self._db, self.names):
            _check_first(path, paths)
            yield path, names

    def namespaces(self) -> Counter[str]:
        """Return how many keys there are in each namespace."""
        counts: Counter[str] = Counter()
        for run in _runs(self.names):
            if _is_text(run):
                counts[self._namespace(run[0])] += len(run)
            else:
                counts.update(map(self._namespace, run))
        counts.subtract(map(self._namespace, self.gone))
        return +counts

    def holds(self, name: bytes) -> bool:
        """Return whether there is this key."""
        return self._is_listed(name) and name not in self.gone

    def put(self, path: str, entries: Mapping[str, Entry], sink: Sink) -> None:
        """Write a group. Its entries are by loose name, and may hold loose text."""
        self._write(path, entries, file_format.encode_file, sink)

    def recall(self, path: str, digest: bytes, sink: Sink) -> bool:
        """Write a group as it was when the replies had this digest; return False if unknown."""
        cached = sink.recall(path, digest)
        if cached:
            self._blobs[path] = {path: cached.blob}
            if cached.due:
                self._due[path] = cached.due
        return cached is not None

    def remember(self, path: str, digest: bytes, sink: Sink) -> None:
        """Note that a group was made of replies with this digest, if it is one file."""
        if (blob := self._blobs[path].get(path)) and len(self._blobs[path]) == 1:
            sink.remember(digest, CachedBlob(blob, self._due.get(path, "")))

    def check(self) -> None:
        """Raise GitbackupError if two groups have a file of the same path."""
        paths: set[str] = set()
        for path in chain.from_iterable(self._blobs.values()):
            _check_first(path, paths)

    def drop(self, sink: Sink) -> None:
        """Remove all files from the sink."""
        for path in sorted(_paths(self._blobs.values())):
            sink.drop(path)

    def first_due(self) -> str:
        """Return when the first key or field expires; an empty string if none does."""
        return min(self._due.values(), default="")

    def expired(self, instant: str, sink: Sink) -> set[bytes]:
        """Return the keys that have expired by then, in whole or in part, and are new to this."""
        names: set[bytes] = set()
        for path, entries in self._due_by(instant, sink):
            left = {name: living(entry, instant) for name, entry in entries.items()}
            names |= {name for name, entry in entries.items() if left[name] is not entry}
            self._note_due(path, [entry for entry in left.values() if entry])
        return names

    def settle(self, reread: Mapping[bytes, BufferedEntry | None], now: int, sink: Sink) -> None:
        """Write the groups that differ by what was `reread`, and by what had expired at `now`.

        `now` is in milliseconds since 1970.
        """
        instant = str(codec.instant(now))
        changed: dict[bytes, Load | None] = {}
        for _, entries in self._due_by(instant, sink):
            for name, entry in entries.items():
                if (left := living(entry, instant)) is not entry:
                    changed[name] = ready(left)
        for name, buffered in reread.items():
            changed[name] = buffered.living(instant) if buffered else None
        if not (changed or self.gone):
            return
        before, gone = self.names, self.gone
        self._rename(changed)
        old, new = file_format.differing_files(
            self._db, before, self.names, sorted(gone.union(changed))
        )
        blobs = {path: self._blobs.pop(path) for path in old}
        entry_before = _entries_before(old, blobs, sink)
        for path in old:
            self._due.pop(path, None)
        for path, names in new.items():
            now_there: dict[str, Entry] = {}
            for name in names:
                load = changed.get(name)
                now_there[codec.text(name)] = load() if load else entry_before(name)
            self._write(path, now_there, file_format.encode_canonical, sink)
        written = _paths(self._blobs[path] for path in new)
        for path in sorted(_paths(blobs.values()) - written):
            sink.drop(path)

    def _write(
        self,
        path: str,
        entries: Mapping[str, Entry],
        encode: Callable[[str, Mapping[str, Entry]], list[tuple[str, bytes]]],
        sink: Sink,
    ) -> None:
        files = encode(path, entries) if entries else []
        self._blobs[path] = {each: sink.put(each, content) for each, content in files}
        self._note_due(path, entries.values())

    def _note_due(self, path: str, entries: Collection[Entry]) -> None:
        """Note when the first of a group's entries expires."""
        if due := first_expiry(entries):
            self._due[path] = due
        else:
            self._due.pop(path, None)

    def _due_by(self, instant: str, sink: Sink) -> Iterator[tuple[str, dict[bytes, Entry]]]:
        """Yield the path and the entries of each group of which something had expired by then."""
        for path in [path for path, first in self._due.items() if first < instant]:
            yield path, _decoded(self._blobs[path], sink)

    def _rename(self, changed: Mapping[bytes, Load | None]) -> None:
        """Bring `names` up to date: a changed key exists if it has an entry, else it is gone."""
        gone = self.gone.union(name for name, entry in changed.items() if entry is None)
        gone = {name for name in gone if changed.get(name) is None and self._is_listed(name)}
        come = sorted(
            name for name, entry in changed.items() if entry and not self._is_listed(name)
        )
        if gone or come:
            self.names = _renamed(self.names, gone, come)
        self.gone = set()

    def _namespace(self, name: bytes) -> str:
        return Key(self._db, codec.text(name)).namespace

    def _is_listed(self, name: bytes) -> bool:
        at = bisect_left(self.names, name)
        return at < len(self.names) and self.names[at] == name


def _runs(names: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Yield sorted names in runs that are equal up to their first colon, of a bounded length."""
    start = 0
    while start < len(names):
        head, colon, _ = names[start].partition(b":")
        stop = start + 1
        if colon:
            stop = find(names, head + AFTER_COLON, start, min(start + LONGEST_RUN, len(names)))
        yield names[start:stop]
        start = stop


def _is_text(names: Iterable[bytes]) -> bool:
    """Return whether each name is valid UTF-8."""
    try:
        b"\n".join(names).decode()
    except UnicodeDecodeError:
        return False
    return True


def _renamed(names: Sequence[bytes], gone: Set[bytes], come: Sequence[bytes]) -> list[bytes]:
    """Return sorted names without those that are `gone`, and with the sorted ones that `come`."""
    if len(gone) + len(come) > FEW:
        left = (name for name in names if name not in gone)
        return sorted([*left, *come])  # merging two sorted lists is fast
    renamed = [*names]
    for name in gone:
        del renamed[bisect_left(renamed, name)]
    for name in come:
        insort(renamed, name)
    return renamed


def _entries_before(
    groups: Mapping[str, Sequence[bytes]], blobs: Mapping[str, dict[str, str]], sink: Sink
) -> Callable[[bytes], Entry]:
    """Return a function that returns a key's entry, as it was written in one of these groups."""
    group_of = {name: path for path, names in groups.items() for name in names}

    @lru_cache(DECODED_GROUPS)
    def entries(path: str) -> dict[bytes, Entry]:
        return _decoded(blobs[path], sink)

    return lambda name: entries(group_of[name])[name]


def _check_first(path: str, seen: set[str]) -> None:
    if path in seen:
        raise GitbackupError(f"{path!r} is the path of two files: please report this")
    seen.add(path)


def _decoded(blobs: Mapping[str, str], sink: Sink) -> dict[bytes, Entry]:
    """Return the entries of a group by name, from the files that were written for it."""
    return {
        codec.data(key.name): entry
        for path, blob_id in blobs.items()
        for key, entry in file_format.decode_own(path, sink.read(path, blob_id)).items()
    }


def _paths(groups: Iterable[Iterable[str]]) -> set[str]:
    return {path for files in groups for path in files}
