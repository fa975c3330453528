"""`gitbackup revert`: what one commit changed goes back, what came later stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitbackup.cli.app import code_of
from tests.cli.test_restore_journal import POINTS, expect_clean, killed
from tests.cli.user import User, text

RANKS = [f"cost_rank:{period}" for period in ("today", "7days", "30days", "all")]
MAP, INDEX, GROUP = "apikey:hash_map", "apikey:idx", "group:1"


@pytest.fixture
def mislaid(user: User) -> User:
    """An application's keys; id2 deletes an API key from all that knows it, and traffic goes on."""
    one = user.redis
    for name, number in (("李四", 1), ("王五", 2)):
        one.hset(f"apikey:{number}", mapping={"name": name, "limits": '{"daily":10,"hourly":1}'})
        one.hset(MAP, f"hash{number}", number)
        one.sadd(INDEX, number)
        one.sadd(GROUP, number)
        for rank in RANKS:
            one.zadd(rank, {str(number): number})
    one.set("config", '{"limits":{"daily":10},"names":["a","b"]}')
    one.set("requests", 100)
    user.says("commit", "-m", "begin")
    one.delete("apikey:1")
    one.hdel(MAP, "hash1")
    for key in (INDEX, GROUP):
        one.srem(key, 1)
    for rank in RANKS:
        one.zrem(rank, "1")
    one.set("config", '{"limits":{"daily":99},"names":["a","b"]}')
    one.set("requests", 105)
    user.says("commit", "-m", "deleted an API key")
    for rank in RANKS:
        one.zincrby(rank, 5, "2")
    one.sadd(INDEX, 3)
    one.hset(MAP, "hash3", 3)
    one.set("config", '{"limits":{"daily":99},"names":["a","b","c"]}')
    one.set("requests", 200)
    user.says("commit", "-m", "traffic")
    return user


def test_a_deleted_api_key_comes_back_and_the_counters_stay(mislaid: User) -> None:
    done = mislaid.run("revert", "HEAD~1", "--yes")
    assert done.out == text("""
        revert id2 in SERVER: create 1, overwrite 8
          create     hash    apikey:1
          overwrite  hash    apikey:hash_map
          overwrite  set     apikey:idx
          overwrite  string  config
          overwrite  zset    cost_rank:30days
          overwrite  zset    cost_rank:7days
          overwrite  zset    cost_rank:all
          overwrite  zset    cost_rank:today
          overwrite  set     group:1
          1 conflict: changed in id2 and again since, left as they are now
            requests  value: "100" before, "105" after, "200" now
            --theirs takes the value from before id2, --ours keeps the present one;
            --counters takes off what id2 added to a whole number
          replaces 470 bytes with 659 bytes
        saved the previous state as commit id4
        verified: 9 keys are as planned
        the current state is commit id5 (HEAD)
    """)
    assert done.code == 3
    assert done.err == (
        "gitbackup: not reverted: 1 conflict in requests; --theirs or --ours decides\n"
    )
    one = mislaid.redis
    assert one.hget("apikey:1", "name") == "李四".encode()
    assert one.hgetall(MAP) == {b"hash1": b"1", b"hash2": b"2", b"hash3": b"3"}
    assert one.smembers(INDEX) == {b"1", b"2", b"3"}
    assert one.smembers(GROUP) == {b"1", b"2"}
    for rank in RANKS:
        assert one.zrange(rank, 0, -1, withscores=True) == [(b"1", 1.0), (b"2", 7.0)]
    assert one.get("config") == b'{"limits":{"daily":10},"names":["a","b","c"]}'
    assert one.get("requests") == b"200"
    subjects = mislaid.says("log", "-n", "2").splitlines()[1::3]
    assert subjects == ["    revert of id2", "    before revert of id2"]


def test_undo_takes_a_revert_back_and_leaves_the_rest_alone(mislaid: User) -> None:
    mislaid.redis.set("config", "mine")
    mislaid.run("revert", "HEAD~1", "--yes")
    mislaid.redis.mset({"requests": "300", "config": "since"})
    told = mislaid.says("undo", "--yes")
    assert told.startswith("undo id5, put id4 back into SERVER: overwrite 7, delete 1\n")
    one = mislaid.redis
    assert one.exists("apikey:1") == 0
    assert one.zrange("cost_rank:all", 0, -1) == [b"2"]
    assert one.mget("requests", "config") == [b"300", b"since"]
    mislaid.says("undo", "--yes")
    assert one.exists("apikey:1") == 1


def test_a_revert_is_reverted(mislaid: User) -> None:
    mislaid.says("revert", "HEAD~1", "--ours", "--yes")
    mislaid.redis.sadd(INDEX, 4)
    mislaid.says("revert", "HEAD", "--yes")
    assert mislaid.redis.exists("apikey:1") == 0
    assert mislaid.redis.smembers(INDEX) == {b"2", b"3", b"4"}


@pytest.mark.parametrize(
    ("option", "requests"), [("--ours", b"200"), ("--theirs", b"100"), ("--counters", b"195")]
)
def test_an_option_decides_what_cannot_be_merged(
    mislaid: User, option: str, requests: bytes
) -> None:
    assert "conflict" not in mislaid.says("revert", "HEAD~1", option, "--yes")
    assert mislaid.redis.get("requests") == requests
    assert mislaid.redis.zscore("cost_rank:all", "2") == 7


def test_globs_and_exclude_choose_the_keys(mislaid: User) -> None:
    told = mislaid.says("revert", "HEAD~1", "cost_rank:*", "--exclude", "*days", "--dry-run")
    assert told == text("""
        revert id2 in SERVER: overwrite 2
          overwrite  zset  cost_rank:all
          overwrite  zset  cost_rank:today
          replaces 100 bytes with 124 bytes
    """)


