"""`suggest`: patterns by the evidence, none of which hides what rarely changes."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import redis

from gitbackup import Backup
from gitbackup.compare.key_shapes import Nature, nature_of
from gitbackup.compare.suggest import Suggestions
from gitbackup.errors import UsageError
from gitbackup.model.keys import Entry
from tests.servers import LiveServer

NOW = 1_800_000_000_000
IDS = [f"dd90-{number:04}-a{number}" for number in range(12)]


@pytest.fixture
def server(valkey: LiveServer) -> LiveServer:
    return valkey


@pytest.fixture
def client(valkey: LiveServer) -> redis.Redis:
    return valkey.client()


def people(client: redis.Redis) -> None:
    """What people enter: keys for an API, accounts, settings."""
    for key in IDS:
        client.hset(f"apikey:{key}", mapping={"id": key, "name": "李四", "dailyLimit": "100"})
    client.hset("apikey:hash_map", mapping={f"hash{key}": key for key in IDS})
    client.hset("claude:account:1", mapping={"name": "eu", "status": "active"})
    client.sadd("claude:account:index", "1")
    client.set("relay_config", '{"limits": {"daily": 100}}')
    client.hset("session:admin_credentials", mapping={"username": "root", "passwordHash": "x"})
    client.hset("usage:limits:1", "daily", 100)


def traffic(client: redis.Redis, round_: int) -> None:
    """What an hour of requests changes."""
    for key in IDS:
        client.hincrby(f"usage:daily:{key}:2026-11-22", "requests", round_ + 1)
        client.incrbyfloat(f"usage:cost:total:{key}", 0.1)
        client.hset(f"apikey:{key}", "lastUsedAt", f"2026-11-22T07:{round_:02}:00Z")
        client.zincrby("cost_rank:today", 0.5, key)
        client.set(f"sticky_session:s{round_}{key}", "1", px=3_000_000)
        client.hset(f"session:t0k{round_}{key}", mapping={"user": "root"})
        client.expire(f"session:t0k{round_}{key}", 100_000)
    client.sadd("usage:days", "2026-11-22")
    client.xadd("billing:events", {"cost": round_})
    client.incr("visits")


def history(backup: Backup, client: redis.Redis, rounds: int = 6) -> Suggestions:
    people(client)
    backup.commit("set up")
    for round_ in range(rounds):
        traffic(client, round_)
        if round_ == 3:
            client.set("relay_config", '{"limits": {"daily": 250}}')
            client.hset("usage:limits:1", "daily", 250)
            backup.commit("raise the limits")
        elif round_ < rounds - 1:
            backup.commit()
    return backup.suggest()


def test_patterns_by_the_evidence(backup: Backup, client: redis.Redis) -> None:
    """The last round is in the live database only. `usage:*` would hide limits that a person sets,
    and `session:*` credentials; what a request changes in a record hides nothing."""
    found = history(backup, client)
    assert (found.commits, found.since, found.states, found.warnings) == (5, True, 6, [])
    assert [(each.setting, each.pattern) for each in found.found] == [
        ("exclude", "sticky_session:*"),
        ("quiet", "usage:cost:total:*"),
        ("quiet", "usage:daily:*:*"),
        ("quiet", "billing:events"),
        ("quiet", "cost_rank:today"),
        ("quiet", "visits"),
    ]
    daily = found.found[2]
    assert (daily.keys, daily.counts.total, daily.commits) == (12, 72, 6)
    assert found.changes == 6 * (12 * 5 + 3) + 1 + 2


def test_what_stays_in_sight_and_why(backup: Backup, client: redis.Redis) -> None:
    keep = {each.pattern: each for each in history(backup, client).keep}
    worded = backup.resolve("HEAD~1")
    by_hand = {name: each.by_hand.id for name, each in keep.items() if each.by_hand}
    assert by_hand == {"relay_config": worded, "usage:limits:*": worded}
    assert keep["apikey:*"].natures == [Nature.RECORD]
    assert set(keep["apikey:*"].fields) >= {"name", "dailyLimit"}
    assert (keep["usage:limits:*"].counts.total, keep["usage:limits:*"].commits) == (1, 1)
    assert not keep["claude:account:*"].counts


def test_what_is_silenced_already_is_not_proposed_again(
    backup: Backup, client: redis.Redis
) -> None:
    history(backup, client)
    backup.config.add("quiet", "cost_rank:*", "relay_*")
    found = backup.suggest()
    assert "cost_rank:today" not in [each.pattern for each in found.found]
    assert {each.pattern: each.hidden for each in found.keep}["relay_config"]
    backup.config.add("exclude", "usage:*")
    backup.commit()
    assert not any("usage" in each.pattern for each in backup.suggest().found)


def nothing(client: redis.Redis, round_: int) -> None:
    pass


def few(client: redis.Redis, round_: int) -> None:
    client.set("config", round_)


def edits(client: redis.Redis, round_: int) -> None:
    """Text, of many keys, all the time."""
    for key in range(20):
        client.hset(f"page:{key}", mapping={"title": f"title {round_}"})


def members(client: redis.Redis, round_: int) -> None:
    client.sadd("admins", f"admin {round_}")
    client.zadd("index:name", {f"name {round_}": 1})


@pytest.mark.few(4)
@pytest.mark.parametrize("change", [nothing, few, edits, members])
def test_nothing_is_proposed_for_what_people_may_have_done(
    backup: Backup, client: redis.Redis, change: Callable[[redis.Redis, int], None]
) -> None:
    """A setting that changed twice is no counter; text, and who belongs to what, never is."""
    client.mset({"config": 0, "other": 1})
    backup.commit()
    for round_ in range(2 if change is few else 4):
        change(client, round_)
        backup.commit(f"edit {round_}", allow_empty=True)
    assert [each.pattern for each in backup.suggest(live=False).found] == []


def test_the_first_commit_and_restores_are_no_evidence(backup: Backup, client: redis.Redis) -> None:
    for number in range(50):
        client.set(f"hits:{number}", 1)
    backup.commit()
    assert backup.suggest(live=False).changes == 0
    client.flushall()
    backup.restore("HEAD", lambda plan: True)
    found = backup.suggest(live=False)
    assert (found.found, found.changes) == ([], 50)  # what was lost is in the commit before


def test_names_that_mean_something_in_a_glob(backup: Backup, client: redis.Redis) -> None:
    """The pattern matches them to the letter; a name that is no text is in no setting."""
    client.set("b*", "keep")
    for _ in range(5):
        for number in range(10):
            client.incr(f"[b]*:{number}")
            client.incr(b"\xff:%d" % number)
        backup.commit()
    (found,) = backup.suggest().found
    assert (found.pattern, found.keys) == ("\\[b\\]\\*:*", 10)


def test_many_names_beside_each_other_are_one_kind(backup: Backup, client: redis.Redis) -> None:
    """Of counters by name, not each need have changed; but a word among them is not hidden."""
    names = ["ann", "bob", "cleo", "dan", "eve", "fay", "gus", "hal", "ida", "jo"]
    for round_ in range(5):
        for name in names[: 10 - round_]:
            client.incr(f"hits:{name}")
        backup.commit()
    assert [each.pattern for each in backup.suggest().found] == ["hits:*"]
    client.set("hits:title", "a word")
    patterns = [each.pattern for each in backup.suggest().found]
    assert (len(patterns), "hits:ann" in patterns, "hits:*" in patterns) == (7, True, False)


def test_without_a_commit_there_is_nothing_to_look_at(backup: Backup) -> None:
    backup.init()
    with pytest.raises(UsageError, match="there is no commit"):
        backup.suggest()


def entry(type_: str, value: object, left: int | None = None) -> Entry:
    made: Entry = {"type": type_, "value": value}
    if left is not None:
        at = time.gmtime((NOW + left) // 1000)
        made["expires_at"] = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", at)
    return made


@pytest.mark.parametrize(
    ("made", "nature"),
    [
        (entry("string", "0.30000000000000004"), Nature.COUNTER),
        (entry("string", "2026-11-22T07:10:32.970Z"), Nature.COUNTER),
        (entry("string", '{"n": 1, "at": ["2026-11-22", 2.5]}'), Nature.COUNTER),
        (entry("string", '{"n": 1, "on": true}'), Nature.RECORD),
        (entry("string", "[" * 5_000), Nature.RECORD),
        (entry("string", "dd90"), Nature.RECORD),
        (entry("string", "dd90", 90 * 86_400_000), Nature.EXPIRING),
        (entry("string", '{"name": "x"}', 90 * 86_400_000), Nature.RECORD),
        (entry("string", '{"name": "x"}', 86_400_000), Nature.EXPIRING),
        (entry("hash", {"a": "1", "b": ""}), Nature.COUNTER),
        (entry("hash", {"a": "1", "name": "x"}, 365 * 86_400_000), Nature.RECORD),
        (entry("set", ["a"]), Nature.RECORD),
        (entry("set", ["2026-11", "2026-12"]), Nature.COUNTER),
        (entry("zset", {"a": 1}), Nature.RANKING),
        (entry("list", ["a"]), Nature.LOG),
        (entry("module", {"dump": "x"}), Nature.RECORD),
    ],
)
def test_natures(made: Entry, nature: Nature) -> None:
    assert nature_of(made, NOW) is nature
