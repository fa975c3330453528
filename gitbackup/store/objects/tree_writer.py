"""Make the tree of a snapshot from that of another, by the files that differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gitbackup.errors import GitbackupError
from gitbackup.store.objects.trees import FOLDER, TreeEntry, encode

FILE = "100644"
NO_NAMES = {"", ".", ".."}
NEVER = ".git"  # in any case of its letters

Folder = Mapping[str, TreeEntry]
Read = Callable[[str], Folder]
Put = Callable[[bytes], str]


def write(base: Folder, changes: Mapping[str, str | None], read: Read, put: Put) -> str:
    """Return the id of the tree that has the entries of `base`, with `changes`.

    These are a blob's id by path, None to remove what is there; a folder that becomes empty goes.
    `read` returns the entries of a folder by its tree's id; only those with changes are read. `put`
    takes the content of each tree that may be new, and returns its id. Raises GitbackupError for a
    path that git cannot hold.
    """
    root = _Folder(base, read)
    for path, blob in changes.items():  # first, for a folder may replace a file
        if blob is None:
            root.remove(path)
    for path, blob in changes.items():
        if blob is not None:
            root.add(path, TreeEntry(FILE, blob))
    return root.write(put)


class _Folder:
    """A folder that is being changed; those in it that are, too, are in `_open`."""

    def __init__(self, entries: Folder, read: Read) -> None:
        self._entries = {**entries}
        self._open: dict[str, _Folder] = {}
        self._read = read

    def remove(self, path: str) -> None:
        name, _, rest = path.partition("/")
        inner = self._inner(name) if rest else None
        if inner:
            inner.remove(rest)
        if not rest or (inner and not inner._entries):
            self._entries.pop(name, None)
            self._open.pop(name, None)

    def add(self, path: str, entry: TreeEntry) -> None:
        name, slash, rest = path.partition("/")
        if name in NO_NAMES or name.lower() == NEVER:
            raise GitbackupError(f"git cannot hold a file at {path!r}")
        if not slash:
            self._open.pop(name, None)
            self._entries[name] = entry
            return
        inner = self._inner(name)
        if inner is None:
            inner = self._open[name] = _Folder({}, self._read)
            self._entries[name] = TreeEntry(FOLDER, "")  # known once it is written
        inner.add(rest, entry)

    def write(self, put: Put) -> str:
        """Put the folder and those in it that have changed; return its id."""
        for name, inner in self._open.items():
            self._entries[name] = TreeEntry(FOLDER, inner.write(put))
        return put(encode(self._entries))

    def _inner(self, name: str) -> _Folder | None:
        """Return the folder of a name in it; None if there is none."""
        entry = self._entries.get(name)
        if name not in self._open and entry and entry.folder:
            self._open[name] = _Folder(self._read(entry.id), self._read)
        return self._open.get(name)
