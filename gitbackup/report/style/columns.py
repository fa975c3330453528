"""How wide text is on a terminal: wide signs take two columns, combining ones none.

Terminals differ about the newest emoji, so this is the plain rule that they share. What holds
a sequence together (a joiner) never gets here, since it is shown as an escape (see shown).
"""

from __future__ import annotations

import re
import unicodedata

PAINT = re.compile(r"(\x1b\[\d*m)")
MORE = "…"
AS_EMOJI = "\ufe0f"
"""Turns the sign before it into its emoji, which is wide."""


def width(text: str) -> int:
    """The columns that a text takes, whatever its colours."""
    plain = PAINT.sub("", text)
    return len(plain) if plain.isascii() else sum(cells(plain))


def pad(text: str, columns: int) -> str:
    """The text with as much space behind it as it needs to fill the columns."""
    return text + " " * (columns - width(text))


def fit(text: str, columns: int | None) -> str:
    """The text, cut where it is wider than that; None is as wide as it likes."""
    if columns is None or width(text) <= columns:
        return text
    cut, left, pieces = False, columns - len(MORE), []
    for piece in PAINT.split(text):
        if PAINT.fullmatch(piece):
            pieces.append(piece)
        elif not cut:
            taken = _first(piece, left)
            left -= width(taken)
            cut = taken != piece
            pieces.append(taken + MORE if cut else taken)
    return "".join(pieces)


def _first(text: str, columns: int) -> str:
    """As much of the beginning as the columns hold."""
    for at, cell in enumerate(cells(text)):
        columns -= cell
        if columns < 0:
            return text[:at]
    return text


def cells(text: str) -> list[int]:
    """The columns that each character adds."""
    added: list[int] = []
    for at, character in enumerate(text):
        before = added[at - 1] if at else 0
        added.append(_cells(character, before))
    return added


def _cells(character: str, before: int) -> int:
    if character.isascii():
        return 1
    if character == AS_EMOJI:
        return 1 if before == 1 else 0
    if unicodedata.category(character) in ("Mn", "Me", "Cf") or "\u1160" <= character <= "\u11ff":
        return 0
    if "\U0001f3fb" <= character <= "\U0001f3ff" and before == 2:
        return 0  # a tone of skin, of the emoji before it
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
