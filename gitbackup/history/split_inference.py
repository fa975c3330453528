"""Folders that are split by the byte after what their keys share, one in another; and how two
keys of one file tell alone where those bytes stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gitbackup.format import layout

Two = tuple[bytes, bytes]
"""The names of two keys that are in the same file; of one, twice."""


class Split(NamedTuple):
    """What the keys of a folder share, told by keys of two files in two of its ranges."""

    folder: str
    shared: bytes
    files: Sequence[str]

    def apart(self, path: str, other: str) -> bool:
        """Whether two files are in two ranges of the folder."""
        return self.range_of(path) != self.range_of(other)

    def range_of(self, path: str) -> str:
        """The name of the range that a file below the folder is in."""
        return path.removeprefix(self.folder).partition("/")[0].removesuffix(".json")


def told_alone(splits: Sequence[Split], path: str, size: int, keys: Two) -> bool:
    """Whether two keys of a file tell alone what the keys of each folder on its path share.

    The keys of the outermost share `size` bytes at least. They do where the bytes that the
    file's path is made of can stand nowhere else in the two, one after another.
    """
    known = [len(split.shared) for split in splits]
    ranges = [split.range_of(path) for split in splits]
    fitting = [[p for p in range(size, _most(*keys)) if _fits(n, p, *keys)] for n in ranges]
    alike = all(keys[0].startswith(split.shared) for split in splits)
    return alike and _first_of_each(fitting) == known == _last_of_each(fitting)


def _most(one: bytes, other: bytes) -> int:
    """One more than the bytes that two keys share: what a folder's keys share is no longer."""
    return len(layout.shared(one, other)) + 1


def _fits(name: str, at: int, one: bytes, other: bytes) -> bool:
    """Whether two keys can be in a range of this name, by their bytes at a position."""
    if name == "_":  # the key that is what the others share
        return len(one) == len(other) == at
    spans = layout.ranges().get(name, ())
    both = one[at : at + 1], other[at : at + 1]
    return all(any(byte and byte[0] in span for span in spans) for byte in both)


def _first_of_each(fitting: Sequence[Sequence[int]]) -> list[int]:
    """The earliest positions, each after the one before, as far as there are such."""
    found: list[int] = []
    for positions in fitting:
        found += [p for p in positions if not found or p > found[-1]][:1]
    return found


def _last_of_each(fitting: Sequence[Sequence[int]]) -> list[int]:
    """The latest positions, each before the one that follows, as far as there are such."""
    found: list[int] = []
    for positions in reversed(fitting):
        found += [p for p in positions if not found or p < found[-1]][-1:]
    return found[::-1]
