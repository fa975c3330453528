"""Two texts compared: line by line, or word by word in one line.

In one line, what was removed stands in `{-...-}`, what was added in `{+...+}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import Any, NamedTuple

from gitbackup.format.names import escape
from gitbackup.model.amounts import counted
from gitbackup.model.list_edits import Edit, edits
from gitbackup.report.style import Style, paint
from gitbackup.report.values.short import CONTEXT

MOST_LINES = 40
"""Lines shown of the difference between two texts."""

LONGEST_LINES = 1_000_000
"""Characters of a text that is compared line by line."""

AROUND = 1
"""Lines shown before and after a difference."""

WORD = r"(?s)[^\W\u2e80-\U0010ffff]+|\s+|."
"""A word, a space, or a sign; what is written without spaces goes sign by sign.

It is compiled when it is first needed: that takes a while.
"""

LONGEST_WORDS = 100_000
"""Characters of a text that is compared word by word."""

ALIKE = 0.4
"""How much two texts have in common, at the least, for one text to be easier to read than two."""

MOST_WORDS = 8
"""Differences that a person sees in one line."""


def several_lines(before: Any, after: Any) -> bool:
    """Return whether two values are texts that are best compared line by line."""
    return all(
        isinstance(side, str) and len(side) <= LONGEST_LINES and "\n" in side
        for side in (before, after)
    )


def line_diff(before: str, after: str, most: int | None = MOST_LINES) -> Iterator[str] | None:
    """Return the lines where two texts differ; None if they differ all over."""
    old, new = before.split("\n"), after.split("\n")
    blocks = edits(old, new)
    return None if blocks is None else _bounded(_hunks(old, new, blocks), most)


def _bounded(lines: Iterator[str], most: int | None) -> Iterator[str]:
    yield from islice(lines, most)
    more = sum(1 for _ in lines)
    if more:
        yield f"… {counted(more, 'more line')}"


def _hunks(old: Sequence[str], new: Sequence[str], blocks: Sequence[Edit]) -> Iterator[str]:
    for hunk in _near(blocks):
        start = max(0, hunk[0].before_start - AROUND)
        end = min(len(old), hunk[-1].before_end + AROUND)
        first = start + hunk[0].after_start - hunk[0].before_start
        last = end + hunk[-1].after_end - hunk[-1].before_end
        place = f"@@ -{start + 1},{end - start} +{first + 1},{last - first} @@"  # as `diff -u`
        yield paint(Style.CHANGED, place)
        for previous, block in pairwise([Edit(start, start, 0, 0), *hunk, Edit(end, end, 0, 0)]):
            same = old[previous.before_end : block.before_start]
            yield from (f"  {escape(line)}".rstrip() for line in same)
            removed = old[block.before_start : block.before_end]
            yield from _block(removed, new[block.after_start : block.after_end])


def _near(blocks: Sequence[Edit]) -> Iterator[list[Edit]]:
    """Yield together the blocks whose surroundings touch."""
    hunk: list[Edit] = []
    for block in blocks:
        if hunk and block.before_start - hunk[-1].before_end > 2 * AROUND:
            yield hunk
            hunk = []
        hunk.append(block)
    if hunk:
        yield hunk


def _block(removed: Sequence[str], added: Sequence[str]) -> Iterator[str]:
    """Yield lines that others replaced, each pair as one line if that is easier to read."""
    pairs = zip(removed, added, strict=True) if len(removed) == len(added) else ()
    words = [word_diff(old, new) for old, new in pairs]
    if words and all(words):
        yield from (f"  {line}" for line in words)
        return
    yield from (paint(Style.REMOVED, f"- {escape(line)}".rstrip()) for line in removed)
    yield from (paint(Style.ADDED, f"+ {escape(line)}".rstrip()) for line in added)


class _Span(NamedTuple):
    """A piece of both texts, or what stands in its place in either."""

    before: str
    after: str

    @property
    def same(self) -> bool:
        return self.before == self.after


def word_diff(before: str, after: str) -> str | None:
    """Return both texts in one line; None if they differ too much for that, or are too long.

    Of what they have in common, the surroundings of a difference are shown.
    """
    longest = max(len(before), len(after))
    spans = _spans(before, after) if longest <= LONGEST_WORDS else None
    if spans is None or sum(not span.same for span in spans) > MOST_WORDS:
        return None
    if sum(len(span.before.strip()) for span in spans if span.same) < ALIKE * longest:
        return None
    last = len(spans) - 1
    return "".join(_shown(span, at == 0, at == last) for at, span in enumerate(spans))


def _spans(before: str, after: str) -> list[_Span] | None:
    old, new = re.findall(WORD, before), re.findall(WORD, after)
    blocks = edits(old, new)
    if blocks is None:
        return None
    whole = [Edit(0, 0, 0, 0), *blocks, Edit(len(old), len(old), len(new), len(new))]
    spans: list[_Span] = []
    for last, block in pairwise(whole):
        common = "".join(old[last.before_end : block.before_start])
        removed = "".join(old[block.before_start : block.before_end])
        added = "".join(new[block.after_start : block.after_end])
        spans += [_Span(common, common), _Span(removed, added)]
    return _joined([span for span in spans if span.before or span.after])


def _joined(spans: Sequence[_Span]) -> list[_Span]:
    """Return the spans, where differences that only a space keeps apart are one."""
    joined: list[_Span] = []
    for span in spans:
        between = len(joined) > 1 and joined[-1].same and joined[-1].before.isspace()
        if between and not span.same and not joined[-2].same:
            space, first = joined.pop().before, joined.pop()
            whole = _Span(first.before + space + span.before, first.after + space + span.after)
            joined.append(whole)
        else:
            joined.append(span)
    return joined


def _shown(span: _Span, first: bool, last: bool) -> str:
    """Return a piece of the line; of a long common one, what is next to a difference."""
    if not span.same:
        removed = paint(Style.REMOVED, f"{{-{escape(span.before)}-}}") if span.before else ""
        return removed + (paint(Style.ADDED, f"{{+{escape(span.after)}+}}") if span.after else "")
    text = span.before
    if len(text) <= CONTEXT * 2:
        return escape(text)
    head = "" if first else escape(text[:CONTEXT])
    tail = "" if last else escape(text[len(text) - CONTEXT :])
    return f"{head}…{tail}"
