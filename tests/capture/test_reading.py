"""What is read is what was there, whoever writes meanwhile; and reading takes little."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from gitbackup import kinds
from gitbackup.live.connection.address import parse
from gitbackup.live.connection.connect import connect
from gitbackup.live.read.key_reader import KeyReader
from gitbackup.model.keys import Entry
from tests.meanwhile import meanwhile
from tests.servers import LiveServer, StartServer

MEGABYTE = 1024 * 1024
ROUNDS = 40
KEYS = [f"key:{number}" for number in range(300)]
POSSIBLE = {("stays", False), ("expires", True)}


@contextmanager
def busy(server: LiveServer, write: Callable[[redis.client.Pipeline, int], None]) -> Iterator[None]:
    """Somebody writes in turns, each of them sent at once."""

    def go_on(stop: threading.Event) -> None:
        with server.client() as client:
            turn = 0
            while not stop.is_set():
                turn += 1
                with client.pipeline(transaction=False) as pipe:
                    write(pipe, turn)
                    pipe.execute()

    with meanwhile(go_on):
        yield


def read(server: LiveServer, db: int = 0) -> dict[bytes, Entry | None]:
    with KeyReader(connect(parse(server.url))) as reader:
        found = dict(reader.entries(db, reader.names(db)))
        assert not reader.torn
        return found


LENGTH = 12_000  # more than one reply tells


def entry_id(number: int) -> str:
    return f"{number + 1}-0"


def consumed(pipe: redis.client.Pipeline, turn: int) -> None:
    """A stream to which entries are added, which a group reads, and of which the first ones go:
    nothing in it grows without end."""
    for number in range(LENGTH + 20 * turn, LENGTH + 20 * turn + 20):
        pipe.xadd("events", {"number": number}, id=entry_id(number))
    pipe.xtrim("events", LENGTH, approximate=False)
    gone = range(20 * turn - 20, 20 * turn + 20)
    pipe.xack("events", "group", *map(entry_id, gone))
    pipe.xreadgroup("group", "consumer", {"events": ">"}, 50)


@pytest.mark.long
def test_a_large_stream_is_of_one_moment_however_busy(server: LiveServer) -> None:
    """Its entries follow upon each other, and its counters and its group are those of then."""
    with server.client() as client:
        client.xgroup_create("events", "group", "$", mkstream=True)
        with client.pipeline(transaction=False) as pipe:
            for number in range(LENGTH + 20):
                pipe.xadd("events", {"number": number}, id=entry_id(number))
            pipe.execute()
    with busy(server, consumed):
        for _ in range(ROUNDS // 8):
            entry = read(server)[b"events"]
            assert entry
            _expect_one_moment(kinds.normal_entry(kinds.canonical(entry))["value"])


def _expect_one_moment(value: dict[str, Any]) -> None:
    numbers = [int(fields[1]) for fields in value["entries"].values()]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert LENGTH <= len(numbers) <= LENGTH + 20
    assert value.get("entries_added", numbers[-1] + 1) == numbers[-1] + 1
    group, ids = value["groups"]["group"], [*value["entries"]]
    assert "last_id" not in value
    assert group["last_id"] in (*ids, "0-0")
    assert set(group.get("pending", {})) & {*ids} == set(ids[: ids.index(group["last_id"]) + 1])


def stays_or_expires(pipe: redis.client.Pipeline, turn: int) -> None:
    """Each key has a value of its own while it expires, another while not."""
    for key in KEYS:
        pipe.set(key, "expires", px=3_600_000 + turn)
        pipe.set(key, "stays")


def test_a_value_and_its_expiry_are_of_one_moment(servers: LiveServer) -> None:
    """Whatever stays has no expiry, and what expires has one."""
    with servers.client() as client:
        client.mset(dict.fromkeys(KEYS, "stays"))
    seen: set[tuple[object, bool]] = set()
    with busy(servers, stays_or_expires):
        for _ in range(ROUNDS):
            entries = [entry for entry in read(servers).values() if entry]
            seen |= {(entry["value"], "expires_at" in entry) for entry in entries}
    assert seen <= POSSIBLE
    assert ("stays", False) in seen


def test_what_is_small_is_of_one_moment_however_busy(servers: LiveServer) -> None:
    """A stream that is added to and cut without pause is never longer than it was at any moment."""

    def write(pipe: redis.client.Pipeline, turn: int) -> None:
        for number in range(50):
            pipe.xadd("events", {"turn": turn, "number": number})
            pipe.xtrim("events", 20, approximate=False)

    with servers.client() as client:
        client.xadd("events", {"turn": 0, "number": 0})
    with busy(servers, write), KeyReader(connect(parse(servers.url))) as reader:
        for _ in range(ROUNDS):
            (entry,) = dict(reader.entries(0, [b"events"])).values()
            assert entry is not None
            assert (len(entry["value"]["entries"]) <= 21, reader.torn) == (True, [])


def test_reading_large_values_makes_a_server_evict_nothing(start_server: StartServer) -> None:
    """It has room for its data and 20 MB, and would drop keys rather than hold more."""
    server = start_server(maxmemory=f"{120 * MEGABYTE}", maxmemory_policy="allkeys-lru")
    client = server.client()
    for number in range(90):
        client.set(f"large:{number}", b"x" * MEGABYTE)
    assert len(read(server)) == 90
    assert client.info("stats")["evicted_keys"] == 0


def test_every_database_is_read_after_one_that_took_a_second_connection(
    servers: LiveServer,
) -> None:
    """A long list is read apart; the names of one database are never asked for in another."""
    for db in (0, 3, 15):
        with servers.client(db=db) as client:
            client.rpush("events", *range(10_001))
            client.mset({f"key:{db}:{number}": db for number in range(600)})
    with KeyReader(connect(parse(servers.url))) as reader:
        for db in (0, 3, 15):
            found = dict(reader.entries(db, reader.names(db)))
            values = {
                entry["value"] for entry in found.values() if entry and entry["type"] != "list"
            }
            assert (len(found), values) == (601, {str(db)})
