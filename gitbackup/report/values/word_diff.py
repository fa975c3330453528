"""Two texts as one: what went stands in `{-…-}`, what came in `{+…+}`, word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from gitbackup.format.names import escape
from gitbackup.model.list_edits import Edit, edits
from gitbackup.report.style.color import Style, paint
from gitbackup.report.style.escape import CONTEXT

WORD = r"(?s)[^\W\u2e80-\U0010ffff]+|\s+|."
"""A word, a space, or a sign; what is written without spaces goes sign by sign.

Read when it is first needed: that takes its time.
"""

LONGEST = 100_000
"""Characters of a text that is compared word by word."""

ALIKE = 0.4
"""How much of two texts is in common at least, for one text to be easier to read than two."""


MOST = 8
"""Differences that a person sees in one line."""


class _Span(NamedTuple):
    """A piece of both texts, or what stands in its place in either."""

    before: str
    after: str

    @property
    def same(self) -> bool:
        return self.before == self.after


def word_diff(before: str, after: str) -> str | None:
    """Both texts in one line; None where they differ too much for that, or are too long.

    Of what they have in common, the surroundings of a difference are shown.
    """
    longest = max(len(before), len(after))
    spans = _spans(before, after) if longest <= LONGEST else None
    if spans is None or sum(not span.same for span in spans) > MOST:
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
        went = "".join(old[block.before_start : block.before_end])
        came = "".join(new[block.after_start : block.after_end])
        spans += [_Span(common, common), _Span(went, came)]
    return _joined([span for span in spans if span.before or span.after])


def _joined(spans: Sequence[_Span]) -> list[_Span]:
    """Differences that only a space keeps apart are one."""
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
    """A piece of the line; of a long one in common what is next to a difference."""
    if not span.same:
        return "".join(_marked(span))
    text = span.before
    if len(text) <= CONTEXT * 2:
        return escape(text)
    head = "" if first else escape(text[:CONTEXT])
    tail = "" if last else escape(text[len(text) - CONTEXT :])
    return f"{head}…{tail}"


def _marked(span: _Span) -> Iterator[str]:
    if span.before:
        yield paint(Style.REMOVED, f"{{-{escape(span.before)}-}}")
    if span.after:
        yield paint(Style.ADDED, f"{{+{escape(span.after)}+}}")
