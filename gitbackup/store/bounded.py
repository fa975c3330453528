"""Commits from elsewhere are measured before they come: how many files they have, and how deep.

Trees that name one other many times, which does the same, and so on, are a few bytes, and more
files than any disk could hold. Each tree is looked at once, however often it is named.
"""

from __future__ import annotations

from typing import NamedTuple

from gitbackup.errors import Damaged
from gitbackup.store.command import Commands, failure, text
from gitbackup.store.objects import Blobs
from gitbackup.store.trees import Place, inside, listing

MOST_FILES = 10_000_000  # of a commit: over a billion keys
DEEPEST = 200  # folders in each other; the layout makes fewer


class _Size(NamedTuple):
    files: int
    depth: int


def check(git: Commands, commit: str, here: str | None) -> None:
    """Raise Damaged where a commit, or one before it that `here` has not, is beyond all measure."""
    ends = [commit, *([f"^{here}"] if here else [])]
    words = ("rev-list", "--objects", "--filter=blob:none", "--in-commit-order", *ends)
    result = git.attempt(*words)
    if result.status:
        raise failure("rev-list", result)
    lines = [line.partition(" ") for line in text(result.out).split("\n")]
    trees = list(dict.fromkeys(ident for ident, blank, _ in lines if blank))
    blobs = Blobs(git)
    try:
        _Measure(git).take(
            {i: inside(data) for i, data in zip(trees, blobs.trees(trees), strict=True)}
        )
    finally:
        blobs.close()


class _Measure:
    def __init__(self, git: Commands) -> None:
        self._git = git
        self._known: dict[str, _Size] = {}

    def take(self, trees: dict[str, dict[str, Place]]) -> None:
        """Measure trees, each after all that it names."""
        for start in trees:
            todo = [start]
            while todo:
                ident = todo[-1]
                folders = [place.id for place in trees[ident].values() if place.folder]
                new = [f for f in folders if f in trees and f not in self._known]
                if new:
                    todo += new
                    continue
                todo.pop()
                self._known[ident] = self._sum(len(trees[ident]) - len(folders), folders)

    def _sum(self, files: int, folders: list[str]) -> _Size:
        sizes = [self._of(folder) for folder in folders]
        size = _Size(
            files + sum(s.files for s in sizes), 1 + max((s.depth for s in sizes), default=0)
        )
        if size.files > MOST_FILES or size.depth > DEEPEST:
            raise Damaged(
                "nothing was taken over: a commit that came has trees that no database has, of"
                f" {size.files:,} or more files, {size.depth:,} or more folders deep"
            )
        return size

    def _of(self, folder: str) -> _Size:
        """The size of a tree: of one that was here before, as it is here."""
        if folder not in self._known:
            paths = listing(self._git, folder)
            depth = max((path.count("/") for path in paths), default=0)
            self._known[folder] = _Size(len(paths), depth)
        return self._known[folder]
