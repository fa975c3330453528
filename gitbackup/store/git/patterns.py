"""Patterns of `log --grep`: some short ones make the library of git take all memory."""

from __future__ import annotations

import re

from gitbackup.errors import UsageError

LONGEST = 1000
"""Characters of a pattern."""

MOST = 20_000
"""Characters that a pattern may have once each part is written as often as it is repeated."""

_TIMES = re.compile(r"\{([0-9]*)(?:,([0-9]*))?\\?\}")
_BACK = re.compile(r"\\[1-9]")


def expect_modest(pattern: str) -> None:
    """Raise UsageError for a pattern that may take gigabytes, or hours, or that git cannot get."""
    if "\0" in pattern:
        raise UsageError("no message has a null byte")
    length = len(pattern)
    for words in _TIMES.findall(pattern):
        length *= max(int(word[:6] or 1) for word in words) or 1
    if len(pattern) > LONGEST or length > MOST or _BACK.search(pattern):
        raise UsageError(
            f"the pattern {pattern[:40]!r} is too long, repeats too much, or refers back to a part"
            " of itself: look for a word of the message"
        )
