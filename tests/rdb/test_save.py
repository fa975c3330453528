"""`rdb save`: a file of each brand, by each way, and what becomes of those before it."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from gitbackup import Backup
from gitbackup.errors import Busy, GitbackupError, ServerError, UsageError
from gitbackup.live.rdb import rdb_file
from tests.live.test_embedded import comes_true
from tests.servers import BRANDS, LiveServer, StartServer, in_turn

WAYS = {"sync": {"copy": False}, "copy": {"copy": True}}


def fill(server: LiveServer) -> None:
    with server.client() as client, client.pipeline(transaction=False) as pipe:
        for number in range(1000):
            pipe.hset(f"user:{number}", mapping={"name": number, "visits": 1})
        pipe.execute()
        client.set("soon", 1, px=10_000_000)


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(params=in_turn(product(BRANDS, ("no", "yes")), "{}-diskless-{}"))
def filled(request: pytest.FixtureRequest, start_server: StartServer, tmp_path: Path) -> LiveServer:
    """A server that replicates from its disk, and one that does not."""
    brand, diskless = request.param
    server = start_server(brand, repl_diskless_sync=diskless, dir=str(tmp_path))
    fill(server)
    return server


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("protocol", [3, 2])
def test_a_saved_file_is_whole_and_its_owner_s_alone(
    filled: LiveServer, tmp_path: Path, way: str, protocol: int
) -> None:
    url = replace(filled, protocol=protocol).url
    backup = Backup(tmp_path / "data", url)
    saved = backup.rdb.save(**WAYS[way])
    folder = tmp_path / "data-rdb"
    assert kept(folder) == [".gitignore", saved.file.path.name]
    assert saved.file.path.name == f"dump-{saved.file.taken_at:%Y%m%d-%H%M%S}.rdb"
    assert stat.S_IMODE(saved.file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (saved.checksum, saved.removed, saved.warnings) == (True, [], [])
    assert dict(backup.rdb.verify(saved.file.path).keys) == {0: 1001}


@pytest.mark.parametrize("way", WAYS)
def test_an_empty_database_is_a_file_too(server: LiveServer, tmp_path: Path, way: str) -> None:
    saved = Backup(tmp_path / "data", server.url).rdb.save(**WAYS[way])
    assert dict(Backup(tmp_path).rdb.verify(saved.file.path).keys) == {}


def test_what_is_saved_is_what_is_there_now(valkey: LiveServer, tmp_path: Path) -> None:
    """Also where an older save is under way, or has ended within the same second."""
    backup = Backup(tmp_path / "data", valkey.url)
    with valkey.client() as client:
        for count in range(1, 3):
            client.set(f"key:{count}", "x")
            client.bgsave()
            client.set(f"key:{count}:more", "x")
            saved = backup.rdb.save(copy=True)
            assert dict(backup.rdb.verify(saved.file.path).keys) == {0: 2 * count}


@pytest.mark.long
def test_a_save_waits_for_the_append_only_file_to_be_rewritten(
    valkey: LiveServer, start_server: StartServer, tmp_path: Path
) -> None:
    """Meanwhile a server refuses to BGSAVE."""
    server = start_server(appendonly="yes", dir=str(tmp_path), rdb_key_save_delay="100000")
    with server.client() as client:
        client.mset({f"key:{number}": number for number in range(5)})
        client.bgrewriteaof()
        assert client.info("persistence")["aof_rewrite_in_progress"]
    saved = Backup(tmp_path / "data", server.url).rdb.save(copy=True)
    assert dict(Backup(tmp_path).rdb.verify(saved.file.path).keys) == {0: 5}


def test_a_save_that_fails_is_told(start_server: StartServer, tmp_path: Path) -> None:
    """Though the server has answered that it has begun."""
    server = start_server(dir=str(tmp_path), rdb_key_save_delay="1000000")
    with server.client() as client:
        client.mset({f"key:{number}": number for number in range(50)})
        backup = Backup(tmp_path / "data", server.url, progress=Stops(client))
        with pytest.raises(ServerError, match=r"BGSAVE failed at .* \(status: err\)"):
            backup.rdb.save(copy=True)
    assert kept(tmp_path / "data-rdb") == [".gitignore"]


class Stops:
    """Progress that ends the server's child as soon as it is waited for."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def start(self, what: str, total: int | None, unit: str = "keys") -> None:
        self._client.config_set("rdb-key-save-delay", 0)
        os.system(f"pkill -KILL -P {self._client.info('server')['process_id']}")  # noqa: S605

    def advance(self, count: int) -> None: ...

    def finish(self) -> None: ...


