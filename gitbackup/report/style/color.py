"""Colours, by what they mean. Lines are painted for everyone: whoever prints takes it off again.

That is exact, because nothing of the data reaches a line with an escape in it (see shown).
"""

from __future__ import annotations

from enum import StrEnum


class Style(StrEnum):
    """What a piece of a line is; the colours are git's."""

    ADDED = "32"  # green
    REMOVED = "31"  # red
    CHANGED = "36"  # cyan
    COMMIT = "33"  # yellow
    HEADING = "1"  # bold
    GROUP = "35"  # magenta
    FAINT = "2"


def paint(style: Style, text: str) -> str:
    """The text in the style's colour; no text needs none."""
    return f"\x1b[{style.value}m{text}\x1b[m" if text else ""
