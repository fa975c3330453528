"""Texts of several lines, compared line by line; a line that became another, word by word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import Any

from gitbackup.format.names import escape
from gitbackup.model.amounts import counted
from gitbackup.model.list_edits import Edit, edits
from gitbackup.report.style.color import Style, paint
from gitbackup.report.values.word_diff import word_diff

MOST = 40
"""Lines shown of the difference between two texts."""

LONGEST = 1_000_000
"""Characters of a text that is compared line by line."""

AROUND = 1
"""Lines shown before and after a difference."""


def several_lines(before: Any, after: Any) -> bool:
    """Whether two values are texts that are best compared line by line."""
    return all(
        isinstance(side, str) and len(side) <= LONGEST and "\n" in side for side in (before, after)
    )


def line_diff(before: str, after: str, most: int | None = MOST) -> Iterator[str] | None:
    """The lines where two texts differ; None where they differ all over."""
    old, new = before.split("\n"), after.split("\n")
    blocks = edits(old, new)
    return None if blocks is None else _bounded(_hunks(old, new, blocks), most)


def _bounded(lines: Iterator[str], most: int | None) -> Iterator[str]:
    yield from islice(lines, most)
    more = sum(1 for _ in lines)
    if more:
        yield f"… {counted(more, 'more line')}"


def _hunks(old: Sequence[str], new: Sequence[str], blocks: Sequence[Edit]) -> Iterator[str]:
    for hunk in _gathered(blocks):
        start, end = (
            max(0, hunk[0].before_start - AROUND),
            min(len(old), hunk[-1].before_end + AROUND),
        )
        yield _place(hunk, start, end)
        ends = [Edit(start, start, 0, 0), *hunk, Edit(end, end, 0, 0)]
        for last, block in pairwise(ends):
            yield from (
                f"  {escape(line)}".rstrip() for line in old[last.before_end : block.before_start]
            )
            yield from _block(
                old[block.before_start : block.before_end], new[block.after_start : block.after_end]
            )


def _gathered(blocks: Sequence[Edit]) -> Iterator[list[Edit]]:
    """Blocks that are so near each other that their surroundings touch, together."""
    hunk: list[Edit] = []
    for block in blocks:
        if hunk and block.before_start - hunk[-1].before_end > 2 * AROUND:
            yield hunk
            hunk = []
        hunk.append(block)
    if hunk:
        yield hunk


def _place(hunk: Sequence[Edit], start: int, end: int) -> str:
    """Which lines of either text a hunk is about, as `diff -u` has it."""
    first = start + hunk[0].after_start - hunk[0].before_start
    last = end + hunk[-1].after_end - hunk[-1].before_end
    return paint(Style.CHANGED, f"@@ -{start + 1},{end - start} +{first + 1},{last - first} @@")


def _block(went: Sequence[str], came: Sequence[str]) -> Iterator[str]:
    """Lines that gave way to others: each pair as one where that is easier to read."""
    pairs = zip(went, came, strict=True) if len(went) == len(came) else ()
    words = [word_diff(old, new) for old, new in pairs]
    if words and all(words):
        yield from (f"  {line}" for line in words)
        return
    yield from (paint(Style.REMOVED, f"- {escape(line)}".rstrip()) for line in went)
    yield from (paint(Style.ADDED, f"+ {escape(line)}".rstrip()) for line in came)
