from __future__ import annotations

import json
import re

import pytest

from tests.cli.user import Done, User, text
from tests.store.plain import git


@pytest.fixture
def changed(user: User) -> User:
    """Two commits, and a live database that has moved on."""
    user.redis.mset({"user:1": "a", "user:2": "b", "config": '{"limits": {"daily": 100}}'})
    user.says("commit", "-m", "begin")
    user.redis.set("config", '{"limits": {"daily": 250}}')
    user.says("commit", "-m", "raise the limit")
    user.redis.delete("user:1")
    user.redis.mset({"user:2": "B", "user:3": "c"})
    return user


def test_status_before_the_first_commit_says_how_to_make_it(user: User) -> None:
    user.redis.set("a", 1)
    user.says("init")
    assert user.says("status") == text("""
        SERVER: 1 key
        no commit yet: run `gitbackup commit`
    """)
    assert json.loads(user.says("status", "--json"))["head"] is None


def test_status_of_an_unchanged_database_says_so(user: User) -> None:
    user.redis.set("a", 1)
    user.says("commit", "-m", "begin")
    assert user.says("status") == text("""
        SERVER: 1 key
        HEAD id1 (AGE): begin
        nothing changed since
    """)


def test_status_tells_what_a_commit_would_record(changed: User) -> None:
    assert changed.says("status") == text("""
        SERVER: 3 keys
        HEAD id2 (AGE): raise the limit
        changed since: 1 added, 1 changed, 1 removed
          user  1 added, 1 changed, 1 removed
    """)


def test_a_program_gets_the_status_as_json(changed: User) -> None:
    assert json.loads(changed.says("status", "--json")) == {
        "schema": "gitbackup.status/1",
        "server": "SERVER",
        "head": "ID2",
        "head_date": "NOW",
        "keys": 3,
        "added": 1,
        "changed": 1,
        "removed": 1,
        "namespaces": [
            {"place": "db0", "namespace": "user", "added": 1, "changed": 1, "removed": 1}
        ],
        "pushed": [],
        "replicas": [],
        "hidden": {"added": 0, "changed": 0, "removed": 0},
    }


LIVE = """
    D  user:1  string
         - "a"
    M  user:2  string
         value: "b" -> "B"
    A  user:3  string
         + "c"
"""
CONFIG = """
    M  config  string
         limits.daily: 100 -> 250
"""


def test_diff_alone_compares_head_with_the_live_database(changed: User) -> None:
    assert changed.says("diff") == text(LIVE)


def test_diff_of_one_commit_compares_it_with_the_live_database(changed: User) -> None:
    assert changed.says("diff", "HEAD~1") == text(CONFIG) + "\n" + text("""
        user: 1 added, 1 changed, 1 removed
    """) + text(LIVE)


@pytest.mark.parametrize(
    "words", [("HEAD~1", "HEAD"), ("HEAD~1..HEAD",), ("HEAD~1..",), ("HEAD~1", "@")]
)
def test_diff_of_two_commits_compares_them(changed: User, words: tuple[str, ...]) -> None:
    assert changed.says("diff", *words) == text(CONFIG)


def test_a_range_that_begins_with_dots_begins_with_head(changed: User) -> None:
    assert changed.says("diff", "..HEAD~1") == text("""
        M  config  string
             limits.daily: 250 -> 100
    """)


def test_diff_of_a_commit_with_itself_is_empty(changed: User) -> None:
    assert changed.says("diff", "HEAD", "HEAD") == ""


@pytest.mark.parametrize(
    "words",
    [("user:2",), ("*:2",), ("HEAD", "user:2"), ("HEAD", "--", "user:2"), ("--", "user:2")],
)
def test_globs_narrow_the_diff_to_the_keys_they_match(
    changed: User, words: tuple[str, ...]
) -> None:
    assert changed.says("diff", *words) == text("""
        M  user:2  string
             value: "b" -> "B"
    """)


def test_a_database_narrows_the_diff(changed: User) -> None:
    changed.server.client(db=3).set("user:2", "three")
    assert changed.says("diff", "--db", "3") == text("""
        A  db3 user:2  string
             + "three"
    """)
    assert changed.says("diff", "--url", f"{changed.server.url}?db=3", "HEAD~1") == text("""
        A  db3 user:2  string
             + "three"
    """)
    assert changed.says("diff", "HEAD~1", "HEAD", "--db", "3") == ""
    assert changed.says("diff", "--db", "0") == text(LIVE)


def test_several_globs_add_up(changed: User) -> None:
    assert changed.says("diff", "HEAD~1", "--", "config", "*:1") == text(CONFIG) + text("""
        D  user:1  string
             - "a"
    """)


def test_what_follows_two_dashes_is_a_key_even_where_a_commit_has_that_name(
    changed: User,
) -> None:
    git(changed.repo, "tag", "config", "HEAD~1")
    assert changed.says("diff", "HEAD~1", "--", "config") == text(CONFIG)
    assert changed.says("diff", "config", "HEAD") == text(CONFIG)


