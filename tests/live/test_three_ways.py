"""A key is read in bulk, alone, or with others at one moment: the entry is the same each time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbackup.format import codec
from gitbackup.kinds import KINDS, canonical, normal_entry, same
from gitbackup.live.connection.address import parse
from gitbackup.live.connection.connect import Server, connect
from gitbackup.live.read.alone_read import RetryAlone, whole
from gitbackup.live.read.atomic_read import AtomicReader, KeyToRead
from gitbackup.live.read.bulk_read import SIMPLE
from gitbackup.live.read.file_replies import File
from gitbackup.live.read.key_reader import KeyReader
from gitbackup.model.keys import Entry
from gitbackup.snapshot.file_format import encode_loose, encode_stored
from tests.kinds.examples import EXAMPLES
from tests.servers import LiveServer

Found = dict[bytes, Entry | None]
LARGE: list[Entry] = [
    {"type": "string", "value": "x" * (SIMPLE + 1)},
    {"type": "hash", "value": {f"f{n:04}": "" for n in range(2_000)}},
    {"type": "zset", "value": {f"m{n:04}": n for n in range(2_000)}},
]
"""What one command does not tell for sure."""

HELD_BY_ALL = {name: some for name, some in EXAMPLES.items() if not KINDS[name].known_by}
"""Values of the types that every server can hold."""


@pytest.fixture
def server(servers: LiveServer) -> Server:
    return connect(parse(servers.url))


def entries() -> st.SearchStrategy[dict[bytes, Entry]]:
    each = [
        st.fixed_dictionaries(
            {"type": st.just(kind), "value": some.strategy},
            optional={"expires_at": st.just("2100-01-01T00:00:00.001Z")},
        )
        for kind, some in HELD_BY_ALL.items()
    ]
    found: st.SearchStrategy[Any] = st.one_of(*each, st.sampled_from(LARGE))
    return st.dictionaries(st.binary(min_size=1, max_size=8), found, min_size=1, max_size=20)


def write(server: Server, held: Mapping[bytes, Entry]) -> None:
    connection = server.dial()
    connection.call("FLUSHALL")
    for key, entry in held.items():
        connection.need([*KINDS[entry["type"]].write(key, entry, server.abilities)])
        if "expires_at" in entry:
            connection.call("PEXPIREAT", key, codec.milliseconds(entry["expires_at"]))
    connection.close()


def in_bulk(server: Server, keys: list[bytes]) -> Found:
    with KeyReader(server) as reader:
        return dict(reader.entries(0, keys))


def in_files(server: Server, keys: list[bytes], hears: bool) -> Found:
    """Of those whose replies tell all; nothing where the server does not allow it."""
    found: Found = {}
    with KeyReader(server, hears) as reader:
        files = reader.raw(0)
        for _, replies in files.read([File("a", keys[::2]), File("b", keys)]) if files else ():
            if files and replies:
                outcomes = zip(replies.keys, files.entries(replies), strict=True)
                found |= {key: one for key, one in outcomes if one is not RetryAlone.LATER}
    return found


def alone(server: Server, keys: list[bytes]) -> Found:
    connection = server.dial()
    found = {key: whole(connection, key, server.abilities).entry for key in keys}
    connection.close()
    return found


def at_one_moment(server: Server, held: Mapping[bytes, Entry]) -> Found:
    connection = server.dial()
    reader = AtomicReader(connection, server.abilities)
    reader.read([], libraries=False)  # which tells what there is to know of the database
    moment = reader.read([KeyToRead(0, key, held[key]["type"]) for key in sorted(held)], False)
    connection.close()
    outcomes = moment.outcomes.items()
    return {key: one for (_, key), one in outcomes if one is not RetryAlone.LATER}


def stored(found: Found) -> dict[bytes, bytes]:
    return {key: codec.encode(canonical(entry)) for key, entry in found.items() if entry}


@given(held=entries())
def test_every_way_gives_the_entry_that_was_written(
    server: Server, held: dict[bytes, Entry]
) -> None:
    write(server, held)
    keys = sorted(held)
    expected = {key: codec.encode(normal_entry(entry)) for key, entry in held.items()}
    assert stored(in_bulk(server, keys)) == expected
    assert stored(alone(server, keys)) == expected
    for found in (
        in_files(server, keys, hears=False),
        in_files(server, keys, hears=True),
        at_one_moment(server, held),
    ):
        assert stored(found) == {key: expected[key] for key in found}


def test_small_values_are_told_at_once_by_every_way(valkey: LiveServer) -> None:
    """Else the test above could not fail."""
    server = connect(parse(valkey.url))
    held: dict[bytes, Entry] = {
        name.encode(): {"type": name, "value": some.values[1]}
        for name, some in HELD_BY_ALL.items()
        if name != "stream"
    }
    write(server, held)
    assert in_files(server, sorted(held), hears=False).keys() == held.keys()
    assert at_one_moment(server, held).keys() == held.keys()


BIG = 1_100_000  # bytes: more than a mebibyte
TEXTS = {
    "words": "Zoë 🚀 \n".encode() * (BIG // 10),
    "bytes": bytes(range(256)) * (BIG // 256),
    "cut off": b"x" * BIG + "é".encode()[:1],
    "like base64": b"base64:eA==" + b" " * BIG,
    "zeros": bytes(BIG),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_large_text_is_stored_as_any_other(server: Server, text: bytes) -> None:
    """In bulk and alone, as a value, in a field, and as a name."""
    value, small = codec.text(text), codec.text(text[:50])
    held: dict[bytes, Entry] = {
        b"string": {"type": "string", "value": value},
        b"hash": {"type": "hash", "value": {"field": value, small: "1", value: small}},
        b"list": {"type": "list", "value": [small, value]},
        b"small": {"type": "string", "value": small},
    }
    write(server, held)
    with KeyReader(server) as reader:
        for found in (dict(reader.entries(0, held)), {key: reader.alone(0, key) for key in held}):
            entries = {codec.loose(key): entry for key, entry in found.items() if entry}
            stored = {codec.text(key): normal_entry(entry) for key, entry in held.items()}
            assert encode_loose(entries) == encode_stored(stored)
            assert all(same(found[key], entry) for key, entry in held.items())
    sizes = [len(codec.encode(held[key])) for key in (b"string", b"hash", b"list")]
    assert min(sizes) > BIG
