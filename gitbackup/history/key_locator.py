"""Where the keys that a selector picks are in a canonical snapshot: few files, or whole folders.

The way to a key goes from folder to folder, as the rules of `format.layout` say:

1.  From a place on, a folder is named by the next namespace of its keys (`_Way.in_place`).
2.  A `_` holds the rest, split by the byte after what all its keys begin with
    (`_Way._split_by_byte`). What they begin with is read from two keys, in two of its ranges.
3.  Far down, keys are split by digits of their hash (`_Way._split_by_hash`).

The keys with one prefix are found in the same way, which ends in the folder where they part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache

from gitbackup.errors import Damaged
from gitbackup.format import codec, layout
from gitbackup.format.patterns import Literal
from gitbackup.history.selector import KeySelector, first_key
from gitbackup.model.changes import FileChange
from gitbackup.model.keys import PLACES
from gitbackup.store.objects.tree_size import DEEPEST
from gitbackup.store.objects.trees import EMPTY_TREE, TreeEntry
from gitbackup.store.repository.repository import Repository

MOST_LITERALS = 10  # of a selector, whose ways are followed
KEPT = 512  # answers of each kind
KEPT_FOLDERS = 2_000

Located = Mapping[str, TreeEntry]
"""Files by path; and folders, of which all files count, by path and a slash."""


class KeyLocator:
    """Finds the files of canonical snapshots that may hold the keys that a selector picks."""

    def __init__(self, repository: Repository, selector: KeySelector) -> None:
        self._selector = selector
        self._differ = repository.history.differ
        self._folders = Folders(repository)
        self._ways = [
            _Way(literal, self._folders.inside, repository.read)
            for literal in (selector.literals if len(selector.literals) <= MOST_LITERALS else [])
        ]
        self._in_snapshot = lru_cache(KEPT)(self._find_in_snapshot)

    def changes(self, before: str | None, after: str) -> list[FileChange]:
        """Return the files that differ between two canonical snapshots, of those that may hold
        selected keys.

        The snapshots are given by their trees' ids; None is the empty one. Raises Damaged if one
        cannot be read.
        """
        old: Located = self._in_snapshot(before) if before else {}
        new = self._in_snapshot(after)
        changes: list[FileChange] = []
        for path in sorted(old.keys() | new.keys()):
            entries = old.get(path), new.get(path)
            if entries[0] == entries[1]:
                continue
            old_id, new_id = (entry.id if entry else None for entry in entries)
            if path.endswith("/"):
                inside = self._differ(old_id, new_id or EMPTY_TREE)
                changes += (each._replace(path=path + each.path) for each in inside)
            else:
                changes.append(FileChange(path, old_id, new_id))
        return [each for each in changes if self._selector.in_file(each.path)]

    def prepare(self, trees: Sequence[str]) -> None:
        """Read together the folders that are likely to be asked for of these snapshots, which are
        given by their trees' ids."""
        self._folders.prefetch(trees)

    def _find_in_snapshot(self, tree: str) -> Located:
        """Return what may hold selected keys in a canonical snapshot, given by its tree's id.

        Raises Damaged if it cannot be read.
        """
        located: dict[str, TreeEntry] = {}
        for place, entry in self._folders.inside("", tree).items():
            if entry.folder and self._selector.in_place(place):
                if place in PLACES.values() or not self._ways:
                    located[f"{place}/"] = entry
                else:
                    for way in self._ways:
                        located.update(way.in_place(f"{place}/", entry, 0))
        return located


class Folders:
    """The content of folders, read for many snapshots together and kept."""

    def __init__(self, repository: Repository) -> None:
        self._read = repository.folders
        self._known: dict[str, dict[str, TreeEntry]] = {}
        self._paths: set[str] = set()  # of folders that were asked for, which others will be too

    def inside(self, path: str, tree: str) -> dict[str, TreeEntry]:
        """Return the entries of a folder, given by its tree's id and its path with a slash."""
        if tree not in self._known:
            if len(self._paths) > KEPT:
                self._paths.clear()
            self._paths.add(path)
            self._take([tree])
        return self._known[tree]

    def prefetch(self, trees: Iterable[str]) -> None:
        """Read the folders of these snapshots, given by their trees' ids, at all paths that were
        asked for before.

        Stops if one cannot be read; the error is raised when that one is asked for.
        """
        ids = {"": {*trees}}
        with suppress(Damaged):
            self._take(ids[""])
            for path in sorted(self._paths - {""}):  # what a folder is in comes before it
                parent, _, name = path[:-1].rpartition("/")
                parents = ids.get(f"{parent}/" if parent else "", set())
                entries = (self._known[tree].get(name) for tree in parents if tree in self._known)
                ids[path] = {entry.id for entry in entries if entry and entry.folder}
                self._take(ids[path])

    def _take(self, trees: Iterable[str]) -> None:
        missing = [tree for tree in trees if tree not in self._known]
        if len(self._known) > KEPT_FOLDERS:
            self._known.clear()
        self._known.update(zip(missing, self._read(missing), strict=True))