@pytest.mark.long
def test_a_replica_serves_as_well(start_server: StartServer, tmp_path: Path) -> None:
    primary = start_server(tcp=True)
    fill(primary)
    replica = start_server(replicaof=f"127.0.0.1 {primary.port}")
    with replica.client() as client:
        assert comes_true(lambda: client.dbsize() == 1001)
    saved = Backup(tmp_path / "data", replica.url).rdb.save()
    assert dict(Backup(tmp_path).rdb.verify(saved.file.path).keys) == {0: 1001}


def test_a_replica_without_its_primary_says_so(start_server: StartServer, tmp_path: Path) -> None:
    replica = start_server(replicaof="127.0.0.1 1")
    with pytest.raises(ServerError, match="is not connected to its primary"):
        Backup(tmp_path / "data", replica.url).rdb.save()


@pytest.mark.parametrize("rights", ["+psync +replconf", "+psync", "+sync", "+sync +replconf"])
def test_one_of_two_rights_is_enough(server: LiveServer, tmp_path: Path, rights: str) -> None:
    fill(server)
    url = user(server, rights)
    saved = Backup(tmp_path / "data", url).rdb.save()
    assert dict(Backup(tmp_path).rdb.verify(saved.file.path).keys) == {0: 1001}


def test_a_right_that_is_missing_is_named(server: LiveServer, tmp_path: Path) -> None:
    backup = Backup(tmp_path / "data", user(server, "+@read"))
    with pytest.raises(
        ServerError, match=r"no permission to replicate .* \+psync \+replconf; .*`copy=True`"
    ):
        backup.rdb.save()
    with pytest.raises(ServerError, match=r"with `file`"):
        backup.rdb.save(copy=True)
    with pytest.raises(ServerError, match=r"no permission to run INFO .* \+info"):
        backup.rdb.save(copy=True, file=tmp_path / "dump.rdb")
    assert kept(tmp_path / "data-rdb") == [".gitignore"]


def test_a_copy_takes_few_rights(server: LiveServer, tmp_path: Path) -> None:
    with server.client() as client:
        client.set("a", 1)
    backup = Backup(tmp_path / "data", user(server, "+bgsave +info"))
    saved = backup.rdb.save(copy=True, file=dump(server))
    assert dict(backup.rdb.verify(saved.file.path).keys) == {0: 1}


def dump(server: LiveServer) -> Path:
    """The server's own file."""
    with server.client() as client:
        return Path(client.config_get("dir")["dir"], "dump.rdb")


def user(server: LiveServer, rights: str) -> str:
    """The URL of a user with no other rights; a test's end takes him away."""
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "ann", "on", ">pw", "~*", "-@all", *rights.split())
    return server.address.replace("unix://", "unix://ann:pw@")


@pytest.mark.long
def test_a_file_that_is_not_the_server_s_is_refused(valkey: LiveServer, tmp_path: Path) -> None:
    """As where the server is on another machine, which has a file of that name."""
    backup = Backup(tmp_path / "data", valkey.url)
    with pytest.raises(ServerError, match=r"cannot be copied: there is no file .* `file`"):
        backup.rdb.save(copy=True, file=tmp_path / "none.rdb")
    old = tmp_path / "old.rdb"
    old.write_bytes(re.sub(rb"(?s)(?<=ctime\xc2)....", bytes(4), dump(valkey).read_bytes()))
    with pytest.raises(
        ServerError, match=r"is from 1970-01-01 .* and is not the file that the server"
    ):
        backup.rdb.save(copy=True, file=old)
    (tmp_path / "text.rdb").write_text("hello")
    with pytest.raises(GitbackupError, match="is not an RDB file"):
        backup.rdb.save(copy=True, file=tmp_path / "text.rdb")
    assert kept(tmp_path / "data-rdb") == [".gitignore"]


