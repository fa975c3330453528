"""Words of a command that a person pastes into a shell, exactly."""

from __future__ import annotations

import shlex

from gitbackup.format import codec, unprintable
from gitbackup.plan.chosen import literal


def glob_of(name: str) -> str:
    """Return the glob that only this name, a stored one, matches, as it is typed into a shell."""
    return quoted(literal(name))


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
