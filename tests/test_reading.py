"""What is read is what was there, whoever writes meanwhile; and reading takes little."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from gitbackup.live.address import parse
from gitbackup.live.connect import connect
from gitbackup.live.read import KeyReader
from gitbackup.model import Entry
from tests.servers import LiveServer, StartServer

MEGABYTE = 1024 * 1024
ROUNDS = 40


@contextmanager
def changing(server: LiveServer, keys: list[str]) -> Iterator[None]:
    """Somebody writes: each key has a value of its own while it expires, another while not."""
    stop = threading.Event()

    def write() -> None:
        with server.client() as client:
            turn = 0
            while not stop.is_set():
                turn += 1
                with client.pipeline(transaction=False) as pipe:
                    for key in keys:
                        pipe.set(key, "expires", px=3_600_000 + turn)
                        pipe.set(key, "stays")
                    pipe.execute()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


def read(server: LiveServer, db: int = 0) -> dict[bytes, Entry | None]:
    with KeyReader(connect(parse(server.url))) as reader:
        return dict(reader.entries(db, reader.names(db)))


def test_a_value_and_its_expiry_are_of_one_moment(servers: LiveServer) -> None:
    """Whatever stays has no expiry, and what expires has one."""
    keys = [f"key:{number}" for number in range(300)]
    with servers.client() as client:
        client.mset(dict.fromkeys(keys, "stays"))
    seen: set[tuple[object, bool]] = set()
    with changing(servers, keys):
        for _ in range(ROUNDS):
            entries = [entry for entry in read(servers).values() if entry]
            seen |= {(entry["value"], "expires_at" in entry) for entry in entries}
    assert seen <= {("stays", False), ("expires", True)}
    assert ("stays", False) in seen


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
    """A stream is read apart; the names of one database are never asked for in another."""
    for db in (0, 3, 15):
        with servers.client(db=db) as client:
            client.xadd("events", {"db": db}, id="1-1")
            client.mset({f"key:{db}:{number}": db for number in range(600)})
    with KeyReader(connect(parse(servers.url))) as reader:
        for db in (0, 3, 15):
            found = dict(reader.entries(db, reader.names(db)))
            values = {
                entry["value"] for entry in found.values() if entry and entry["type"] != "stream"
            }
            assert (len(found), values) == (601, {str(db)})
