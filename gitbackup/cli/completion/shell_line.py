"""What stands on a shell's line up to the cursor, and how that goes on without running anything.

Only zsh and fish quote by themselves what they are offered; bash puts it in as it stands.
"""

from __future__ import annotations

import re
from typing import NamedTuple

SPECIAL = re.compile(r"(?=[\x00-\x7f])([^\w@%+=:,./-])", re.ASCII)
"""What means something to bash outside quotes; beyond ASCII nothing does."""

WITHIN = {
    "'": (re.compile(r"'"), None),
    '"': (re.compile(r'!|"\Z'), re.compile(r"([$`\"\\])")),
    "$'": (re.compile(r"['\\!]"), None),
}
"""For each quote of bash: what no name within it can hold, and what takes a backslash.

bash closes no quote behind a name that ends with one.
"""

ESCAPED = {"'": "", '"': '$`"\\', "$'": None}
"""For each quote, before what a backslash is one that goes; None where it means more."""

OPEN = "$`(){}<>;|&"
"""What, outside quotes, makes of a word something that only the shell can tell."""


class Typed(NamedTuple):
    """Words that stand whole, the last as the shell takes it, and the quote that is open in it.

    `last` is None if only the shell can tell it: an expansion, a command to run.
    """

    words: list[str]
    last: str | None
    quote: str


def typed(line: str, shell: str) -> Typed:
    """Return the words of a line that ends at the cursor."""
    words, last, quote, known, begun = [], "", "", True, False
    at = 0
    while at < len(line):
        char, following = line[at], line[at + 1 : at + 2]
        at += 1
        if not quote and char in " \t\n":
            if begun:
                words.append(last)
            last, known, begun = "", True, False
            continue
        begun = True
        if quote and char == quote[-1]:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        elif not quote and char == "$" and following == "'" and shell != "fish":
            quote = "$'"
            at += 1
        elif char == "\\" and (gone := _goes(quote, following, shell)) is not False:
            known &= gone is True
            last += following
            at += 1
        else:
            known &= not _is_open(char, quote)
            last += char
    return Typed(words, last if known else None, quote)


def _goes(quote: str, following: str, shell: str) -> bool | None:
    """Return whether a backslash before this goes; None if it means what we do not read."""
    if not quote:
        return True if following and following not in "\n" else None
    before = "'\\" if shell == "fish" and quote == "'" else ESCAPED[quote]
    return None if before is None else following != "" and following in before


def _is_open(char: str, quote: str) -> bool:
    return char in ("$`" if quote == '"' else OPEN if not quote else "")


def in_bash(value: str, line: str, word: str) -> str | None:
    """Return what bash has to put in place of `word`, with which the line ends, to make `value`.

    None if nothing can be put there that is safe to run: in these quotes no such name can be.
    """
    before, whole = typed(line.removesuffix(word), "bash"), typed(line, "bash")
    if before.last is None or whole.last is None or whole.quote != before.quote:
        return None
    if not line.endswith(word) or not value.startswith(before.last):
        return None
    rest = value[len(before.last) :]
    if not before.quote:
        return SPECIAL.sub(r"\\\1", rest)
    impossible, special = WITHIN[before.quote]
    if impossible.search(rest):
        return None
    return special.sub(r"\\\1", rest) if special else rest
