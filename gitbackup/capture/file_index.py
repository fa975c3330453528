"""The files of one database as they were given out, and those that take their place.

Which file a key is in depends on the names of all. Once some keys have come, gone or changed,
only files that hold others, or hold them otherwise, are made again: of what was read again,
and of what the files say in which the rest was given out.
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
FEW = 100  # names, that are put in one by one
PLACES_AT_HAND = 8  # decoded ones: keys come sorted, so few are enough


class Sink(Protocol):
    """Takes the files of a snapshot as they are made."""

    def put(self, path: str, content: bytes) -> str:
        """Takes a file, in place of an earlier one of its path; the id of its blob."""
        ...

    def drop(self, path: str) -> None:
        """Takes a file back."""
        ...

    def read(self, path: str, blob_id: str) -> bytes:
        """The content of a file that was put there, by now in another's place perhaps."""
        ...

    def recall(self, path: str, digest: bytes) -> CachedBlob | None:
        """Takes the file that was made of replies with this digest, if it is known and there."""
        ...

    def remember(self, digest: bytes, made: CachedBlob) -> None:
        """That was made of replies with this digest."""
        ...


class FileIndex:
    """One database's files. `names` are its keys, sorted; `gone` are those that have vanished."""

    def __init__(self, db: int, names: Sequence[bytes]) -> None:
        self.names = names
        self.gone: set[bytes] = set()
        self._db = db
        self._made: dict[str, dict[str, str]] = {}  # a place's files, and the ids of their blobs
        self._due: dict[str, str] = {}  # when the first key or field of a place expires

    def __len__(self) -> int:
        return len(self.names) - len(self.gone)

    def __iter__(self) -> Iterator[tuple[str, Sequence[bytes]]]:
        """The places: each a path, and the names of its keys; GitbackupError for a path of two."""
        paths: set[str] = set()
        for path, names in file_format.place_files(self._db, self.names):
            _check_first(path, paths)
            yield path, names

    def namespaces(self) -> Counter[str]:
        """How many keys there are in each namespace."""
        found: Counter[str] = Counter()
        for run in _runs(self.names):
            if _is_text(run):
                found[self._namespace(run[0])] += len(run)
            else:
                found.update(map(self._namespace, run))
        found.subtract(map(self._namespace, self.gone))
        return +found

    def holds(self, name: bytes) -> bool:
        """Whether there is this key."""
        return self._named(name) and name not in self.gone

    def put(self, path: str, entries: Mapping[str, Entry], sink: Sink) -> None:
        """Gives out a place, whose entries by loose name may hold loose text."""
        self._give(path, entries, file_format.encode_file, sink)

    def recall(self, path: str, digest: bytes, sink: Sink) -> bool:
        """Gives out a place as it was when the replies had this digest; False if nobody knows."""
        made = sink.recall(path, digest)
        if made:
            self._made[path] = {path: made.blob}
            if made.due:
                self._due[path] = made.due
        return made is not None

    def remember(self, path: str, digest: bytes, sink: Sink) -> None:
        """A place that was given out, as one file, was made of replies with this digest."""
        if (blob := self._made[path].get(path)) and len(self._made[path]) == 1:
            sink.remember(digest, CachedBlob(blob, self._due.get(path, "")))

    def check(self) -> None:
        """Raises GitbackupError where two places have a file of the same path."""
        paths: set[str] = set()
        for path in chain.from_iterable(self._made.values()):
            _check_first(path, paths)

    def drop(self, sink: Sink) -> None:
        """Takes all files back."""
        for path in sorted(_paths(self._made.values())):
            sink.drop(path)

    def first_due(self) -> str:
        """When the first key or field expires; nothing where none does."""
        return min(self._due.values(), default="")

    def expired(self, instant: str, sink: Sink) -> set[bytes]:
        """The keys of which all or some has expired by then, and was not told of before."""
        found = set()
        for path in self._due_by(instant):
            entries = _decoded(self._made[path], sink)
            left = {name: living(entry, instant) for name, entry in entries.items()}
            found |= {name for name, entry in entries.items() if left[name] is not entry}
            self._await(path, [entry for entry in left.values() if entry])
        return found

    def settle(self, again: Mapping[bytes, BufferedEntry | None], now: int, sink: Sink) -> None:
        """Gives out what is otherwise once `again` was read, and what had expired at `now` is gone.

        `now` is in milliseconds since 1970.
        """
        instant = str(codec.instant(now))
        changed = self._expired(instant, sink)
        for name, kept in again.items():
            changed[name] = kept.living(instant) if kept else None
        if not (changed or self.gone):
            return
        before, gone = self.names, self.gone
        self._rename(changed)
        old, new = file_format.differing_files(
            self._db, before, self.names, sorted(gone.union(changed))
        )
        made = {path: self._made.pop(path) for path in old}
        held = _holder(old, made, sink)
        for path in old:
            self._due.pop(path, None)
        for path, names in new.items():
            entries = {codec.text(name): _entry(changed.get(name), held, name) for name in names}
            self._give(path, entries, file_format.encode_canonical, sink)
        left = _paths(self._made[path] for path in new)
        for path in sorted(_paths(made.values()) - left):
            sink.drop(path)

    def _give(
        self,
        path: str,
        entries: Mapping[str, Entry],
        encode: Callable[[str, Mapping[str, Entry]], list[tuple[str, bytes]]],
        sink: Sink,
    ) -> None:
        files = encode(path, entries) if entries else []
        self._made[path] = {made: sink.put(made, content) for made, content in files}
        self._await(path, entries.values())

    def _await(self, path: str, entries: Collection[Entry]) -> None:
        """Notes when the first of a place's entries expires."""
        if due := first_expiry(entries):
            self._due[path] = due
        else:
            self._due.pop(path, None)

    def _rename(self, changed: Mapping[bytes, Load | None]) -> None:
        """Some of the keys that have changed are there, and the others are not."""
        gone = self.gone.union(name for name, entry in changed.items() if entry is None)
        gone = {name for name in gone if changed.get(name) is None and self._named(name)}
        come = sorted(name for name, entry in changed.items() if entry and not self._named(name))
        if gone or come:
            self.names = _renamed(self.names, gone, come)
        self.gone = set()

    def _namespace(self, name: bytes) -> str:
        return Key(self._db, codec.text(name)).namespace

    def _named(self, name: bytes) -> bool:
        at = bisect_left(self.names, name)
        return at < len(self.names) and self.names[at] == name

    def _due_by(self, instant: str) -> list[str]:
        return [path for path, first in self._due.items() if first < instant]

    def _expired(self, instant: str, sink: Sink) -> dict[bytes, Load | None]:
        """The keys of which all or some had expired by then, and what is left of them."""
        places = (self._made[path] for path in self._due_by(instant))
        held = (pair for made in places for pair in _decoded(made, sink).items())
        left = {name: (entry, living(entry, instant)) for name, entry in held}
        return {name: ready(after) for name, (before, after) in left.items() if after is not before}


