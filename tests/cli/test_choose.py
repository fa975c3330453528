"""`restore -i`: the keys to restore are chosen from a list."""

from __future__ import annotations

import pytest

from tests.cli.user import Done, User

ASKED = "? for help]: "


@pytest.fixture
def damaged(user: User) -> User:
    user.redis.mset({"user:1": "a", "user:2": "b", "config": "c"})
    user.server.client(db=3).set("config", "c3")
    user.says("commit", "-m", "begin")
    user.redis.mset({"user:1": "x", "user:3": "x", "config": "x"})
    user.redis.delete("user:2")
    return user


def chosen(user: User, types: str, *options: str) -> Done:
    return user.at_terminal("restore", "HEAD", "-i", *options, types=types, asked=ASKED)


def values(user: User) -> dict[str, str]:
    return {key.decode(): user.redis.get(key).decode() for key in sorted(user.redis.keys())}


def test_lines_are_chosen_by_number_and_shown_with_a_star(damaged: User) -> None:
    done = chosen(damaged, "2,4\n\ny\n")
    lines = done.out.splitlines()
    assert lines[:5] == [
        "  1  user:*  create 1, overwrite 1, delete 1",
        "  2  overwrite  string  config",
        "  3  overwrite  string  user:1",
        "  4  create     string  user:2",
        "  5  delete     string  user:3",
    ]
    assert lines[5:10] == [
        "+ 1  user:*  create 1, overwrite 1, delete 1",
        "* 2  overwrite  string  config",
        "  3  overwrite  string  user:1",
        "* 4  create     string  user:2",
        "  5  delete     string  user:3",
    ]
    assert lines[10] == "restore id1 into SERVER: create 1, overwrite 1"
    assert (done.code, values(damaged)) == (
        0,
        {"config": "c", "user:1": "x", "user:2": "b", "user:3": "x"},
    )


@pytest.mark.parametrize(
    ("types", "left"),
    [
        ("1\n\n", {"config": "x", "user:1": "a", "user:2": "b"}),
        ("* -user:3\n\n", {"config": "c", "user:1": "a", "user:2": "b", "user:3": "x"}),
        ("2-3\n-2\n\n", {"config": "x", "user:1": "a", "user:3": "x"}),
        ("user:[23] ? 9\n\n", {"config": "x", "user:1": "x", "user:2": "b"}),
        ("*\n\n", {"config": "c", "user:1": "a", "user:2": "b"}),
    ],
)
def test_what_is_chosen_is_restored(damaged: User, types: str, left: dict[str, str]) -> None:
    done = chosen(damaged, types, "--yes")
    assert (done.code, values(damaged)) == (0, left)
    damaged.says("undo", "--yes")
    assert values(damaged) == {"config": "x", "user:1": "x", "user:3": "x"}


@pytest.mark.parametrize(("types", "code"), [("\n", 1), ("1\n-1\n\n", 1), ("\x04", 130)])
def test_none_chosen_is_nothing_changed(damaged: User, types: str, code: int) -> None:
    before = damaged.state()
    done = chosen(damaged, types)
    assert "nothing was changed" in done.out + done.err
    assert (done.code, damaged.state()) == (code, before)


def test_names_that_look_like_globs_mean_themselves(user: User) -> None:
    names = ["a[1]", "a1", "b*", "bb", "c\\?"]
    user.redis.mset(dict.fromkeys(names, "1"))
    user.says("commit")
    user.redis.mset(dict.fromkeys(names, "2"))
    done = chosen(user, "2 3 5\n\n", "--yes")
    assert done.code == 0
    assert user.redis.mget(names) == [b"1", b"2", b"1", b"2", b"1"]


def test_of_a_large_namespace_only_that_is_listed(user: User) -> None:
    names = [f"user:{number}" for number in range(50)]
    user.redis.mset({**dict.fromkeys(names, "1"), "config": "1"})
    user.says("commit")
    user.redis.mset({**dict.fromkeys(names, "2"), "config": "2"})
    done = chosen(user, "1\n\n", "--yes")
    assert done.out.startswith("  1  user:*  overwrite 50\n  2  overwrite  string  config\n")
    assert user.redis.mget("user:0", "user:49", "config") == [b"1", b"1", b"2"]
    assert '"user:*"' in user.says("show", "HEAD")


def test_keys_of_one_name_in_two_databases_cannot_be_told_apart(damaged: User) -> None:
    other = damaged.server.client(db=3)
    other.set("config", "x")
    assert chosen(damaged, "2\n\n", "--yes").code == 0
    assert (damaged.redis.get("config"), other.get("config")) == (b"c", b"x")
    damaged.redis.set("config", "x")
    other.mset({"config": "y", "new": "x"})
    before = damaged.state()
    done = chosen(damaged, "1 new\n\n", "--yes")
    assert (done.code, damaged.state()) == (2, before)
    assert "'db3 config' has the name of a key that was chosen in another database" in done.err


def test_it_needs_a_terminal_and_no_plan(damaged: User) -> None:
    done = damaged.run("restore", "HEAD", "-i", "--yes")
    assert (done.code, done.err) == (
        2,
        "gitbackup: -i asks which keys to restore: give key globs instead\n",
    )