def test_a_server_without_checksums_is_warned_of(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(rdbchecksum="no")
    fill(server)
    saved = Backup(tmp_path / "data", server.url).rdb.save()
    assert not saved.checksum
    assert "the file is complete, but not verified" in saved.warnings[0]


def test_the_newest_are_kept_and_only_its_own_go(valkey: LiveServer, tmp_path: Path) -> None:
    folder = tmp_path / "rdb"
    folder.mkdir()
    strangers = ["dump.rdb", "dump-20200101-000000.rdb.bak", "dump-2020.rdb", "notes.txt"]
    for name in strangers:
        (folder / name).write_text("mine")
    (folder / "dump-20200101-000001.rdb").symlink_to(folder / "notes.txt")
    (folder / "dump-20200101-000002.rdb").mkdir()
    for day in range(1, 6):
        (folder / f"dump-2021010{day}-000000.rdb").write_text("old")
    backup = Backup(tmp_path / "data", valkey.url)
    saved = backup.rdb.save(folder, keep=3)
    assert [path.name for path in saved.removed] == [
        "dump-20210101-000000.rdb",
        "dump-20210102-000000.rdb",
        "dump-20210103-000000.rdb",
    ]
    left = [*strangers, "dump-20200101-000001.rdb", "dump-20200101-000002.rdb"]
    left += ["dump-20210104-000000.rdb", "dump-20210105-000000.rdb", saved.file.path.name]
    assert kept(folder) == sorted(left)


def test_all_are_kept_unless_somebody_says_how_many(valkey: LiveServer, tmp_path: Path) -> None:
    """Also those of one second, which get names of their own."""
    backup = Backup(tmp_path / "data", valkey.url)
    names = {backup.rdb.save().file.path.name for _ in range(9)}
    assert kept(tmp_path / "data-rdb") == sorted([".gitignore", *names])
    assert len(names) == 9
    last = backup.rdb.save(keep=1)
    assert kept(tmp_path / "data-rdb") == [".gitignore", last.file.path.name]


def test_a_file_of_the_future_does_not_take_the_new_one_s_place(
    valkey: LiveServer, tmp_path: Path
) -> None:
    """As where a clock was wrong."""
    future = tmp_path / "rdb" / "dump-29990101-000000.rdb"
    future.parent.mkdir()
    future.write_text("from a clock that was wrong")
    saved = Backup(tmp_path / "data", valkey.url).rdb.save(future.parent, keep=1)
    assert saved.removed == [future]
    assert kept(future.parent) == [saved.file.path.name]


def test_the_setting_names_the_folder(valkey: LiveServer, tmp_path: Path) -> None:
    backup = Backup(tmp_path / "data", valkey.url)
    backup.init()
    assert backup.rdb.folder == tmp_path / "data-rdb"
    assert backup.repository
    backup.repository.set("rdbDir", "../elsewhere/rdb")
    assert backup.rdb.save().file.path.parent == tmp_path / "elsewhere" / "rdb"


def test_two_repositories_side_by_side_have_folders_of_their_own(tmp_path: Path) -> None:
    folders = [Backup(tmp_path / name).rdb.folder.name for name in ("a.git", "b.git")]
    assert folders == ["a-rdb", "b-rdb"]


@pytest.mark.parametrize("inside", ["", "rdb", ".git/rdb"])
def test_a_folder_inside_the_repository_is_refused(
    valkey: LiveServer, tmp_path: Path, inside: str
) -> None:
    backup = Backup(tmp_path / "data", valkey.url)
    backup.init()
    with pytest.raises(UsageError, match="is inside the data repository"):
        backup.rdb.save(tmp_path / "data" / inside)


def test_a_second_save_to_a_folder_is_told_to_come_again(
    valkey: LiveServer, tmp_path: Path
) -> None:
    first = Backup(tmp_path / "data", valkey.url, progress=Meanwhile(tmp_path, valkey))
    saved = first.rdb.save()
    assert kept(tmp_path / "data-rdb") == [".gitignore", saved.file.path.name]


class Meanwhile:
    """Progress that lets a second save begin during the first."""

    def __init__(self, folder: Path, server: LiveServer) -> None:
        self._backup = Backup(folder / "data", server.url, lock_wait=0)

    def start(self, what: str, total: int | None, unit: str = "keys") -> None:
        with pytest.raises(Busy, match="another run of gitbackup is saving to"):
            self._backup.rdb.save()

    def advance(self, count: int) -> None: ...

    def finish(self) -> None: ...


def test_a_folder_that_cannot_be_written_to_is_named(valkey: LiveServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file" / "rdb"):
        with pytest.raises(GitbackupError, match=f"cannot save to {folder}: Not a directory"):
            Backup(tmp_path / "data", valkey.url).rdb.save(folder)


def test_a_list_is_by_age_and_tells_what_is_wrong(valkey: LiveServer, tmp_path: Path) -> None:
    backup = Backup(tmp_path / "data", valkey.url)
    files = [backup.rdb.save().file for _ in range(2)]
    cut = tmp_path / "data-rdb" / "cut.rdb"
    cut.write_bytes(files[0].path.read_bytes()[:-20])
    listed = backup.rdb.list()
    assert [each.path for each in listed] == [files[1].path, files[0].path, cut]
    assert [each.file for each in listed] == [files[1], files[0], None]
    assert listed[2].problem == f"{cut} is damaged: the end is missing"
    assert rdb_file.look(files[0].path) == files[0]
    with pytest.raises(UsageError, match="there is no folder"):
        backup.rdb.list(tmp_path / "none")