class _Way:
    """The way to a key, or to all keys with one prefix, in any snapshot.

    Its methods return what holds these keys below a folder, which is given by its path and entry.
    Of each `_find_...`, the method without `_find` keeps the answers.
    """

    def __init__(
        self,
        literal: Literal,
        inside: Callable[[str, str], dict[str, TreeEntry]],
        read: Callable[[str], bytes],
    ) -> None:
        self._key, self._whole = literal
        self._inside = inside
        self._first_key = lru_cache(KEPT)(lambda blob: first_key(read(blob)))
        self._ranges: dict[str, tuple[dict[str, TreeEntry], bytes]] = {}
        self.in_place = lru_cache(KEPT)(self._find_in_place)
        self._split_by_byte = lru_cache(KEPT)(self._find_split_by_byte)
        self._own_file = lru_cache(KEPT)(lambda path: f"{layout.own_file(path, self._key)}.json")

    def _find_in_place(self, path: str, folder: TreeEntry, size: int) -> dict[str, TreeEntry]:
        """Return what holds the key below the folder of a place, whose name has `size` bytes.

        A name with 8 digits of a hash may be that of another prefix: the key is there, or is not.
        """
        if not self._whole and size == len(self._key):
            return {path: folder}
        inside = self._inside(path, folder.id)
        found = self._own_files(path, inside)
        end = self._key.find(b":", size) + 1
        for name in _place_names(self._key[:end], size) if end else ():
            if file := inside.get(f"{name}.json"):
                found[f"{path}{name}.json"] = file
            elif place := inside.get(name):
                deeper = f"{path}{name}/"
                found.update(
                    self._split_by_hash(deeper, place, 0)
                    if _is_deep(deeper)
                    else self.in_place(deeper, place, end)
                )
        if not end and not self._whole:
            text = self._key[size:]
            found.update(
                (f"{path}{name}/" if entry.folder else f"{path}{name}", entry)
                for name, entry in inside.items()
                if "~" in name or codec.raw(name).startswith(text)
            )
        return found | self._in_child(path, "_", inside)

    def _in_child(self, path: str, name: str, inside: dict[str, TreeEntry]) -> dict[str, TreeEntry]:
        """Return what holds the key in the file or folder of the rest, or of a range."""
        if file := inside.get(f"{name}.json"):
            return {f"{path}{name}.json": file}
        folder = inside.get(name)
        if folder is None:
            return {}
        deeper = f"{path}{name}/"
        if _is_deep(deeper):
            return self._split_by_hash(deeper, folder, 0)
        return self._split_by_byte(deeper, folder)

    def _find_split_by_byte(self, path: str, folder: TreeEntry) -> dict[str, TreeEntry]:
        """Return what holds the key below a folder that is split by a byte."""
        inside = self._inside(path, folder.id)
        shared = self._shared(path, inside)
        if shared is None or (not self._whole and shared.startswith(self._key)):
            return {path: folder}
        found = self._own_files(path, inside)
        if self._key == shared:
            return found | self._in_child(path, "_", inside)
        if self._key.startswith(shared):
            byte = self._key[len(shared)]
            for name in {name.removesuffix(".json") for name in inside}:
                if _may_hold(name, byte):
                    found.update(self._in_child(path, name, inside))
        return found

    def _split_by_hash(self, path: str, folder: TreeEntry, digits: int) -> dict[str, TreeEntry]:
        """Return what holds the key below a folder that is split by the hash of its keys, of
        which so many digits led there."""
        if not self._whole:
            return {path: folder}
        inside = self._inside(path, folder.id)
        found = self._own_files(path, inside)
        name = layout.digest(self._key)[digits : digits + 1]
        if file := inside.get(f"{name}.json"):
            found[f"{path}{name}.json"] = file
        elif name and (deeper := inside.get(name)):
            found.update(self._split_by_hash(f"{path}{name}/", deeper, digits + 1))
        return found

    def _own_files(self, path: str, inside: dict[str, TreeEntry]) -> dict[str, TreeEntry]:
        """Return the files in a folder that are the key's own, or may be of keys that begin so."""
        if self._whole:
            own = self._own_file(path)
            file = inside.get(own.rpartition("/")[2])
            return {own: file} if file else {}
        return {path + name: inside[name] for name in inside if _is_own(name)}

    def _shared(self, path: str, inside: dict[str, TreeEntry]) -> bytes | None:
        """Return what all keys below a folder that is split by a byte begin with; None if they
        cannot be told from few files.

        As long as two of its ranges are what they were, so is that.
        """
        ranges = {name: entry for name, entry in inside.items() if not _is_own(name)}
        known, shared = self._ranges.get(path, ({}, b""))
        if sum(known.get(name) == entry for name, entry in ranges.items()) < 2:
            if len(ranges) < 2:
                return None
            names = [*ranges]
            one, other = (
                self._some_key(path + name, ranges[name]) for name in (names[0], names[-1])
            )
            if one is None or other is None:
                return None
            shared = layout.shared(one, other)
        self._ranges[path] = ranges, shared
        return shared

    def _some_key(self, path: str, entry: TreeEntry) -> bytes | None:
        """Return a key that is in a file, or in some file below a folder; None without one."""
        if not entry.folder:
            return self._first_key(entry.id)
        inside = self._inside(f"{path}/", entry.id)
        for name in sorted(inside, key=lambda name: inside[name].folder):
            if not _is_own(name) and path.count("/") < DEEPEST:
                return self._some_key(f"{path}/{name}", inside[name])
        return None


_place_names = lru_cache(KEPT)(layout.place_names)
_may_hold = lru_cache(KEPT)(layout.range_may_hold)


@lru_cache(KEPT)
def _is_own(name: str) -> bool:
    return layout.is_own(name.removesuffix(".json"))


def _is_deep(path: str) -> bool:
    """Return whether the layout splits a folder by hash, by its path with `dbN/` and a slash."""
    return len(path.rstrip("/").partition("/")[2]) > layout.DEEP
