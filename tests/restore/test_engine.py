"""Restoring while others write: nothing is lost, no key is ever half there, the rest is named."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from gitbackup import Backup
from gitbackup.errors import GitbackupError, ServerError
from gitbackup.live.server import staging_keys
from gitbackup.model.changes import Action
from gitbackup.model.keys import Key
from gitbackup.plan.plan import Plan, Ttl
from gitbackup.report.text.restored import undone
from tests.bystanders import Bystander, write
from tests.databases import library
from tests.expiring import commit_what_expires
from tests.servers import LiveServer, StartServer
from tests.store.plain import git

LATER = 4_102_444_800_123


def yes(plan: Plan) -> bool:
    return True


def after(*writes: Callable[[], Any]) -> Callable[[Plan], bool]:
    """Somebody writes between the plan and the restore."""

    def confirm(plan: Plan) -> bool:
        for one in writes:
            one()
        return True

    return confirm


def stored(backup: Backup, commit_ish: str, key: str) -> Any:
    return backup.entry(commit_ish, key)[1]["value"]


def test_a_key_changed_after_the_plan_is_saved_before_it_goes(
    client: redis.Redis, backup: Backup
) -> None:
    client.mset({"a": "1", "b": "1"})
    backup.commit()
    client.mset({"a": "2", "b": "2"})
    result = backup.restore("HEAD", after(lambda: client.set("a", "3")))
    assert result.whole
    assert client.mget("a", "b") == ["1", "1"]
    history = [stored(backup, f"HEAD~{back}", "a") for back in range(4)]
    assert history == ["1", "3", "2", "1"]


def test_a_key_made_after_the_plan_is_saved_before_it_goes(
    client: redis.Redis, backup: Backup
) -> None:
    client.set("a", "1")
    backup.commit()
    client.delete("a")
    result = backup.restore("HEAD", after(lambda: client.rpush("a", "new")))
    assert result.whole
    assert client.get("a") == "1"
    assert stored(backup, "HEAD~1", "a") == ["new"]


def test_a_key_deleted_after_the_plan_is_there_in_the_end(
    client: redis.Redis, backup: Backup
) -> None:
    client.set("a", "1")
    backup.commit()
    client.set("a", "2")
    assert backup.restore("HEAD", after(lambda: client.delete("a"))).whole
    assert client.get("a") == "1"


def test_nobody_wants_it_and_nothing_happens(client: redis.Redis, backup: Backup) -> None:
    client.set("a", "1")
    first = backup.commit().commit
    client.set("a", "2")
    result = backup.restore("HEAD", lambda plan: False)
    assert (result.applied, result.saved, client.get("a")) == (False, None, "2")
    assert backup.resolve("HEAD") == first


def test_nothing_to_do_asks_nobody(client: redis.Redis, backup: Backup) -> None:
    client.set("a", "1")
    first = backup.commit().commit
    result = backup.restore("HEAD", lambda plan: pytest.fail("asked"))
    assert (result.applied, list(result.plan.keys), backup.resolve("HEAD")) == (False, [], first)


def test_a_key_that_the_server_refuses_is_named_and_the_others_are_restored(
    client: redis.Redis, backup: Backup
) -> None:
    client.set("a", "1")
    backup.commit()
    assert backup.repository
    dump = '{"bad": {"type": "bloom", "value": {"dump": "bm9uZQ=="}}, "a": %s}\n'
    edited = dump % '{"type": "string", "value": "2"}'
    (backup.path / "db0" / "_.json").write_text(edited)
    git(backup.path, "commit", "-qam", "by hand")
    result = Backup(backup.path, backup._context.url).restore("HEAD", yes)
    assert [key for key, _ in result.refused] == [Key(0, "bad")]
    assert not result.whole
    assert client.keys() == ["a"]
    assert client.get("a") == "2"


class Onlooker(threading.Thread):
    """Looks at a key all the time, and notes each state that it sees."""

    def __init__(self, url: str, look: Callable[[redis.Redis], Any]) -> None:
        super().__init__()
        self._client = redis.Redis.from_url(url, decode_responses=True)
        self._look = look
        self._done = threading.Event()
        self.seen: set[Any] = set()

    def run(self) -> None:
        while not self._done.is_set():
            self.seen.add(self._look(self._client))

    def __enter__(self) -> Onlooker:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()


@pytest.mark.few(1)
@pytest.mark.parametrize("size", [1_500, 25_000])
def test_a_large_value_changes_at_once_with_its_expiry(
    server: LiveServer, client: redis.Redis, backup: Backup, size: int
) -> None:
    def fill(count: int, moment: int) -> None:
        with client.pipeline() as pipe:
            pipe.delete("k")
            pipe.rpush("k", *range(count))
            pipe.pexpireat("k", moment)
            pipe.execute()

    def look(one: redis.Redis) -> Any:
        with one.pipeline() as pipe:
            pipe.llen("k")
            pipe.pttl("k")
            length, left = pipe.execute()
        return length, left > 0

    fill(size, LATER)
    backup.commit()
    fill(7, LATER + 1)
    with Onlooker(server.url, look) as onlooker:
        assert backup.restore("HEAD", yes).whole
        assert client.llen("k") == size
    assert onlooker.seen <= {(7, True), (size, True)}
    assert client.keys() == ["k"]


def test_what_a_killed_restore_left_is_swept_and_in_no_snapshot(
    client: redis.Redis, backup: Backup
) -> None:
    left = staging_keys.name_for(b"a").decode()
    client.set("a", "1")
    client.rpush(left, "half", "built")
    client.pexpire(left, 3_000_000)
    assert backup.commit().keys == 1
    client.set("a", "2")
    assert [step.key.name for step in backup.restorer("HEAD").plan().keys] == ["a"]
    assert backup.restore("HEAD", yes).whole
    assert client.keys() == ["a"]


def test_a_name_that_only_looks_like_a_leftover_is_a_key_as_any(
    client: redis.Redis, backup: Backup
) -> None:
    client.mset({"a:gitbackup-aside:123": "", "a:gitbackup-aside:12345678:b": ""})
    assert backup.commit().keys == 2


@pytest.mark.long
def test_a_replica_is_refused_before_anything_is_asked(
    start_server: StartServer, tmp_path: Path
) -> None:
    primary = start_server(tcp=True)
    replica = start_server(replicaof=f"127.0.0.1 {primary.port}")
    with primary.client() as client:
        client.set("a", "1")
    await_replica(replica)
    backup = Backup(tmp_path / "data", replica.url)
    assert backup.commit().keys == 1
    with pytest.raises(ServerError, match="is a read-only replica; name its primary"):
        backup.restore("HEAD", lambda plan: pytest.fail("asked"))


def await_replica(replica: LiveServer) -> None:
    with replica.client() as client:
        for _ in range(1_000):
            if client.info("replication")["master_link_status"] == "up" and client.dbsize():
                return
            time.sleep(0.01)
    pytest.fail("the replica never followed")


def test_what_has_expired_since_is_left_out_and_counted(
    client: redis.Redis, backup: Backup
) -> None:
    client.set("stays", "1")
    commit_what_expires(client, backup, "goes")
    client.delete("stays")
    result = backup.restore("HEAD", yes)
    assert list(result.plan.expired) == [Key(0, "goes")]
    assert result.whole
    assert client.keys() == ["stays"]


def test_what_has_expired_comes_back_where_no_expiry_is_wanted(
    client: redis.Redis, backup: Backup
) -> None:
    commit_what_expires(client, backup, "goes")
    assert backup.restore("HEAD", yes, ttl=Ttl.NONE).whole
    assert (client.get("goes"), client.pttl("goes")) == ("1", -1)


def test_fields_that_expire_go_into_an_older_server_only_if_that_is_asked_for(
    running: Callable[[str], LiveServer], tmp_path: Path
) -> None:
    new, old = running("valkey"), running("redis6")
    with new.client() as client, old.client(decode_responses=True) as other:
        client.hset("h", mapping={"f": "v", "g": "w"})
        client.hpexpireat("h", LATER, "f")
        client.hset("past", mapping={"gone": "1", "stays": "2"})
        client.hpexpire("past", 300, "gone")
        client.set("a", "1")
        backup = Backup(tmp_path / "data", new.url)
        backup.commit()
        while client.hexists("past", "gone"):
            time.sleep(0.02)
        refused = r"does not support fields that expire.* nothing was written; h have such fields"
        with pytest.raises(ServerError, match=refused):
            backup.restore("HEAD", yes, to=old.url)
        assert other.keys() == []
        how = backup.restorer("HEAD", to=old.url, field_expiry=False)
        assert "fields that expire in commit" in how.plan().warnings[-1]
        assert how.run(yes).whole
        assert (other.hgetall("h"), other.hgetall("past")) == (
            {"f": "v", "g": "w"},
            {"stays": "2"},
        )
        assert [*how.plan().keys] == []
        other.flushall()
        with pytest.raises(ServerError, match=refused):
            backup.copier(old.url).run(yes)
        assert backup.copier(old.url, field_expiry=False).run(yes).whole
        assert other.hgetall("h") == {"f": "v", "g": "w"}


def test_another_server_s_state_is_saved_on_a_branch_of_its_own(
    running: Callable[[str], LiveServer], tmp_path: Path
) -> None:
    home, other = running("valkey"), running("redis6")
    with home.client() as client, other.client(decode_responses=True) as foreign:
        client.set("a", "1")
        foreign.mset({"a": "other", "b": "other"})
        backup = Backup(tmp_path / "data", home.url)
        first = backup.commit().commit
        result = backup.restore("HEAD", yes, to=other.url)
        assert (backup.resolve("HEAD"), foreign.mget("a", "b")) == (first, ["1", None])
    assert result.saved
    assert result.saved_on
    assert stored(backup, result.saved_on, "b") == "other"


def test_a_function_that_moved_to_another_library_is_restored(
    valkey: LiveServer, tmp_path: Path
) -> None:
    backup = Backup(tmp_path / "data", valkey.url)
    with valkey.client() as client:
        client.function_load(library("zoo").decode())
        backup.commit()
        client.function_delete("zoo")
        client.function_load(library("zoo").decode().replace("name=zoo", "name=ape"))
        assert backup.restore("HEAD", yes).whole
        (found,) = client.function_list(withcode=True)
    assert library("zoo") in (found.values() if isinstance(found, dict) else found)


def test_the_plan_tells_each_key_and_what_becomes_of_it(
    client: redis.Redis, backup: Backup
) -> None:
    client.mset({"changed": "1", "removed": "1", "same": "1"})
    backup.commit()
    client.mset({"changed": "2", "new": "1"})
    client.delete("removed")
    plan = backup.restorer("HEAD").plan()
    assert [(step.key.name, step.action) for step in plan.keys] == [
        ("changed", Action.CHANGED),
        ("new", Action.REMOVED),
        ("removed", Action.ADDED),
    ]
    assert sorted(client.keys()) == ["changed", "new", "same"]


def test_a_restore_that_cannot_save_first_changes_nothing(
    client: redis.Redis, backup: Backup
) -> None:
    client.set("a", "1")
    backup.commit()
    client.set("a", "2")
    (backup.path / "db0" / "_.json").write_text("a person's edit")
    with pytest.raises(GitbackupError, match=r"db0/_\.json"):
        backup.restore("HEAD", yes)
    assert client.get("a") == "2"


def test_a_plan_warns_of_what_the_server_would_refuse(
    valkey: LiveServer, start_server: StartServer, tmp_path: Path
) -> None:
    """And is a plan all the same: whoever may only read can see one."""
    with valkey.client(db=12) as client:
        client.set("a", "1")
    backup = Backup(tmp_path / "data", valkey.url)
    backup.commit()
    small = start_server(databases="4")
    plan = backup.restorer("HEAD", to=small.url).plan()
    assert [step.key for step in plan.keys] == [Key(12, "a")]
    assert "has no database 12" in " ".join(plan.warnings)
    with pytest.raises(ServerError, match="has no database 12"):
        backup.restore("HEAD", yes, to=small.url)


def test_key_patterns_that_match_nothing_are_an_error(client: redis.Redis, backup: Backup) -> None:
    client.set("a", "1")
    backup.commit()
    assert not backup.restore("HEAD", yes, patterns=["a*"]).applied
    with pytest.raises(GitbackupError, match=r"no key of the commit matches 'b\*'"):
        backup.restore("HEAD", yes, patterns=["b*"])


@pytest.mark.long
def test_a_key_that_somebody_goes_on_writing_to_is_named_and_the_others_are_restored(
    server: LiveServer, client: redis.Redis, backup: Backup
) -> None:
    """At every try, or once more when it was restored: the one is busy, the other differs."""
    client.mset({"busy": "1", "calm": "1"})
    commit = str(backup.commit().commit)
    client.mset({"busy": "2"})
    one, other = (Bystander(write, server.url, ["busy"], number) for number in (1, 2))
    with one, other:  # while the one waits for its turn, the other writes
        for _ in range(5):  # on a machine that is busy itself both may wait at once
            client.mset({"calm": "2"})
            result = backup.restore(commit, yes)
            if not result.whole:
                break
    assert [*result.busy, *result.differing] == [Key(0, "busy")]
    assert not result.whole
    assert [*undone(replace(result, busy=[Key(0, "busy")], differing=[]))] == [
        "restored, except for some keys: clients keep writing to busy: stop them, and run the same"
        " command again"
    ]
    assert result.recorded in (None, backup.resolve("HEAD"))  # None: HEAD was that already
    assert stored(backup, "HEAD", "calm") == "1"
    assert [step.key.name for step in result.done] == ["calm"]
    assert client.get("calm") == "1"
    assert stored(backup, str(result.saved), "calm") == "2"


class Meanwhile:
    """Does something once, when the last commit has begun to read the database."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self._acts = [act]
        self._written = False

    def start(self, what: str, total: int | None, unit: str = "keys") -> None:
        if what == "restoring":
            self._written = True
        elif what not in ("verifying", "looking again") and self._written and self._acts:
            self._acts.pop()()

    def advance(self, keys: int) -> None:
        pass

    def finish(self) -> None:
        pass


