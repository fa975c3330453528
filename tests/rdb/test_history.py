"""RDB files as history: a commit of a file is the commit that was not made on its day."""

from __future__ import annotations

import io
import os
import re
import struct
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbackup import Backup
from gitbackup.errors import Damaged, ServerError, UsageError
from gitbackup.format.crc64 import crc64
from gitbackup.live.rdb import rdb_file
from tests.databases import databases
from tests.rdb.test_verify import kept_dead, saved
from tests.servers import LiveServer, every_brand, program
from tests.store.plain import run_git
from tests.test_roundtrip import Running, commit, fill, tree


@pytest.mark.long
@every_brand
@settings(max_examples=5)
@given(data=st.data())
def test_its_tree_is_that_of_a_direct_commit(
    brand: str, running: Running, data: st.DataObject
) -> None:
    """Whatever the database holds, and whichever server wrote it."""
    server = running(brand)
    fill(server, data.draw(databases(brand)))
    with tempfile.TemporaryDirectory() as folder:
        direct = Backup(Path(folder, "direct"), server.url)
        expected = commit(direct)
        file = saved(server, Path(folder))
        of_file = Backup(Path(folder, "file"), server.url)
        assert expected == tree(of_file, of_file.rdb.commit(file, allow_empty=True).commit)


def test_it_is_dated_by_the_file(server: LiveServer, tmp_path: Path) -> None:
    """Whoever wrote it, and whenever it is committed."""
    with server.client() as client:
        client.set("a", 1)
    file = saved(server, tmp_path)
    moment = aged(file, 2024)
    backup = Backup(tmp_path / "data", "redis://nobody.invalid")
    made = backup.rdb.commit(file, "an old one")
    info = backup.show().info
    dates = run_git(backup.path, "log", "-1", "--format=%at %ct").stdout.decode().split()
    assert (info.subject, info.id, made.keys) == ("an old one", made.commit, 1)
    assert info.date.timestamp() == moment
    assert dates == [str(moment), str(moment)]
    assert info.trailers["Taken-At"] == "2024-01-01T00:00:00.000Z"
    assert info.trailers["Consistency"] == "point-in-time"
    assert info.trailers["Server"] == f"{rdb_file.look(file).server} RDB file at {file.name}"


def aged(file: Path, year: int) -> int:
    """Gives a file another date, and the checksum that goes with it; the date in seconds."""
    moment = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    data = re.sub(rb"(?s)(?<=ctime\xc2)....", struct.pack("<i", moment), file.read_bytes()[:-8])
    file.write_bytes(data + struct.pack("<Q", crc64(io.BytesIO(data), len(data))))
    return moment


def test_years_of_files_become_history(valkey: LiveServer, tmp_path: Path) -> None:
    """Each a commit with what changed since the one before, those that expired meanwhile too."""
    backup = Backup(tmp_path / "data", valkey.url)
    files = []
    with kept_dead(valkey) as client:
        for number, year in enumerate((2021, 2022, 2023)):
            client.set("count", number)
            client.set(f"session:{year}", "x", px=1)
            files.append(saved(valkey, tmp_path / str(year)))
            aged(files[-1], year)
            client.delete(f"session:{year}")
    results = [backup.rdb.commit(file) for file in files]
    assert [info.subject for info in backup.log()] == [
        "count changed; session: 1 added, 1 removed",
        "count changed; session: 1 added, 1 removed",
        "first commit: 2 keys",
    ]
    assert [info.date.year for info in backup.log()] == [2023, 2022, 2021]
    assert [result.warnings for result in results] == [[], [], []]
    nothing = backup.rdb.commit(files[-1])
    assert (nothing.commit, nothing.keys) == (None, 2)


