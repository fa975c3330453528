"""Reverts of random histories on a real server, and reverts while others write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbackup import Backup, Side
from gitbackup.kinds import CORE
from gitbackup.live.connection.address import parse
from gitbackup.live.connection.connect import connect
from gitbackup.live.write.key_writer import KeyWrite, KeyWriter
from gitbackup.merge.entries import merge_entries
from gitbackup.model.keys import Entry
from gitbackup.model.merging import MergeRule
from gitbackup.plan.plan import Plan
from gitbackup.restore.verify_writes import read_again
from tests.laws import tried
from tests.merge.histories import history
from tests.servers import LiveServer
from tests.store.plain import git
from tests.writers import held

NAMES = [f"{space}:{number}" for space in "abc" for number in range(4)]
State = Mapping[str, Entry]


def yes(plan: Plan) -> bool:
    return True


def states(seed: int) -> Iterator[State]:
    """Three states of some keys; about a third of the keys changes from one to the next."""
    random = Random(seed)
    versions = {name: history(random.getrandbits(32)) for name in NAMES}
    lazy = {name: random.choice([(0, 0, 0), (0, 1, 1), (0, 0, 1), (0, 1, 2)]) for name in NAMES}
    for at in range(3):
        found = ((name, versions[name][lazy[name][at]]) for name in NAMES)
        yield {name: entry for name, entry in found if entry and entry["type"] in CORE}


def fill(server: LiveServer, state: State) -> None:
    with server.client() as client:
        client.flushall()
    writes = [KeyWrite(name.encode(), None, entry) for name, entry in state.items()]
    with KeyWriter(connect(parse(server.url))) as writer:
        writer.apply(0, writes)


def committed(server: LiveServer, backup: Backup, state: State) -> str:
    """Return the commit of a server that holds this state and nothing else."""
    fill(server, state)
    return backup.commit("a state", allow_empty=True).commit or ""


@pytest.mark.long
@tried(10)
@given(seed=st.integers(0, 2**32))
def test_the_last_commit_reverted_is_its_parent_restored(
    valkey: LiveServer, tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    backup = Backup(tmp_path_factory.mktemp("r") / "data", valkey.url)
    before, after, _ = states(seed)
    commits = [committed(valkey, backup, state) for state in (before, after)]
    if before != after:
        assert backup.revert(commits[1], yes).whole
    assert backup.repository is not None
    assert backup.repository.tree_id("HEAD") == backup.repository.tree_id(commits[0])


@pytest.mark.long
@tried(10)
@given(seed=st.integers(0, 2**32))
def test_what_the_commit_did_not_touch_is_as_it_was_before_the_revert(
    valkey: LiveServer, tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Each other key is merged, and what cannot be merged is named."""
    backup = Backup(tmp_path_factory.mktemp("r") / "data", valkey.url)
    before, after, now = states(seed)
    commits = [committed(valkey, backup, state) for state in (before, after, now)]
    if before == after:
        return
    result = backup.revert(commits[1], yes)
    assert result.whole
    backup.commit("what is there", allow_empty=True)
    found, rule = held(backup), MergeRule()
    named = {conflict.key.name for conflict in result.conflicts}
    for name in NAMES:
        merged = merge_entries(before.get(name), after.get(name), now.get(name), rule)
        assert found.get(name) == merged.entry
        assert (name in named) == bool(merged.clashes)
        if before.get(name) == after.get(name):
            assert merged == (now.get(name), [])


@pytest.fixture
def server(valkey: LiveServer) -> LiveServer:
    return valkey


def test_what_a_client_writes_while_it_is_asked_stays(valkey: LiveServer, backup: Backup) -> None:
    with valkey.client(decode_responses=True) as client:
        client.zadd("rank", {"gone": 1, "stays": 1})
        client.incr("count", 5)
        backup.commit("begin")
        client.zrem("rank", "gone")
        client.incr("count", 2)
        commit = backup.commit("a mistake").commit or ""

        def meanwhile(plan: Plan) -> bool:
            client.zincrby("rank", 7, "stays")
            client.incr("count", 10)
            return True

        result = backup.reverter(commit, counters=True).run(meanwhile)
        assert client.zrange("rank", 0, -1, withscores=True) == [("gone", 1), ("stays", 8)]
        assert client.get("count") == "15"
    assert (result.whole, result.busy, len(result.done)) == (True, [], 2)
    assert backup.entry(result.meanwhile[0], "count").entry["value"] == "17"


