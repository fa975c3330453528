"""Text for a page: what differs between two texts marked, and nothing of it markup."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from html import escape
from itertools import takewhile
from operator import eq

WORD = re.compile(r"\w+|\W")
"""What is marked as a whole."""

MOST_WORDS = 300
"""Words that differ, up to which single ones are marked; the work grows with their square."""


def safe(text: str) -> str:
    """Text as it stands in markup or in an attribute. It holds no lone surrogates."""
    return escape(text, quote=True)


def marked(before: str, after: str) -> tuple[str, str]:
    """Two texts as markup, the words in which they differ in `mark`; none where all do."""
    old, new = WORD.findall(before), WORD.findall(after)
    head = _same(old, new)
    tail = _same(old[head:][::-1], new[head:][::-1])
    if head + tail <= 2:  # the quotes around a text are nothing in common
        return safe(before), safe(after)
    one, other = _middles(old[head : len(old) - tail], new[head : len(new) - tail])
    first, last = safe("".join(old[:head])), safe("".join(old[len(old) - tail :]))
    return f"{first}{one}{last}", f"{first}{other}{last}"


def _same(one: Sequence[str], other: Sequence[str]) -> int:
    """How many first words two texts share."""
    return sum(1 for _ in takewhile(bool, map(eq, one, other)))


def _middles(old: list[str], new: list[str]) -> tuple[str, str]:
    if max(len(old), len(new)) > MOST_WORDS:
        return _mark(old), _mark(new)
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    one = _side(old, [(block.a, block.size) for block in blocks])
    other = _side(new, [(block.b, block.size) for block in blocks])
    return "".join(one), "".join(other)


def _side(words: list[str], blocks: list[tuple[int, int]]) -> Iterator[str]:
    """The words, those between the blocks that both sides have marked."""
    done = 0
    for start, size in blocks:
        yield _mark(words[done:start])
        yield safe("".join(words[start : start + size]))
        done = start + size


def _mark(words: list[str]) -> str:
    return f"<mark>{safe(''.join(words))}</mark>" if words else ""
