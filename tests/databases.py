"""Random databases of every type, awkward on purpose, for whatever test needs some.

A `Database` is a plan: commands that any client can send. What has no order of its own can
be sent in any, so that the same database can be built in several ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeAlias

import redis
from hypothesis import strategies as st

Command: TypeAlias = tuple[Any, ...]
Names: TypeAlias = st.SearchStrategy[bytes]

LARGEST_ID = 2**64 - 1
DATABASES = (0, 1, 9, 15)

AWKWARD = [
    b"",
    b"\0",
    b"a\0b",
    b"line\nline\r\n\x1b[0m",
    b" ",
    b'"\\/\x7f',
    "é".encode(),
    "e\u0301".encode(),
    "\U0001f600".encode(),
    "\u2028\ufeff".encode(),
    b"base64:",
    b"base64:aGk=",
    b"base64:not base64",
    b"Base64:aGk=",
    b"\xff",
    b"\xfe\xff:\x80",
    b"\xed\xa0\x80",  # half of a surrogate pair, which is no UTF-8
    b"\xc0\x80",  # a longer form of NUL, which is none either
    "\U0010ffff".encode(),
    b"{}",
    b"[1.0]",
    b"00017",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"18446744073709551616",
]

AWKWARD_NAMES = [
    *AWKWARD,
    b"key",
    b"Key",
    b"KEY",
    b"user:1",
    b"User:1",
    b"user:",
    b":user",
    b"::",
    b"con:nul:aux",
    b"../../etc/passwd",
    b"k" * 1_000,
    b"deep:" * 200,
    "ключ:\U0001f511:1".encode(),
    b"name:gitbackup-aside:0000000g",
]

SCORES = [
    0.0,
    -0.0,
    1.0,
    -1.5,
    0.1,
    3.141592653589793,
    1e21,
    1e-7,
    5e-324,
    1.7976931348623157e308,
    float(2**53 - 1),
    float(2**53),
    float(2**53 + 2),
    float("inf"),
    float("-inf"),
]

MOMENTS = [
    4_102_444_800_000,
    4_102_444_800_123,
    253_402_300_799_999,
    253_402_300_800_000,
    2**55 + 1,
]


@dataclass(frozen=True)
class Item:
    """One key: commands that build it, in any order but where `ordered`; and `last` ones."""

    db: int
    name: bytes
    parts: tuple[Command, ...]
    ordered: bool = False
    last: tuple[Command, ...] = ()

    def commands(self, random: Random | None) -> list[Command]:
        parts = list(self.parts)
        if random and not self.ordered:
            random.shuffle(parts)
        return [_about(self.name, *part) for part in (*parts, *self.last)]


def _about(key: bytes, command: str, *words: Any) -> Command:
    """The command with the key's name in its place."""
    if command == "XREADGROUP":
        group, consumer, count, *options = words
        return (command, "GROUP", group, consumer, "COUNT", count, *options, "STREAMS", key, ">")
    return (command, key, *words)


@dataclass(frozen=True)
class Database:
    """Keys of several numbered databases, and the sources of function libraries."""

    items: tuple[Item, ...]
    libraries: tuple[bytes, ...] = field(default=())

    def build(self, client: redis.Redis, random: Random | None = None) -> None:
        """Sends it to an empty server, shuffled where `random` is given."""
        items, libraries = list(self.items), list(self.libraries)
        if random:
            random.shuffle(items)
            random.shuffle(libraries)
        send(client, [("FUNCTION", "LOAD", source) for source in libraries])
        commands: list[Command] = []
        for item in items:
            commands += [("SELECT", item.db), *item.commands(random)]
        send(client, [*commands, ("SELECT", 0)])


def send(client: redis.Redis, commands: Sequence[Command]) -> list[Any]:
    """The raw replies to commands, each of which has to go well."""
    connection = client.connection_pool.get_connection()
    try:
        connection.send_packed_command(connection.pack_commands(commands))
        replies = []
        for command in commands:
            try:
                replies.append(connection.read_response())
            except redis.ResponseError as error:
                raise AssertionError(f"{command!r:.200}: {error}") from None
        return replies
    finally:
        client.connection_pool.release(connection)