def test_a_conflict_that_comes_up_meanwhile_is_named(valkey: LiveServer, backup: Backup) -> None:
    with valkey.client(decode_responses=True) as client:
        client.mset({"a": "1", "b": "1"})
        backup.commit("begin")
        client.mset({"a": "2", "b": "2"})
        commit = backup.commit("a mistake").commit or ""

        def meanwhile(plan: Plan) -> bool:
            assert plan.conflicts == []
            client.set("a", "3")
            return True

        result = backup.revert(commit, meanwhile)
        assert client.mget("a", "b") == ["3", "1"]
    assert [conflict.key.name for conflict in result.conflicts] == ["a"]


def test_a_key_that_is_done_is_not_reverted_twice(
    valkey: LiveServer, backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another has to be tried again, a client makes the same change again."""
    with valkey.client(decode_responses=True) as client:
        client.mset({"again": "1", "busy": "1"})
        backup.commit("begin")
        client.mset({"again": "2", "busy": "2"})
        commit = backup.commit("a mistake").commit or ""

        def change_again(*given: Any) -> Any:
            client.set("again", "2")
            return read_again(*given)

        def meanwhile(plan: Plan) -> bool:
            client.persist("busy")
            client.expire("busy", 1000)
            return True

        monkeypatch.setattr("gitbackup.restore.restore.read_again", change_again)
        result = backup.revert(commit, meanwhile)
        assert client.mget("again", "busy") == ["2", "1"]
        assert client.ttl("busy") > 900
    assert [key.name for key in result.later] == ["again"]


def test_what_clients_write_right_after_it_is_no_failure(
    valkey: LiveServer, backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    with valkey.client(decode_responses=True) as client:
        client.zadd("rank", {"gone": 1, "stays": 1})
        client.set("other", "1")
        backup.commit("begin")
        client.zrem("rank", "gone")
        client.set("other", "2")
        commit = backup.commit("a mistake").commit or ""

        def written_to(*given: Any) -> Any:
            client.zincrby("rank", 1, "stays")
            return read_again(*given)

        monkeypatch.setattr("gitbackup.restore.restore.read_again", written_to)
        result = backup.revert(commit, yes)
        assert client.zscore("rank", "stays") == 2
    assert (result.whole, [key.name for key in result.later]) == (True, ["rank"])
    assert [step.key.name for step in result.done] == ["other"]


def test_an_expired_key_does_not_come_back(valkey: LiveServer, backup: Backup) -> None:
    with valkey.client(decode_responses=True) as client:
        for life in (300, 3_000, 30_000):  # ms, until a commit is faster
            client.mset({"short": "1", "long": "1"})
            client.pexpire("short", life)
            backup.commit("begin")
            client.delete("short", "long")
            mistake = backup.commit("a mistake")
            if mistake.summary.counts.removed == 2:
                break
        commit = mistake.commit or ""
        while backup.reverter(commit).plan().expired == []:
            pass
        result = backup.revert(commit, yes)
        assert client.keys() == ["long"]
    assert [key.name for key in result.plan.expired] == ["short"]


def test_a_key_that_the_commit_let_expire_comes_back(valkey: LiveServer, backup: Backup) -> None:
    with valkey.client(decode_responses=True) as client:
        client.set("key", "1")
        backup.commit("begin")
        client.pexpire("key", 100)
        commit = backup.commit("a mistake").commit or ""
        while client.exists("key"):
            pass
        assert backup.revert(commit, yes).conflicts == []
        assert (client.get("key"), client.ttl("key")) == ("1", -1)


def test_keys_that_only_one_of_two_scopes_covers_are_left_alone(
    valkey: LiveServer, backup: Backup
) -> None:
    with valkey.client(decode_responses=True) as client:
        client.mset({"a": "1", "hidden": "1"})
        backup.init(exclude=["hidden"])
        backup.commit("begin")
        backup.config.remove("exclude", "hidden")
        client.set("a", "2")
        commit = backup.commit("covers more").commit or ""
        plan = backup.reverter(commit).plan()
        assert [step.key.name for step in plan.keys] == ["a"]
        assert "1 key is not touched: not both the commit and its parent cover it" in plan.warnings
        backup.revert(commit, yes)
        assert client.mget("a", "hidden") == ["1", "1"]


def test_of_a_merge_it_is_what_the_first_parent_does_not_have(
    valkey: LiveServer, backup: Backup
) -> None:
    with valkey.client(decode_responses=True) as client:
        client.mset({f"{space}:{at}": "1" for space in "xy" for at in range(20)})
        begin = backup.commit("begin").commit or ""
        client.set("x:1", "ours")
        backup.commit("here")
        git(backup.path, "checkout", "-q", "-b", "other", begin)
        client.mset({"x:1": "1", "y:1": "theirs"})
        backup.commit("there")
        git(backup.path, "checkout", "-q", "-")
        git(backup.path, "merge", "-q", "--no-edit", "other")
        merge = Backup(backup.path, valkey.url)
        commit = merge.resolve("HEAD")
        merge.restore(commit, yes)
        assert client.mget("x:1", "y:1") == ["ours", "theirs"]
        merge.revert(commit, yes)
        assert client.mget("x:1", "y:1") == ["ours", "1"]


def test_the_first_commit_reverted_leaves_what_came_later(
    valkey: LiveServer, backup: Backup
) -> None:
    with valkey.client(decode_responses=True) as client:
        client.mset({"a": "1", "b": "1"})
        commit = backup.commit("begin").commit or ""
        client.set("c", "1")
        client.set("b", "2")
        assert len(backup.revert(commit, yes).conflicts) == 1
        assert sorted(client.keys()) == ["b", "c"]
        assert backup.revert(commit, yes, side=Side.THEIRS).conflicts == []
        assert client.keys() == ["c"]


def test_native_json_goes_by_path(stack: LiveServer, tmp_path: Path) -> None:
    backup = Backup(tmp_path / "data", stack.url)
    with stack.client(decode_responses=True) as client:
        client.execute_command("JSON.SET", "doc", "$", '{"limits": {"daily": 10}, "on": true}')
        backup.commit("begin")
        client.execute_command("JSON.SET", "doc", "$.limits.daily", "99")
        commit = backup.commit("a mistake").commit or ""
        client.execute_command("JSON.SET", "doc", "$.on", "false")
        assert backup.revert(commit, yes).whole
        assert client.execute_command("JSON.GET", "doc") == '{"limits":{"daily":10},"on":false}'


def test_a_library_of_functions_goes_back_as_a_whole(valkey: LiveServer, backup: Backup) -> None:
    source = "#!lua name={}\nredis.register_function('{}', function() return {} end)"
    with valkey.client(decode_responses=True) as client:
        client.set("key", "1")
        client.function_load(source.format("one", "f", 1))
        backup.commit("begin")
        client.function_load(source.format("one", "f", 2), replace=True)
        client.function_load(source.format("two", "g", 2))
        commit = backup.commit("a mistake").commit or ""
        client.set("key", "2")
        result = backup.revert(commit, yes)
        assert (result.whole, result.conflicts) == (True, [])
        assert (client.fcall("f", 0), client.get("key")) == (1, "2")
        assert [each[1] for each in client.function_list()] == ["one"]
        client.function_load(source.format("one", "f", 3), replace=True)
        again = backup.revert(commit, yes)
        assert [str(conflict.key) for conflict in again.conflicts] == ["functions one"]
        assert client.fcall("f", 0) == 3
