"""Words of a command that a person pastes into a shell, exactly."""

from __future__ import annotations

import re
import shlex

from gitbackup.format import codec, unprintable

_SPECIAL = re.compile(rb"[*?\[\\]")
_PLAIN = re.compile(r"[\w@./-][\w@./~-]*", re.ASCII)


def glob_of(name: str) -> str:
    """Return the glob that only this name matches, a stored name, as a word of a shell's line."""
    return word(codec.loose(_SPECIAL.sub(rb"\\\g<0>", codec.data(name))))


def word(text: str) -> str:
    """Return text as a word of a shell's line; bytes that are not UTF-8 are lone surrogates.

    What could be misread where it is shown, or act on a terminal, is written by its code, as
    bash, zsh and ksh read it.
    """
    if _PLAIN.fullmatch(text):
        return text
    if unprintable.is_plain(text):
        return shlex.quote(text)
    return f"$'{''.join(map(_escaped, text))}'"


def _escaped(character: str) -> str:
    if character in "'\\":
        return f"\\{character}"
    if unprintable.is_plain(character):
        return character
    return "".join(f"\\x{byte:02x}" for byte in codec.raw(character))
