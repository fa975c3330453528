"""The RDB files of a cluster: one of each primary, and together they are what a commit is."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbackup import Backup
from gitbackup.errors import Damaged, GitbackupError, ServerError, UsageError
from gitbackup.live.protocol.slots import slot
from gitbackup.live.rdb import rdb_set
from tests.clusters import LiveCluster
from tests.live.test_one_shard import fill
from tests.servers import LiveServer
from tests.watching import tree

Change = Callable[[Path, list[dict[str, Any]]], None]


@pytest.fixture
def backup(cluster: LiveCluster, tmp_path: Path) -> Backup:
    """A repository of a cluster with 417 keys."""
    with cluster.client() as client:
        fill(client)
    return Backup(tmp_path / "data", cluster.url)


def test_its_tree_is_that_of_a_commit(
    backup: Backup, cluster: LiveCluster, valkey: LiveServer, tmp_path: Path
) -> None:
    """Each file is of one moment. They are listed and verified as one, and restored as one."""
    saved = backup.rdb.save()
    assert [node.place for node in saved.file.nodes] == [
        node.url.partition("//")[2] for node in cluster.nodes
    ]
    assert saved.file.path.name == f"dump-{saved.file.taken_at:%Y%m%d-%H%M%S}"
    assert [listed.file for listed in backup.rdb.list()] == [saved.file]
    verified = backup.rdb.verify(saved.file.path)
    assert (verified.file, verified.checksum) == (saved.file, True)
    assert sum(verified.keys.values()) == 417
    backup.commit()
    other = Backup(tmp_path / "other", valkey.url)
    made = other.rdb.commit(saved.file.path)
    assert tree(other) == tree(backup)
    info = other.show().info
    assert (made.keys, info.trailers["Consistency"]) == (417, "per-key")
    assert info.trailers["Nodes"].count("point-in-time") == 3
    assert "saved within" in made.warnings[0]
    adopted = other.rdb.adopt(saved.file.path)
    assert other.restore(adopted.commit, lambda plan: True).whole
    other.commit()
    assert tree(other) == tree(backup)


def test_the_newest_are_kept(backup: Backup) -> None:
    """What is not ours stays: a folder of that name, and a file beside ours."""
    first = backup.rdb.save().file.path
    folder = first.parent
    (folder / "dump-20200101-000000").mkdir()
    second = backup.rdb.save().file.path
    (first / "notes.txt").write_text("mine")
    third = backup.rdb.save(keep=1)
    assert third.removed == [second]
    assert [path.name for path in first.iterdir()] == ["notes.txt"]
    assert str(first) in third.warnings[0]
    assert [listed.path for listed in backup.rdb.list()] == [third.file.path]


def test_a_backup_of_redis_cli_is_one(backup: Backup, cluster: LiveCluster, tmp_path: Path) -> None:
    if not (cli := shutil.which("redis-cli")):
        pytest.skip("there is no redis-cli")
    (folder := tmp_path / "theirs").mkdir()
    place = f"127.0.0.1:{cluster.nodes[0].port}"
    subprocess.run([cli, "--cluster", "backup", place, folder], check=True, capture_output=True)
    backup.commit()
    assert not backup.rdb.commit(folder).differs


def _lost(folder: Path, nodes: list[dict[str, Any]]) -> None:
    next(folder.glob(f"*{nodes[1]['name']}.rdb")).unlink()


def _uncovered(folder: Path, nodes: list[dict[str, Any]]) -> None:
    nodes[1]["slots"] = [[5463, 7000], [7002, 10922]]


def _twice(folder: Path, nodes: list[dict[str, Any]]) -> None:
    nodes[1]["slots"] = [[5461, 10922]]


def _swapped(folder: Path, nodes: list[dict[str, Any]]) -> None:
    nodes[0]["slots"], nodes[1]["slots"] = nodes[1]["slots"], nodes[0]["slots"]


def _cut(folder: Path, nodes: list[dict[str, Any]]) -> None:
    file = next(folder.glob("*.rdb"))
    file.write_bytes(file.read_bytes()[:-20])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_lost, r"lacks the file of node 127.0.0.1:\d+, slots 5462-10922"),
        (_uncovered, "is not a whole cluster: no file has slots 5462-5462 and 1 more"),
        (_twice, "more than one node has slot 5461"),
        (_swapped, "which is one of node 127.0.0.1"),
        (_cut, "is damaged: the end is missing"),
        (lambda folder, nodes: nodes.clear(), "names no node that has slots"),
        (lambda folder, nodes: nodes[0].update(slots=7), "does not tell the nodes"),
        (lambda folder, nodes: nodes[0].update(name=nodes[1]["name"]), "does not tell the nodes"),
    ],
)
def test_a_set_that_is_not_whole_is_refused(backup: Backup, change: Change, message: str) -> None:
    """By all that read it; the list tells why, unless that shows only once it is loaded."""
    folder = backup.rdb.save().file.path
    nodes = json.loads((folder / rdb_set.NODES).read_bytes())
    change(folder, nodes)
    (folder / rdb_set.NODES).write_text(json.dumps(nodes))
    with pytest.raises(Damaged, match=message):
        backup.rdb.commit(folder)
    with pytest.raises(Damaged, match=message):
        backup.rdb.verify(folder)
    (listed,) = backup.rdb.list()
    assert (listed.file is None) is (change is not _swapped)


def test_nothing_is_kept_while_slots_move(backup: Backup, cluster: LiveCluster) -> None:
    number = slot(b"list")
    to = (cluster.owners[number] + 1) % 3
    cluster.begin_move(number, to)
    try:
        with pytest.raises(ServerError, match="are moving between its nodes, so no files were"):
            backup.rdb.save()
    finally:
        cluster.move_keys(number, to)
        cluster.end_move(number, to)
    assert backup.rdb.list() == []
    assert [path.name for path in backup.rdb.folder.iterdir()] == [".gitignore"]
    with pytest.raises(UsageError, match="has one at each primary"):
        backup.rdb.save(copy=True)


@given(st.text(), st.text(), st.text())
def test_the_name_of_a_file_leads_nowhere_else(host: str, port: str, node: str) -> None:
    name = rdb_set.file_name(host, port, node)
    assert Path(name).name == name


@given(
    content=st.binary()
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(
        lambda document: json.dumps([document]).encode()
    )
)
def test_any_list_of_nodes_is_read_or_refused(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("set")
    (folder / rdb_set.NODES).write_bytes(content)
    with pytest.raises(GitbackupError):
        rdb_set.look(folder)