def _runs(names: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Sorted names in stretches that are equal up to their first colon, and bounded in length."""
    start = 0
    while start < len(names):
        head, colon, _ = names[start].partition(b":")
        stop = start + 1
        if colon:
            stop = find(names, head + AFTER_COLON, start, min(start + LONGEST_RUN, len(names)))
        yield names[start:stop]
        start = stop


def _is_text(names: Iterable[bytes]) -> bool:
    """Whether each is valid UTF-8."""
    try:
        b"\n".join(names).decode()
    except UnicodeDecodeError:
        return False
    return True


def _renamed(names: Sequence[bytes], gone: Set[bytes], come: Sequence[bytes]) -> list[bytes]:
    """Sorted names without some, and with others, which are sorted too."""
    if len(gone) + len(come) > FEW:
        left = (name for name in names if name not in gone)
        return sorted([*left, *come])  # of two sorted lists it makes one in no time
    few = [*names]
    for name in gone:
        del few[bisect_left(few, name)]
    for name in come:
        insort(few, name)
    return few


def _holder(
    places: Mapping[str, Sequence[bytes]], made: Mapping[str, dict[str, str]], sink: Sink
) -> Callable[[bytes], Entry]:
    """Gives a key's entry as it was given out in one of these places."""
    homes = {name: path for path, names in places.items() for name in names}

    @lru_cache(PLACES_AT_HAND)
    def entries(path: str) -> dict[bytes, Entry]:
        return _decoded(made[path], sink)

    return lambda name: entries(homes[name])[name]


def _entry(load: Load | None, held: Callable[[bytes], Entry], name: bytes) -> Entry:
    return load() if load else held(name)


def _check_first(path: str, seen: set[str]) -> None:
    if path in seen:
        raise GitbackupError(f"{path!r} is the path of two files: please report this")
    seen.add(path)


def _decoded(made: Mapping[str, str], sink: Sink) -> dict[bytes, Entry]:
    """The entries of a place by name, by the files that were given out for it."""
    return {
        codec.data(key.name): entry
        for path, blob_id in made.items()
        for key, entry in file_format.decode_own(path, sink.read(path, blob_id)).items()
    }


def _paths(made: Iterable[Iterable[str]]) -> set[str]:
    return {path for files in made for path in files}
