"""Services and proxies that do not know every command: what is left works, and what a missing
command costs is said."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from gitbackup import Backup
from gitbackup.errors import ServerError
from gitbackup.live.connection.address import parse
from gitbackup.live.connection.connect import abilities, connect
from gitbackup.live.write.key_writer import KeyWrite
from gitbackup.live.write.write_probe import probe
from tests.proxy import Refusing
from tests.servers import LiveServer, StartServer, in_turn

ADMIN = ("CONFIG", "DEBUG", "SAVE", "BGSAVE", "SHUTDOWN", "REPLICAOF", "PSYNC", "SYNC", "MIGRATE")


class Service(NamedTuple):
    """What a kind of service does not know, and what that keeps a commit from."""

    unknown: tuple[str, ...]
    lacks: str = ""


SERVICES = {
    "upstash": Service((*ADMIN, "CLIENT", "FUNCTION", "OBJECT", "WAIT"), "CLIENT TRACKING"),
    "elasticache": Service((*ADMIN, "ACL")),
    "azure": Service((*ADMIN, "ACL", "CLUSTER", "MODULE")),
    "serverless": Service((*ADMIN, "ACL", "SELECT", "INFO COMMANDSTATS", "OBJECT"), "INFO"),
    "dragonfly": Service((*ADMIN, "CLIENT", "CLUSTER", "FUNCTION"), "CLIENT TRACKING"),
    "old proxy": Service((*ADMIN, "HELLO", "CLIENT", "INFO", "TIME"), "HELLO"),
}


@pytest.fixture(params=in_turn(SERVICES))
def service(
    request: pytest.FixtureRequest, valkey: LiveServer, tmp_path: Path
) -> Iterator[tuple[Service, str]]:
    found = SERVICES[request.param]
    with Refusing(valkey.url, tmp_path / "s", found.unknown) as proxy:
        yield found, proxy.url


@pytest.mark.few(1)
def test_a_service_without_some_commands(
    service: tuple[Service, str], valkey: LiveServer, tmp_path: Path
) -> None:
    """All is committed and restored; where it is not one point in time, the reason is said."""
    kind, url = service
    backup = Backup(tmp_path / "data", url, databases=[0] if "SELECT" in kind.unknown else None)
    with valkey.client(decode_responses=True) as client:
        client.mset({f"k:{number}": "v" for number in range(300)})
        client.set("soon", "v", pxat=4_102_444_800_123)
        client.rpush("list", *range(12_000))
        client.hset("hash", "f", "v")
        client.xadd("stream", {"f": "v"})
        client.zadd("zset", {"m": 1.5})
        made = backup.commit()
        assert made.keys == 305
        assert made.consistency == ("per-key" if kind.lacks else "point-in-time")
        told = f"does not know the command {kind.lacks}"
        assert [told in warning for warning in made.warnings] == ([True] if kind.lacks else [])
        digest = client.execute_command("DEBUG", "DIGEST")
        client.flushall()
        client.mset({"k:1": "other", "new": "v"})
        assert backup.restore("HEAD", lambda plan: True).whole
        assert client.execute_command("DEBUG", "DIGEST") == digest
        assert backup.commit().commit is None
        found = backup.check().risks
        assert "unknown" in {risk.level.value for risk in found}
        assert not [risk for risk in found if "CONFIG" in "".join(risk.commands)]
        if kind.lacks:
            with pytest.raises(ServerError, match=told):
                next(backup.watch(threading.Event()))


@pytest.mark.few(1)
@pytest.mark.parametrize("command", ["MULTI", "EXEC", "WATCH"])
def test_without_transactions_nothing_is_written(
    valkey: LiveServer, tmp_path: Path, command: str
) -> None:
    with Refusing(valkey.url, tmp_path / "s", [command]) as proxy, valkey.client() as client:
        backup = Backup(tmp_path / "data", proxy.url)
        client.set("k", "v")
        backup.commit()
        client.set("k", "other")
        with pytest.raises(ServerError, match=f"command {command}, without .*has been written"):
            backup.restore("HEAD", lambda plan: pytest.fail("asked"))
        assert client.get("k") == b"other"


def test_a_proxy_that_knows_neither_select_nor_info(valkey: LiveServer, tmp_path: Path) -> None:
    with Refusing(valkey.url, tmp_path / "s", ["SELECT", "INFO"]) as proxy:
        with pytest.raises(ServerError, match=r"command SELECT: .* name it with `databases` 0"):
            Backup(tmp_path / "data", proxy.url).commit()
        assert Backup(tmp_path / "data", proxy.url, databases=[0]).commit().keys == 0


def test_a_password_where_hello_is_unknown(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(requirepass="pw")
    with Refusing(server.url, tmp_path / "s", ["HELLO"]) as proxy:
        url = proxy.url.replace("unix://", "unix://:pw@")
        assert Backup(tmp_path / "data", url).commit().keys == 0
        with pytest.raises(ServerError, match="does not accept this user name and password"):
            Backup(tmp_path / "data", url.replace("pw@", "no@")).commit()


def test_a_database_that_the_other_server_does_not_have(
    start_server: StartServer, valkey: LiveServer, tmp_path: Path
) -> None:
    """Another one is offered, before anything is written."""
    large = start_server(databases="32")
    with large.client(db=20) as client:
        client.set("k", "v")
    backup = Backup(tmp_path / "data", large.url)
    assert backup.commit().keys == 1
    for databases in (None, {20: 20}):
        with pytest.raises(
            ServerError, match=r"no database 20: .*; `databases={20: 0}` restores database"
        ):
            backup.restore("HEAD", lambda plan: True, databases=databases, to=valkey.url)
    assert backup.restore("HEAD", lambda plan: True, databases={20: 3}, to=valkey.url).whole
    with valkey.client(db=3) as client:
        assert client.get("k") == b"v"


def test_a_server_before_6_2_is_refused_streams_with_consumers_before_anything_is_written(
    valkey: LiveServer,
) -> None:
    """By its version: it would refuse them only once the rest is written."""
    stream = {
        "type": "stream",
        "value": {
            "entries": {"1-1": ["f", "v"]},
            "last_id": "1-1",
            "groups": {"g": {"last_id": "0-0", "consumers": ["me"]}},
        },
    }
    plain = {"type": "string", "value": "v"}
    now = connect(parse(valkey.url))
    for version, makes in (("6.0.16", False), ("5.0.7", False), ("6.2.5", True), ("7.0.15", True)):
        known = abilities(False, version, True)
        assert known.makes_consumers is makes
        old = replace(now, brand="Redis", version=version, knows=known)
        step = KeyWrite(b"k", None, plain)
        probe(old, [(0, step)], [], [b"k"], lambda: [plain])
        if makes:
            probe(old, [(0, step)], [], [b"k"], lambda: [plain, stream])
            continue
        with pytest.raises(ServerError, match=f"Redis {version} .* cannot create consumers"):
            probe(old, [(0, step)], [], [b"k"], lambda: [plain, stream])
