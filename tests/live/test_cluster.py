"""A cluster of several primaries is read as one server is, whatever its slots do meanwhile."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gitbackup import Backup
from gitbackup.errors import ServerError, UsageError
from gitbackup.history import entry
from gitbackup.history.selector import KeySelector
from gitbackup.live.protocol.slots import slot
from gitbackup.model.commits import Consistency
from gitbackup.plan.plan_json import plan_object, read_plan
from gitbackup.restore import preflight
from tests.clusters import TAGS, Ledger, LiveCluster, a_node, turmoil
from tests.live.test_one_shard import fill
from tests.servers import LiveServer, StartServer
from tests.watching import eventually, tree, watching


def values(backup: Backup, *names: str) -> dict[str, str]:
    """The values of these keys of HEAD, or of all."""
    assert backup.repository is not None
    entries = entry.entries(backup.repository, backup.resolve("HEAD"), KeySelector(names, None))
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


def test_a_cluster_is_read_by_the_socket_of_one_of_its_nodes(
    cluster: LiveCluster, tmp_path: Path
) -> None:
    """The others are reached by the places that it names."""
    with cluster.client() as client:
        for number in range(30):
            client.set(f"k:{number}", number)
    with cluster.nodes[1].client(decode_responses=True) as node:
        (socket,) = node.config_get("unixsocket").values()
    made = Backup(tmp_path / "data", f"unix://{socket}").commit()
    assert made.keys == 30


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
def test_each_node_has_a_moment_of_its_own_while_clients_write(
    cluster: LiveCluster, tmp_path: Path
) -> None:
    """A commit tells for which nodes that is so, and it is."""
    ledger, backup = Ledger(cluster), Backup(tmp_path / "data", cluster.url)
    at = [node.url.partition("//")[2] for node in cluster.nodes]
    with ledger.writing(0), ledger.writing(0), ledger.writing(0):
        for _ in range(3):
            backup.commit(allow_empty=True)
            found = values(backup)
            exact = [f"{label} point-in-time" in nodes(backup) for label in at]
            assert len(found) == Ledger.KEYS
            assert not any(exact[cluster.owners[number]] for number in Ledger.torn(found))


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


def test_a_commit_is_restored_into_a_cluster_and_back(
    cluster: LiveCluster, valkey: LiveServer, tmp_path: Path
) -> None:
    """By one server's repository, and by that of the cluster; functions are given to each node."""
    source = "#!lua name=l\nredis.register_function('f', function() return 1 end)"
    backup, other = Backup(tmp_path / "a", valkey.url), Backup(tmp_path / "b", cluster.nodes[2].url)
    with cluster.client() as client, valkey.client() as single:
        fill(single)
        single.function_load(source)
        backup.commit()
        made = backup.restore("HEAD", lambda plan: True, to=cluster.url)
        assert (made.whole, made.verified) == (True, 418)
        other.commit()
        assert tree(other) == tree(backup)
        client.delete("list", "k:7")
        client.set("k:9", "other")
        cluster.tell(0, "FUNCTION", "DELETE", "l")
        cluster.tell(1, "FUNCTION", "FLUSH")
        cluster.tell(2, "FUNCTION", "FLUSH")
        assert other.restore("HEAD", lambda plan: True).verified == 4
        assert tree(other) == tree(backup)
        assert [cluster.tell(number, "FCALL", "f", 0) for number in range(3)] == [1, 1, 1]
        assert other.undo(lambda plan: True).whole
        assert other.status().keys == 415
        assert other.undo(lambda plan: True).whole
        single.flushall()
        single.function_flush()
        assert other.restore("HEAD", lambda plan: True, to=valkey.url).whole
        backup.commit()
        assert tree(backup) == tree(other)


