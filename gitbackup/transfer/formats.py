"""The formats of an export: one document, an entry a line, or commands for `redis-cli --pipe`.

A format turns each entry into bytes, and those into a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Protocol

from gitbackup.format import codec
from gitbackup.kinds import Command, kind_of, search_index
from gitbackup.model.keys import FUNCTIONS, SEARCH, Entry, Key, place_object
from gitbackup.snapshot import file_format

SCHEMA = "gitbackup.export/1"
MEMBER = b'"schema":"%s",' % SCHEMA.encode()
Facts = Mapping[str, Any]
Fetch = Callable[[Key], bytes]


class ExportFormat(Protocol):
    """How an export is written; `text` tells whether a person can read it."""

    text: bool

    def entry(self, key: Key, entry: Entry) -> bytes:
        """Return one entry in this format."""
        ...

    def file(self, facts: Facts, keys: Sequence[Key], fetch: Fetch) -> Iterator[bytes]:
        """Yield the file of sorted `keys`, piece by piece; `fetch` returns the entry of each.

        `facts` are what the file tells of itself.
        """
        ...


class JsonFormat:
    """One document: the schema, the facts, the databases and their keys, the libraries, and the
    search indexes if there are any."""

    text = True

    def entry(self, key: Key, entry: Entry) -> bytes:
        if not key.in_database:
            return _members({key.name: entry["value"]}, 1)
        return _members({key.name: file_format.as_written(key.name, entry)}, 2)

    def file(self, facts: Facts, keys: Sequence[Key], fetch: Fetch) -> Iterator[bytes]:
        yield b"{\n" + _members({"schema": SCHEMA}) + b",\n" + _members(facts)
        yield b',\n  "databases": {'
        in_databases = [key for key in keys if key.in_database]
        for at, (db, group) in enumerate(groupby(in_databases, key=lambda key: key.db)):
            yield b'%s\n    "%d": {\n' % (b"," if at else b"", db)
            yield from _joined(map(fetch, group))
            yield b"\n    }"
        yield b"\n  }" if in_databases else b"}"
        yield from _sources("libraries", [key for key in keys if key.db == FUNCTIONS], fetch)
        if indexes := [key for key in keys if key.db == SEARCH]:
            yield from _sources("indexes", indexes, fetch)
        yield b"\n}\n"


class JsonLinesFormat:
    """An object a line: first the facts, then each entry."""

    text = True

    def entry(self, key: Key, entry: Entry) -> bytes:
        place = codec.line(place_object(key))[1:-1]
        written = codec.line(file_format.as_written(key.name, entry))
        return b'{%s%s,"key":%s,"entry":%s}\n' % (MEMBER, place, codec.line(key.name), written)

    def file(self, facts: Facts, keys: Sequence[Key], fetch: Fetch) -> Iterator[bytes]:
        """Yield the facts, with how many lines follow: so a file that was cut off is noticed."""
        yield b"{" + MEMBER + codec.line({**facts, "entries": len(keys)})[1:] + b"\n"
        yield from map(fetch, keys)


class RespFormat:
    """The commands that create the keys, as the server reads them.

    They are in no transaction, since `redis-cli --pipe` reports no errors from inside one.
    """

    text = False

    def entry(self, key: Key, entry: Entry) -> bytes:
        return _packed(_writes(key, entry))

    def file(self, facts: Facts, keys: Sequence[Key], fetch: Fetch) -> Iterator[bytes]:
        for db, group in groupby(keys, key=lambda key: key.db):
            if db >= 0:
                yield _packed([("SELECT", db)])
            yield from map(fetch, group)


FORMS: dict[str, ExportFormat] = {
    "json": JsonFormat(),
    "jsonl": JsonLinesFormat(),
    "resp": RespFormat(),
}


def _members(document: Mapping[str, Any], depth: int = 0) -> bytes:
    """Return the members of an object at that depth of the document, without its brackets."""
    inside = codec.encode(document)[2:-3]
    return (b"\n" + inside).replace(b"\n", b"\n" + b"  " * depth)[1:]


def _sources(member: str, keys: Sequence[Key], fetch: Fetch) -> Iterator[bytes]:
    """Yield the member of a document that has the sources of libraries, or of indexes."""
    yield b',\n  "%s": {' % member.encode()
    if keys:
        yield b"\n"
        yield from _joined(map(fetch, keys))
        yield b"\n  "
    yield b"}"


def _joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for at, piece in enumerate(pieces):
        yield (b",\n" if at else b"") + piece


def _writes(key: Key, entry: Entry) -> Iterator[Command]:
    """Yield the commands of one key. What has its name is removed first, not merged into."""
    if key.db == FUNCTIONS:
        yield "FUNCTION", "LOAD", "REPLACE", codec.data(entry["value"])
        return
    if key.db == SEARCH:
        yield from search_index.parse(codec.data(entry["value"])).create()
        return
    name = codec.data(key.name)
    yield "UNLINK", name
    kind = kind_of(entry)  # as little as it takes, so that most servers take it
    yield from kind.write(name, entry, kind.needs(entry))
    if "expires_at" in entry:
        yield "PEXPIREAT", name, codec.milliseconds(entry["expires_at"])


def _packed(commands: Iterable[Command]) -> bytes:
    packed = []
    for command in commands:
        words = [word if isinstance(word, bytes) else str(word).encode() for word in command]
        packed.append(b"*%d\r\n" % len(words))
        packed += [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
    return b"".join(packed)
