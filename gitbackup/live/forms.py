"""Commands that are sent for many keys, put together in C: packing each by itself takes longer.

The bytes are those of the Redis serialization protocol, an array of bulk strings for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Form(NamedTuple):
    """A command about one key: the bytes before its name, packed as an argument, and after it."""

    before: bytes
    after: bytes

    def about(self, arguments: Sequence[bytes]) -> bytes:
        """The command once for each of these keys."""
        if not arguments:
            return b""
        return self.before + (self.after + self.before).join(arguments) + self.after


def form(before: Sequence[str], after: Sequence[str] = ()) -> Form:
    """The command of the words before the key and those after it."""
    head = b"*%d\r\n" % (len(before) + 1 + len(after))
    return Form(head + _packed(before), _packed(after))


def pattern(forms: Iterable[Form]) -> bytes:
    """What `%` makes several commands about one key of, which is to be given for each of them."""
    return b"".join(
        one.before.replace(b"%", b"%%") + b"%b" + one.after.replace(b"%", b"%%") for one in forms
    )


def argument(word: bytes) -> bytes:
    """A word of a command."""
    return b"$%d\r\n%b\r\n" % (len(word), word)


def _packed(words: Iterable[str]) -> bytes:
    return b"".join(argument(word.encode()) for word in words)