def test_somebody_who_commits_while_the_last_commit_is_made_does_not_keep_it_from_being_made(
    client: redis.Redis, server: LiveServer, backup: Backup
) -> None:
    client.mset({"a": "1", "b": "1"})
    backup.commit()
    client.mset({"a": "2", "b": "2"})
    progress = Meanwhile(lambda: git(backup.path, "commit", "--allow-empty", "-m", "by hand"))
    result = Backup(backup.path, server.url, progress=progress).restore("HEAD", yes, patterns=["a"])
    assert (result.whole, result.unrecorded) == (True, "")
    assert result.recorded == backup.resolve("HEAD")
    assert git(backup.path, "log", "-1", "--format=%s", "HEAD~1") == "by hand"


def test_a_restore_that_waited_for_the_same_one_goes_on_with_it_where_that_was_cut_off(
    client: redis.Redis, backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the first one saved is the state before, not what that has left."""
    client.mset({"a": "1", "b": "1"})
    backup.commit()
    client.mset({"a": "2", "b": "2"})
    waiting = backup.restorer("HEAD")
    with monkeypatch.context() as patched:
        patched.setattr("gitbackup.restore.restore.read_again", lost)
        with pytest.raises(ServerError, match="interrupted"):
            backup.restore("HEAD", yes)
    client.set("b", "3")
    assert waiting.run(yes).whole
    assert backup.undo(yes).whole
    assert client.mget("a", "b") == ["2", "2"]


def test_a_restore_that_waited_for_the_same_one_is_one_of_its_own_where_that_has_ended(
    client: redis.Redis, backup: Backup
) -> None:
    client.mset({"a": "1", "b": "1"})
    commit = backup.commit().commit or ""
    client.mset({"a": "2", "b": "2"})
    waiting = []

    def meanwhile(plan: Plan) -> bool:
        waiting.append(backup.restorer(commit))
        return True

    backup.restore(commit, meanwhile)
    client.mset({"a": "3", "b": "3"})
    assert waiting[0].run(yes).whole
    assert backup.undo(yes).whole
    assert client.mget("a", "b") == ["3", "3"]


def lost(*_: object) -> list[Key]:
    raise ServerError("lost the server")


def test_one_that_finds_all_done_that_others_left_can_be_taken_back_with_them(
    client: redis.Redis, backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is cut off as well, before its last commit."""
    client.mset({"a": "1", "b": "1"})
    one = backup.commit().commit or ""
    client.mset({"a": "2", "b": "2"})
    with monkeypatch.context() as patched:
        patched.setattr("gitbackup.restore.restore.read_again", lost)
        with pytest.raises(ServerError, match="interrupted"):
            backup.restore(one, yes, patterns=["a"])
    client.set("b", "1")
    with monkeypatch.context() as patched:
        patched.setattr("gitbackup.restore.restore.commit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            backup.restore(one, yes)
    assert backup.undo(yes).whole
    assert client.get("a") == "2"


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
