"""How many files trees stand for, and how deep they are, before git follows them to the end.

Trees that name one other many times, which does the same, and so on, are a few bytes, and more
files than any disk could hold. Each tree is looked at once, however often it is named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from gitbackup.store.git.command import Commands, text
from gitbackup.store.objects.object_reader import ObjectReader

MOST_FILES = 10_000_000  # of a commit, its folders among them: over a billion keys
DEEPEST = 200  # folders in each other; the layout makes fewer
LONGEST = 1024
"""Bytes of a path, on the average; the layout's are shorter."""

MANY = 1_000_000
COPIES = 16
"""Databases may be copies of each other: of more than MANY files, not more than so many."""

_ENTRY = re.compile(rb"([0-7]+) ([^\0]+)\0(.{20})", re.DOTALL)
_FOLDER = b"40000"
_AT_ONCE = 256  # trees
_MOST_HELD = 16 * 1024 * 1024  # bytes of trees that wait


def beyond(git: Commands, trees: Iterable[str]) -> str:
    """Return what of these trees is beyond all measure; empty if nothing is.

    Raises Damaged if one cannot be read.
    """
    reader = ObjectReader(git)
    try:
        measure = _Measure(reader)
        return next(filter(None, map(measure.take, trees)), "")
    finally:
        reader.close()


def of_commits(git: Commands, ends: Iterable[str]) -> Iterator[str]:
    """Yield the trees of the commits between these ends, each once."""
    lines = text(git.run("rev-list", "--format=%T", *ends)).split("\n")
    yield from dict.fromkeys(line for line in lines if line and " " not in line)


class _Size(NamedTuple):
    """Files and folders, folders in each other, and bytes of all paths."""

    files: int = 0
    depth: int = 0
    paths: int = 0


class _Open(NamedTuple):
    """A tree whose folders, each with its name's length, are being measured."""

    id: str
    own: _Size
    folders: list[tuple[str, int]]
    left: Iterator[tuple[str, int]]


class _Measure:
    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader
        self._known: dict[str, _Size] = {}
        self._ahead: dict[str, bytes] = {}
        self._held = 0  # bytes of these
        self._different: set[bytes] = set()  # ids of what the trees name

    def take(self, tree: str) -> str:
        """Measure a tree after all that it contains; return why it is too large, if it is."""
        todo = [] if tree in self._known else [self._opened(tree)]
        while todo:
            folder = next((id_ for id_, _ in todo[-1].left if id_ not in self._known), None)
            if folder is None:
                done = todo.pop()
                size = self._known[done.id] = self._sum(done)
            else:
                todo.append(self._opened(folder))
                size = _Size(depth=len(todo))
            if self._is_beyond(size):
                return f"at least {size.files:,} files, at least {size.depth:,} folders deep"
        return ""

    def _opened(self, tree: str) -> _Open:
        found = _ENTRY.findall(self._read(tree))
        self._different.update(id_ for _, _, id_ in found)
        folders = [(id_.hex(), len(name) + 1) for mode, name, id_ in found if mode == _FOLDER]
        self._read_ahead([id_ for id_, _ in folders])
        own = _Size(len(found), 1, sum(len(name) for _, name, _ in found))
        return _Open(tree, own, folders, iter(folders))

    def _read(self, tree: str) -> bytes:
        data = self._ahead.pop(tree, None)
        if data is None:
            return next(self._reader.trees([tree]))
        self._held -= len(data)
        return data

    def _read_ahead(self, trees: list[str]) -> None:
        """Read some trees at once, as far as they fill little memory."""
        new = (t for t in dict.fromkeys(trees) if t not in self._known and t not in self._ahead)
        wanted = [*islice(new, _AT_ONCE)] if self._held < _MOST_HELD else []
        for tree, data in zip(wanted, self._reader.trees(wanted), strict=True):
            self._ahead[tree] = data
            self._held += len(data)

    def _sum(self, tree: _Open) -> _Size:
        files, depth, paths = tree.own
        for id_, name in tree.folders:
            inner = self._known[id_]
            files += inner.files
            depth = max(depth, 1 + inner.depth)
            paths += inner.paths + name * inner.files
        return _Size(files, depth, paths)

    def _is_beyond(self, size: _Size) -> bool:
        return (
            size.files > min(MOST_FILES, MANY + COPIES * len(self._different))
            or size.depth > DEEPEST
            or size.paths > LONGEST * (size.files + MANY)
        )
