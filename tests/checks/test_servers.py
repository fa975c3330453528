"""What a server does for its own data, in every state that is bad for them, on real servers."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from gitbackup import Backup
from gitbackup.model.safety.risk import Level
from tests.checks.looking import WEEK, await_info, of_server, risks, told
from tests.servers import LiveServer, StartServer, every_brand

BAD, WARN, UNKNOWN, OK = Level
SHARED_MEMORY = "/dev/shm"  # noqa: S108  a file system in memory, on any Linux


@pytest.fixture
def empty() -> Iterator[Path]:
    """An empty folder that others can get to, as they cannot to pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_no_persistence_at_all(servers: LiveServer, tmp_path: Path) -> None:
    found = of_server(servers, tmp_path)
    assert told(found["append-only"]) == (
        BAD,
        "no append-only file and no saves: all data would be lost",
    )
    assert told(found["save-points"]) == (BAD, "RDB saves are off, and there is no other data file")
    assert found.keys().isdisjoint({"fsync", "rewrite", "last-save", "files"})


def test_what_to_type_is_for_this_server_and_does_it(server: LiveServer, tmp_path: Path) -> None:
    """The settings then are the recommended ones."""
    before = of_server(server, tmp_path)
    call = f"redis-cli -s {server.address.removeprefix('unix://')} "
    with server.client() as client:
        for check in ("append-only", "save-points"):
            change, rewrite = before[check].commands
            assert (change.startswith(call), rewrite) == (True, f"{call}CONFIG REWRITE")
            name, _, value = change.removeprefix(f"{call}CONFIG SET ").partition(" ")
            client.config_set(name, value.strip("'"))
    after = of_server(server, tmp_path)
    assert told(after["append-only"]) == (OK, "append-only file: it records every write")
    assert told(after["save-points"]) == (
        OK,
        "RDB saves: 1 in 1 hour, 100 in 5 minutes, 10000 in 1 minute",
    )


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("always", (OK, "appendfsync always: no write is lost")),
        ("everysec", (OK, "appendfsync everysec: about a second of writes is lost")),
        ("no", (WARN, "appendfsync no: about 30 seconds of writes may be lost")),
    ],
)
def test_how_often_the_append_only_file_is_written(
    server: LiveServer, tmp_path: Path, policy: str, expected: tuple[Level, str]
) -> None:
    with server.client() as client:
        client.config_set("appendonly", "yes")
        client.config_set("appendfsync", policy)
    found = of_server(server, tmp_path)
    assert told(found["fsync"]) == expected
    assert told(found["save-points"]) == (
        WARN,
        "RDB saves are off: the append-only file is the only data file",
    )


def test_rdb_saves_alone(server: LiveServer, tmp_path: Path) -> None:
    with server.client() as client:
        client.config_set("save", "3600 1")
    found = of_server(server, tmp_path)
    assert told(found["append-only"]) == (
        WARN,
        "no append-only file: all changes since the last save would be lost",
    )
    assert told(found["save-points"]) == (OK, "RDB saves: 1 in 1 hour")


@every_brand
def test_a_save_that_failed(start_server: StartServer, tmp_path: Path, brand: str) -> None:
    """Its folder is gone, which stops root as well."""
    folder = tmp_path / "gone"
    folder.mkdir()
    server = start_server(brand, dir=str(folder), save="3600 1", appendonly="no")
    with server.client() as client:
        client.set("k", "v")
        folder.rmdir()
        client.bgsave()
        await_info(client, "rdb_last_bgsave_status", "err")
    found = of_server(server, tmp_path)["last-save"]
    assert told(found) == (
        BAD,
        "the last save failed; saved, or started, AGE; 1 change since",
    )
    assert [command.split()[-1] for command in found.commands] == ["BGSAVE"]


@every_brand
def test_a_rewrite_that_failed(start_server: StartServer, tmp_path: Path, brand: str) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    server = start_server(brand, dir=str(folder), appendonly="yes")
    with server.client() as client:
        await_info(client, "aof_rewrite_in_progress", 0)
        shutil.rmtree(folder)
        with suppress(redis.ResponseError):  # Redis 7 and Valkey tell at once
            client.execute_command("BGREWRITEAOF")
        await_info(client, "aof_last_bgrewrite_status", "err")
    assert told(of_server(server, tmp_path)["rewrite"]) == (
        BAD,
        "the last rewrite failed: the file grows until the disk is full",
    )


def test_an_append_only_file_that_is_never_rewritten(server: LiveServer, tmp_path: Path) -> None:
    with server.client() as client:
        client.config_set("appendonly", "yes")
        client.config_set("auto-aof-rewrite-percentage", "0")
    found = of_server(server, tmp_path)["rewrite"]
    assert told(found) == (WARN, "it is never rewritten automatically")