@pytest.mark.long
def test_what_had_expired_before_the_file_was_written_is_left_out(
    valkey: LiveServer, tmp_path: Path
) -> None:
    """As a client would not have seen it, though a primary keeps it a while."""
    with kept_dead(valkey) as client:
        client.mset({"a": 1, "b": 2})
        client.set("dead", 1, px=1)
        client.hset("hash", mapping={"dead": 1, "alive": 1})
        client.execute_command("HPEXPIRE", "hash", 1, "FIELDS", 1, "dead")
        client.set("alive", 1, px=10_000_000)
        time.sleep(1.1)  # files are dated to the second
        file = saved(valkey, tmp_path)
    assert dict(Backup(tmp_path).rdb.verify(file).keys) == {0: 5}
    backup = Backup(tmp_path / "data", valkey.url)
    assert backup.rdb.commit(file).keys == 4
    assert backup.entry("HEAD", "hash")[1]["value"] == {"alive": "1"}
    assert backup.entry("HEAD", "alive")[1]["expires_at"]


def test_a_commit_of_a_file_and_the_live_database_go_together(
    valkey: LiveServer, tmp_path: Path
) -> None:
    """The next commit of the server finds nothing changed."""
    with valkey.client() as client:
        client.mset({"a": 1, "b": 2})
    backup = Backup(tmp_path / "data", valkey.url)
    backup.rdb.commit(saved(valkey, tmp_path))
    assert backup.commit().commit is None


def test_the_repository_s_patterns_and_databases_serve(valkey: LiveServer, tmp_path: Path) -> None:
    with valkey.client() as client, valkey.client(db=3) as other:
        client.mset({"a": 1, "session:1": 2})
        other.set("c", 1)
    file = saved(valkey, tmp_path)
    Backup(tmp_path / "data").init(exclude=["session:*"])
    made = Backup(tmp_path / "data", databases=[0]).rdb.commit(file)
    assert (made.keys, made.summary.subject) == (1, "first commit: 1 key")


def test_an_older_file_than_the_last_commit_is_warned_of(
    valkey: LiveServer, tmp_path: Path
) -> None:
    with valkey.client() as client:
        client.set("a", 1)
    file = saved(valkey, tmp_path)
    backup = Backup(tmp_path / "data", valkey.url)
    backup.commit()
    aged(file, 2020)
    with valkey.client() as client:
        client.set("a", 2)
    (warning,) = backup.rdb.commit(file, allow_empty=True).warnings
    assert "is older than the last commit" in warning


def test_a_file_that_does_not_tell_its_date_has_its_own(tmp_path: Path) -> None:
    old = tmp_path / "dump.rdb"
    old.write_bytes(b"REDIS0004\xfe\x00\x00\x01a\x011\xff")
    os.utime(old, (1_300_000_000, 1_300_000_000))
    backup = Backup(tmp_path / "data")
    (warning,) = backup.rdb.commit(old).warnings
    assert "does not say when it was made" in warning
    assert backup.show().info.date.timestamp() == 1_300_000_000


def test_what_a_redis_hides_is_told(running: Running, tmp_path: Path) -> None:
    """It has no mode in which it shows what has expired since."""
    server = running("redis6")
    with kept_dead(server) as client:
        client.mset({"a": 1, "b": 2})
        client.set("soon", 1, px=1)
        file = saved(server, tmp_path)
    made = Backup(tmp_path / "data").rdb.commit(file, program=program("redis6"))
    assert made.keys == 2
    assert "left out 1 key expired since" in made.warnings[0]


def test_a_bad_file_makes_no_repository(valkey: LiveServer, tmp_path: Path) -> None:
    file = saved(valkey, tmp_path)
    data = file.read_bytes()
    backup = Backup(tmp_path / "none", valkey.url)
    with pytest.raises(UsageError, match="there is no file"):
        backup.rdb.commit(tmp_path / "none.rdb")
    for content, wrong in (
        (data[:-9] + data[-8:], Damaged),
        (b"REDIS0099" + data[9:-8] + bytes(8), ServerError),
    ):
        file.write_bytes(content)
        with pytest.raises(wrong):
            backup.rdb.commit(file)
    with pytest.raises(UsageError, match="the message is empty"):
        backup.rdb.commit(file, "  ")
    assert not backup.path.exists()
