"""How one list becomes another: the shortest insertions and deletions (Myers), in bounded time.

Not deepdiff's comparison of lists: it takes 2 and 2.0, or 1 and true, for the same item,
and an object put in front of a list of objects for a change of each of them. Not difflib,
on which deepdiff builds: lists of few distinct items take it cubic time.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

MOST_EDITS = 2_000
"""Insertions and deletions together; the work grows with their square."""

MOST_STEPS = 5_000_000
"""Items compared; lists that repeat themselves could ask for any number."""


Items = Sequence[str | bytes]


class Edit(NamedTuple):
    """The items before[start:end] gave way to after[start:end]; either may be empty."""

    before_start: int
    before_end: int
    after_start: int
    after_end: int

    @property
    def even(self) -> bool:
        """Whether as many items came as went: then each replaces the one in its place."""
        return self.before_end - self.before_start == self.after_end - self.after_start


def edits(before: Items, after: Items) -> list[Edit] | None:
    """Return the blocks in which two lists differ, in order; None if they differ too much."""
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    fewest = _fewest(old, new)
    if fewest > MOST_EDITS:
        return None
    if fewest == len(old) + len(new):  # nothing in common
        return [Edit(head, head + len(old), head, head + len(new))] if fewest else []
    trace = _trace(old, new)
    return None if trace is None else _blocks(trace, len(old), len(new), head)


def _common(before: Items, after: Items) -> int:
    """Return how many items at their beginning two lists share."""
    shared = min(len(before), len(after))
    differing = (at for at in range(shared) if before[at] != after[at])
    return next(differing, shared)


def _fewest(old: Items, new: Items) -> int:
    """Return a lower bound of the edits: how many items one list has more often than the other."""
    counts = Counter(old)
    counts.subtract(Counter(new))
    return sum(abs(count) for count in counts.values())


class _Level(NamedTuple):
    """How far into the list before each diagonal reaches with so many edits; -1 where none."""

    low: int
    ends: array[int]

    def end(self, diagonal: int) -> int:
        at = (diagonal - self.low) // 2
        return self.ends[at] if 0 <= at < len(self.ends) else -1

    def step(self, diagonal: int) -> int:
        """Return where one more edit, an insertion or a deletion, leads on a diagonal."""
        return max(self.end(diagonal + 1), self.end(diagonal - 1) + 1)


def _trace(old: Items, new: Items) -> list[_Level] | None:
    """Return the levels of no edit, of one, and so on until the end of both lists; None if there
    are too many."""
    level, steps, trace = _Level(1, array("l", [0])), 0, list[_Level]()
    for distance in range(MOST_EDITS + 1):
        low = -distance + 2 * max(0, distance - len(new))
        high = distance - 2 * max(0, distance - len(old))
        level, common = _next_level(level, low, high, old, new)
        trace.append(level)
        steps += common
        if level.end(len(old) - len(new)) == len(old):
            return trace
        if steps > MOST_STEPS:
            return None
    return None


def _next_level(level: _Level, low: int, high: int, old: Items, new: Items) -> tuple[_Level, int]:
    """Return the next level, one edit and then all items in common on each diagonal, and their
    number."""
    reach = [-1, *level.ends, -1]
    at = (low + 1 - level.low) // 2
    ends, common = array("l"), 0
    for diagonal in range(low, high + 1, 2):
        start = end = max(reach[at] + 1, reach[at + 1])
        while end < len(old) and end - diagonal < len(new) and old[end] == new[end - diagonal]:
            end += 1
        ends.append(end)
        common += end - start
        at += 1
    return _Level(low, ends), common


def _blocks(trace: list[_Level], old: int, new: int, head: int) -> list[Edit]:
    """Return the edits along the trace, walked from its end, and joined where they touch."""
    blocks: list[Edit] = []
    for level in reversed(trace[:-1]):
        diagonal = old - new
        end = level.step(diagonal)  # here the edit ended and the common items began
        inserted = level.end(diagonal + 1) == end
        old, new = (end, end - diagonal - 1) if inserted else (end - 1, end - diagonal)
        edit = Edit(old + head, end + head, new + head, end - diagonal + head)
        if blocks and blocks[-1][::2] == edit[1::2]:
            last = blocks.pop()
            edit = Edit(edit.before_start, last.before_end, edit.after_start, last.after_end)
        blocks.append(edit)
    return blocks[::-1]
