"""`restore --rdb`: what a file holds comes back as a commit does, and nothing is lost for it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbackup import Backup
from gitbackup.errors import Damaged
from tests.databases import Database, databases
from tests.rdb.test_verify import saved
from tests.restore.test_cut_off import RESTORE, size
from tests.restore.test_cut_off import fill as fill_users
from tests.servers import LiveServer, every_brand
from tests.store.plain import run_git
from tests.test_roundtrip import Running, digests, fill, restore, yes


def branches(backup: Backup) -> list[str]:
    listed = run_git(backup.path, "for-each-ref", "--format=%(refname:short)", "refs/heads")
    return listed.stdout.decode().split()


@every_brand
@settings(max_examples=3)
@given(data=st.data())
def test_the_database_is_the_file_s_again(
    brand: str, running: Running, data: st.DataObject
) -> None:
    """By the server's own word; and what it held meanwhile is a commit."""
    server = running(brand)
    fill(server, data.draw(databases(brand)))
    known = digests(server)
    with tempfile.TemporaryDirectory() as folder:
        file = saved(server, Path(folder))
        fill(server, Database(()))
        with server.client() as client:
            client.set("precious", 1)
        backup = Backup(Path(folder, "data"), server.url)
        adopted = backup.rdb.adopt(file)
        result = restore(backup, adopted.commit)
        assert digests(server) == known
        assert result.saved
        assert backup.entry(result.saved, "precious")[1]["value"] == "1"
        assert backup.commit().commit is None


def test_a_file_is_the_same_commit_each_time(valkey: LiveServer, tmp_path: Path) -> None:
    """On a branch that tells of when it is; HEAD stays where it was."""
    with valkey.client() as client:
        client.set("a", 1)
    file = saved(valkey, tmp_path)
    with valkey.client() as client:
        client.set("a", 2)
    backup = Backup(tmp_path / "data", valkey.url)
    head = backup.commit().commit
    first, second = backup.rdb.adopt(file), Backup(tmp_path / "data").rdb.adopt(file)
    assert first == second
    assert (
        first.branch
        == f"rdb/{backup.show(first.commit).info.date:%Y%m%dT%H%M%S}-{first.commit[:7]}"
    )
    assert sorted(branches(backup)) == sorted(["main", first.branch])
    assert backup.resolve("HEAD") == head


def test_keys_outside_the_repository_s_scope_are_left_alone(
    valkey: LiveServer, tmp_path: Path
) -> None:
    with valkey.client() as client:
        client.mset({"a": 1, "session:1": 1})
        file = saved(valkey, tmp_path)
        client.mset({"a": 2, "session:1": 2, "session:2": 2})
        Backup(tmp_path / "data").init(exclude=["session:*"])
        backup = Backup(tmp_path / "data", valkey.url)
        restore(backup, backup.rdb.adopt(file).commit)
        assert client.mget("a", "session:1", "session:2") == [b"1", b"2", b"2"]


@pytest.mark.long
def test_a_restore_of_a_file_that_was_killed_is_finished(
    valkey: LiveServer, tmp_path: Path
) -> None:
    fill_users(valkey)
    file = saved(valkey, tmp_path)
    backup = Backup(tmp_path / "data", valkey.url)
    commit = backup.rdb.adopt(file).commit
    with valkey.client() as client:
        client.flushall()
    program = RESTORE.replace("HEAD", commit)
    process = subprocess.Popen([sys.executable, "-c", program, str(backup.path), valkey.url])
    while size(valkey) < 5_000 and process.poll() is None:
        time.sleep(0.001)
    process.kill()
    process.wait()
    again = Backup(tmp_path / "data", valkey.url)
    assert again.rdb.adopt(file).commit == commit
    how = again.restorer(commit)
    assert how.resumes
    assert how.run(yes).whole
    assert dict(backup.rdb.verify(saved(valkey, tmp_path)).keys) == {0: 20_000}


def test_a_damaged_file_changes_nothing(valkey: LiveServer, tmp_path: Path) -> None:
    file = saved(valkey, tmp_path)
    file.write_bytes(file.read_bytes()[:-1])
    backup = Backup(tmp_path / "data", valkey.url)
    with pytest.raises(Damaged):
        backup.rdb.adopt(file)
    assert not backup.path.exists()
