"""Search indexes are in RDB files, of a server and of the nodes of a cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gitbackup import Backup
from gitbackup.errors import ServerError
from gitbackup.live.protocol.slots import slot
from tests.clusters import LiveCluster
from tests.servers import LiveServer, modules, old_ssl_at_hand, program
from tests.watching import tree

pytestmark = pytest.mark.long

INDEX = ("PREFIX", "1", "user:", "SCHEMA", "name", "TEXT", "SORTABLE", "city", "TAG")
SYNONYMS = ("people", "g1", "boy", "child")


def expect_all_of_it(url: str, empty: Callable[[], object], folder: Path) -> None:
    """A file holds what a commit does, and a restore of it brings that back."""
    server, search = program("stack"), [each for each in modules("stack") if "search" in each.stem]
    backup, other = Backup(folder / "data", url), Backup(folder / "other", url)
    backup.commit()
    file = backup.rdb.save().file.path
    with pytest.raises(ServerError, match=r"no module for data of the type .* with `modules`$"):
        backup.rdb.verify(file, server)
    assert backup.rdb.verify(file, server, modules=search).indexes == 2
    other.rdb.commit(file, program=server, modules=search)
    assert tree(other) == tree(backup)
    empty()
    adopted = backup.rdb.adopt(file, server, modules=search)
    assert backup.restore(adopted.commit, lambda plan: True).whole
    assert not backup.commit().differs
    assert tree(other) == tree(backup)


def test_those_of_a_server(stack: LiveServer, tmp_path: Path) -> None:
    with stack.client() as client:
        client.hset("user:1", mapping={"name": "Ann", "city": "x;y"})
        for name in ("people", "other"):
            client.execute_command("FT.CREATE", name, *INDEX)
        client.execute_command("FT.SYNUPDATE", *SYNONYMS)
        expect_all_of_it(stack.url, client.flushall, tmp_path)


def test_those_of_a_cluster(start_cluster: Callable[..., LiveCluster], tmp_path: Path) -> None:
    cluster = start_cluster(brand="stack")
    with cluster.client() as client, old_ssl_at_hand():
        for number in range(20):
            client.hset(f"user:{number}", mapping={"name": "Ann", "city": "x;y"})
        for name in ("people", "other"):
            cluster.tell(cluster.owners[slot(name.encode())], "FT.CREATE", name, *INDEX)
        cluster.tell(cluster.owners[slot(b"people")], "FT.SYNUPDATE", *SYNONYMS)

        def empty() -> None:
            for number in range(3):
                cluster.tell(number, "FLUSHALL")

        expect_all_of_it(cluster.url, empty, tmp_path)
