"""Some of a long sorted list of names, without a copy of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain
from typing import overload

Span = tuple[int, int]


class Slices(Sequence[bytes]):
    """The names in some stretches of a list, which is not to change meanwhile.

    `spans` are where each starts and stops, in order; none of them is empty.
    """

    def __init__(self, names: Sequence[bytes], spans: Sequence[Span]) -> None:
        self._names = names
        self._spans = spans
        self._ends = [*accumulate(stop - start for start, stop in spans)]

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> Slices: ...
    def __getitem__(self, at: int | slice) -> bytes | Slices:
        if isinstance(at, slice):
            start, stop, _ = at.indices(len(self))
            return self.picked([(start, stop)])
        if at < 0:
            at += len(self)
        if not 0 <= at < len(self):
            raise IndexError(at)
        if len(self._spans) == 1:
            return self._names[self._spans[0][0] + at]
        which = bisect_right(self._ends, at)
        return self._names[self._spans[which][1] - self._ends[which] + at]

    def __iter__(self) -> Iterator[bytes]:
        return chain.from_iterable(self._names[start:stop] for start, stop in self._spans)

    def picked(self, spans: Iterable[Span]) -> Slices:
        """Return what is in stretches of these."""
        found = (one for start, stop in spans for one in self._within(start, stop))
        return Slices(self._names, [*found])

    def _within(self, start: int, stop: int) -> Iterator[Span]:
        at = bisect_right(self._ends, start)
        while start < stop:
            end = self._spans[at][1]
            shift = end - self._ends[at]
            upto = min(stop, self._ends[at])
            yield start + shift, upto + shift
            start, at = upto, at + 1

    def bounds(self) -> list[tuple[bytes, bytes]]:
        """Return the first and the last name of each stretch."""
        return [(self._names[start], self._names[stop - 1]) for start, stop in self._spans]

    def find(self, name: bytes, start: int, stop: int) -> int:
        """Return where a name is, or would be, from `start` up to `stop`."""
        if len(self._spans) != 1:
            return bisect_left(self, name, start, stop)
        shift = self._spans[0][0]
        return bisect_left(self._names, name, start + shift, stop + shift) - shift


def find(names: Sequence[bytes], name: bytes, start: int, stop: int) -> int:
    """Return where `name` is, or would be, among sorted names from `start` up to `stop`."""
    if isinstance(names, Slices):
        return names.find(name, start, stop)
    return bisect_left(names, name, start, stop)


def picked(names: Sequence[bytes], spans: Iterable[Span]) -> Sequence[bytes]:
    """Return what is in stretches of names."""
    if isinstance(names, Slices):
        return names.picked(spans)
    return [*chain.from_iterable(names[start:stop] for start, stop in spans)]
