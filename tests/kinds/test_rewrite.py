"""What turns one entry into another: no more than changed, and exactly that, on every server."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbackup.format import codec
from gitbackup.kinds import canonical, normal_entry
from gitbackup.kinds.rewrite import turn
from gitbackup.live.connection.address import parse
from gitbackup.live.connection.connect import Server, connect
from gitbackup.live.read.key_reader import KeyReader
from gitbackup.model.keys import Entry
from tests.databases import send
from tests.kinds.examples import GROUP, STREAM, dump
from tests.redis_cli import feed, lines, words
from tests.servers import LiveServer

NOW, SOON, LATER = 1_700_000_000_000, 4_102_444_800_000, 4_102_444_800_123
DELIVERED = "2026-01-01T00:00:00.123Z"
INSTANT, LATER_INSTANT = codec.instant(SOON), codec.instant(LATER)


def entry(kind: str, value: Any, **more: Any) -> Entry:
    return normal_entry({"type": kind, "value": value, **more})


def told(before: Entry | None, after: Entry | None, until: int = NOW) -> list[str]:
    return lines(turn(b"k", before, after, until)).splitlines()


def stream(entries: int, **more: Any) -> Entry:
    return entry(
        "stream", {"entries": {f"{n}-0": ["f", "v"] for n in range(1, entries + 1)}, **more}
    )


EXACT = {
    "a key comes": (None, entry("hash", {"a": "1"}), ["HSET k a 1"]),
    "a key goes": (entry("hash", {"a": "1"}), None, ["UNLINK k"]),
    "a string": (entry("string", "a"), entry("string", "b"), ["SET k b"]),
    "a field changes": (
        entry("hash", {"a": "1", "b": "2"}),
        entry("hash", {"a": "1", "b": "3"}),
        ["HSET k b 3"],
    ),
    "a field goes": (entry("hash", {"a": "1", "b": "2"}), entry("hash", {"a": "1"}), ["HDEL k b"]),
    "all fields are others": (
        entry("hash", {"a": "1"}),
        entry("hash", {"b": "1"}),
        ["HSET k b 1", "HDEL k a"],
    ),
    "a field that expires changes": (
        entry("hash", {"a": "1", "b": "2"}, field_expires_at={"a": INSTANT, "b": INSTANT}),
        entry("hash", {"a": "2", "b": "2"}, field_expires_at={"a": INSTANT, "b": INSTANT}),
        ["HSET k a 2", f"HPEXPIREAT k {SOON} FIELDS 1 a"],
    ),
    "a field is to live on": (
        entry("hash", {"a": "1"}, field_expires_at={"a": INSTANT}),
        entry("hash", {"a": "1"}),
        ["HPERSIST k FIELDS 1 a"],
    ),
    "members": (entry("set", ["a", "b"]), entry("set", ["b", "c"]), ["SADD k c", "SREM k a"]),
    "scores": (
        entry("zset", {"a": 1, "b": 2.5, "c": "inf"}),
        entry("zset", {"a": 2, "b": 2.5, "d": "-inf"}),
        ["ZADD k 2 a -inf d", "ZREM k c"],
    ),
    "items appended": (
        entry("list", ["a", "b"]),
        entry("list", ["a", "b", "c", "d"]),
        ["RPUSH k c d"],
    ),
    "items at both ends, and one within": (
        entry("list", ["a", "b", "c", "d", "e", "f"]),
        entry("list", ["y", "z", "b", "C", "d"]),
        ["LSET k 2 C", "LTRIM k 1 -1", "LPUSH k z y", "LTRIM k 0 -3"],
    ),
    "an item inserted within": (
        entry("list", ["a", "b"]),
        entry("list", ["a", "x", "b"]),
        ["UNLINK k", "RPUSH k a x b"],
    ),
    "entries appended": (stream(2), stream(3), ["XADD k 3-0 f v"]),
    "a stream trimmed": (
        stream(3),
        entry("stream", {"entries": {"3-0": ["f", "v"]}, "entries_added": 3}),
        ["XTRIM k MAXLEN 1"],
    ),
    "an entry deleted": (
        stream(2),
        entry(
            "stream",
            {"entries": {"2-0": ["f", "v"]}, "entries_added": 2, "max_deleted_id": "1-0"},
        ),
        ["XDEL k 1-0"],
    ),
    "a group moved on": (
        entry("stream", {**STREAM, "groups": {"g": {**GROUP, "last_id": "1-0"}}}),
        entry("stream", {**STREAM, "groups": {"g": {"last_id": "2-0", "consumers": ["alice"]}}}),
        ["XGROUP SETID k g 2-0", "XACK k g 1-0", "XGROUP DELCONSUMER k g bob"],
    ),
    "a group gone": (
        entry("stream", {**STREAM, "groups": {"g": GROUP}}),
        entry("stream", STREAM),
        ["XGROUP DESTROY k g"],
    ),
    "a type": (
        entry("set", ["a"]),
        entry("list", ["a"], expires_at=INSTANT),
        ["UNLINK k", "RPUSH k a", f"PEXPIREAT k {SOON}"],
    ),
    "a module's": (
        entry("odd", dump(b"\0a")),
        entry("odd", dump(b"\xff")),
        [r'RESTORE k 0 "\xff" REPLACE'],
    ),
    "an expiry comes": (
        entry("odd", dump(b"a")),
        entry("odd", dump(b"a"), expires_at=INSTANT),
        [f"PEXPIREAT k {SOON}"],
    ),
    "an expiry goes": (
        entry("string", "a", expires_at=INSTANT),
        entry("string", "a"),
        ["PERSIST k"],
    ),
    "an expiry stays, which SET takes away": (
        entry("string", "a", expires_at=INSTANT),
        entry("string", "b", expires_at=INSTANT),
        ["SET k b", f"PEXPIREAT k {SOON}"],
    ),
    "an expiry stays, which HSET leaves": (
        entry("hash", {"a": "1"}, expires_at=INSTANT),
        entry("hash", {"a": "2"}, expires_at=INSTANT),
        ["HSET k a 2"],
    ),
}


@pytest.mark.parametrize("case", EXACT)
def test_no_more_than_what_changed(case: str) -> None:
    before, after, expected = EXACT[case]
    assert expected == told(before, after)


def test_what_may_have_expired_when_the_commands_run_is_built_anew() -> None:
    before = entry("hash", {"a": "1", "b": "2"}, expires_at=INSTANT)
    after = entry("hash", {"a": "1", "b": "3"}, expires_at=LATER_INSTANT)
    assert ["HSET k b 3", f"PEXPIREAT k {LATER}"] == told(before, after, SOON - 1)
    whole = ["UNLINK k", "HSET k a 1 b 3", f"PEXPIREAT k {LATER}"]
    assert whole == told(before, after, SOON)
    field = entry("hash", {"a": "1", "b": "2"}, field_expires_at={"a": INSTANT})
    assert whole == told(field, after, SOON)


@given(st.lists(st.binary() | st.text().map(lambda text: text.encode("utf-8", "replace"))))
def test_a_line_says_exactly_the_bytes_in_what_can_be_seen(found: list[bytes]) -> None:
    (line,) = lines([tuple(found)]).splitlines()
    assert line.isprintable()
    assert found == list(words(line.encode()))


ITEMS = st.sampled_from(["a", "b", "", "base64:/w==", "é\n'\"\\"])
NUMBERS = st.sampled_from([0, 1, -1.5, 5e-324, "inf", "-inf", 2.0**60])
IDS = st.sampled_from([f"{n}-{n}" for n in range(1, 7)])


def values(brand: str) -> dict[str, st.SearchStrategy[Any]]:
    """Values of few different parts, so that two have much in common."""
    signed = NUMBERS if brand == "redis6" else NUMBERS | st.just(-0.0)
    return {
        "string": ITEMS,
        "hash": st.dictionaries(ITEMS, ITEMS, min_size=1),
        "list": st.lists(ITEMS, min_size=1, max_size=8),
        "set": st.sets(ITEMS, min_size=1).map(sorted),
        "zset": st.dictionaries(ITEMS, signed, min_size=1),
        "stream": streams(counted=brand != "redis6"),
    }


@st.composite
def streams(draw: st.DrawFn, counted: bool) -> dict[str, Any]:
    entries = {id_: ["id", id_] for id_ in sorted(draw(st.sets(IDS)))}
    newest = max(entries, default="0-0")
    last = draw(st.sampled_from([newest, "6-6", "9-9"]))
    value: dict[str, Any] = {"entries": entries, "last_id": last}
    if counted:
        gone = draw(st.sampled_from(["0-0", "1-1", "3-3"]))
        value["max_deleted_id"] = min(gone, last)
        value["entries_added"] = len(entries) + draw(st.integers(1, 3))
    groups = draw(st.sets(st.sampled_from(["g", "\xe9\n"])))
    value["groups"] = {name: draw(stream_groups(counted)) for name in groups}
    return value


@st.composite
def stream_groups(draw: st.DrawFn, counted: bool) -> dict[str, Any]:
    group: dict[str, Any] = {"last_id": draw(IDS), "consumers": sorted(draw(st.sets(ITEMS)))}
    if counted and draw(st.booleans()):
        group["entries_read"] = draw(st.integers(0, 3))
    if group["consumers"]:
        owners = st.sampled_from(group["consumers"])
        held = st.fixed_dictionaries(
            {
                "consumer": owners,
                "delivered_at": st.just(DELIVERED),
                "deliveries": st.integers(1, 2),
            }
        )
        group["pending"] = draw(st.dictionaries(IDS, held, max_size=4))
    return group


@st.composite
def entries(draw: st.DrawFn, brand: str, kind: str) -> Entry:
    more: dict[str, Any] = {}
    value = draw(values(brand)[kind])
    moment = st.sampled_from([INSTANT, LATER_INSTANT])
    if draw(st.booleans()):
        more["expires_at"] = draw(moment)
    if kind == "hash" and brand == "valkey" and draw(st.booleans()):
        more["field_expires_at"] = {
            field: draw(moment)
            for field in draw(st.sets(st.sampled_from(sorted(value)), min_size=1))
        }
    return entry(kind, value, **more)


@pytest.mark.few(1)
@pytest.mark.parametrize("kind", ["hash", "list", "set", "stream", "string", "zset"])
@settings(max_examples=25)
@given(data=st.data())
def test_the_commands_turn_any_entry_into_any_other(
    server: LiveServer, kind: str, data: st.DataObject
) -> None:
    """There and back, on a real server, and what it then holds is the very entry."""
    engine = connect(parse(server.url))
    key = b"k \xff\n'"
    before, after = (data.draw(entries(server.brand, kind)) for _ in range(2))
    with server.client() as client:
        client.flushall()
        send(client, list(turn(key, None, before, NOW)))
        for one, other in ((before, after), (after, before)):
            send(client, list(turn(key, one, other, NOW)))
            assert codec.encode(other) == codec.encode(read(engine, key))


def read(engine: Server, key: bytes) -> Entry | None:
    with KeyReader(engine) as reader:
        ((_, found),) = reader.entries(0, [key])
    return None if found is None else canonical(found)


def test_a_dump_takes_the_place_of_what_is_there(server: LiveServer) -> None:
    """Through redis-cli, whatever bytes are in it."""
    with server.client() as client:
        client.rpush("list", *range(300))
        client.set("k", "old")
        payload = client.dump("list")
        assert payload is not None
        feed(server, lines(turn(b"k", entry("string", "old"), entry("odd", dump(payload)), NOW)))
        assert client.lrange("list", 0, -1) == client.lrange("k", 0, -1)
