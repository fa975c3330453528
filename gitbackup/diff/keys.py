"""Which keys differ between two snapshots, told file by file, in memory that fits the change."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from gitbackup.errors import Damaged
from gitbackup.format.exact import canonical
from gitbackup.format.unprintable import hides
from gitbackup.kinds import KINDS
from gitbackup.model.changes import Action, Counts, KeyChange
from gitbackup.model.file_groups import count_by_namespace, listed, parts, total
from gitbackup.model.keys import Entry, Key, db_of

FLOATING = frozenset(name for name, kind in KINDS.items() if kind.floats)
"""Types for whose values == is not exact."""

SUBJECT = 72
"""The most characters of a commit's subject."""

NAME = 32
"""The most characters of a name in a subject."""

MANY = 16
"""Keys of a file that changed, from which on they are told together."""


class _Found(NamedTuple):
    path: str | None
    digest: bytes


class FileKeys(NamedTuple):
    """Keys of one file, sorted, a block of changes: all that came, or went, with it, or those of
    them that changed in it."""

    action: Action
    path: str
    db: int
    names: Sequence[str]

    def item(self, at: int) -> KeyChange:
        before = None if self.action is Action.ADDED else self.path
        after = None if self.action is Action.REMOVED else self.path
        return KeyChange(Key(self.db, self.names[at]), self.action, before, after)


class KeyDiffer:
    """Finds the keys that differ. It is given the files that differ, one by one.

    A key that went from one file and came in another has moved, which is a change only if its
    entry differs; so entries are remembered by a digest until the end. Files that only one side
    has are given last: of these, the names of keys are mostly enough.
    """

    def __init__(self) -> None:
        self._together: list[FileKeys] = []
        self._told: dict[int, set[str]] = {}  # by database, once the first whole file has come
        self._names: defaultdict[int, set[str]] = defaultdict(set)  # of those told together
        self._changed: dict[Key, KeyChange] = {}
        self._removed: dict[Key, _Found] = {}
        self._added: dict[Key, _Found] = {}

    def file(
        self,
        before_path: str | None,
        before: Mapping[Key, Entry],
        after_path: str | None,
        after: Mapping[Key, Entry],
        known: Sequence[str] = (),
    ) -> None:
        """Take a file as it was and as it is; without a path and keys where it does not exist.

        `known` are the names of its keys, sorted, if somebody keeps them anyway.
        """
        changed = list[Key]()
        for key, entry in before.items():
            if key not in after:
                _remember(self._removed, key, before_path, entry)
            elif not _equal(entry, after[key]):
                changed.append(key)
        if len(changed) >= MANY and after_path and before_path == after_path:
            together = {key.name for key in changed}
            names = [name for name in known if name in together]
            names = names if len(names) == len(together) else sorted(together)
            self._take(FileKeys(Action.CHANGED, after_path, changed[0].db, names))
        else:
            new = (KeyChange(key, Action.CHANGED, before_path, after_path) for key in changed)
            self._changed.update((change.key, change) for change in new)
        for key, entry in after.items():
            if key not in before:
                _remember(self._added, key, after_path, entry)

    def whole(self, file: FileKeys, entries: Callable[[], Mapping[Key, Entry]]) -> None:
        """Take a file that only one side has; the other side may have its keys in other files.

        `entries` gives its entries, which are needed where one of its keys has moved.
        """
        told = self._told_of(file.db)
        if told.isdisjoint(file.names):
            self._take(file)
            return
        told.update(file.names)
        gone = file.action is Action.REMOVED
        self.file(*(file.path, entries(), None, {}) if gone else (None, {}, file.path, entries()))

    def changes(self) -> Sequence[KeyChange]:
        """Return the keys that differ, sorted: functions first, then by database and name."""
        keys = {**self._changed, **self._removed, **self._added}  # in order already, mostly
        found = (self._change(key) for key in sorted(keys))
        return listed([change for change in found if change is not None], self._together)

    def _take(self, file: FileKeys) -> None:
        names = self._names[file.db]
        if not names.isdisjoint(file.names):
            self._refuse(Key(file.db, min(names.intersection(file.names))), file.path)
        names.update(file.names)
        self._together.append(file)

    def _refuse(self, key: Key, path: str | None) -> None:
        """Raise Damaged for a key that is in a file of keys that are told together, too."""
        for other in self._together:
            if other.db == key.db and key.name in other.names:
                _refuse_second(key, path, _Found(other.path, b""))

    def _told_of(self, db: int) -> set[str]:
        """Return the names of the keys of a database that came or went one by one."""
        if db not in self._told:
            both = {**self._changed, **self._removed, **self._added}
            self._told[db] = {key.name for key in both if key.db == db}
        return self._told[db]

    def _change(self, key: Key) -> KeyChange | None:
        removed, added = self._removed.get(key), self._added.get(key)
        if key.name in self._names.get(key.db, ()):
            alone = removed or added
            self._refuse(key, alone.path if alone else self._changed[key].before)
        if key in self._changed:
            change = self._changed[key]
            _refuse_second(key, change.before, removed)
            _refuse_second(key, change.after, added)
            return change
        if removed is None:
            return KeyChange(key, Action.ADDED, None, added.path if added else None)
        if added is None:
            return KeyChange(key, Action.REMOVED, removed.path, None)
        if removed.digest == added.digest:
            return None
        return KeyChange(key, Action.CHANGED, removed.path, added.path)


