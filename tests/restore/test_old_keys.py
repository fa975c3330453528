"""Keys that a commit does not have are deleted in bulk: faster, and by the same laws."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import redis

from gitbackup import Backup
from gitbackup.errors import ServerError
from gitbackup.live.connection.address import parse
from gitbackup.live.connection.connect import connect
from gitbackup.live.write.bulk_create import Plain
from gitbackup.live.write.bulk_delete import Deleter
from gitbackup.live.write.key_writer import KeyWrite, KeyWriter, Outcome
from gitbackup.model.changes import Action
from gitbackup.model.keys import Entry, Key
from gitbackup.plan.plan import Plan
from gitbackup.restore import restore as restoring
from gitbackup.restore import verify_writes
from tests.restore.test_new_keys import LATER, MANY, digest, fill, late, meddling, yes
from tests.servers import LiveServer, StartServer


@pytest.fixture
def client(server: LiveServer) -> redis.Redis:
    return server.client(decode_responses=True)


@pytest.fixture
def backup(server: LiveServer, tmp_path: Path) -> Backup:
    return Backup(tmp_path / "data", server.url)


def seen(backup: Backup, commit: str) -> Plan:
    """The plan that a restore of the commit is about to carry out."""
    plans: list[Plan] = []

    def no(plan: Plan) -> bool:
        plans.append(plan)
        return False

    backup.restore(commit, no)
    return plans[0]


def few(client: redis.Redis, backup: Backup) -> str:
    """Commit a few keys, and add many that the commit does not have."""
    client.mset({"kept:1": "ours", "kept:2": "ours"})
    good = str(backup.commit().commit)
    fill(client)
    return good


def test_keys_of_every_type_that_a_commit_does_not_have_go(
    client: redis.Redis, backup: Backup
) -> None:
    good = few(client, backup)
    every, expected = client.dbsize(), digest(client)
    result = backup.restore(good, yes)
    assert (result.whole, result.verified) == (True, every - 2)
    assert sorted(client.keys()) == ["kept:1", "kept:2"]
    assert not backup.commit().commit
    result = backup.undo(yes)
    assert (result.whole, digest(client)) == (True, expected)
    assert backup.undo(yes).whole
    assert sorted(client.keys()) == ["kept:1", "kept:2"]


def test_a_plan_in_bulk_is_the_plan_of_its_steps(client: redis.Redis, backup: Backup) -> None:
    good = few(client, backup)
    client.set("kept:2", "theirs")
    client.delete("kept:1")
    bulk, plan = seen(backup, good), backup.restorer(good).plan()
    assert (bool(bulk.old_keys), bool(plan.old_keys)) == (True, False)

    def told(plan: Plan) -> Any:
        steps = [(step.key, step.action, step.type, step.before) for step in plan.keys]
        samples = {(step.key.db, step.action, step.type) for step in plan.samples}
        return steps, samples, plan.counts, plan.growth, plan.namespaces, plan.goes, plan.comes

    assert told(plan) == told(bulk)
    assert (plan.adds, plan.loses) == (bulk.adds, bulk.loses)


def test_a_plan_that_is_kept_names_what_each_key_holds(client: redis.Redis, backup: Backup) -> None:
    good = few(client, backup)
    plan = backup.restorer(good).plan()
    assert {len(step.digest) for step in plan.keys} == {32}
    assert len({step.digest for step in plan.keys}) == len(plan.keys)


@pytest.mark.parametrize("number", [200, 201])
def test_few_keys_are_planned_and_deleted_one_by_one(
    client: redis.Redis, backup: Backup, number: int
) -> None:
    """So that all of them are changed in one transaction."""
    client.set("kept", "ours")
    good = str(backup.commit().commit)
    client.mset({f"k:{each:03}": f"{each}" for each in range(number)})
    plan = seen(backup, good)
    assert (len(plan.steps), len(plan.keys)) == (number if number == 200 else 0, number)
    assert backup.restore(good, yes).verified == number
    assert client.keys() == ["kept"]


def test_keys_that_were_written_to_after_the_plan_are_saved_before_they_go(
    client: redis.Redis, backup: Backup
) -> None:
    """Whatever of a key it was: its value, its type, its expiry, or that it came again."""
    good = few(client, backup)
    result = backup.restore(
        good,
        meddling(
            ("HSET", "hash:0003", "a", "theirs"),
            ("ZADD", "zset:0004", "0.25", "n"),
            ("SADD", "set:0005", "theirs"),
            ("RPUSH", "list:0006", "theirs"),
            ("PERSIST", "text:0007"),
            ("PEXPIRE", "text:0008", "100000000"),
            ("DEL", "text:0010"),
            ("DEL", "text:0012"),
            ("RPUSH", "text:0012", "theirs"),
            client=client,
        ),
    )
    assert result.whole
    assert sorted(client.keys()) == ["kept:1", "kept:2"]
    (saved,) = result.meanwhile
    held = {
        name: backup.entry(saved, name)[1]
        for name in ("hash:0003", "zset:0004", "set:0005", "list:0006", "text:0007", "text:0012")
    }
    assert held["hash:0003"]["value"]["a"] == "theirs"
    assert held["zset:0004"]["value"]["n"] == 0.25
    assert "theirs" in held["set:0005"]["value"]
    assert held["list:0006"]["value"][-1] == "theirs"
    assert "expires_at" not in held["text:0007"]
    assert "expires_at" in backup.entry(saved, "text:0008")[1]
    assert held["text:0012"] == {"type": "list", "value": ["theirs"]}


def test_a_key_that_comes_again_before_it_is_looked_for_is_named(
    client: redis.Redis, backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = few(client, backup)
    real = verify_writes.read_again

    def meddled(*given: Any) -> Any:
        client.set("text:0200", "theirs")
        client.hset("hash:0100", "theirs", "1")
        return real(*given)

    monkeypatch.setattr(restoring, "read_again", meddled)
    result = backup.restore(good, yes)
    assert result.differing == [Key(0, "hash:0100"), Key(0, "text:0200")]
    assert not result.whole
    assert {step.key for step in result.done}.isdisjoint(result.differing)


def test_fields_that_begin_to_expire_after_the_plan_are_saved(
    client: redis.Redis, backup: Backup
) -> None:
    good = few(client, backup)
    expire = ("HPEXPIREAT", "hash:0290", LATER, "FIELDS", 1, "a")
    try:
        client.hset("probe", "a", "1")
        client.execute_command("HPEXPIREAT", "probe", LATER, "FIELDS", 1, "a")
    except redis.ResponseError:
        pytest.skip("this server has no fields that expire")
    client.delete("probe")
    result = backup.restore(good, meddling(expire, client=client))
    assert result.whole
    (saved,) = result.meanwhile
    assert backup.entry(saved, "hash:0290")[1]["field_expires_at"].keys() == {"a"}
    assert sorted(client.keys()) == ["kept:1", "kept:2"]


@pytest.mark.parametrize("taken_back", [True, False])
def test_a_deletion_that_is_cut_off_is_taken_back_or_finished(
    valkey: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken_back: bool
) -> None:
    client, backup = valkey.client(decode_responses=True), Backup(tmp_path / "d", valkey.url)
    good = few(client, backup)
    every, expected = client.dbsize(), digest(client)
    real = Deleter._holds

    def lost(self: Deleter, db: int, batch: Plain) -> bool:
        if client.dbsize() < every:  # a batch has gone
            client.client_kill_filter(_type="normal", skipme=True)
        return real(self, db, batch)

    monkeypatch.setattr(Deleter, "_holds", lost)
    with pytest.raises(ServerError):
        backup.restore(good, yes)
    assert 2 < client.dbsize() < every
    monkeypatch.setattr(Deleter, "_holds", real)
    if not taken_back:
        assert backup.restore(good, yes).whole
        assert sorted(client.keys()) == ["kept:1", "kept:2"]
    assert backup.undo(yes).whole
    assert digest(client) == expected


def test_large_values_go_too(client: redis.Redis, backup: Backup) -> None:
    client.set("kept", "ours")
    good = str(backup.commit().commit)
    for number in range(MANY):
        client.set(f"large:{number:03}", f"{number} " * 5_000)
        client.rpush(f"list:{number:03}", *range(400))
    assert backup.restore(good, yes).verified == 2 * MANY
    assert client.keys() == ["kept"]


def test_a_user_who_may_not_ask_whether_keys_exist_restores_all_the_same(
    start_server: StartServer, tmp_path: Path
) -> None:
    own = start_server()
    with own.client(decode_responses=True) as client:
        backup = Backup(tmp_path / "data", own.url)
        good = few(client, backup)
        rights = ["+@all", "-exists"]
        client.acl_setuser("weak", enabled=True, nopass=True, keys=["*"], commands=rights)
        weak = Backup(backup.path, own.url.replace("unix://", "unix://weak:x@"))
        assert weak.restore(good, yes).whole
        assert sorted(client.keys()) == ["kept:1", "kept:2"]


@pytest.mark.long
def test_keys_stay_if_they_are_not_to_be_deleted(client: redis.Redis, backup: Backup) -> None:
    good = few(client, backup)
    client.set("kept:1", "theirs")
    before = client.dbsize()
    result = backup.restore(good, yes, delete=False)
    assert (result.verified, len(result.plan.kept), client.dbsize()) == (1, before - 2, before)


class TestDeleter:
    """Batches of keys, one after another."""

    ENTRIES: tuple[Entry, ...] = (
        {"type": "string", "value": "ours"},
        {"type": "list", "value": ["ours"]},
        {"type": "zset", "value": {"ours": 1.5}},
        {"type": "string", "value": "ours", "expires_at": "2100-01-01T00:00:00.000Z"},
    )

    def batches(self) -> list[dict[str, Entry]]:
        return [
            {f"{batch}:{number}": self.ENTRIES[number % 4] for number in range(8)}
            for batch in range(6)
        ]

    @pytest.fixture
    def delete(self, server: LiveServer) -> Callable[[Iterator[dict[str, Entry]]], Outcome]:
        """Delete batches of keys that there are."""
        there = connect(parse(server.url))

        def deleted(batches: Iterator[dict[str, Entry]]) -> Outcome:
            told = Outcome()
            with KeyWriter(there) as writer, Deleter(there, writer) as deleter:
                for _, outcome in deleter.delete(0, batches):
                    told.add(outcome)
            return told

        with KeyWriter(there) as writer:
            for batch in self.batches():
                pairs = batch.items()
                writer.apply(0, [KeyWrite(name.encode(), None, entry) for name, entry in pairs])
        return deleted

    def test_they_go(self, client: redis.Redis, delete: Any) -> None:
        outcome = delete(iter(self.batches()))
        assert (client.dbsize(), outcome) == (0, Outcome(done=outcome.done))

    @pytest.mark.parametrize(("delay", "number"), [*product([1, 0, 2], range(4))])
    def test_a_key_that_is_written_to_meanwhile_is_left_alone(
        self, server: LiveServer, client: redis.Redis, delete: Any, delay: int, number: int
    ) -> None:
        """Before its batch is read, while that is read, and after it has gone."""
        gone = 1 if server.brand.startswith("redis6") else 2  # which does not delete in bulk
        name = f"0:{number}"
        outcome = delete(late(self.batches(), delay, lambda: client.set(name, "theirs")))
        assert (client.get(name), client.ttl(name), client.dbsize()) == ("theirs", -1, 1)
        step = KeyWrite(name.encode(), self.ENTRIES[number], None)
        assert (outcome.moved, outcome.refused) == ([] if delay >= gone else [step], [])

    def test_a_score_that_differs_in_its_last_bit_is_another(
        self, client: redis.Redis, delete: Any
    ) -> None:
        client.zadd("3:2", {"ours": 1.5000000000000002})
        client.zadd("4:2", {"ours": 1.5})
        outcome = delete(iter(self.batches()))
        assert ([step.key for step in outcome.moved], client.keys()) == ([b"3:2"], ["3:2"])


def test_what_a_restore_deletes_is_told_as_such(client: redis.Redis, backup: Backup) -> None:
    good = few(client, backup)
    result = backup.restore(good, yes)
    assert {step.action for step in result.done} == {Action.REMOVED}
    assert [step.key.name for step in result.done][:2] == ["hash:0000", "hash:0001"]