def test_quiet_keys_are_left_alone_unless_they_are_asked_for(mislaid: User) -> None:
    mislaid.says("config", "add", "quiet", "requests")
    told = mislaid.says("revert", "HEAD~1", "--dry-run")
    assert "conflict" not in told
    assert "  warning: 1 key is not touched, being quiet: --with-quiet reverts it, too\n" in told
    assert "conflict" in mislaid.says("revert", "HEAD~1", "--all", "--dry-run")
    assert "conflict" in mislaid.says("revert", "HEAD~1", "req*", "--dry-run")


def test_what_is_masked_is_masked_in_a_conflict(mislaid: User) -> None:
    mislaid.redis.hset("apikey:1", mapping={"name": "new", "token": "secret"})
    mislaid.says("config", "add", "redact", "name")
    shown = mislaid.says("revert", "HEAD~1", "apikey:1", "--dry-run")
    assert "    apikey:1  name: *** before, nothing after, *** now\n" in shown
    kept = mislaid.says("revert", "HEAD~1", "apikey:1", "--dry-run", "--json")
    (conflict,) = json.loads(kept)["conflicts"]
    assert conflict == {
        "db": 0, "key": "apikey:1", "part": "field", "name": "name", "path": [],
        "before": "***", "now": "***", "note": "",
    }  # fmt: skip


def test_a_plan_for_it_is_kept_and_carried_out(mislaid: User) -> None:
    mislaid.captured()
    assert code_of(["revert", "HEAD~1", "--counters", "--dry-run", "--json"]) == 0
    Path("plan.json").write_text(mislaid.captured()[0])
    mislaid.redis.set("other", "1")
    told = mislaid.says("restore", "--plan", "plan.json", "--yes")
    assert told.startswith("revert id2 in SERVER: create 1, overwrite 9\n")
    assert mislaid.redis.get("requests") == b"195"


def test_what_it_did_as_json(mislaid: User) -> None:
    done = mislaid.run("revert", "HEAD~1", GROUP, "requests", "--yes", "--json")
    found = json.loads(done.out)
    assert (done.code, found["reverted"], found["verified"]) == (3, "ID2", 1)
    assert [(each["key"], each["now"]) for each in found["conflicts"]] == [("requests", "200")]


def test_its_trailers_tell_of_it(mislaid: User) -> None:
    mislaid.says("revert", "HEAD~1", GROUP, "--yes")
    shown = mislaid.says("show", "HEAD").splitlines()
    facts = dict(line.split(None, 1) for line in shown[: shown.index("")])
    assert facts["revert-of"] == "ID2"
    assert facts["replaced"] == "ID4"
    assert json.loads(facts["restore-with"])["revert"] == {
        "side": None, "counters": False, "exclude": [], "quiet": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["HEAD~1", "nothing*"], "commit id2 changed no key that matches 'nothing*'"),
        (["HEAD~1", "--db", "3"], "commit id2 changed no key of the chosen ones"),
        (["HEAD~9"], "HEAD~9"),
    ],
)
def test_what_makes_no_sense_is_refused(mislaid: User, words: list[str], why: str) -> None:
    before = mislaid.state()
    done = mislaid.run("revert", *words, "--yes")
    assert done.code == 2
    assert why in done.err
    assert mislaid.state() == before


def test_a_commit_that_changed_nothing_is_refused(user: User) -> None:
    user.redis.set("a", "1")
    user.says("commit")
    user.says("commit", "--allow-empty", "-m", "empty")
    done = user.run("revert", "HEAD", "--yes")
    assert (done.code, done.err) == (2, "gitbackup: commit id2 changed no key\n")


def test_what_is_reverted_already_needs_nothing(mislaid: User) -> None:
    mislaid.says("revert", "HEAD~1", GROUP, "--yes")
    assert mislaid.says("revert", "HEAD~3", GROUP, "--yes") == (
        "nothing to revert: the database holds nothing of id2\n"
    )


def test_a_person_is_asked_and_may_say_no(mislaid: User) -> None:
    before = mislaid.state()
    done = mislaid.at_terminal("revert", "HEAD~1", types="n\n")
    assert (done.code, done.out.splitlines()[-1]) == (1, "nothing was changed")
    assert mislaid.run("revert", "HEAD~1").code == 2
    assert mislaid.state() == before


@pytest.mark.few(2)
@pytest.mark.parametrize("point", ["it has written", *POINTS])
def test_the_same_words_finish_it_and_take_nothing_off_twice(mislaid: User, point: str) -> None:
    words = ["revert", "HEAD~1", "--counters", "--yes"]
    killed(mislaid, point, *words)
    assert mislaid.run(*words).code == 0
    assert mislaid.redis.get("requests") == b"195"
    assert mislaid.redis.smembers(GROUP) == {b"1", b"2"}
    expect_clean(mislaid)
    mislaid.says("undo", "--yes")
    assert mislaid.redis.get("requests") == b"200"
    assert mislaid.redis.exists("apikey:1") == 0


def test_one_that_was_cut_off_is_undone(mislaid: User) -> None:
    killed(mislaid, "it has written", "revert", "HEAD~1", "--counters", "--yes")
    mislaid.redis.set("other", "1")
    mislaid.says("undo", "--yes")
    assert mislaid.redis.get("requests") == b"200"
    assert mislaid.redis.smembers(GROUP) == {b"2"}
    expect_clean(mislaid)