def test_a_save_that_is_too_old(server: LiveServer, tmp_path: Path) -> None:
    """It is, once something has changed; and it is worse where nothing else is on the disk.

    The server may have started just now, and cannot tell the two moments apart then.
    """

    def last_save(max_age: timedelta = WEEK) -> tuple[Level, str]:
        level, protection = told(of_server(server, tmp_path, max_age)["last-save"])
        return level, protection.replace(", or started,", "")

    with server.client() as client:
        client.config_set("save", "3600 1000")
        client.save()
        assert last_save(timedelta()) == (OK, "saved AGE; no change since")
        client.mset({"a": "1", "b": "2"})
        stale = "saved AGE; 2 changes since"
        assert last_save() == (OK, stale)
        assert last_save(timedelta()) == (BAD, stale)
        client.config_set("appendonly", "yes")
        assert last_save(timedelta()) == (WARN, stale)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("noeviction", (OK, "noeviction: above 500.0 MB it refuses writes")),
        ("volatile-lru", (WARN, "volatile-lru: it evicts keys with an expiry above 500.0 MB")),
        ("allkeys-lru", (BAD, "allkeys-lru: it evicts any key above 500.0 MB")),
    ],
)
def test_a_server_that_may_drop_data(
    server: LiveServer, tmp_path: Path, policy: str, expected: tuple[Level, str]
) -> None:
    with server.client() as client:
        client.config_set("maxmemory-policy", policy)
        unlimited = of_server(server, tmp_path)["memory"]
        assert told(unlimited) == (OK, "no maxmemory: no key is evicted")
        client.config_set("maxmemory", "500000000")
    assert told(of_server(server, tmp_path)["memory"]) == expected


def test_a_server_that_has_dropped_data(server: LiveServer, tmp_path: Path) -> None:
    with server.client() as client:
        client.set("k", "v")
        client.config_set("maxmemory-policy", "allkeys-random")
        client.config_set("maxmemory", "1")
        await_info(client, "evicted_keys", 1)
        client.config_set("maxmemory", "100mb")
        found = of_server(server, tmp_path)["memory"]
        assert told(found) == (BAD, "1 key has been evicted since it started (allkeys-random)")
        client.config_set("maxmemory-policy", "noeviction")
        found = of_server(server, tmp_path)["memory"]
        assert told(found) == (WARN, "1 key has been evicted since it started (noeviction)")
        assert [command.endswith("CONFIG RESETSTAT") for command in found.commands] == [True]
        client.config_resetstat()
    assert of_server(server, tmp_path)["memory"].level is OK


def test_a_server_that_is_nearly_full(server: LiveServer, tmp_path: Path) -> None:
    with server.client() as client:
        client.config_set("maxmemory", "100000")
    assert told(of_server(server, tmp_path)["memory"]) == (
        WARN,
        "nearly full: above 100.0 kB it refuses writes",
    )


@pytest.mark.long
def test_replicas(start_server: StartServer, tmp_path: Path) -> None:
    primary = start_server(tcp=True)
    found = of_server(primary, tmp_path)["replicas"]
    assert told(found) == (WARN, "no replica: there is no second server")
    replica = start_server("valkey", replicaof=f"127.0.0.1 {primary.port}")
    with replica.client() as client, primary.client() as theirs:
        await_info(client, "master_link_status", "up")
        await_info(theirs, "connected_slaves", 1)
        assert told(of_server(primary, tmp_path)["replicas"]) == (OK, "1 replica connected")
        theirs.config_set("bind", "*")
        theirs.config_set("protected-mode", "no")
        _, *changes = of_server(primary, tmp_path)["access"].commands
        first, second = (words.split("CONFIG SET ")[1].split()[0] for words in changes[:2])
        assert (first, second) == ("masterauth", "requirepass")
        assert told(of_server(replica, tmp_path)["replicas"]) == (
            OK,
            f"this is a replica of 127.0.0.1:{primary.port}, in sync",
        )
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            port = nobody.getsockname()[1]
            client.execute_command("REPLICAOF", "127.0.0.1", port)
            assert told(of_server(replica, tmp_path)["replicas"]) == (
                BAD,
                f"this is a replica of 127.0.0.1:{port}, but not connected to it",
            )


def test_recommended_settings_are_all_well_but_for_what_is_missing(
    start_server: StartServer, tmp_path: Path
) -> None:
    settings = {"appendonly": "yes", "appendfsync": "everysec", "save": ["3600 1", "300 100"]}
    server = start_server("valkey", dir=str(tmp_path), maxmemory_policy="noeviction", **settings)
    backup = Backup(tmp_path / "data", server.url)
    backup.commit(allow_empty=True)
    found = risks(backup)
    del found["files"]  # the machine that runs the tests may itself be a container
    assert {check: risk.level for check, risk in found.items()} == {
        "push": BAD,
        "replicas": WARN,
        "rehearsal": WARN,
        "rdb": WARN,
        "append-only": OK,
        "fsync": OK,
        "rewrite": OK,
        "save-points": OK,
        "last-save": OK,
        "memory": OK,
        "access": OK,
        "commit": OK,
        "secrets": OK,
    }
    assert [(risk.advice, risk.commands) for risk in found.values() if risk.level is OK] == [
        ("", ()) for _ in range(9)
    ]


