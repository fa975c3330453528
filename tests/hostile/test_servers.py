"""Servers that never come to an end: with a file that is saved, or as nodes of a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitbackup import Backup
from gitbackup.errors import ServerError
from gitbackup.live.connection import cluster as of_cluster
from gitbackup.live.protocol.error_replies import Redirected
from gitbackup.live.protocol.slots import slot
from gitbackup.live.rdb import bgsave, replica_fetch
from gitbackup.live.write import cluster_write
from gitbackup.restore import restore
from gitbackup.restore.restore import Restorer
from tests.clusters import LiveCluster
from tests.live.test_cluster_nonsense import OTHER, node, nodes, slots, text
from tests.live.test_nonsense import HELLO, Answer, answering, each
from tests.servers import LiveServer

MARK = b"f" * 40
USED = b"used_memory:1000\r\n"
TIME = b"*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n"


def sends(announced: bytes) -> Answer:
    """A server that answers so to PSYNC."""
    told = {b"HELLO": HELLO, b"INFO": text(USED), b"PSYNC": announced}
    return each(lambda command: told.get(command[0], b"+OK\r\n"))


def saves(info: bytes, settings: bytes = b"*2\r\n$3\r\ndir\r\n$1\r\n/\r\n") -> Answer:
    """A server that says so of its saves and its settings."""
    told = {b"HELLO": HELLO, b"INFO": text(info), b"TIME": TIME, b"CONFIG": settings}
    return each(lambda command: told.get(command[0], b"+OK\r\n"))


def left(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*.rdb*") if path.is_file()]


@pytest.mark.parametrize(
    "announced", [b"$EOF:" + MARK + b"\r\n" + b"x" * 100_000, b"$9999999999\r\nREDIS"]
)
def test_a_file_without_end(
    announced: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be as large as the memory that the server says it uses, many times over."""
    monkeypatch.setattr(replica_fetch, "SURELY", 0)
    with (
        answering(sends(announced)) as url,
        pytest.raises(ServerError, match=r"an RDB file without end: [0-9,]+ bytes"),
    ):
        Backup(tmp_path / "data", url).rdb.save()
    assert not left(tmp_path)


def test_a_file_that_never_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line break says that the server lives, and is still saving."""
    monkeypatch.setattr(replica_fetch, "TIMEOUTS", 0.01)
    with (
        answering(sends(b"\n" * 100_000)) as url,
        pytest.raises(ServerError, match="it did not begin; `timeout` allows more time"),
    ):
        Backup(tmp_path / "data", url).rdb.save()
    assert not left(tmp_path)


@pytest.mark.parametrize(
    ("info", "sentence"),
    [
        (b"rdb_last_save_time:1\r\nrdb_bgsave_in_progress:1\r\n", "is still saving after"),
        (b"rdb_last_save_time:9999999999\r\nrdb_bgsave_in_progress:0\r\n", "later than its clock"),
    ],
)
def test_a_save_without_end(
    info: bytes, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bgsave, "TIMEOUTS", 0.1)
    with answering(saves(info)) as url, pytest.raises(ServerError, match=sentence):
        Backup(tmp_path / "data", url).rdb.save(copy=True, file=tmp_path / "dump.rdb")
    assert not left(tmp_path)


@pytest.mark.parametrize(
    "settings", [b"*0\r\n", b"*4\r\n$3\r\ndir\r\n$2\r\n/\0\r\n$10\r\ndbfilename\r\n$1\r\nx\r\n"]
)
def test_a_file_that_is_nowhere(settings: bytes, tmp_path: Path) -> None:
    info = b"rdb_last_save_time:1\r\nrdb_bgsave_in_progress:0\r\n"
    with (
        answering(saves(info, settings)) as url,
        pytest.raises(ServerError, match="name it with `file`"),
    ):
        Backup(tmp_path / "data", url).rdb.save(copy=True)


def test_a_node_that_is_another_one(tmp_path: Path) -> None:
    """The cluster names the same server by two ids."""
    port = b""

    def say() -> tuple[bytes, bytes]:
        one = slots(text(b"127.0.0.1"), b":" + port + b"\r\n", stop=b":8191\r\n")
        two = slots(text(b"127.0.0.1"), b":" + port + b"\r\n", OTHER)
        two = two.replace(b"\r\n:0\r\n", b"\r\n:8192\r\n", 1)
        return b"*2\r\n" + one[4:] + two[4:], nodes()

    with answering(node(say)) as url:
        port = url.partition("?")[0].rpartition(":")[2].encode()
        with pytest.raises(ServerError, match="but the server there is its node 'aaaaaaaa'"):
            Backup(tmp_path / "data", url).commit()


def test_more_nodes_than_there_can_be(tmp_path: Path) -> None:
    """A slot each; none of them is asked."""
    own = slots(stop=b":0\r\n")[4:]
    place = text(b"127.0.0.1") + b":1\r\n"
    ranges = [
        b"*3\r\n:%d\r\n:%d\r\n*3\r\n%b%b" % (number, number, place, text(b"%040x" % number))
        for number in range(1, 16_384)
    ]
    said = b"*16384\r\n" + own + b"".join(ranges), nodes()
    with (
        answering(node(lambda: said)) as url,
        pytest.raises(ServerError, match="names more than 1,000 nodes"),
    ):
        Backup(tmp_path / "data", url).commit()


def test_nodes_that_take_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_cluster, "TIMEOUTS", 0)
    with (
        answering(node(lambda: (slots(), nodes()))) as url,
        pytest.raises(ServerError, match=r"have not all answered .* `timeout` allows more time"),
    ):
        Backup(tmp_path / "data", url).commit()


@pytest.mark.long
def test_a_slot_that_goes_round_in_circles(
    cluster: LiveCluster, valkey: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One node says that the other is about to have it, and that one knows nothing of it."""
    monkeypatch.setattr(cluster_write, "FAILOVER", 0.3)
    monkeypatch.setattr(restore, "FAILOVER", 0.3)
    rounds = []
    await_nodes = Restorer._await_nodes

    def counted(restorer: Restorer, *words: Any) -> None:
        rounds.append(words)
        await_nodes(restorer, *words)

    monkeypatch.setattr(Restorer, "_await_nodes", counted)
    with valkey.client() as client:
        client.set("{t}1", "a")
    made = Backup(tmp_path / "data", valkey.url).commit()
    backup = Backup(tmp_path / "data", cluster.url)
    number = slot(b"t")
    of, to = cluster.owners[number], (cluster.owners[number] + 1) % 3
    cluster.tell(of, "CLUSTER", "SETSLOT", number, "MIGRATING", cluster.ids[to])
    try:
        with pytest.raises(Redirected):
            backup.restore(str(made.commit), lambda plan: True, to=cluster.url)
    finally:
        cluster.tell(of, "CLUSTER", "SETSLOT", number, "STABLE")
    assert 1 < len(rounds) < restore.ROUNDS