@pytest.mark.long
def test_what_is_written_while_a_cluster_is_restored_is_saved_first(
    cluster: LiveCluster, tmp_path: Path
) -> None:
    """Of many transactions in flight, those on keys that are others by now do nothing."""
    backup = Backup(tmp_path / "data", cluster.url, progress=(seen := Seen()))
    with cluster.client() as client:
        for number in range(1_500):
            client.set(f"k:{number}", number)
        first = str(backup.commit().commit)
        expected = tree(backup)
        for number in range(1_500):
            client.set(f"k:{number}", "other")
            client.rpush(f"more:{number % 100}", *range(number % 3 * 300 + 1))
        late = [f"k:{number}" for number in range(0, 1_500, 10)]
        seen.call("restoring", lambda: [client.set(name, "meanwhile") for name in late])
        made = backup.restore(first, lambda plan: True)
    assert (made.whole, tree(backup)) == (True, expected)
    saved = [made.saved, *(info.id for info in backup.log())]
    assert backup.repository is not None
    held = {
        key.name
        for commit in filter(None, saved)
        for key, each in entry.entries(backup.repository, commit, KeySelector((), None))
        if each["value"] == "meanwhile"
    }
    assert held == {*late}


def test_a_restore_that_was_cut_off_is_finished_by_the_url_of_another_node(
    cluster: LiveCluster, valkey: LiveServer, tmp_path: Path
) -> None:
    """And undone by that of a third, if commits are of the cluster."""
    backup = Backup(tmp_path / "a", valkey.url, progress=(seen := Seen()))
    with valkey.client() as single, cluster.client() as client:
        single.set("k", "v")
        backup.commit()
        client.set("other", "value")
        seen.call("restoring", partial(signal.raise_signal, signal.SIGINT))
        one, two = cluster.nodes[0].url, cluster.nodes[1].url
        assert backup.repository is not None
        with pytest.raises(KeyboardInterrupt):
            backup.restore("HEAD", lambda plan: True, patterns=["k"], to=one)
        (begun,) = backup.repository.journal.known()
        assert not client.exists("k")
        made = backup.restore("HEAD", lambda plan: True, patterns=["k"], to=two)
        assert (made.whole, client.get("k")) == (True, b"v")
        backup.repository.end()
        assert (begun.nodes, backup.repository.journal.known()) == (tuple(sorted(cluster.ids)), [])
        Backup(tmp_path / "b", one).commit()
        client.set("k", "later")
        plan = Backup(tmp_path / "b", one).restorer("HEAD").plan()
        assert Backup(tmp_path / "b", two).planned(plan).run(lambda plan: True).whole
        assert client.get("k") == b"v"
        assert Backup(tmp_path / "b", cluster.nodes[2].url).undo(lambda plan: True).whole
        assert client.get("k") == b"later"


def test_a_cluster_is_known_again_by_whatever_name_its_nodes_have(
    cluster: LiveCluster, tmp_path: Path
) -> None:
    """The first restore is by a host name, which the cluster itself does not use."""
    first = Backup(tmp_path / "data", cluster.url.replace("127.0.0.1", "localhost"))
    second = Backup(tmp_path / "data", cluster.nodes[1].url)
    with cluster.client() as client:
        client.set("k", "v")
        first.commit()
        client.set("k", "later")
        plan = read_plan(json.dumps(plan_object(first.restorer("HEAD").plan())).encode())
        assert second.planned(plan).run(lambda plan: True).whole
        assert second.undo(lambda plan: True).whole
        assert client.get("k") == b"later"
        assert first.restore("HEAD~2", lambda plan: True).whole
        assert second.undo(lambda plan: True).whole
        assert client.get("k") == b"later"


def test_a_restore_into_another_cluster_is_not_undone(
    cluster: LiveCluster, start_server: StartServer, tmp_path: Path
) -> None:
    other = a_node(start_server, "redis7")
    backup = Backup(tmp_path / "data", cluster.url)
    with cluster.client() as client:
        client.set("k", "v")
        backup.commit()
        client.delete("k")
        plan = backup.restorer("HEAD").plan()
        with pytest.raises(UsageError, match=r"the plan is for Redis .* cluster at"):
            Backup(tmp_path / "data", other.url).planned(plan)
        assert backup.restore("HEAD", lambda plan: True).whole
        with pytest.raises(UsageError, match=r"the last restore, .*, was into the server at"):
            Backup(tmp_path / "data", other.url).undo(lambda plan: True)


