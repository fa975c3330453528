"""Lines for a terminal: colors, by what they mean, and how many columns a text takes.

Lines are painted for everyone, and whoever prints them takes the colors off. That is exact: no
text of the data reaches a line with an escape in it, since `format.names` has escaped it. Wide
characters take two columns, combining ones none. Terminals differ about the newest emoji; this is
the rule that they share. A joiner, which would hold a sequence together, is escaped, too.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

PAINT = re.compile(r"(\x1b\[\d*m)")
MORE = "…"
AS_EMOJI = "\ufe0f"
"""Turns the character before it into its emoji, which is wide."""


class Style(StrEnum):
    """What a piece of a line is; the colors are git's."""

    ADDED = "32"  # green
    REMOVED = "31"  # red
    CHANGED = "36"  # cyan
    COMMIT = "33"  # yellow
    HEADING = "1"  # bold
    GROUP = "35"  # magenta
    FAINT = "2"


def paint(style: Style, text: str) -> str:
    """Return the text in the style's color; no text needs none."""
    return f"\x1b[{style.value}m{text}\x1b[m" if text else ""


def width(text: str) -> int:
    """Return how many columns a text takes, whatever its colors."""
    plain = PAINT.sub("", text)
    return len(plain) if plain.isascii() else sum(_cells(plain))


def pad(text: str, columns: int) -> str:
    """Return the text with as many spaces behind it as it needs to fill the columns."""
    return text + " " * (columns - width(text))


def fit(text: str, columns: int | None) -> str:
    """Return the text, cut if it is wider than that; None is no limit."""
    if columns is None or width(text) <= columns:
        return text
    cut, left, pieces = False, columns - len(MORE), []
    for piece in PAINT.split(text):
        if PAINT.fullmatch(piece):
            pieces.append(piece)
        elif not cut:
            taken = _beginning(piece, left)
            left -= width(taken)
            cut = taken != piece
            pieces.append(taken + MORE if cut else taken)
    return "".join(pieces)


def _beginning(text: str, columns: int) -> str:
    """Return as much of a text as the columns hold."""
    for at, cell in enumerate(_cells(text)):
        columns -= cell
        if columns < 0:
            return text[:at]
    return text


def _cells(text: str) -> list[int]:
    """Return the columns that each character adds."""
    added: list[int] = []
    for at, character in enumerate(text):
        added.append(_cell(character, added[at - 1] if at else 0))
    return added


def _cell(character: str, before: int) -> int:
    if character.isascii():
        return 1
    if character == AS_EMOJI:
        return 1 if before == 1 else 0
    if unicodedata.category(character) in ("Mn", "Me", "Cf") or "\u1160" <= character <= "\u11ff":
        return 0
    if "\U0001f3fb" <= character <= "\U0001f3ff" and before == 2:
        return 0  # a tone of skin, of the emoji before it
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
