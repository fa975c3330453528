"""Words of a command that a person pastes into a shell, exactly."""

from __future__ import annotations

import re
import shlex

from gitbackup.format import codec, unprintable

_SPECIAL = re.compile(rb"[*?\[\\]")


def glob(name: str) -> str:
    """Return the glob that only this name, a stored one, matches; its bytes that are not UTF-8 are
    lone surrogates."""
    return codec.loose(_SPECIAL.sub(rb"\\\g<0>", codec.data(name)))


def glob_of(name: str) -> str:
    """Return that glob as it is typed into a shell."""
    return quoted(glob(name))


def quoted(word: str) -> str:
    r"""Return a word as it is typed into a shell; bytes and controls as `$'\xff'`."""
    if unprintable.escaped(word) == word:
        return shlex.quote(word)
    parts = []
    for char in word:
        if char in "\\'":
            parts.append("\\" + char)
        elif unprintable.escaped(char) == char:
            parts.append(char)
        else:
            parts += (f"\\x{byte:02x}" for byte in codec.raw(char))
    return f"$'{''.join(parts)}'"
