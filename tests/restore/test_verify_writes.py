"""What a restore says in the end is true: it looked again after its last write, and says what it
saw."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from gitbackup import Backup
from gitbackup.model.keys import Key
from gitbackup.plan.plan import Plan
from gitbackup.restore import restore as restoring
from gitbackup.restore import verify_writes
from gitbackup.restore.result import Why
from tests.servers import LiveServer


@pytest.fixture
def server(valkey: LiveServer) -> LiveServer:
    return valkey


def yes(plan: Plan) -> bool:
    return True


def before_reading_again(monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    """Lets something happen once all is written, and nothing read again."""
    real = verify_writes.read_again

    def late(*words: Any) -> Any:
        act()
        return real(*words)

    monkeypatch.setattr(restoring, "read_again", late)


def connections(client: redis.Redis) -> int:
    return int(client.info("stats")["total_connections_received"])


@pytest.mark.long
def test_keys_that_expire_before_they_are_read_again_cost_no_connection_each(
    client: redis.Redis, backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    due = int(time.time() * 1000) + 5_000
    for number in range(300):
        client.set(f"k:{number}", "v", pxat=due)
    backup.commit()
    client.flushall()

    def expire() -> None:
        while client.exists("k:0", "k:299"):
            time.sleep(0.02)

    before_reading_again(monkeypatch, expire)
    before = connections(client)
    assert backup.restore("HEAD", yes).whole
    assert connections(client) - before < 50


def filled(client: redis.Redis, backup: Backup) -> None:
    """Three keys to restore, and many that no plan is about."""
    client.mset({f"rest:{number:04}": "v" * 1_000 for number in range(1_000)})
    client.mset({"a": "1", "b": "1", "c": "1"})
    backup.commit()
    client.mset({"a": "2", "b": "2"})
    client.delete("c")


def evict(client: redis.Redis, policy: str = "allkeys-random") -> None:
    """The server has too little memory for a moment."""
    client.config_set("maxmemory-policy", policy)
    client.config_set("maxmemory", int(client.info("memory")["used_memory"]) - 200_000)
    while not client.info("stats")["evicted_keys"]:
        client.get("none")
    client.config_set("maxmemory", 0)


@pytest.mark.few(1)
@pytest.mark.parametrize("small", [True, False])
def test_keys_that_are_evicted_to_make_room_are_named_though_no_plan_was_about_them(
    client: redis.Redis, backup: Backup, monkeypatch: pytest.MonkeyPatch, small: bool
) -> None:
    monkeypatch.setattr("gitbackup.restore.apply.BATCH_KEYS", 200 if small else 1)
    filled(client, backup)
    before_reading_again(monkeypatch, lambda: evict(client))
    result = backup.restore("HEAD", yes)
    left = {*client.keys()}
    gone = {key.name for key in [*result.gone, *result.differing]}
    assert gone
    assert gone == ({f"rest:{number:04}" for number in range(1_000)} | {"a", "b", "c"}) - left
    assert {*result.why.values()} <= {Why.EVICTED}
    assert (result.whole, result.evicted) == (False, len(gone))
    assert result.recorded == backup.resolve("HEAD")
    assert backup.commit().commit is None


@pytest.mark.long
def test_what_expired_while_keys_were_evicted_is_not_told_as_evicted(
    client: redis.Redis, backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(client, backup)
    due = int(time.time() * 1000) + 3_000
    client.set("rest:gone", "v", pxat=due)
    client.set("none", "v")

    def act() -> None:
        evict(client)
        while client.exists("rest:gone") or time.time() * 1000 <= due:  # it may be evicted
            time.sleep(0.02)

    before_reading_again(monkeypatch, act)
    result = backup.restore("HEAD", yes, delete=False)
    assert result.gone
    assert "rest:gone" not in {key.name for key in result.gone}


def test_who_deletes_and_who_writes_is_told_apart(
    client: redis.Redis, backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(client, backup)
    client.set("d", "new")

    def meddle() -> None:
        client.delete("a")
        client.set("b", "other")
        client.rpush("d", "again")
        client.delete("rest:0001")  # which is nobody's business here

    before_reading_again(monkeypatch, meddle)
    result = backup.restore("HEAD", yes)
    assert result.why == {
        Key(0, "a"): Why.DELETED,
        Key(0, "b"): Why.WRITTEN,
        Key(0, "d"): Why.WRITTEN,
    }
    assert ([step.key.name for step in result.done], result.gone) == (["c"], [])
    assert not client.keys("*gitbackup-aside*")
    assert backup.entry("HEAD", "b")[1]["value"] == "other"


def test_what_a_server_cannot_hold_is_told_so(
    client: redis.Redis, backup: Backup, running: Callable[[str], LiveServer]
) -> None:
    """Redis before 7 keeps no record of what was deleted from a stream."""
    client.xadd("s", {"f": "v"}, id="1-1")
    client.xadd("s", {"f": "v"}, id="2-1")
    client.xdel("s", "2-1")
    client.set("a", "1")
    backup.commit()
    old = running("redis6")
    result = backup.restore("HEAD", yes, to=old.url)
    assert result.why == {Key(0, "s"): Why.UNHELD}
    assert [step.key.name for step in result.done] == ["a"]


def test_without_the_right_to_ask_what_was_evicted_what_is_gone_is_seen_all_the_same(
    valkey: LiveServer, client: redis.Redis, backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(client, backup)
    rights = ("on", "nopass", "~*", "+@all", "-info")
    client.execute_command("ACL", "SETUSER", "ann", *rights)
    before_reading_again(monkeypatch, lambda: evict(client))
    url = valkey.url.replace("unix://", "unix://ann:x@")
    result = Backup(backup.path, url).restore("HEAD", yes)
    assert (bool(result.gone), result.evicted, result.whole) == (True, None, False)


def test_a_database_that_is_emptied_once_it_is_restored_is_not_verified(
    client: redis.Redis, backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that arrive whole are read again while others do."""
    client.mset({f"k:{number:03}": "v" for number in range(400)})
    backup.commit()
    client.flushall()
    before_reading_again(monkeypatch, client.flushall)
    result = backup.restore("HEAD", yes)
    assert {*result.why.values()} == {Why.DELETED}
    assert (len(result.differing), result.verified, result.gone) == (400, 0, [])
    assert backup.commit().commit is None
