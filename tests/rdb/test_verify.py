"""`rdb verify`: what a server of our own finds in a file, and which server that is."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from gitbackup import Backup
from gitbackup.errors import Damaged, ServerError
from gitbackup.live.rdb import rdb_file
from gitbackup.live.rdb.rdb_server import load
from tests.databases import library
from tests.servers import LiveServer, StartServer, program

OURS = Backup("no repository is needed")


def saved(server: LiveServer, folder: Path) -> Path:
    return Backup(folder / "data", server.url).rdb.save(folder / "rdb").file.path


@contextmanager
def kept_dead(server: LiveServer) -> Iterator[redis.Redis]:
    """A client of a server that meanwhile keeps what has expired, and so saves it too."""
    with server.client() as client:
        client.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        try:
            yield client
        finally:
            client.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", 1)


def changed(file: Path, version: bytes) -> Path:
    """The same file with another version, and no checksum."""
    data = file.read_bytes()
    file.write_bytes(b"REDIS" + version + data[9:-8] + bytes(8))
    return file


def test_keys_are_counted_by_database(server: LiveServer, tmp_path: Path) -> None:
    with server.client() as client:
        client.mset({f"key:{number}": number for number in range(30)})
        client.set("later", 1, ex=10_000)
    with server.client(db=9) as client:
        client.rpush("list", *range(5))
    if not server.brand.startswith("redis6"):
        with server.client() as client:
            client.function_load(library("mylib"))
    found = OURS.rdb.verify(saved(server, tmp_path))
    assert (dict(found.keys), dict(found.expiring)) == ({0: 31, 9: 1}, {0: 1, 9: 0})
    assert dict(found.expired) == {0: 0, 9: 0}
    assert found.libraries == (0 if server.brand.startswith("redis6") else 1)
    assert (found.checksum, found.server.partition(" ")[0]) == (True, "Valkey")


@pytest.mark.parametrize("by", ["valkey", "its own"])
def test_what_has_expired_since_is_counted_too(server: LiveServer, tmp_path: Path, by: str) -> None:
    """Whichever server loads it: a primary would have dropped it."""
    with kept_dead(server) as client:
        client.mset({"a": 1, "b": 2})
        client.set("soon", 1, px=1)
        client.set("later", 1, ex=10_000)
        file = saved(server, tmp_path)
    found = OURS.rdb.verify(file, program(server.brand if by == "its own" else by))
    assert (dict(found.keys), dict(found.expiring)) == ({0: 4}, {0: 2})
    assert dict(found.expired) == {0: 1}


def test_what_has_expired_since_can_be_read(server: LiveServer, tmp_path: Path) -> None:
    """With the instant at which it did."""
    with kept_dead(server) as client:
        client.set("soon", "value", px=1)
        now = client.time()[0]
        file = saved(server, tmp_path)
    with load(file) as loaded:
        wire = loaded.server.dial()
        value, due, keys = wire.need([("GET", "soon"), ("PEXPIRETIME", "soon"), ("DBSIZE",)])
        wire.close()
    assert (value, keys, loaded.hides) == ("value", 1, False)
    assert abs(due // 1000 - now) < 60


def test_the_file_and_its_folder_are_left_as_they_are(valkey: LiveServer, tmp_path: Path) -> None:
    with valkey.client() as client:
        client.set("a", 1)
    file = saved(valkey, tmp_path)
    before = file.read_bytes(), file.stat().st_mtime_ns, sorted(file.parent.iterdir())
    OURS.rdb.verify(file)
    assert before == (file.read_bytes(), file.stat().st_mtime_ns, sorted(file.parent.iterdir()))


def test_more_databases_than_usual_are_no_trouble(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(databases="500")
    with server.client(db=499) as client:
        client.set("a", 1)
    assert dict(OURS.rdb.verify(saved(server, tmp_path)).keys) == {499: 1}


def test_a_file_of_a_newer_redis_takes_one(valkey: LiveServer, tmp_path: Path) -> None:
    """Whose versions from 7.4 on Valkey does not know: it says which server would do."""
    newer = changed(saved(valkey, tmp_path), b"0099")
    with pytest.raises(ServerError, match=r"has RDB version 99 .*written by Valkey .* `server`"):
        OURS.rdb.verify(newer)
    with pytest.raises(ServerError, match=r"name that server, or a newer one"):
        OURS.rdb.verify(newer, program("valkey"))


def test_a_server_that_takes_it_is_looked_for(
    valkey: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the PATH, after our own."""
    newer = changed(saved(valkey, tmp_path), b"0099")
    stand_in = tmp_path / "bin" / "redis-server"  # loads it as if it were older
    stand_in.parent.mkdir()
    stand_in.write_text(
        f"#!/bin/sh\nsed s/REDIS0099/REDIS0011/ dump.rdb > older.rdb\n"
        f'exec {program("valkey")} "$@" --dbfilename older.rdb\n'
    )
    stand_in.chmod(0o700)
    monkeypatch.setenv("PATH", str(stand_in.parent), prepend=":")
    assert dict(OURS.rdb.verify(newer).keys) == {}


def test_what_only_loading_finds_is_found(valkey: LiveServer, tmp_path: Path) -> None:
    """In a file whose checksum is right, or that has none."""
    with valkey.client() as client:
        client.set("a", "x" * 10)
    file = saved(valkey, tmp_path)
    data = file.read_bytes()[:-8].replace(b"\x00\x01a", b"\x6f\x01a")
    file.write_bytes(data + bytes(8))
    with pytest.raises(ServerError, match=r"valkey-server cannot load .*: .*(opcode|type:?) 111"):
        OURS.rdb.verify(file)


def test_a_damaged_file_is_not_loaded(valkey: LiveServer, tmp_path: Path) -> None:
    file = saved(valkey, tmp_path)
    data = file.read_bytes()
    file.write_bytes(data[:-8] + struct.pack("<Q", 1))
    with pytest.raises(Damaged, match="its checksum is wrong"):
        OURS.rdb.verify(file)


def test_a_program_that_is_no_server_is_named(valkey: LiveServer, tmp_path: Path) -> None:
    file = saved(valkey, tmp_path)
    with pytest.raises(ServerError, match=r"no-such-program"):
        OURS.rdb.verify(file, tmp_path / "no-such-program")
    assert rdb_file.look(file).path == file
