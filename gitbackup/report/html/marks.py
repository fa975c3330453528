"""Text for a page: what differs between two texts marked, and nothing of it markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from gitbackup.model.list_edits import edits

WORD = re.compile(r"\w+|\W")
"""What is marked as a whole."""

QUOTES = 2
"""Signs around a text, which are nothing in common."""


def safe(text: str) -> str:
    """Text as it stands in markup or in an attribute. It holds no lone surrogates."""
    return escape(text, quote=True)


def marked(before: str, after: str) -> tuple[str, str]:
    """Two texts as markup, the words in which they differ in `mark`; none where all do."""
    old, new = WORD.findall(before), WORD.findall(after)
    blocks = edits(old, new)
    went = [(block.before_start, block.before_end) for block in blocks or ()]
    came = [(block.after_start, block.after_end) for block in blocks or ()]
    if blocks is None or len(old) - sum(end - start for start, end in went) <= QUOTES:
        return safe(before), safe(after)
    return "".join(_pieces(old, went)), "".join(_pieces(new, came))


def _pieces(words: Sequence[str], differ: Iterable[tuple[int, int]]) -> Iterator[str]:
    """The words, those that differ marked."""
    done = 0
    for start, end in differ:
        yield safe("".join(words[done:start]))
        if start < end:
            yield f"<mark>{safe(''.join(words[start:end]))}</mark>"
        done = end
    yield safe("".join(words[done:]))