def test_keys_of_a_slot_that_is_moving_are_restored(cluster: LiveCluster, tmp_path: Path) -> None:
    """Where they are by now; a value that is built aside waits for the end of the move."""
    number = slot(b"{t}")
    with cluster.client() as client:
        for key in range(12):
            client.set(f"{{t}}{key}", key)
        backup = Backup(tmp_path / "data", cluster.url)
        backup.commit()
        client.rpush("{t}list", *range(1_000))
        large = backup.commit()
        for key in range(6):
            client.set(f"{{t}}{key}", "other")
        client.delete("{t}7", "{t}8", "{t}list")
        to = (cluster.owners[number] + 1) % 3
        cluster.begin_move(number, to)
        cluster.move_keys(number, to, 5)
        made = backup.restore("HEAD", lambda plan: True, patterns=["{t}[0-9]*"])
        assert (made.whole, made.verified) == (True, 8)
        waiting = threading.Timer(0.5, lambda: _finish(cluster, number, to))
        waiting.start()
        try:
            assert backup.restore(str(large.commit), lambda plan: True).whole
        finally:
            waiting.join()
    assert not backup.diff(str(large.commit)).changes


def _finish(cluster: LiveCluster, number: int, to: int) -> None:
    cluster.move_keys(number, to)
    cluster.end_move(number, to)


@pytest.mark.long
def test_slots_move_while_a_commit_is_restored(cluster: LiveCluster, tmp_path: Path) -> None:
    Ledger(cluster)
    backup = Backup(tmp_path / "data", cluster.url)
    first = str(backup.commit().commit)
    expected = tree(backup)
    with cluster.client() as client, turmoil(cluster, 0.05):
        for round_ in range(4):
            for tag in range(TAGS):
                client.mset({f"{{t{tag}}}{n}": round_ for n in range(2)})
                client.rpush(f"{{t{tag}}}list", *range(700))
            client.delete("c:1")
            assert backup.restore(first, lambda plan: True).whole
            assert tree(backup) == expected
    assert not backup.status().summary.counts


@pytest.mark.long
@pytest.mark.parametrize("verb", ["commit", "restore", "probe"])
def test_a_primary_fails_and_its_replica_takes_its_place(
    start_cluster: Callable[..., LiveCluster],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
) -> None:
    """What the replica was not given is restored again; also before anything is written."""
    cluster = start_cluster(replicas=1)
    backup = Backup(tmp_path / "data", cluster.nodes[2].url, progress=(seen := Seen()))
    with cluster.client() as client:
        fill(client)
    made = backup.commit()
    expected = tree(backup)
    if verb != "commit":
        for number in range(3):
            cluster.tell(number, "FLUSHALL")
    if verb == "probe":
        monkeypatch.setattr(preflight, "probe", killing(cluster, preflight.probe))
    else:
        seen.call("restoring" if verb == "restore" else "reading db0", partial(cluster.kill, 0))
    if verb == "commit":
        assert not backup.commit().differs
    else:
        assert backup.restore(str(made.commit), lambda plan: True).whole
    assert tree(backup) == expected
    assert not backup.status().summary.counts


def killing(cluster: LiveCluster, probe: Callable[..., None]) -> Callable[..., None]:
    """The same, once the first primary was killed."""
    left = [0]

    def killed(*words: Any) -> None:
        if left:
            cluster.kill(left.pop())
        probe(*words)

    return killed


class Seen:
    """Progress that calls something when a step begins."""

    def __init__(self) -> None:
        self._calls: dict[str, Callable[[], object]] = {}

    def call(self, step: str, act: Callable[[], object]) -> None:
        self._calls[step] = act

    def start(self, step: str, total: int | None, unit: str = "keys") -> None:
        self._calls.pop(step, lambda: None)()

    def advance(self, count: int) -> None: ...

    def finish(self) -> None: ...


def test_check_looks_at_each_node(cluster: LiveCluster, tmp_path: Path) -> None:
    """What is the same at all nodes is told once, else at which nodes it is so."""
    cluster.tell(1, "CONFIG", "SET", "maxmemory", "100mb")
    try:
        checked = Backup(tmp_path / "data", cluster.url).check()
    finally:
        cluster.tell(1, "CONFIG", "SET", "maxmemory", "0")
    told = {risk.protection for risk in checked.risks if risk.check in ("memory", "replicas")}
    at = [node.url.partition("//")[2] for node in cluster.nodes]
    assert told == {
        "no replica: there is no second server",
        f"no maxmemory: no key is evicted (at {at[0]}, {at[2]})",
        f"noeviction: above 104.9 MB it refuses writes (at {at[1]})",
    }
