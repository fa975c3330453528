"""`copy`: what one live server holds is in another, exactly, and nothing is lost for it."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbackup import Backup
from gitbackup.errors import PasswordNeeded, ServerError, UsageError
from gitbackup.model.ttl import Ttl
from gitbackup.plan.plan import Plan
from gitbackup.restore.result import RestoreResult
from tests.databases import Database, databases, library
from tests.restore.test_cut_off import KEYS, size
from tests.restore.test_cut_off import fill as fill_users
from tests.servers import LiveServer, StartServer, every_brand
from tests.store.plain import run_git
from tests.test_roundtrip import Running, commit, digests, fill

EXPIRES = 4_102_444_800_123
COPY = (
    "import sys; from gitbackup import Backup;"
    "Backup(sys.argv[1], sys.argv[2]).copier(sys.argv[3]).run(lambda plan: True)"
)


@pytest.fixture
def target(start_server: StartServer) -> LiveServer:
    """A second server, of another brand than `valkey`."""
    return start_server("redis7")


def yes(_: Plan) -> bool:
    return True


def branches(backup: Backup) -> list[str]:
    listed = run_git(backup.path, "for-each-ref", "--format=%(refname:short)")
    return listed.stdout.decode().split()


def copied(backup: Backup, target: LiveServer, **how: bool) -> RestoreResult:
    result = backup.copier(target.url, **how).run(yes)
    assert result.whole
    return result


def test_a_copy_holds_all_that_the_source_does(
    valkey: LiveServer, target: LiveServer, tmp_path: Path
) -> None:
    """Of every type, with expiries and libraries, from one brand into another; and the source is
    as it was."""
    with valkey.client() as client, valkey.client(db=3) as other:
        client.set("text", "\u00e9")
        client.set(b"bytes\xff", b"\x00\xff")
        client.set("expiring", 1, pxat=EXPIRES)
        client.rpush("list", *range(200))
        client.hset("hash", mapping={"a": 1, "b": "x" * 1_000})
        client.zadd("zset", {"a": 1.5, "b": float("inf")})
        client.sadd("set", *range(5))
        client.xadd("stream", {"f": "v"}, id="1-1")
        client.xgroup_create("stream", "group", id="0")
        client.function_load(library("mylib"))
        other.set("elsewhere", 1)
    before = digests(valkey)
    backup = Backup(tmp_path / "data", valkey.url)
    result = copied(backup, target)
    assert (len(result.done), result.saved) == (10, None)
    assert commit(Backup(tmp_path / "one", valkey.url)) == commit(
        Backup(tmp_path / "other", target.url)
    )
    assert digests(valkey) == before
    again = backup.copier(target.url)
    assert not again.plan().keys
    assert not again.run(yes).applied
    assert branches(backup) == []  # no trace of it


@pytest.mark.long
@every_brand
@settings(max_examples=4)
@given(data=st.data())
def test_whatever_a_database_holds_is_copied(
    brand: str, running: Running, data: st.DataObject
) -> None:
    """Into a server that can hold it: digest by digest, though other data were there."""
    source, into = running(brand), running("redis7" if brand == "redis6" else "valkey")
    if source.url == into.url:
        pytest.skip("it is copied by the other brands")
    fill(source, data.draw(databases(brand)))
    fill(into, data.draw(databases(brand)))
    with tempfile.TemporaryDirectory() as folder:
        backup = Backup(Path(folder, "data"), source.url)
        copied(backup, into, delete=True)
        one, other = Backup(Path(folder, "one"), source.url), Backup(Path(folder, "two"), into.url)
        assert commit(one) == commit(other)
    fill(source, Database(()))


def test_what_is_replaced_is_saved_and_can_be_put_back(
    valkey: LiveServer, target: LiveServer, tmp_path: Path
) -> None:
    """On a branch of its own, also where the data repository was there before; HEAD stays."""
    with valkey.client() as client, target.client() as other:
        client.mset({"a": "new", "b": 2})
        other.mset({"a": "old", "kept": 1})
        backup = Backup(tmp_path / "data", valkey.url)
        head = backup.commit().commit
        result = copied(backup, target)
        assert other.mget("a", "b", "kept") == [b"new", b"2", b"1"]
        assert backup.resolve("HEAD") == head
        assert result.saved_on in branches(backup)
        assert backup.entry(result.saved or "", "a")[1]["value"] == "old"
        backup.restore(result.saved_on or "", yes, to=target.url)
        assert (other.get("a"), other.keys("b")) == (b"old", [])


@pytest.mark.long
def test_a_key_that_only_the_target_has_is_kept_unless_asked_for(
    valkey: LiveServer, target: LiveServer, tmp_path: Path
) -> None:
    with valkey.client() as client, target.client() as other:
        client.set("a", 1)
        other.set("x", "only here")
        backup = Backup(tmp_path / "data", valkey.url)
        assert [key.name for key in backup.copier(target.url).plan().kept] == ["x"]
        result = copied(backup, target, delete=True)
        assert other.keys("*") == [b"a"]
        assert backup.entry(result.saved or "", "x")[1]["value"] == "only here"


def test_globs_databases_and_expiries_are_chosen_as_for_a_restore(
    valkey: LiveServer, target: LiveServer, tmp_path: Path
) -> None:
    """Nothing else of the target is read into the saved state, or touched."""
    with valkey.client() as client, target.client(db=5) as other, target.client() as first:
        client.set("user:1", 1, pxat=EXPIRES)
        client.set("user:2", 2)
        client.set("token", "t")
        other.mset({"user:2": "old", "token": "another", "user:9": 9})
        first.set("user:1", "untouched")
        backup = Backup(tmp_path / "data", valkey.url)
        how = backup.copier(
            target.url, patterns=["user:*"], databases={0: 5}, delete=True, ttl=Ttl.NONE
        )
        result = how.run(yes)
        assert other.mget("user:1", "user:2", "user:9", "token") == [b"1", b"2", None, b"another"]
        assert (other.pttl("user:1"), first.get("user:1")) == (-1, b"untouched")
        saved = [str(line.key) for line in backup.keys(result.saved or "")]
        assert saved == ["db5 user:2", "db5 user:9"]


@pytest.mark.long
def test_urls_that_name_databases_tell_what_goes_where(
    valkey: LiveServer, target: LiveServer, tmp_path: Path
) -> None:
    with valkey.client() as client, valkey.client(db=1) as other:
        client.set("a", 0)
        other.set("a", 1)
    path = tmp_path / "data"
    copied(Backup(path, f"{valkey.url}?db=1"), LiveServer("redis7", f"{target.url}?db=4"))
    copied(Backup(path, f"{valkey.url}?db=1"), target)
    with target.client() as client:
        assert client.info("keyspace").keys() == {"db1", "db4"}
    with pytest.raises(UsageError, match=r"names database 4, but .* give `databases`"):
        Backup(path, valkey.url).copier(f"{target.url}?db=4")
    with pytest.raises(UsageError, match="cannot be copied into the same one"):
        Backup(path, valkey.url).copier(target.url, databases={0: 3, 1: 3})


@pytest.mark.long
def test_what_the_repository_excludes_is_copied_all_the_same(
    valkey: LiveServer, target: LiveServer, tmp_path: Path
) -> None:
    with valkey.client() as client:
        client.mset({"a": 1, "session:1": 2})
    backup = Backup(tmp_path / "data", valkey.url)
    backup.init(exclude=["session:*"])
    copied(backup, target)
    with target.client() as client:
        assert client.get("session:1") == b"2"


def test_a_server_is_not_copied_onto_itself(valkey: LiveServer, tmp_path: Path) -> None:
    """By whatever name it is called; one of its databases into another is well."""
    with valkey.client() as client:
        client.set("a", 1)
    backup = Backup(tmp_path / "data", valkey.url)
    link = tmp_path / "sock"
    link.symlink_to(valkey.url.removeprefix("unix://"))
    for same in (valkey.url, f"unix://{link}"):
        with pytest.raises(UsageError, match="are the same server"):
            backup.copier(same)
    assert backup.copier(valkey.url, databases={0: 2}).run(yes).whole
    with valkey.client(db=2) as client:
        assert client.get("a") == b"1"


@pytest.mark.long
def test_what_the_target_cannot_hold_is_told_before_anything_is_written(
    valkey: LiveServer, target: LiveServer, tmp_path: Path
) -> None:
    """Here hashes whose fields expire, which Redis has since 7.4."""
    with valkey.client() as client:
        client.set("a", 1)
        client.hset("hash", mapping={"a": 1})
        client.execute_command("HPEXPIREAT", "hash", EXPIRES, "FIELDS", 1, "a")
    backup = Backup(tmp_path / "data", valkey.url)
    copying = backup.copier(target.url)
    assert any("cannot be applied" in warning for warning in copying.plan().warnings)
    with pytest.raises(ServerError):
        copying.run(yes)
    with target.client() as client:
        assert client.dbsize() == 0


@pytest.mark.long
def test_the_target_s_password_need_not_be_in_its_url(
    valkey: LiveServer, start_server: StartServer, tmp_path: Path
) -> None:
    with valkey.client() as client:
        client.set("a", 1)
    locked = start_server(requirepass="sesame")
    backup = Backup(tmp_path / "data", valkey.url)
    with pytest.raises(PasswordNeeded):
        backup.copier(locked.url)
    assert backup.copier(locked.url, to_password="sesame").run(yes).whole


@pytest.mark.long
def test_the_same_words_finish_a_copy_that_was_killed(
    valkey: LiveServer, target: LiveServer, tmp_path: Path
) -> None:
    """With what the source holds by then; the state before the first run is saved."""
    fill_users(valkey)
    with target.client() as client:
        client.hset("user:1", "name", "precious")
    words = [sys.executable, "-c", COPY, str(tmp_path / "data"), valkey.url, target.url]
    process = subprocess.Popen(words)
    while size(target) < KEYS // 4 and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with valkey.client() as client:
        client.set("later", 1)

    backup = Backup(tmp_path / "data", valkey.url)
    how = backup.copier(target.url)
    assert how.resumes
    assert how.run(yes).whole

    assert size(target) == KEYS + 1
    (saved,) = (name for name in branches(backup) if name.startswith("saved/"))
    assert backup.entry(saved, "user:1")[1]["value"] == {"name": "precious"}
    assert not backup.copier(target.url).resumes


@pytest.mark.long
def test_types_that_the_target_does_not_know_are_left_out_if_asked_for(
    stack: LiveServer, valkey: LiveServer, tmp_path: Path
) -> None:
    """They are named before anything is written, and their data go with a module that has them."""
    with stack.client() as client:
        client.set("plain", "1")
        client.execute_command("JSON.SET", "doc", ".", "{}")
    backup = Backup(tmp_path / "data", stack.url)
    with pytest.raises(ServerError, match=r"does not support ReJSON-RL .*`skip_unsupported`"):
        backup.copier(valkey.url).run(yes)
    result = backup.copier(valkey.url, skip_unsupported=True).run(yes)
    assert (result.whole, [key.name for key in result.plan.unsupported]) == (True, ["doc"])
    with valkey.client() as client:
        assert client.keys() == [b"plain"]
