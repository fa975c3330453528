"""What a kind is: how one Redis type is read, checked, ordered and written."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

from gitbackup.format import codec
from gitbackup.model.keys import Entry

PIECE = 10_000  # elements asked for at once, at most
STRETCH = 4 * 1024 * 1024  # bytes of a string, where the server does not give more at once
ARGUMENTS = 1_000  # elements sent in one command
FEW = 1_000  # elements of a value that is asked for at once
SHORT = 64 * 1024  # bytes of a string that is

Argument = bytes | str | int | float
Command = tuple[Argument, ...]


class Settled(NamedTuple):
    """An entry that the key had at one moment, though it came in pieces."""

    entry: Entry


Reading = Generator[list[Command], list[Any], Entry | Settled | None]
"""Yields the commands of one round, is sent their replies, returns the entry.

The entry has no `expires_at` yet, and its text is loose; None where the key has vanished. An
entry of another type than was asked for tells that the key has become that meanwhile. Raises
Unsure where the pieces do not make a value, for it was another for each.
"""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the server at hand knows, by its version and protocol."""

    resp3: bool = True
    pexpiretime: bool = True  # Redis 7.0, Valkey
    field_expiry: bool = False  # Redis 7.4, Valkey 9.0
    stream_counters: bool = True  # Redis 7.0, Valkey: entries-added, max-deleted-id, entries-read
    functions: bool = True  # Redis 7.0, Valkey
    share: int = 1  # by which what is asked for at once is less, for the server cuts us off else

    @property
    def piece(self) -> int:
        """Elements asked for at once, so that no reply is unbounded."""
        return max(1, PIECE // self.share)


class Incomplete(Exception):
    """Replies that need not be the whole of a value, or do not make one."""


class SingleReply(NamedTuple):
    """How a small value is asked for by one command, and what the reply to it is.

    `command` is its name, `words` what follows the key: no reply is large, whatever there is.
    `value` makes the stored value of a reply, its text loose, None where there was none; it
    raises Unsure where that may not be all.
    """

    command: str
    words: tuple[str, ...]
    value: Callable[[Any], Any]


class Kind(Protocol):
    """One Redis type. A new type is a new file with one of these, and a line in the registry."""

    @property
    def name(self) -> str:
        """What the TYPE command calls it."""
        ...

    def whole(self, server: Abilities, sized: bool) -> SingleReply | None:
        """How to ask for a small value by one command; None where that takes more.

        It is `sized` where it is known to be small.
        """
        ...

    def read(self, key: bytes, server: Abilities) -> Reading:
        """How to ask for the value, in bounded pieces."""
        ...

    def canonicalize(self, value: Any) -> Any:
        """The stored value in its canonical form, which it has unless a person edited it.

        Raises ValueError, saying what is wrong, for a value that does not fit.
        """
        ...

    def write(self, key: bytes, entry: Entry, server: Abilities) -> Iterator[Command]:
        """The commands that build `entry`, less its expiry, at a key that does not exist."""
        ...

    def change(
        self, key: bytes, before: Entry, after: Entry, server: Abilities
    ) -> Iterator[Command] | None:
        """The commands that make a key which holds `before` hold `after`, its expiry untouched.

        None where it has to be built anew.
        """
        ...


def each(
    command: str, key: bytes, words: Sequence[str], most: int = ARGUMENTS
) -> Iterator[Command]:
    """A command about texts, sent as often as it takes with at most so many."""
    for piece in pieces(words, most):
        yield command, key, *map(codec.data, piece)


def pieces(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """`items` in slices of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def all_of(items: Sequence[T]) -> Sequence[T]:
    """What came where FEW were asked for. Raises Unsure where that may not be all."""
    if len(items) >= FEW:
        raise Incomplete
    return items


def texts(items: Iterable[Any]) -> None:
    """Raises Unsure where these are not all text: then the reply was none that tells a value."""
    if not {*map(type, items)} <= {str}:
        raise Incomplete


def all_scanned(reply: Any) -> Sequence[str]:
    """What a scan has found. Raises Unsure where it is not at its end."""
    cursor, found = reply
    if cursor != "0":
        raise Incomplete
    texts(found)
    return found  # type: ignore[no-any-return]  # a list of text


def expect_new(cursor: str, seen: set[str]) -> None:
    """Raises Unsure for a cursor that a scan was given before: it would never end."""
    if cursor in seen:
        raise Incomplete("a scan of it goes round in circles")
    seen.add(cursor)


def pairs(flat: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """A flat reply `a, 1, b, 2` as pairs."""
    each = iter(flat)
    return zip(each, each, strict=True)


def mapping(reply: Any) -> dict[str, Any]:
    """A map reply: a dict under RESP3, a flat list under RESP2."""
    return reply if isinstance(reply, dict) else dict(pairs(reply))


def normal_text(value: Any, what: str) -> str:
    """A string under the text rule. Raises ValueError for anything else."""
    if not isinstance(value, str):
        raise ValueError(f"{what} is not a string")
    if not value.startswith(codec.PREFIX):
        return value
    try:
        return codec.text(codec.data(value))
    except ValueError:
        raise ValueError(f"{what} begins with base64: and goes on with what is not") from None


def normal_object(value: Any, what: str = "the value") -> dict[str, Any]:
    """An object whose names are under the text rule. Raises ValueError for anything else."""
    if not isinstance(value, dict):
        raise ValueError(f"{what} is not an object")
    normal = {normal_text(name, f"a name in {what}"): item for name, item in value.items()}
    if len(normal) < len(value):
        raise ValueError(f"{what} has the same name twice, once as base64")
    return normal


def normal_texts(value: Any, what: str = "the value") -> list[str]:
    """An array of strings under the text rule. Raises ValueError for anything else."""
    if not isinstance(value, list):
        raise ValueError(f"{what} is not an array")
    return [normal_text(item, f"item {position}") for position, item in enumerate(value)]


def normal_instant(value: Any) -> str | int:
    """An instant with milliseconds, in UTC. Raises ValueError for anything else."""
    return codec.instant(codec.milliseconds(value))


def check_not_empty(value: Any) -> None:
    """Raises ValueError for a collection of nothing, which no Redis can hold."""
    if not value:
        raise ValueError("the value is empty")
