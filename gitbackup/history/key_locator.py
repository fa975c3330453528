"""Where a key's entry is, or would be, in a canonical snapshot: few paths, for git to follow.

A key's file depends on all other keys. But from one commit to the one before, it stays what
it is while what led to it does: the folders on the way are there, none came in between, and
the keys of a folder that is split by a byte still share what they did, which two of them tell
that are in two of its files, or in the key's. Those are the paths of a route. git tells when
one changes.
All keys that begin alike have a route as well; it ends in a folder where they part.

A name with 8 digits of a hash is taken for that of the prefix that it is the hash of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial

from gitbackup.format import layout
from gitbackup.format.patterns import Literal
from gitbackup.history.split_inference import Split, Two, told_alone
from gitbackup.model.changes import FileChange
from gitbackup.store.objects.tree_size import DEEPEST
from gitbackup.store.objects.trees import TreeEntry

PATHS = 10_000  # of which it is known whether they may hold the key
Folder = Callable[[str], "dict[str, TreeEntry]"]
Ends = Callable[[str], Two]
"""The names of the first and the last key in a file, by its blob's id."""


class KeyNotLocated(Exception):
    """The way to a key cannot be told from few paths."""


class KeyLocator:
    """The way to a key in one snapshot, and how long it is the way in older ones.

    Or, where its name is not `whole`, to all keys whose names begin so.
    """

    def __init__(
        self,
        key: Literal,
        place: str,
        top: dict[str, TreeEntry],
        folder: Folder,
        ends_of: Ends,
    ) -> None:
        (self._key, self._whole), self._folder, self._ends_of = key, folder, ends_of
        self._there: set[str] = set()  # files whose going would lead elsewhere
        self._absent: set[str] = set()  # names whose coming would
        self._own: set[str] = set()  # files of the key's own, which come and go
        self._holding: set[str] = set()  # files that may hold the key; one, but for odd names
        self._folders: set[str] = set()  # all files below which may
        self._spaces: dict[str, bytes] = {}  # folders, places in which begin so if such keys do
        self._beside: set[str] = set()  # folders in which own files may be of such keys
        self._splits: list[Split] = []
        self._size = 0  # bytes that the keys of what is split share at least
        self._keys: dict[str, Two] = {}  # keys that are in a file
        if place in top:
            self._namespace(f"{place}/", 0, self._folder(top[place].id))
        else:
            self._absent.add(place)
        self._alone = next(filter(self._is_told_alone, self._holding), None)
        self._splits = [*map(self._with_own, self._splits)]
        self._there.update(path for split in self._splits for path in split.files)
        self.may_hold = lru_cache(PATHS)(self._may_hold)
        self._followed = lru_cache(PATHS)(self._is_followed)

    @property
    def paths(self) -> set[str]:
        """The files and folders to follow; for keys that begin alike it is not enough."""
        return self._there | self._absent | self._own

    def _may_hold(self, path: str) -> bool:
        """Whether the key may be in this file, of those that are followed."""
        if self._whole:
            return path in self._holding or path in self._own
        folder, slash, name = path.rpartition("/")
        beside = folder + slash in self._beside and layout.is_own(name.removesuffix(".json"))
        below = path.startswith(tuple(self._folders)) or any(
            _begins(path, parent, text) for parent, text in self._spaces.items()
        )
        return beside or below or path in self._holding

    @property
    def telling(self) -> set[str]:
        """The files of which `ends` looks at what was in them before they changed."""
        return self._keys.keys() & self._there

    def ends(self, changes: Sequence[FileChange]) -> bool:
        """Whether the key's way was another one before these changes."""
        others = False
        for path, before, _ in changes:
            if path in self._there:
                if before is None:
                    return True
                if path in self._keys:
                    keys = self._ends_of(before)
                    others = others or keys != self._keys[path]
                    self._keys[path] = keys
            elif before is not None and path not in self._own and self._followed(path):
                return True
        return others and not self._same_is_shared()

    def _same_is_shared(self) -> bool:
        """Whether what the keys of the folders share is what it was, by the keys known now."""
        if self._alone:
            return self._is_told_alone(self._alone)
        return all(self._shared(*split.files) == split.shared for split in self._splits)

    def _is_followed(self, path: str) -> bool:
        return path in self._absent or any(path.startswith(f"{name}/") for name in self._absent)

    def _namespace(self, parent: str, size: int, names: dict[str, TreeEntry]) -> None:
        """On from the folder of a place, whose prefix has `size` bytes."""
        end = self._key.find(b":", size) + 1
        if end:
            for name in layout.place_names(self._key[:end], size):
                if f"{name}.json" in names:
                    self._file(parent, name, names)
                    return
                if name in names:
                    inner, path = self._folder(names[name].id), f"{parent}{name}/"
                    self._inside(path, inner, partial(self._namespace, path, end, inner))
                    return
                self._absent |= {f"{parent}{name}", f"{parent}{name}.json"}
            self._own_file(parent)
        elif not self._whole and size == len(self._key):
            self._all(parent, names)
            return
        elif not self._whole:
            self._spaces[parent] = self._key[size:]
            self._own_file(parent)
        if "_.json" in names:
            self._file(parent, "_", names)
        elif "_" in names:
            inner, path = self._folder(names["_"].id), f"{parent}_/"
            self._size = size
            self._inside(path, inner, partial(self._split, path, inner))
        else:
            self._nowhere(parent, ["_"], names)

    def _inside(
        self, parent: str, names: dict[str, TreeEntry], further: Callable[[], None]
    ) -> None:
        if len(_within(parent)) > layout.DEEP:
            self._hashed(parent, names, 0)
        else:
            further()

    def _split(self, parent: str, names: dict[str, TreeEntry]) -> None:
        """On from a folder that is split by the byte after what its keys share."""
        files = self._two(parent, names)
        shared = self._shared(*files)
        if not self._whole and shared.startswith(self._key):
            self._all(parent, names)
            return
        self._splits.append(Split(parent, shared, files))
        if self._key == shared:
            if "_.json" in names:
                self._file(parent, "_", names)
            else:
                self._nowhere(parent, ["_"], names)
        elif self._key.startswith(shared):
            self._range(parent, self._key[len(shared)], names)

    def _range(self, parent: str, byte: int, names: dict[str, TreeEntry]) -> None:
        """On to the range that holds the key's next byte; it may go by one of several names."""
        chosen = layout.range_names(byte)
        sure = [n for n in chosen if f"{n}.json" in names and layout.holds_surely(n, byte)]
        if chosen[0] in names:
            inner, path = self._folder(names[chosen[0]].id), f"{parent}{chosen[0]}/"
            self._inside(path, inner, partial(self._split, path, inner))
        elif sure:
            self._file(parent, sure[0], names)
        else:
            self._nowhere(parent, chosen, names)

    def _hashed(self, parent: str, names: dict[str, TreeEntry], digits: int) -> None:
        """On from a folder that is split by the hash of its keys."""
        if not self._whole:
            self._all(parent, names)
            return
        name = layout.digest(self._key)[digits : digits + 1]  # there are 64
        if name in names:
            inner = self._folder(names[name].id)
            self._hashed(f"{parent}{name}/", inner, digits + 1)
        elif f"{name}.json" in names:
            self._file(parent, name, names)
        else:
            self._nowhere(parent, [name], names)

    def _file(self, parent: str, name: str, names: dict[str, TreeEntry]) -> None:
        """The file that holds the key, if any does."""
        path = f"{parent}{name}.json"
        self._there.add(path)
        self._holding.add(path)
        self._keys[path] = self._ends_of(names[f"{name}.json"].id)
        self._own_file(parent)

    def _nowhere(self, parent: str, chosen: list[str], names: dict[str, TreeEntry]) -> None:
        """None of the files that may hold the key is there for sure; some file beside is."""
        odd = {f"{parent}{name}.json" for name in chosen if f"{name}.json" in names}
        self._holding |= odd
        self._there |= {*odd, self._some_file(parent, names)}
        self._absent.update(f"{parent}{name}" for name in chosen)
        self._absent.update({f"{parent}{name}.json" for name in chosen} - odd)
        self._own_file(parent)

    def _is_told_alone(self, path: str) -> bool:
        """Whether keys of this file tell what is shared on all of its way."""
        known = path in self._keys and all(path.startswith(each.folder) for each in self._splits)
        return known and told_alone(self._splits, path, self._size, self._keys[path])

    def _with_own(self, split: Split) -> Split:
        """The same with the key's file as one of the two, which is followed anyway; or alone."""
        if self._alone:
            return split._replace(files=(self._alone,))
        for path in self._holding:
            one, other = split.files
            if path.startswith(split.folder) and path in self._keys:
                return split._replace(files=(path, one if split.apart(path, one) else other))
        return split

    def _all(self, parent: str, names: dict[str, TreeEntry]) -> None:
        """Any file below may hold such keys, as long as the folder is there."""
        self._folders.add(parent)
        self._there.add(self._some_file(parent, names))

    def _own_file(self, parent: str) -> None:
        self._beside.add(parent)
        self._own.add(layout.own_file(parent, self._key) + ".json")

    def _two(self, parent: str, names: dict[str, TreeEntry]) -> tuple[str, str]:
        """A file in each of two ranges of a folder. Raises Lost where it has but one."""
        ranges = [name for name in names if not layout.is_own(name.removesuffix(".json"))]
        if len(ranges) < 2:
            raise KeyNotLocated
        one, other = (self._some_file(parent, {n: names[n]}) for n in (ranges[0], ranges[-1]))
        return one, other

    def _some_file(self, parent: str, names: dict[str, TreeEntry]) -> str:
        """A file in a folder, and a key that is in it. Raises Lost where there is none near."""
        for name, node in names.items():
            if not node.folder:
                path = f"{parent}{name}"
                self._keys[path] = self._ends_of(node.id)
                return path
        if not names or parent.count("/") > DEEPEST:
            raise KeyNotLocated
        name, node = next(iter(names.items()))
        return self._some_file(f"{parent}{name}/", self._folder(node.id))

    def _shared(self, one: str, other: str) -> bytes:
        return layout.shared(self._keys[one][0], self._keys[other][0])


def routes(
    literals: Iterable[Literal],
    places: Iterable[str],
    tree: str,
    folder: Folder,
    ends_of: Ends,
) -> list[KeyLocator] | None:
    """The ways to such keys in these places of a snapshot, given by its tree's id.

    None where they cannot be told from few paths.
    """
    top, each = folder(tree), [place for place in places if place != "functions"]
    try:
        return [KeyLocator(one, place, top, folder, ends_of) for place in each for one in literals]
    except KeyNotLocated:
        return None


def _within(parent: str) -> str:
    """A folder's path below its `dbN/`."""
    return parent.rstrip("/").partition("/")[2]


def _begins(path: str, parent: str, text: bytes) -> bool:
    """Whether a path leads into a place of a folder whose text may begin so."""
    name = path.removeprefix(parent).partition("/")[0]
    return path.startswith(parent) and ("~" in name or name.encode().startswith(text))
