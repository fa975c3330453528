"""A cluster in which one node has all slots is read and written as a single server is."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

import pytest
import redis

from gitbackup import Backup
from gitbackup.commit.commit import CommitResult
from gitbackup.errors import ServerError
from gitbackup.live.connection.address import parse
from gitbackup.live.connection.connect import connect
from gitbackup.live.protocol.slots import slot
from gitbackup.live.read.atomic_read import KeyToRead
from gitbackup.live.read.cluster_read import atomic_reader
from gitbackup.live.server import staging_keys
from tests.clusters import LiveCluster, a_node
from tests.meanwhile import meanwhile
from tests.servers import StartServer, every_brand
from tests.watching import eventually, tree, watching

PLACES = [(db, number) for db in (0, 3) for number in range(20)]
NAMES = ["", "a", "{a}b", "x{a}b{c}", "{}", "{}a", "a{", "}a{", "{a", "a}", "{{a}}", "ä{ö}"]


def fill(client: redis.Redis) -> None:
    for number in range(400):
        client.set(f"k:{number}", "v")
    for name in NAMES:
        client.rpush(f"odd:{name}", *range(600))
    client.rpush("list", *range(12_000))
    client.hset("hash", "f", "v")
    client.zadd("zset", {"m": 1.5, "zero": -0.0})
    client.xadd("stream", {"f": "v"}, id="1-1")
    client.set("soon", "v", pxat=4_102_444_800_123)


def digest(client: redis.Redis) -> object:
    return client.execute_command("DEBUG", "DIGEST")


def test_a_staging_key_is_in_the_slot_of_its_key() -> None:
    for name in (name.encode() for name in NAMES):
        own = staging_keys.name_for(name, same_slot=True)
        assert (slot(own), staging_keys.is_ours(own)) == (slot(name), True)


def test_slots_are_those_of_the_server(start_server: StartServer) -> None:
    with a_node(start_server, "valkey", range(0)).client() as client:
        assert [client.execute_command("CLUSTER", "KEYSLOT", name) for name in NAMES] == [
            slot(name.encode()) for name in NAMES
        ]


@pytest.mark.long
@every_brand
def test_a_cluster_of_one_node_is_committed_and_restored(
    start_server: StartServer, tmp_path: Path, brand: str
) -> None:
    """Its snapshot is that of a single server with the same data."""
    node, single = a_node(start_server, brand), start_server(brand)
    backup = Backup(tmp_path / "a", node.url, databases=[0])
    other = Backup(tmp_path / "b", single.url, databases=[0])
    with single.client() as client:
        fill(client)
    with node.client() as client:
        fill(client)
        made = backup.commit()
        other.commit()
        assert (made.keys, made.consistency) == (417, "point-in-time")
        assert tree(backup) == tree(other)
        before = digest(client)
        for number in range(100):
            client.delete(f"k:{number}")
            client.set(f"k:{number + 100}", "other")
        client.delete("list")
        client.rpush("odd:{", "more")
        client.set("new", "v")
        result = backup.restore("HEAD", lambda plan: True)
        assert (result.whole, result.verified, digest(client)) == (True, 203, before)
        client.flushall()
        assert backup.restore(str(made.commit), lambda plan: True).whole
        assert digest(client) == before
        assert backup.undo(lambda plan: True).whole
        assert client.dbsize() == 0
        client.set("k", "v")
        assert other.restore("HEAD", lambda plan: True, to=node.url).whole
        assert digest(client) == before
    with single.client(db=3) as third:
        third.set("k", "3")
    whole = Backup(tmp_path / "b", single.url)
    whole.commit()
    with pytest.raises(
        ServerError, match=r"no database 3: .*`databases={3: 0}` restores database 3"
    ):
        whole.restore("HEAD", lambda plan: True, to=node.url)


@pytest.mark.long
def test_databases_of_a_cluster(start_server: StartServer, tmp_path: Path) -> None:
    """Valkey 9 has several: each key is written into its own."""
    node = a_node(start_server, "valkey", cluster_databases="16")
    backup = Backup(tmp_path / "data", node.url)
    with node.client() as first, node.client(db=3) as third:
        first.set("k", "0")
        fill(third)
        backup.commit()
        expected = tree(backup)
        third.flushdb()
        third.set("k:7", "other")
        assert backup.restore("HEAD", lambda plan: True).whole
        assert (first.keys(), third.dbsize(), tree(backup)) == ([b"k"], 417, expected)
        assert backup.undo(lambda plan: True).whole
        assert (first.keys(), third.keys()) == ([b"k"], [b"k:7"])
        for number in range(20):
            first.set(f"k:{number}", "0")
            third.set(f"k:{number}", "3")
        server = connect(parse(node.url))
        with closing(server.dial()) as connection:
            reader = atomic_reader(dict.fromkeys(server.nodes, connection), server)
            keys = [KeyToRead(db, b"k:%d" % number, "string") for db, number in PLACES]
            found = reader.read(keys, libraries=False).outcomes
        assert [found[db, b"k:%d" % number] for db, number in PLACES] == [
            {"type": "string", "value": str(db)} for db, _ in PLACES
        ]


@pytest.mark.long
@every_brand
def test_a_cluster_of_one_node_is_watched(
    start_server: StartServer, tmp_path: Path, brand: str
) -> None:
    node = a_node(start_server, brand)
    with node.client() as client:
        fill(client)
        with watching(Backup(tmp_path / "data", node.url)) as watcher:
            for count in range(1, 3):
                for number in range(200):
                    client.set(f"k:{number}", str(count))
                assert eventually(lambda: _last(watcher.commits(), tmp_path) == str(count))  # noqa: B023
        assert watcher.commits()[-1].consistency == "point-in-time"


def _last(commits: list[CommitResult], folder: Path) -> object:
    entry = Backup(folder / "data").entry("HEAD", "k:199") if commits else None
    return entry and entry[1]["value"]


@pytest.mark.long
def test_what_is_called_one_point_in_time_is_one(start_server: StartServer, tmp_path: Path) -> None:
    """One client counts in twenty slots, one after the other: no counter is ahead of the one
    before it, nor behind it by more than one."""
    node = a_node(start_server, "valkey")

    def count(stop: threading.Event) -> None:
        with node.client() as client:
            while not stop.wait(0.02):
                for number in range(20):
                    client.incr(f"c:{number}")

    with node.client() as client:
        fill(client)
        for number in range(20):
            client.set(f"c:{number}", 0)
    with meanwhile(count):
        backup, exact = Backup(tmp_path / "data", node.url), 0
        for _ in range(8):
            if backup.commit().consistency != "point-in-time":
                continue
            exact += 1
            found = [int(backup.entry("HEAD", f"c:{n}")[1]["value"]) for n in range(20)]
            assert found == sorted(found, reverse=True)
            assert found[0] - found[-1] <= 1
    assert exact


def test_a_cluster_with_slots_that_no_node_has_is_refused(
    start_server: StartServer, tmp_path: Path
) -> None:
    node = a_node(start_server, "valkey", range(100))
    with pytest.raises(ServerError, match="16,284 of the 16,384 slots"):
        Backup(tmp_path / "data", node.url).commit()


@pytest.mark.long
def test_a_replica_leads_to_its_primary(start_server: StartServer, tmp_path: Path) -> None:
    node = a_node(start_server, "redis7")
    replica = a_node(start_server, "redis7", range(0))
    with node.client() as client:
        client.set("k", "v")
    pair = LiveCluster([node, replica], 1)
    known = pair.tell(0, "CLUSTER", "MYID")
    assert isinstance(known, bytes)
    pair.tell(1, "CLUSTER", "MEET", "127.0.0.1", node.port)
    assert eventually(lambda: b" 0-16383" in _nodes(pair, 1))
    pair.tell(1, "CLUSTER", "REPLICATE", known)
    assert Backup(tmp_path / "data", replica.url).commit().keys == 1


def _nodes(cluster: LiveCluster, number: int) -> bytes:
    reply = cluster.tell(number, "CLUSTER", "NODES")
    assert isinstance(reply, bytes)
    return reply


@pytest.mark.long
def test_slots_that_move_away_end_a_commit(start_server: StartServer, tmp_path: Path) -> None:
    """Whatever was read by then, keys may be missing from it."""
    node = a_node(start_server, "valkey")
    with node.client() as client:
        fill(client)
        backup = Backup(tmp_path / "data", node.url)
        backup.commit()
        with watching(backup) as watcher:
            client.execute_command("CLUSTER", "DELSLOTS", slot(b"k:1"))
            with pytest.raises(redis.RedisError):
                client.set("k:1", "other")
        assert watcher.commits() == []
    with pytest.raises(ServerError, match="1 of the 16,384 slots"):
        backup.commit()


@pytest.mark.long
def test_the_least_rights_at_a_cluster_of_one_node(
    start_server: StartServer, tmp_path: Path
) -> None:
    node = a_node(start_server, "redis7")
    with node.client() as client:
        fill(client)
        for verb in ("commit", "restore"):
            line = Backup(tmp_path / "data", node.url).rights(verb).line
            assert "+cluster|slots +cluster|nodes +asking" in line
            client.execute_command(*line.replace(">PASSWORD", ">pw").split())
            user = Backup(tmp_path / "data", node.url.replace("//", f"//{verb}:pw@"))
            if verb == "commit":
                assert user.commit().keys == 417
                client.delete("list")
                client.set("k:1", "other")
        assert user.restore("HEAD", lambda plan: True).whole
