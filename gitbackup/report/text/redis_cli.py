"""A command as `redis-cli` reads it on a line of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gitbackup.format import codec
from gitbackup.format.unprintable import hides, is_plain

PLAIN = re.compile(r"[\w.:/@+*,=-]+", re.ASCII)
"""A word that needs no quotes."""

ODD = re.compile(r'["$`]')
"""What a shell would read between double quotes, into which somebody may paste a line."""

BRIEF = {
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\b": "\\b",
    "\a": "\\a",
    '"': '\\"',
    "\\": "\\\\",
} | {char: f"\\x{ord(char):02x}" for char in "$`"}


class _Escapes(dict[int, str]):
    """What stands for a character between double quotes, by its number."""

    def __missing__(self, number: int) -> str:
        char = chr(number)
        whole = BRIEF.get(char) or (_bytes(char) if hides(char) else char)
        self[number] = whole
        return whole


def command_line(command: Iterable[bytes | str | int | float]) -> str:
    """Return a line that means exactly the command's bytes, in characters that can be seen."""
    return " ".join(map(_word, command))


def _word(argument: bytes | str | int | float) -> str:
    text = codec.loose(argument) if isinstance(argument, bytes) else str(argument)
    if PLAIN.fullmatch(text):
        return text
    if ODD.search(text) and "'" not in text and "\\" not in text and is_plain(text):
        return f"'{text}'"  # as JSON is read best
    return f'"{text.translate(_ESCAPES)}"'


def _bytes(char: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in codec.raw(char))


_ESCAPES = _Escapes()
