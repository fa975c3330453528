"""Commands that are sent for many keys, put together in C: packing each by itself takes longer.

The bytes are those of the Redis serialization protocol, an array of bulk strings for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class CommandTemplate(NamedTuple):
    """A command about one key: the bytes before its name, packed as an argument, and after it."""

    before: bytes
    after: bytes


def form(before: Sequence[str], after: Sequence[str] = ()) -> CommandTemplate:
    """Return a template of a command with these words before the key, and those after it."""
    head = b"*%d\r\n" % (len(before) + 1 + len(after))
    return CommandTemplate(head + _arguments(before), _arguments(after))


def pattern(*forms: CommandTemplate) -> bytes:
    """Return a pattern, of which `%` makes commands about one key, given its name for each, packed
    as an argument.

    What asks about one key stands together: then the server has it at hand.
    """
    return b"".join(
        one.before.replace(b"%", b"%%") + b"%b" + one.after.replace(b"%", b"%%") for one in forms
    )


def argument(word: bytes) -> bytes:
    """Return a word of a command, packed."""
    return b"$%d\r\n%b\r\n" % (len(word), word)


def packed(words: Sequence[str]) -> bytes:
    """Return a command, packed."""
    return b"*%d\r\n" % len(words) + _arguments(words)


def _arguments(words: Iterable[str]) -> bytes:
    return b"".join(argument(word.encode()) for word in words)
