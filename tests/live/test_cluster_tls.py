"""A cluster that speaks TLS, and wants a certificate of its clients, is used as any other is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import redis
from redis.cluster import RedisCluster

from gitbackup import Backup
from gitbackup.commit.commit import CommitResult
from gitbackup.errors import ServerError
from gitbackup.live.protocol.slots import slot
from gitbackup.model.safety.risk import Level
from gitbackup.model.server.access import Access
from tests import certificates
from tests.clusters import LiveCluster
from tests.live.test_cluster import values
from tests.live.test_one_shard import fill
from tests.servers import LiveServer, StartServer, free_port
from tests.watching import eventually, tree, watching

pytestmark = pytest.mark.long


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    certificates.expect_openssl()
    (made := tmp_path / "certificates").mkdir()
    certificates.sign_itself(made, "ca")
    certificates.sign(made, "node", "IP:127.0.0.1")
    certificates.sign(made, "client", "client")
    return made


@pytest.fixture
def secure(folder: Path, start_cluster: Callable[..., LiveCluster]) -> LiveCluster:
    """Three primaries, each with a replica."""
    return start_cluster(replicas=1, tls=folder)


def url(cluster: LiveCluster, folder: Path, host: str = "127.0.0.1") -> str:
    """As a user writes it; the certificates are verified."""
    files = f"cacert={folder}/ca.pem&cert={folder}/client.pem&key={folder}/client.key"
    return f"rediss://{host}:{cluster.nodes[0].port}?{files}"


def test_all_that_is_done_with_a_cluster_is_done_by_tls(
    secure: LiveCluster, folder: Path, valkey: LiveServer, tmp_path: Path
) -> None:
    with secure.client() as client, valkey.client() as single:
        fill(client)
        fill(single)
        backup, other = (
            Backup(tmp_path / "a", url(secure, folder)),
            Backup(tmp_path / "b", valkey.url),
        )
        made = backup.commit()
        other.commit()
        assert (made.keys, made.consistency, made.warnings) == (417, "point-in-time", [])
        assert tree(backup) == tree(other)
        replicas = [risk for risk in backup.check().risks if risk.check == "replicas"]
        assert [risk.level for risk in replicas] == [Level.OK]
        client.delete("list")
        client.set("k:7", "other")
        assert backup.status().summary.subject == "k: 1 changed; list removed"
        secure.move(secure.owners.index(0), 1)
        assert backup.restore("HEAD", lambda plan: True).whole
        assert not backup.commit().differs
        assert backup.undo(lambda plan: True).whole
        assert client.get("k:7") == b"other"


def test_watch_and_rdb_files_by_tls(secure: LiveCluster, folder: Path, tmp_path: Path) -> None:
    """By replicas too; and a primary that fails over is followed."""
    with secure.client() as client:
        fill(client)
        backup = Backup(tmp_path / "data", url(secure, folder))
        backup.commit()
        saved = backup.rdb.save()
        assert sum(backup.rdb.verify(saved.file.path).keys.values()) == 417
        assert not backup.rdb.commit(saved.file.path).differs
        replicas = Backup(tmp_path / "data", url(secure, folder), from_replicas=True)
        assert len(replicas.commit(allow_empty=True).replicas) == 3
        with watching(backup) as watcher:
            client.set("k:2", "other")
            assert watcher.told(CommitResult).summary.counts.changed == 1
            secure.kill(1)
            lost = next(key for key in map("k:{}".format, range(400)) if is_at(secure, key, 1))
            assert eventually(lambda: is_written(client, lost))
            reader = Backup(tmp_path / "data")
            assert eventually(lambda: values(reader, lost) == {lost: "after"})


def is_at(cluster: LiveCluster, key: str, node: int) -> bool:
    return cluster.owners[slot(key.encode())] == node


def is_written(client: RedisCluster, key: str) -> bool:
    with suppress(redis.RedisError):
        return bool(client.set(key, "after"))
    return False


def test_nodes_whose_certificates_are_for_another_name(
    folder: Path, start_cluster: Callable[..., LiveCluster], tmp_path: Path
) -> None:
    """The cluster names its nodes by their addresses: --sni is the name that they all have."""
    certificates.sign(folder, "node", "localhost")
    secure = start_cluster(tls=folder)
    backup = Backup(tmp_path / "data", url(secure, folder, "localhost"))
    with pytest.raises(ServerError, match=r"is not for the name '127\.0\.0\.1': .* `sni`$"):
        backup.commit()
    named = Backup(tmp_path / "data", url(secure, folder), access=Access(sni="localhost"))
    assert named.commit().keys == 0


def test_nodes_that_name_their_ports_without_tls(
    folder: Path, start_server: StartServer, tmp_path: Path
) -> None:
    secure = {"tls_cert_file": f"{folder}/node.pem", "tls_key_file": f"{folder}/node.key"}
    secure |= {"tls_ca_cert_file": f"{folder}/ca.pem", "cluster_enabled": "yes"}
    ports = [free_port(), free_port()]
    nodes = [
        start_server("redis7", tcp=True, tls_port=str(port), tls_auth_clients="no", **secure)
        for port in ports
    ]
    cluster = LiveCluster(nodes, 2)
    cluster.tell(0, "CLUSTER", "ADDSLOTSRANGE", 0, 8_000)
    cluster.tell(1, "CLUSTER", "ADDSLOTSRANGE", 8_001, 16_383)
    cluster.tell(1, "CLUSTER", "SET-CONFIG-EPOCH", 1)
    cluster.tell(0, "CLUSTER", "MEET", "127.0.0.1", nodes[1].port)
    assert eventually(lambda: "cluster_state:ok" in str(cluster.tell(0, "CLUSTER", "INFO")))
    address = f"rediss://127.0.0.1:{ports[0]}?cacert={folder}/ca.pem"
    with pytest.raises(ServerError, match="does not use TLS: set `tls-cluster yes` at all nodes"):
        Backup(tmp_path / "data", address).connect()
