"""Characters that a terminal or a page would act on, or not show: they are shown as escapes.

Controls, direction marks, joiners, fillers, tags, lone surrogates, unassigned characters: with
any of them a name can look like another one, or a line like one of ours. The character that
joins two emoji, and the one that asks for an emoji's colors, are kept next to emoji.
"""

from __future__ import annotations

import re
from collections.abc import Callable

PRINTABLE = (
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\uffa0"
    "\ufe00-\ufe0f\U000e0100-\U000e01ef"
)
"""What Unicode lets a display ignore, although Python calls it printable; and the Braille pattern
without a dot, which looks like a space."""

_PRINTABLE = re.compile(f"[{PRINTABLE}]")
_EMOJI = (
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2900-\u297f"
    "\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff][\ufe0f\U0001f3fb-\U0001f3ff]?"
)
_TOGETHER = f"(?s){_EMOJI}(?:\u200d{_EMOJI})*|[0-9#*]\ufe0f\u20e3|."
_OF_EMOJI = str.maketrans("", "", "\u200d\ufe0f")


def hides(character: str) -> bool:
    """Return whether a character by itself could look like another, or like none."""
    return not character.isprintable() or _PRINTABLE.match(character) is not None


def is_plain(text: str) -> bool:
    """Return whether all of a text can be seen."""
    return text.isprintable() and (text.isascii() or _PRINTABLE.search(text) is None)


def python_escape(character: str) -> str:
    r"""Return a character as \n, \x1b, \u202e or \U000e0001."""
    return character.encode("unicode_escape").decode()


def json_escape(character: str) -> str:
    r"""Return a character as JSON has it: \u202e, or two of them."""
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def escaped(
    text: str,
    escape: Callable[[str], str] = python_escape,
    *,
    also: str = "",
    but: str = "",
) -> str:
    """Return a text in which nothing is hidden; characters in `also` are escaped, in `but` not."""
    if is_plain(text) and not (also and any(map(text.__contains__, also))):
        return text

    def visible(match: re.Match[str]) -> str:
        piece = match[0]
        if len(piece) > 1 and piece.translate(_OF_EMOJI).isprintable():
            return piece
        return "".join(escape(c) if (c in also or hides(c)) and c not in but else c for c in piece)

    return re.sub(_TOGETHER, visible, text)
