"""What a plan changes inside the values: `-p`, and `p` at the question."""

from __future__ import annotations

import json

import pytest

from tests.cli.user import User, text

ASKED = "Write this to SERVER? [y/N, p to see what changes]: "
INSIDE = """
    D  junk  string
         - "x"
    M  user:1  hash
         name: "b" -> "a"
    A  user:2  string
         + "c"
"""


@pytest.fixture
def damaged(user: User) -> User:
    user.redis.hset("user:1", mapping={"name": "a", "age": "7"})
    user.redis.set("user:2", "c")
    user.says("commit", "-m", "begin")
    user.redis.hset("user:1", "name", "b")
    user.redis.delete("user:2")
    user.redis.set("junk", "x")
    return user


def test_a_dry_run_shows_it_below_the_plan(damaged: User) -> None:
    plan = damaged.says("restore", "HEAD", "--dry-run")
    assert damaged.says("restore", "HEAD", "--dry-run", "-p") == plan + text(INSIDE)


def test_a_person_asks_for_it_at_the_question(damaged: User) -> None:
    plan = damaged.says("restore", "HEAD", "--dry-run")
    done = damaged.at_terminal("restore", "HEAD", types="p\nwhat\nn\n")
    assert (done.code, done.out) == (1, plan + text(INSIDE) + "nothing was changed\n")
    assert done.err.count(ASKED) == 3


def test_it_is_shown_at_once_where_that_is_asked_for(damaged: User) -> None:
    done = damaged.run("restore", "HEAD", "-p", "--yes")
    assert text(INSIDE) + "saved the previous state" in done.out
    assert text(INSIDE) not in damaged.run("undo", "--yes").out


def test_what_is_for_a_program_is_one_object_a_line(damaged: User) -> None:
    lines = damaged.says("restore", "HEAD", "--dry-run", "-p", "--json").splitlines()
    plan, *keys = map(json.loads, lines)
    assert plan["schema"] == "gitbackup.plan/1"
    assert [(each["schema"], each["key"], each["action"]) for each in keys] == [
        ("gitbackup.diff/1", "junk", "removed"),
        ("gitbackup.diff/1", "user:1", "changed"),
        ("gitbackup.diff/1", "user:2", "added"),
    ]


def test_of_a_revert_it_is_what_the_merge_changes(damaged: User) -> None:
    damaged.says("commit", "-m", "a mistake")
    damaged.redis.hset("user:1", "age", "8")
    told = damaged.says("revert", "HEAD", "user:1", "--dry-run", "-p")
    assert told.endswith('M  user:1  hash\n     name: "b" -> "a"\n')


def test_of_an_undo_an_import_and_a_copy(damaged: User) -> None:
    damaged.says("restore", "HEAD", "--yes")
    assert damaged.says("undo", "--dry-run", "-p").endswith(
        text("""
        A  junk  string
             + "x"
        M  user:1  hash
             name: "a" -> "b"
        D  user:2  string
             - "c"
    """)
    )
    damaged.says("export", "HEAD", "-o", "file.json")
    damaged.redis.set("user:2", "d")
    expected = 'M  user:2  string\n     value: "d" -> "c"\n'
    assert damaged.says("import", "file.json", "--dry-run", "-p").endswith(expected)
    damaged.says("import", "file.json", "--repo", "other", "-p", "--yes")
    assert damaged.redis.get("user:2") == b"c"


def test_masks_count_there_too(damaged: User) -> None:
    damaged.says("config", "add", "redact", "name")
    told = damaged.says("restore", "HEAD", "user:1", "--dry-run", "-p")
    assert "     name: " in told
    assert '"a"' not in told