@pytest.mark.parametrize("words", [("nope",), ("HEAD", "nope"), ("HEAD..nope",), ("nope..HEAD",)])
def test_a_mistyped_commit_is_no_glob(changed: User, words: tuple[str, ...]) -> None:
    assert changed.run("diff", *words) == Done(
        2,
        "",
        "gitbackup: there is no commit or key 'nope'; `gitbackup log` lists the commits; put --"
        " before the name of a key that HEAD does not have\n",
    )


def test_three_dots_are_not_two(changed: User) -> None:
    sentence = "'HEAD~1...HEAD' is not a pair of commits here: write A..B, or A B"
    assert changed.run("diff", "HEAD~1...HEAD") == Done(2, "", f"gitbackup: {sentence}\n")


def test_stat_tells_numbers_only(changed: User) -> None:
    assert changed.says("diff", "HEAD~1", "--stat") == text("""
          config  1 changed                      ~
          user    1 added, 1 changed, 1 removed  +~-
        1 added, 2 changed, 1 removed
    """)
    assert changed.says("diff", "HEAD", "HEAD", "--stat") == ""


def test_a_program_gets_the_numbers_as_json(changed: User) -> None:
    assert json.loads(changed.says("diff", "HEAD~1", "HEAD", "--stat", "--json")) == {
        "schema": "gitbackup.stat/1",
        "before": "ID1",
        "after": "ID2",
        "added": 0,
        "changed": 1,
        "removed": 0,
        "namespaces": [
            {"place": "db0", "namespace": "config", "added": 0, "changed": 1, "removed": 0}
        ],
        "hidden": {"added": 0, "changed": 0, "removed": 0},
    }


def test_a_program_gets_a_line_of_json_for_each_key(changed: User) -> None:
    lines = [json.loads(line) for line in changed.says("diff", "--json").splitlines()]
    assert lines[0] == {
        "schema": "gitbackup.diff/1",
        "db": 0,
        "key": "user:1",
        "action": "removed",
        "type": {"before": "string", "after": None},
        "before": {"type": "string", "value": "a"},
        "after": None,
        "changes": [],
    }
    assert [(line["key"], line["action"]) for line in lines[1:]] == [
        ("user:2", "changed"),
        ("user:3", "added"),
    ]


def test_exit_code_is_one_where_something_differs(changed: User) -> None:
    assert changed.run("diff", "--exit-code") == Done(1, text(LIVE), "")
    assert changed.run("diff", "HEAD", "HEAD", "--exit-code") == Done(0, "", "")


def test_diff_shows_what_changed_inside_each_type_of_value(user: User) -> None:
    redis = user.redis
    redis.set("binary", b"\xff\xfe")
    redis.hset("hash", mapping={"same": "1", "old": "2", "doc": '{"a": {"b": [1, 2]}}'})
    redis.rpush("list", "a", "b", "c")
    redis.sadd("set", "x", "y")
    redis.xadd("stream", {"f": "v"}, "1-1")
    redis.set("string", "short")
    redis.set("text", "one\ntwo\nthree")
    redis.set("type", "was text")
    redis.zadd("zset", {"m": 1.5, "gone": 2})
    user.says("commit")
    redis.set("binary", b"\xff\xfe\xfd")
    redis.pexpireat("binary", 4102444800000)
    redis.hset("hash", mapping={"new": "3", "doc": '{"a": {"b": [1, 3]}}'})
    redis.hdel("hash", "old")
    redis.rpush("list", "d")
    redis.lrem("list", 1, "a")
    redis.srem("set", "x")
    redis.sadd("set", "z z")
    redis.xadd("stream", {"f": "w"}, "2-1")
    redis.set("string", "longer")
    redis.set("text", "one\n2\nthree")
    redis.delete("type")
    redis.rpush("type", "is", "list")
    redis.zadd("zset", {"m": float("inf"), "new": 0.1})
    redis.zrem("zset", "gone")
    assert re.sub(r"in \d+ years", "in 73 years", user.says("diff")) == text("""
        M  binary  string
             expires: never -> in 73 years (2100-01-01T00:00:00.000Z)
             value: binary, 2 bytes, sha256 b3d510ef0427 -> 3 bytes, sha256 8ca9f8c269c0
        M  hash  hash
             doc.a.b[1]: 2 -> 3
             + new: "3"
             - old: "2"
        M  list  list
             - [0]: "a"
             + [2]: "d"
        M  set  set
             - x
             + "z z"
        M  stream  stream
             + 2-1: f: "w"
        M  string  string
             value: "short" -> "longer"
        M  text  string
             value:
             @@ -1,3 +1,3 @@
               one
             - two
             + 2
               three
        M  type  string -> list
             - "was text"
             + [0]: "is"
             + [1]: "list"
        M  zset  zset
             - gone: 2
             m: 1.5 -> inf
             + new: 0.1
    """)


def test_diff_needs_a_commit(user: User) -> None:
    user.says("init")
    assert user.run("diff").code == 2