@every_brand
@pytest.mark.skipif(not os.access(SHARED_MEMORY, os.W_OK), reason=f"there is no {SHARED_MEMORY}")
def test_files_in_memory(start_server: StartServer, brand: str, tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as folder:
        server = start_server(brand, tcp=True, dir=folder, save="3600 1")
        assert told(of_server(server, tmp_path)["files"]) == (
            BAD,
            f"files in {folder}, on tmpfs: in memory only",
        )


@every_brand
def test_files_that_others_can_read(
    start_server: StartServer, brand: str, empty: Path, tmp_path: Path
) -> None:
    server = start_server(brand, dir=str(empty), save="3600 1", appendonly="no")
    with server.client() as client:
        client.save()
    (empty / "dump.rdb").chmod(0o644)
    found = of_server(server, tmp_path)["secrets"]
    assert told(found) == (BAD, f"every user of this machine can read {empty}")
    assert found.commands == [f"chmod go= {empty}"]
    with server.client() as client:
        client.save()  # the server makes its files anew, with their usual mode
    assert (empty / "dump.rdb").stat().st_mode & 0o004
    empty.chmod(0o700)
    assert told(of_server(server, tmp_path)["secrets"])[0] is OK


@every_brand
def test_a_server_without_config(start_server: StartServer, brand: str, tmp_path: Path) -> None:
    """What INFO tells is told; and of what nothing tells it is said why."""
    server = start_server(brand, rename_command='CONFIG ""', appendonly="yes", tcp=True)
    found = of_server(server, tmp_path)
    why = f"The server at 127.0.0.1:{server.port} does not know the command CONFIG GET."
    assert told(found["append-only"]) == (OK, "append-only file: it records every write")
    assert {
        check: (risk.protection, risk.advice)
        for check, risk in found.items()
        if risk.level is UNKNOWN
    } == {
        "fsync": ("append-only file, fsync policy unknown", why),
        "save-points": ("RDB saves: unknown", why),
        "files": ("the folder of its files is unknown", why),
        "access": ("no password; who can reach it is unknown", why),
    }


def test_a_user_who_may_not_ask(server: LiveServer, tmp_path: Path) -> None:
    """Neither INFO nor CONFIG: all of the server is unknown, with the right that would tell."""
    with server.client() as client:
        rules = ["on", ">secret", "~*", "+@read", "+select", "+time"]
        client.execute_command("ACL", "SETUSER", "ann", *rules)
    url = server.url.replace("unix://", "unix://ann:secret@")
    backup = Backup(tmp_path / "data", url)
    backup.commit(allow_empty=True)
    found = risks(backup)
    place = server.address
    info, config = (
        f"The user has no permission to run {name} at {place}: grant it with ACL"
        f" SETUSER ... +{right}."
        for name, right in (("INFO", "info"), ("CONFIG GET", "config|get"))
    )
    assert {c: risk.advice for c, risk in found.items() if risk.level is UNKNOWN} == {
        "append-only": info,
        "save-points": config,
        "last-save": info,
        "files": config,
        "memory": info,
        "replicas": info,
    }
    assert told(found["commit"])[0] is OK


def test_a_user_who_may_only_look(server: LiveServer, tmp_path: Path) -> None:
    with server.client() as client:
        rules = ["on", ">secret", "~*", "+@read", "+select", "+time", "+info"]
        more = "+config" if server.brand.startswith("redis6") else "+config|get"
        client.execute_command("ACL", "SETUSER", "ann", *rules, more)
    backup = Backup(tmp_path / "data", server.url.replace("unix://", "unix://ann:secret@"))
    assert [check for check, risk in risks(backup).items() if risk.level is UNKNOWN] == []


def test_nothing_that_blocks_or_writes_is_sent(server: LiveServer, tmp_path: Path) -> None:
    with server.client() as client:
        client.config_resetstat()
        Backup(tmp_path / "data", server.url).check(quick=True)
        sent = {name.partition("|")[0] for name in client.info("commandstats")}
    ours = {"hello", "client", "info", "config"}
    assert sent <= {f"cmdstat_{name}" for name in ours}


def test_a_server_on_an_address_has_what_to_type_for_that(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(tcp=True)
    commands = of_server(server, tmp_path)["append-only"].commands
    assert commands[0] == f"redis-cli -h 127.0.0.1 -p {server.port} CONFIG SET appendonly yes"
