"""What a kind is: how one Redis type is read, checked, ordered and written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

from gitbackup.format import codec
from gitbackup.model.changes import Part, ValueChange
from gitbackup.model.keys import Entry
from gitbackup.model.merging import Versions

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
Incomplete where the pieces do not make a value, for it was another for each.
"""

Shape = Callable[[Any], bool]
"""Whether a reply can be one to its command; it may also raise TypeError, ValueError,
AttributeError or LookupError where the reply is none. An error reply always can."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a server can do, by its version and protocol."""

    resp3: bool = True
    pexpiretime: bool = True  # Redis 7.0, Valkey
    field_expiry: bool = False  # Redis 7.4, Valkey 9.0
    stream_counters: bool = True  # Redis 7.0, Valkey: entries-added, max-deleted-id, entries-read
    functions: bool = True  # Redis 7.0, Valkey
    makes_consumers: bool = True  # Redis 6.2, Valkey: XGROUP CREATECONSUMER
    one_slot: bool = False  # keys of one transaction have to be in one slot, as in a cluster
    share: int = 1  # by which what is asked for at once is less, for the server cuts us off else

    @property
    def piece(self) -> int:
        """Elements asked for at once, so that no reply is unbounded."""
        return max(1, PIECE // self.share)


class Incomplete(Exception):
    """Raised for replies that need not be the whole of a value, or do not make one."""


class SingleReply(NamedTuple):
    """How a small value is asked for by one command, and what the reply to it is.

    `command` is its name, `words` what follows the key: no reply is large, whatever there is.
    `value` makes the stored value of a reply, its text loose, None if there was none; it
    raises Incomplete where that may not be all.
    """

    command: str
    words: tuple[str, ...]
    value: Callable[[Any], Any]


class ReadBack(Enum):
    """What the server replies if a value is read that `Kind.create()` has just made."""

    WORD = "word"  # the first word of the command after the key
    WORDS = "words"  # an array of all words after the key
    SCAN = "scan"  # the same, as the whole result of a scan


class Holds(Enum):
    """What a value is made of."""

    TEXT = "text"
    FIELDS = "fields"  # texts by name
    MEMBERS = "members"  # names
    RANKS = "ranks"  # names, each with a number that orders them
    ENTRIES = "entries"  # texts in an order
    OTHER = "other"


class Form(Enum):
    """How a value is shown in a row of a preview."""

    TEXT = "text"
    NAME = "name"
    SCORE = "score"
    PAIRS = "pairs"  # a flat list of fields, each followed by its value
    LINE = "line"  # of a source, which is shown as it is


class Row(NamedTuple):
    """One line of a preview: what stands before the value, a name or a position, and the value."""

    label: str | int | None
    value: Any
    form: Form = Form.TEXT


class Rows(NamedTuple):
    """A value as rows, made only as they are asked for; how many, and what they are called."""

    rows: Iterable[Row]
    total: int = 1
    one: str = "line"
    many: str = "lines"


class PartOf(NamedTuple):
    """One part of an entry: what it is, as a ValueChange names it, and what it holds."""

    part: Part
    name: str
    path: tuple[str | int, ...]
    value: Any


TextChanges = Callable[[Part, str, Any, Any], list[ValueChange]]
"""Compares two texts that a part of this name holds, inside where both are JSON documents."""

TextParts = Callable[[Part, str, str], Iterator[PartOf]]
"""The parts of a text that a part of this name holds: of a JSON document one for each path."""


MergePart = Callable[[Part, str, Versions], Any]
"""Merges three versions of a part of this name: returns the merged part, ABSENT for none."""


class MergeParts(Protocol):
    """Merges three versions of the parts of a value.

    Each method returns what is merged, ABSENT for nothing. What cannot be merged stays as it is
    now, or is as the person has chosen.
    """

    def leaf(self, part: Part, name: str, versions: Versions) -> Any:
        """Merge a part as a whole."""
        ...

    def text(self, part: Part, name: str, versions: Versions) -> Any:
        """Merge a text: by path where all three are JSON documents, else as a whole."""
        ...

    def document(self, part: Part, name: str, versions: Versions) -> Any:
        """Merge a JSON value by path."""
        ...

    def named(self, part: Part, versions: Versions, each: MergePart) -> dict[str, Any]:
        """Merge objects by name, each part by one of these methods; ABSENT has no parts."""
        ...

    def items(self, part: Part, versions: Versions) -> Any:
        """Merge lists of texts by their edits; ABSENT has no items. Returns a list, which may be
        empty, or, if the lists differ too much, one of the three versions."""
        ...


class Mask(Protocol):
    """What is to be masked in a value: all of it where that is `whole`, else by names."""

    @property
    def whole(self) -> bool: ...

    def hides(self, name: str) -> bool:
        """Return whether what has this name is masked."""
        ...

    def text(self, text: str) -> str:
        """Return a text without what is masked in it."""
        ...

    def pairs(self, flat: Sequence[str]) -> list[str]:
        """Return a flat list of fields and values without what is masked in it."""
        ...

    def document(self, value: Any) -> Any:
        """Return a JSON value without what is masked in it."""
        ...


class Kind(ABC):
    """One Redis type. A new type is a new file with one of these, and a line in the registry.

    Values are as a snapshot stores them, but where a method says that text is loose.
    """

    name: str
    """What the TYPE command calls it."""

    holds = Holds.OTHER
    """What its values are made of."""

    floats = False
    """Whether numbers with a fraction stand in its values: == is not exact then, and JSON
    libraries write them in ways of their own."""

    canonical_as_made = False
    """Whether `are_canonical()` holds for every value that gitbackup has stored, but for one with
    text in base64: then such a value need not be looked at."""

    documents = False
    """Whether its texts may be JSON documents, into which a path leads."""

    takes_written = False
    """Whether a text over 1 MiB may be told to `read()` as written text: see `codec.write`."""

    fields_expire = False
    """Whether parts of it may expire by themselves, which `field_expires_at` tells."""

    known_by = ""
    """A command that only servers know which can hold it; empty where every server can."""

    silent_commands: tuple[str, ...] = ()
    """Commands, in lower case, that change it without an invalidation by the server."""

    command_families: tuple[str, ...] = ()
    """First words of commands whose second word says what they do."""

    refusals: tuple[str, ...] = ()
    """How errors begin that say that the key is gone, or of another type; less those that every
    server has."""

    replies: ClassVar[Mapping[str, Shape]] = {}
    """What the replies look like to the commands that reading it takes."""

    create_if_absent: tuple[str, ...] = ()
    """Words at the end of the command of `create()` for it to do nothing if the key exists; none
    if it has no such words. Only servers with `Abilities.pexpiretime` know all of them."""

    create_until = ""
    """The word before an instant, in milliseconds since 1970, that follows these for an expiry."""

    read_back: ReadBack | None = None
    """What the server most likely replies to `single_reply()` after `create()`; None if that cannot
    be told."""

    # How it is read

    def single_reply(self, server: Abilities, sized: bool) -> SingleReply | None:
        """Return how to ask for a small value by one command; None if that takes more.

        It is `sized` where it is known to be small.
        """
        return None

    @abstractmethod
    def read(self, key: bytes, server: Abilities) -> Reading:
        """Return a generator that asks for the value in bounded pieces: see `Reading`."""

    def more_reads(self, key: bytes, server: Abilities) -> Iterator[Command]:
        """Yield one of each command that `read` may send only after its first round."""
        return iter(())

    @abstractmethod
    def canonicalize(self, value: Any) -> Any:
        """Return the value in its canonical form, which it has unless a person edited it.

        Raises ValueError, saying what is wrong, for a value that does not fit.
        """

    @abstractmethod
    def are_canonical(self, values: Sequence[Any]) -> bool:
        """Return whether values surely are in their canonical form; False if only a closer look can
        tell.

        Their text is under the text rule, and all of it UTF-8. They are looked at together, in C
        as far as possible, since they may be those of all keys.
        """

    def written(self, value: Any) -> Any:
        """Return the value for `codec` to write, its `codec.is_odd` numbers put by `codec.written`;
        the same object where there are none.
        """
        return value

    # How it is written

    @abstractmethod
    def sample(self, server: Abilities) -> Entry | None:
        """Return an entry whose `write` takes every command that any does; None if none can."""

    def needs(self, entry: Entry) -> Abilities:
        """Return the least that a server must know to hold the entry."""
        return Abilities(
            stream_counters=False,
            makes_consumers=False,
            field_expiry="field_expires_at" in entry,
        )

    @abstractmethod
    def write(self, key: bytes, entry: Entry, server: Abilities) -> Iterator[Command]:
        """Yield the commands that build `entry`, less its expiry, at a key that does not exist."""

    def create(self, name: str, value: Any) -> Command | None:
        """Return the one command that makes a key of a canonical value; None if it takes more.

        All text in the value is UTF-8.
        """
        return None

    @abstractmethod
    def change(
        self, key: bytes, before: Entry, after: Entry, server: Abilities
    ) -> Iterator[Command] | None:
        """Return the commands that make a key which holds `before` hold `after`, its own expiry
        untouched; None if it has to be built anew."""

    # What it is made of

    def elements(self, value: Any) -> int | None:
        """Return how many elements a value has; None for what has none."""
        return len(value)

    def least_memory(self, value: Any) -> int:
        """Return how many bytes of a server's memory a value takes, at the very least."""
        return text_bytes(value)

    def document(self, value: Any) -> str | None:
        """Return the text of a value that is one text as a whole; None for any other."""
        return None

    @abstractmethod
    def part(self, value: Any, name: str) -> Any:
        """Return the part of a value that has this name. Raises LookupError for none."""

    @abstractmethod
    def parts(self, value: Any, text: TextParts) -> Iterator[PartOf]:
        """Yield the parts of a value in order, its texts taken apart by `text`."""

    @abstractmethod
    def diff(self, before: Any, after: Any, texts: TextChanges) -> list[ValueChange]:
        """Return what differs between two values, texts compared by `texts`."""

    def merge(self, versions: Versions, parts: MergeParts) -> Any:
        """Return a value merged of three versions; ABSENT where the key shall not exist."""
        return parts.leaf(Part.VALUE, "", versions)

    @abstractmethod
    def masked(self, value: Any, mask: Mask) -> Any:
        """Return a redacted copy of a value."""

    @abstractmethod
    def rows(self, value: Any) -> Rows:
        """Return a value as the rows of a preview."""

    def ranks(self, value: Any) -> Mapping[str, int]:
        """Return where each member stands, 1 for the highest; nothing where members do not."""
        return {}


def each(
    command: str, key: bytes, words: Sequence[str], most: int = ARGUMENTS
) -> Iterator[Command]:
    """Yield a command about texts as often as needed, each time with at most so many of them."""
    for piece in pieces(words, most):
        yield command, key, *map(codec.data, piece)


def pieces(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield `items` in slices of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def all_of(items: Sequence[T]) -> Sequence[T]:
    """Return the items that came where FEW were asked for.

    Raises Incomplete if there may be more.
    """
    if len(items) >= FEW:
        raise Incomplete
    return items


def expect_texts(items: Iterable[Any]) -> None:
    """Raise Incomplete if these are not all text: then the reply tells no value."""
    try:
        "".join(items)  # which looks at each fastest
    except TypeError:
        raise Incomplete from None


def all_scanned(reply: Any) -> Sequence[str]:
    """Return what a scan has found. Raises Incomplete if it is not at its end."""
    cursor, found = reply
    if cursor != "0":
        raise Incomplete
    expect_texts(found)
    return found  # type: ignore[no-any-return]  # a list of text


def expect_new(cursor: str, seen: set[str]) -> None:
    """Raise Incomplete for a cursor that a scan was given before: it would never end."""
    if cursor in seen:
        raise Incomplete("scanning it does not end")
    seen.add(cursor)


def pairs(flat: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """Return a flat reply `a, 1, b, 2` as pairs."""
    each = iter(flat)
    return zip(each, each, strict=True)


def mapping(reply: Any) -> dict[str, Any]:
    """Return a map reply: a dict under RESP3, a flat list under RESP2."""
    return reply if isinstance(reply, dict) else dict(pairs(reply))


def normal_text(value: Any, what: str) -> str:
    """Return a string under the text rule. Raises ValueError if it is not written text."""
    if type(value) is codec.Written:
        return value  # type: ignore[return-value]  # only written
    if not isinstance(value, str):
        raise ValueError(f"{what} is not a string")
    if not value.startswith(codec.PREFIX):
        return value
    try:
        content = codec.data(value)
    except ValueError:
        raise ValueError(f"{what} begins with base64: but is not valid base64") from None
    return value if codec.is_encoded(value, content) else codec.text(content)


def normal_object(value: Any, what: str = "the value") -> dict[str, Any]:
    """Return an object whose names are under the text rule. Raises ValueError for anything else."""
    if not isinstance(value, dict):
        raise ValueError(f"{what} is not an object")
    normal = {normal_text(name, f"a name in {what}"): item for name, item in value.items()}
    if len(normal) < len(value):
        raise ValueError(f"{what} has a duplicate name, once as base64")
    return normal


def normal_texts(value: Any, what: str = "the value") -> list[str]:
    """Return an array of strings under the text rule. Raises ValueError for anything else."""
    if not isinstance(value, list):
        raise ValueError(f"{what} is not an array")
    return [normal_text(item, f"item {position}") for position, item in enumerate(value)]


def normal_instant(value: Any) -> str | int:
    """Return an instant with milliseconds, in UTC. Raises ValueError for anything else."""
    return codec.instant(codec.milliseconds(value))


def check_not_empty(value: Any) -> None:
    """Raise ValueError for an empty collection, which no Redis can hold."""
    if not value:
        raise ValueError("the value is empty")


def text_bytes(value: Any) -> int:
    """Return the bytes of all texts in a value; numbers, which a server packs, count as none."""
    if isinstance(value, str):
        if value.startswith(codec.PREFIX):
            return len(value) * 3 // 4 - len(codec.PREFIX)
        return 0 if value.isdecimal() else len(value)
    if isinstance(value, dict):
        return sum(map(text_bytes, value)) + sum(map(text_bytes, value.values()))
    return sum(map(text_bytes, value)) if isinstance(value, list) else 0


def are_all_text(items: Iterable[Any]) -> bool:
    """Return whether there are items, and all of them are text."""
    return {*map(type, items)} == {str}
