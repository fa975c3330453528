"""A cluster of several primaries is read as one server is, whatever its slots do meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitbackup import Backup
from gitbackup.errors import ServerError
from gitbackup.history import entry
from gitbackup.history.selector import KeySelector
from gitbackup.live.connection.slots import slot
from gitbackup.model.commits import Consistency
from tests.clusters import Ledger, LiveCluster, turmoil
from tests.live.test_one_shard import fill
from tests.servers import LiveServer
from tests.watching import eventually, tree, watching


def values(backup: Backup) -> dict[str, str]:
    """The values of all keys of HEAD."""
    assert backup.repository is not None
    entries = entry.entries(backup.repository, backup.resolve("HEAD"), KeySelector((), None))
    return {key.name: each["value"] for key, each in entries}


def nodes(backup: Backup) -> str:
    return next(backup.log(limit=1)).trailers["Nodes"]


def test_a_cluster_is_committed_as_the_same_data_on_one_server(
    cluster: LiveCluster, valkey: LiveServer, tmp_path: Path
) -> None:
    """By the URL of any node; each node was read at one moment, and all of them together."""
    with cluster.client() as client, valkey.client() as single:
        fill(client)
        fill(single)
        backup = Backup(tmp_path / "a", cluster.nodes[1].url)
        other = Backup(tmp_path / "b", valkey.url)
        made = backup.commit()
        other.commit()
        assert (made.keys, made.consistency, made.warnings) == (417, "point-in-time", [])
        assert tree(backup) == tree(other)
        assert nodes(backup).count("point-in-time") == 3
        client.set("k:7", "other")
        client.delete("list")
        again = Backup(tmp_path / "a", cluster.nodes[2].url)
        assert again.status().summary.subject == "k: 1 changed; list removed"
        assert [str(change.key) for change in again.diff().changes] == ["k:7", "list"]


def test_keys_that_are_moving_are_read_where_they_are(cluster: LiveCluster, tmp_path: Path) -> None:
    """Some keys of a slot are at one node, and some are at another already, by --consistency too;
    a slot that has moved whole; and one whose keys went with it."""
    number = slot(b"{t}")
    with cluster.client() as client:
        for key in range(20):
            client.set(f"{{t}}{key}", key)
    backup = Backup(tmp_path / "data", cluster.url)
    backup.commit()
    expected = values(backup)
    to = (cluster.owners[number] + 1) % 3
    of = cluster.begin_move(number, to)
    cluster.move_keys(number, to, 8)
    try:
        assert not backup.commit().differs
        with pytest.raises(ServerError, match="are moving between its nodes"):
            backup.commit(consistency=Consistency.PER_KEY)
        cluster.move_keys(number, to)
        assert not backup.commit().differs
        assert values(backup) == expected
    finally:
        cluster.end_move(number, to)
    assert not backup.commit(consistency=Consistency.PER_KEY).differs
    cluster.take(number, of)
    assert eventually(lambda: cluster.tell(to, "DBSIZE") == 0)
    assert backup.commit().summary.counts.removed == 20


def test_a_library_that_not_all_nodes_have_is_told(cluster: LiveCluster, tmp_path: Path) -> None:
    source = "#!lua name=l\nredis.register_function('f', function() return 1 end)"
    for number in range(3):
        cluster.tell(number, "FUNCTION", "LOAD", source)
    backup = Backup(tmp_path / "data", cluster.url)
    assert backup.commit().warnings == []
    cluster.tell(1, "FUNCTION", "DELETE", "l")
    made = backup.commit()
    assert not made.differs
    assert "not all nodes of the cluster have the same function libraries" in made.warnings[0]


@pytest.mark.long
def test_keys_move_and_are_written_to_while_they_are_read(
    cluster: LiveCluster, tmp_path: Path
) -> None:
    """No key is missing, and what is said to be of one moment is."""
    ledger, backup = Ledger(cluster), Backup(tmp_path / "data", cluster.url)
    with ledger.writing(0.05), turmoil(cluster, 0.3):
        exact = 0
        for _ in range(10):
            made = backup.commit(allow_empty=True)
            found = values(backup)
            assert (made.keys, len(found)) == (Ledger.KEYS, Ledger.KEYS)
            if made.consistency == "point-in-time":
                exact += 1
                assert Ledger.is_whole(found)
    assert exact


@pytest.mark.long
def test_a_cluster_is_watched_while_its_slots_move(cluster: LiveCluster, tmp_path: Path) -> None:
    ledger, backup = Ledger(cluster), Backup(tmp_path / "data", cluster.url)
    with watching(backup) as watcher:
        with ledger.writing(0.05), turmoil(cluster, 0.3):
            assert eventually(lambda: len(watcher.commits()) > 3)
        other = Backup(tmp_path / "other", cluster.url)
        other.commit()
        assert eventually(lambda: tree(backup) == tree(other))
    assert {made.keys for made in watcher.commits()} == {Ledger.KEYS}