def _remember(found: dict[Key, _Found], key: Key, path: str | None, entry: Entry) -> None:
    _refuse_second(key, path, found.get(key))
    digest = hashlib.blake2b(canonical(entry), digest_size=32).digest()
    found[key] = _Found(path, digest)


def _refuse_second(key: Key, path: str | None, other: _Found | None) -> None:
    if other is not None:
        raise Damaged(
            f"key {key} is in two files, {other.path} and {path}: remove it from one of them"
        )


def _equal(before: Entry, after: Entry) -> bool:
    """Return whether two entries are equal, comparing canonical bytes if a number could mislead
    `==`."""
    if before != after:
        return False
    return before["type"] not in FLOATING or canonical(before) == canonical(after)


def subject(changes: Sequence[KeyChange]) -> str:
    """Return a commit's subject in one line: the namespaces where most changed, and how."""
    counts = total(changes)
    if not counts:
        return "nothing changed"
    alone = {change.key: change for change in _nameless(changes)}
    named = list(count_by_namespace(changes).items())
    told = [_part(place, space, counted, alone) for (place, space), counted in named]
    biggest = sorted(range(len(told)), key=lambda at: (-_sum(named[at][1]), at))
    line = _fitting(told, biggest)
    if line is None or (line.endswith(" more") and counts.added == _sum(counts)):
        return _summary(counts, len(told))
    return line


def _nameless(changes: Iterable[KeyChange]) -> Iterator[KeyChange]:
    """Yield the changes of keys that are in no namespace but their own."""
    few, blocks = parts(changes)
    yield from (change for change in few if ":" not in change.key.name)
    for block in blocks:
        yield from (block.item(at) for at, name in enumerate(block.names) if ":" not in name)


def _sum(counts: Counts) -> int:
    return counts.added + counts.changed + counts.removed


def _part(place: str, space: str, counts: Counts, alone: Mapping[Key, KeyChange]) -> str:
    where = _shown(space) if place == "db0" else f"{place} {_shown(space)}"
    single = alone.get(Key(db_of(place), space))
    return f"{where} {single.action}" if single and _sum(counts) == 1 else f"{where}: {counts}"


def _shown(name: str) -> str:
    """Return a name for one line of plain text: cut short, without control characters."""
    clean = "".join("?" if hides(c) else c for c in name[: NAME + 1])
    return (clean if len(clean) <= NAME else f"{clean[: NAME - 1]}…") or '""'


def _fitting(parts: Sequence[str], biggest: Sequence[int]) -> str | None:
    """Return the biggest parts that fit on a line, in order, and how many others; None if none
    fits."""
    for shown in range(min(len(parts), SUBJECT), 0, -1):
        others = len(parts) - shown
        chosen = [parts[at] for at in sorted(biggest[:shown])]
        line = "; ".join([*chosen, f"and {others:,} more"] if others else chosen)
        if len(line) <= SUBJECT:
            return line
    return None


def _summary(counts: Counts, namespaces: int) -> str:
    """Return all changes in numbers: `1,164 keys added in 12 namespaces`."""
    one_action = sum(map(bool, (counts.added, counts.changed, counts.removed))) == 1
    line = f"{counts}".replace(" ", " keys ", 1) if one_action else f"{counts}"
    where = f" in {namespaces:,} namespaces" if namespaces > 1 else ""
    return line + where if len(line + where) <= SUBJECT else line
