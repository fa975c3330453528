"""`--from-replicas`: replicas are read instead of their primaries, and hold what these hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import redis

from gitbackup import Backup
from gitbackup.errors import ServerError
from gitbackup.live.protocol.slots import slot
from tests.clusters import LiveCluster
from tests.live.test_one_shard import fill
from tests.servers import LiveServer, StartServer
from tests.watching import eventually, tree, watching
from tests.writers import balance, writing
from tests.writers import fill as fill_bank

READS = ("scan", "get", "hgetall", "lrange", "type")


class Pair(NamedTuple):
    """A primary and its replica, which is in sync."""

    primary: LiveServer
    replica: LiveServer


@pytest.fixture
def pair(start_server: StartServer) -> Pair:
    primary, replica = start_server(tcp=True), start_server(tcp=True)
    with replica.client() as client:
        client.replicaof("127.0.0.1", str(primary.port))
        assert eventually(lambda: client.info("replication")["master_link_status"] == "up")
    return Pair(primary, replica)


def place(server: LiveServer) -> str:
    return server.url.partition("//")[2]


def was_read(server: LiveServer) -> bool:
    """Whether keys were read there since its statistics were reset."""
    with server.client() as client:
        return any(f"cmdstat_{name}" in client.info("commandstats") for name in READS)


def read_from(backup: Backup) -> str:
    return next(backup.log(limit=1)).trailers["Read-From"]


def test_a_replica_is_read_instead_of_its_primary(pair: Pair, tmp_path: Path) -> None:
    """By each verb that reads only; and what it lacks at first is waited for."""
    backup = Backup(tmp_path / "data", pair.primary.url, from_replicas=True)
    with pair.primary.client() as client, pair.replica.client() as other:
        fill(client)
        client.config_resetstat()
        made = backup.commit()
        (read,) = made.replicas
        assert (read.primary, read.replica) == (place(pair.primary), place(pair.replica))
        assert (made.keys, made.consistency, made.warnings) == (417, "point-in-time", [])
        assert f"{place(pair.replica)} (replica of {place(pair.primary)}, 0." in read_from(backup)
        client.set("k:1", "other")
        assert backup.status().replicas[0].replica == place(pair.replica)
        assert [str(change.key) for change in backup.diff().changes] == ["k:1"]
        saved = backup.rdb.save()
        assert saved.replicas[0].replica == place(pair.replica)
        assert not was_read(pair.primary)
        assert was_read(pair.replica)
        assert client.info("stats")["sync_full"] == 0
        assert other.info("stats")["sync_full"] == 1
        assert backup.rdb.commit(saved.file.path).summary.counts.changed == 1
        with watching(backup) as watcher:
            client.set("k:2", "other")
            assert eventually(lambda: bool(watcher.commits()))
        assert watcher.commits()[0].replicas
        client.delete("k:3")
        assert backup.restore("HEAD", lambda plan: True).verified == 1


@pytest.mark.parametrize("why", ["link", "other", "none"])
def test_a_primary_without_a_replica_in_sync_is_read_itself(
    pair: Pair, start_server: StartServer, tmp_path: Path, why: str
) -> None:
    """And that is said: its replica does not answer, follows another, or there is none."""
    backup = Backup(tmp_path / "data", pair.primary.url, from_replicas=True)
    with pair.primary.client() as client, pair.replica.client() as other:
        client.set("key", "value")
        if why == "none":
            other.replicaof("NO", "ONE")
            assert eventually(lambda: client.info("replication")["connected_slaves"] == 0)
        else:  # the primary is told of a server that is none of its replicas
            stranger = start_server(tcp=True).port if why == "other" else 1
            other.config_set("replica-announce-ip", "127.0.0.1")
            other.config_set("replica-announce-port", stranger)
            client.client_kill_filter(_type="replica")
            assert eventually(lambda: _ports(client) == {stranger})
    made = backup.commit()
    (read,) = made.replicas
    assert (read.replica, read.behind, made.keys) == ("", None, 1)
    expected = {
        "link": "no replica is in sync: no server answers at 127.0.0.1:1",
        "other": "is not connected to its primary",
        "none": "it has no replica",
    }
    assert expected[why] in read.why
    assert f"read the primary at {place(pair.primary)} itself, since" in made.warnings[0]
    assert f"{place(pair.primary)} (primary: " in read_from(backup)


def _ports(client: redis.Redis) -> set[int]:
    """The ports of the replicas that a primary tells of."""
    told = client.info("replication")
    return {told[f"slave{number}"]["port"] for number in range(told["connected_slaves"])}


@pytest.mark.long
def test_what_a_replica_is_said_to_hold_at_a_moment_it_does(pair: Pair, tmp_path: Path) -> None:
    """Money that moves between accounts of the primary is neither lost nor made."""
    with pair.primary.client(decode_responses=True) as client:
        (socket,) = client.config_get("unixsocket").values()
    fill_bank(local := replace(pair.primary, address=f"unix://{socket}"))
    backup = Backup(tmp_path / "data", pair.primary.url, from_replicas=True)
    backup.commit()
    whole, exact = balance(backup), 0
    with writing(local, "bank", 300):
        for _ in range(8):
            made = backup.commit(allow_empty=True)
            if made.consistency == "point-in-time":
                exact += 1
                assert balance(backup) == whole
    assert exact


def test_replicas_of_a_cluster_are_read(
    start_cluster: Callable[..., LiveCluster], tmp_path: Path
) -> None:
    """Each instead of its primary, which is read if it is gone; and no slot may move."""
    cluster = start_cluster(replicas=1)
    with cluster.client() as client:
        fill(client)
    for number in range(3):
        cluster.tell(number, "CONFIG", "RESETSTAT")
    backup = Backup(tmp_path / "data", cluster.url, from_replicas=True)
    made = backup.commit()
    assert (made.keys, made.consistency, made.warnings) == (417, "point-in-time", [])
    assert {(read.primary, read.replica) for read in made.replicas} == {
        (place(cluster.nodes[number]), place(cluster.nodes[number + 3])) for number in range(3)
    }
    saved = backup.rdb.save()
    assert not any(was_read(node) for node in cluster.nodes[:3])
    assert [node.place for node in saved.file.nodes] == [*map(place, cluster.nodes[:3])]
    other = Backup(tmp_path / "other", cluster.url)
    other.commit()
    assert tree(other) == tree(backup)
    with watching(backup) as watcher:
        with cluster.client() as client:
            client.set("k:1", "other")
        assert eventually(lambda: bool(watcher.commits()))
    number = slot(b"list")
    to = (cluster.owners[number] + 1) % 3
    cluster.begin_move(number, to)
    with pytest.raises(ServerError, match="which replicas do not tell"):
        backup.status()
    cluster.move_keys(number, to)
    cluster.end_move(number, to)
    assert not backup.status().summary.counts
    cluster.kill(4)
    told = [read for read in backup.status().replicas if not read.replica]
    assert [read.primary for read in told] == [place(cluster.nodes[1])]