def names() -> Names:
    """Names of keys."""
    words = st.sampled_from([b"user", b"User", b"session", b"a", b"1", "é".encode()])
    pathlike = st.lists(words, min_size=1, max_size=4).map(b":".join)
    return st.sampled_from(AWKWARD_NAMES) | pathlike | st.binary(max_size=12)


def contents() -> Names:
    """Members, fields and values."""
    return st.sampled_from(AWKWARD) | st.binary(max_size=40) | st.text(max_size=20).map(_utf8)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def scores() -> st.SearchStrategy[float]:
    return st.sampled_from(SCORES) | st.floats(allow_nan=False) | st.integers(-99, 99).map(float)


def databases(
    brand: str = "valkey", *, common: bool = False, max_keys: int = 12
) -> st.SearchStrategy[Database]:
    """Databases that a server of this brand can hold.

    `common` leaves out what some server does not know, or keeps in a way of its own.
    """
    places = st.sampled_from(DATABASES)
    keys = st.lists(st.tuples(places, names()), max_size=max_keys, unique=True)
    made = keys.flatmap(
        lambda keys: st.tuples(*(items(db, name, brand, common) for db, name in keys))
    )
    if common or brand.startswith("redis6"):
        return made.map(Database)
    return st.builds(Database, made, libraries())


@st.composite
def items(draw: st.DrawFn, db: int, name: bytes, brand: str, common: bool) -> Item:
    kind = draw(st.sampled_from(sorted(PARTS)))
    item = draw(PARTS[kind](db, name, brand, common))
    moment = draw(st.none() | st.sampled_from(MOMENTS))
    if moment is None:
        return item
    return Item(db, name, item.parts, item.ordered, (*item.last, ("PEXPIREAT", moment)))


@st.composite
def _string(draw: st.DrawFn, db: int, name: bytes, brand: str, common: bool) -> Item:
    return Item(db, name, (("SET", draw(contents())),))


@st.composite
def _hash(draw: st.DrawFn, db: int, name: bytes, brand: str, common: bool) -> Item:
    fields = draw(st.dictionaries(contents(), contents(), min_size=1, max_size=8))
    last: list[Command] = []
    if brand == "valkey" and not common:
        chosen = draw(st.lists(st.sampled_from(sorted(fields)), max_size=3, unique=True))
        moments = draw(st.lists(st.sampled_from(MOMENTS), min_size=3, max_size=3))
        expiring = zip(moments, chosen, strict=False)
        last = [("HPEXPIREAT", moment, "FIELDS", 1, one) for moment, one in expiring]
    return Item(db, name, tuple(("HSET", *pair) for pair in fields.items()), last=tuple(last))


@st.composite
def _list(draw: st.DrawFn, db: int, name: bytes, brand: str, common: bool) -> Item:
    found = draw(st.lists(contents(), min_size=1, max_size=8))
    return Item(db, name, tuple(("RPUSH", item) for item in found), ordered=True)


@st.composite
def _set(draw: st.DrawFn, db: int, name: bytes, brand: str, common: bool) -> Item:
    numbers = st.sets(st.integers(-(2**63), 2**63 - 1).map(lambda n: b"%d" % n), min_size=1)
    members = draw(st.sets(contents(), min_size=1, max_size=8) | numbers)
    return Item(db, name, tuple(("SADD", member) for member in sorted(members)))


@st.composite
def _zset(draw: st.DrawFn, db: int, name: bytes, brand: str, common: bool) -> Item:
    members = draw(st.dictionaries(contents(), scores(), min_size=1, max_size=8))
    parts = [("ZADD", repr(score), member) for member, score in members.items()]
    if common:  # what becomes of the sign of a zero is each server's own affair
        parts = [("ZADD", repr(score + 0.0), member) for member, score in members.items()]
    return Item(db, name, tuple(parts))


