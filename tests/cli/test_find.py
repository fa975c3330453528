"""`log -S`, `log --when`, `keys --changed-since`, `show --raw`: finding what one looks for."""

from __future__ import annotations

import pytest

from tests.cli.user import User, text


@pytest.fixture
def told(user: User) -> User:
    """Three commits: id1 has a limit of 10, id2 one of 99, id3 has 99 still and no key `gone`."""
    for limit, more in (("10", "gone"), ("99", "gone"), ("99.0", "new")):
        user.redis.flushall()
        user.redis.set("config", f'{{"limits": {{"daily": {limit}}}, "on": true, "who": "李四"}}')
        user.redis.hset("usage", mapping={"requests": limit[:2], "note": 'a "quoted"\nline'})
        user.redis.zadd("rank", {"a": limit})
        user.redis.set(more, b"\xff")
        user.says("commit", "-m", f"limit {limit}")
    return user


def found(user: User, *words: str) -> list[str]:
    return [line.split("  ")[0] for line in user.says("log", "--oneline", *words).splitlines()]


@pytest.mark.few(6)
@pytest.mark.parametrize(
    ("wanted", "commits"),
    [
        ('"daily": 99', ["id2"]),
        ('"quoted"\nline', ["id1"]),
        ("gone", ["id3", "id1"]),
        ("limits", ["id1"]),
        ("李四", ["id1"]),
        ("nothing like it", []),
    ],
)
def test_a_text_is_found_where_it_came_and_where_it_went(
    told: User, wanted: str, commits: list[str]
) -> None:
    assert found(told, "-S", wanted) == commits


def test_a_text_is_looked_for_in_chosen_keys(told: User) -> None:
    assert told.says("log", "-S", "99", "--", "conf*") == text("""
        id2  MINUTE (AGE)
            limit 99
            M  config  string
                 limits.daily: 10 -> 99
    """)


CONDITIONS = [
    ("config limits.daily = 99", ["id2"]),
    ("config limits.daily==99.0", ["id2"]),
    ("config limits.daily > 10", ["id2"]),
    ("config limits.daily <= 10", ["id1"]),
    ("config limits.daily != 99", ["id1"]),
    ("config on = true", ["id1"]),
    ('config who = "李四"', ["id1"]),
    ("config who = 李四", ["id1"]),
    ("config who > 李", []),
    ("config limits.none = 1", []),
    ("rank a >= 99", ["id2"]),
    ("usage requests = 99", ["id2"]),
    ("usage = 99", []),
    ("none = 1", []),
]


def test_a_condition_is_found_where_it_became_true(told: User) -> None:
    assert [(each, found(told, "--when", each)) for each, _ in CONDITIONS] == CONDITIONS


def test_a_condition_that_was_true_twice_is_found_twice(told: User) -> None:
    told.redis.zadd("rank", {"a": 1})
    told.says("commit")
    told.redis.zadd("rank", {"a": 99})
    told.says("commit")
    assert found(told, "--when", "rank a = 99") == ["id5", "id2"]
    assert found(told, "--when", "rank a = 99", "-n", "1") == ["id5"]


REFUSED = [
    (["-S", ""], "the text to look for is empty"),
    (["--when", "config"], "'config' is not a condition such as"),
    (["--when", "a = 1", "--", "b"], "a condition names its key itself"),
    (["--when", "a = 1", "-S", "b"], "a condition names its key itself"),
    (["-S", "b", "--html", "x.html"], "leave out the key patterns, -S and --when"),
]


def test_what_makes_no_sense_is_refused(told: User) -> None:
    for words, why in REFUSED:
        done = told.run("log", *words)
        assert (done.code, why in done.err) == (2, True), words


def test_keys_that_changed_since_a_commit_are_listed(told: User) -> None:
    def names(*words: str) -> list[str]:
        return [line.split()[-1] for line in told.says("keys", *words).splitlines()[1:]]

    assert names("--changed-since", "HEAD~1") == ["config", "new"]
    assert names("--changed-since", "HEAD~2") == ["config", "new", "rank", "usage"]
    assert names("--changed-since", "HEAD~2", "HEAD~1", "conf*") == ["config"]
    assert told.says("keys", "--changed-since", "HEAD") == ""


def test_a_key_may_stand_beside_its_commit(told: User) -> None:
    assert told.says("show", "HEAD", "config") == told.says("show", "HEAD:config")
    assert told.says("show", "HEAD", "config", "--field", "on") == "true"
    done = told.run("show", "HEAD:config", "rank")
    assert (done.code, done.err) == (
        2,
        "gitbackup: 'HEAD:config' names a key already: leave out 'rank'\n",
    )


def test_a_text_is_shown_raw(told: User) -> None:
    assert told.says("show", "--raw", "HEAD~2:config") == (
        '{"limits": {"daily": 10}, "on": true, "who": "李四"}'
    )
    assert told.process("show", "--raw", "HEAD:new", encoding="latin-1").out == "\xff"
    done = told.run("show", "--raw", "HEAD:usage")
    assert (done.code, done.err) == (
        2,
        "gitbackup: usage is a hash, which is not one text: name a part of it with --field\n",
    )
    assert told.run("show", "--raw", "HEAD:config", "--json").code == 2