def ids() -> st.SearchStrategy[tuple[int, int]]:
    edges = st.sampled_from([0, 1, 9, 10, 2**53, 2**63, LARGEST_ID - 1, LARGEST_ID])
    numbers = edges | st.integers(0, 10**13)
    return st.tuples(numbers, numbers).filter(lambda pair: pair != (0, 0))


@st.composite
def _stream(draw: st.DrawFn, db: int, name: bytes, brand: str, common: bool) -> Item:
    added = [f"{a}-{b}" for a, b in sorted(draw(st.sets(ids(), max_size=8)))]
    parts: list[Command] = [("XGROUP CREATE", "m", "0", "MKSTREAM"), ("XGROUP DESTROY", "m")]
    for id_ in added:
        fields = draw(st.lists(st.tuples(contents(), contents()), min_size=1, max_size=3))
        parts.append(("XADD", id_, *(word for pair in fields for word in pair)))
    for group in draw(st.lists(contents(), max_size=3, unique=True)):
        parts += draw(_group(group, added, brand, common))
    if not common and added:
        parts += [("XDEL", id_) for id_ in draw(st.lists(st.sampled_from(added), max_size=4))]
        trimmed = draw(st.none() | st.integers(0, 8))
        parts += [] if trimmed is None else [("XTRIM", "MAXLEN", trimmed)]
    counted = not common and not brand.startswith("redis6")
    if counted and added and draw(st.booleans()):
        last, most = draw(st.sampled_from([added[-1], f"{LARGEST_ID}-{LARGEST_ID}"])), 2**63 - 1
        parts.append(
            ("XSETID", last, "ENTRIESADDED", draw(st.integers(8, most)), "MAXDELETEDID", last)
        )
    return Item(db, name, tuple(parts), ordered=True)


@st.composite
def _group(
    draw: st.DrawFn, group: bytes, added: list[str], brand: str, common: bool
) -> list[Command]:
    start = draw(st.sampled_from(["0-0", *added, "5-5"]))
    parts: list[Command] = [("XGROUP CREATE", group, start)]
    if not common and not brand.startswith("redis6") and draw(st.booleans()):
        parts = [("XGROUP CREATE", group, start, "ENTRIESREAD", draw(st.integers(0, 2**63 - 1)))]
    consumers = draw(st.lists(contents(), max_size=3, unique=True))
    parts += [("XGROUP CREATECONSUMER", group, one) for one in consumers]
    if not (consumers and added):
        return parts
    if not common and draw(st.booleans()):
        count = draw(st.integers(1, 4))
        options = draw(st.sampled_from([(), ("NOACK",)]))
        parts.append(("XREADGROUP", group, draw(st.sampled_from(consumers)), count, *options))
    for id_ in draw(st.lists(st.sampled_from(added), max_size=4, unique=True)):
        at, times = draw(st.sampled_from([1, 1_700_000_000_123])), draw(st.integers(0, 2**31))
        claim = ("XCLAIM", group, draw(st.sampled_from(consumers)), 0, id_)
        parts.append((*claim, "TIME", at, "RETRYCOUNT", times, "FORCE", "JUSTID"))
    return parts


@st.composite
def libraries(draw: st.DrawFn) -> tuple[bytes, ...]:
    chosen = draw(st.lists(st.sampled_from(["mylib", "MyLib", "con", "x" * 80]), unique=True))
    comment = draw(st.sampled_from([b"", b"\xff\xfe", "é".encode(), b"\r\n"]))
    return tuple(library(name, comment) for name in chosen)


def library(name: str, comment: bytes = b"") -> bytes:
    """The source of a library with one function."""
    unique = name.encode().hex()  # the names of functions differ by more than case
    function = f"redis.register_function('f_{unique}', function() return 1 end)".encode()
    return b"#!lua name=%s\n-- %s\n%s" % (name.encode(), comment.replace(b"\n", b" "), function)


PARTS = {
    "string": _string,
    "hash": _hash,
    "list": _list,
    "set": _set,
    "zset": _zset,
    "stream": _stream,
}
