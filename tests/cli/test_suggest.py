"""`gitbackup suggest`: what it proposes, what it sets, and how that is taken back."""

from __future__ import annotations

import json
import shlex

import pytest

from tests.cli.user import Done, User, text


@pytest.fixture
def busy(user: User) -> User:
    """Three commits of traffic, in one of which a person changed a setting; and traffic since."""
    user.redis.hset("account:1", mapping={"status": "active", "name": "eu"})
    user.says("commit", "-m", "set up")
    for round_ in range(4):
        for number in range(20):
            user.redis.incr(f"usage:{number}")
        if round_ == 1:
            user.redis.hset("account:1", "status", "stopped")
        if round_ < 3:
            user.says("commit", *(["-m", "stop eu"] if round_ == 1 else []))
    return user


FOUND = """
    the last 3 commits and the live database: 81 changed keys, in 4 of them
    quiet: committed and restored, but not shown
      usage:*    80 of 81 changes, in 4 of 4; 20 keys: counters
    keep in sight: what people change, and what rarely changes
      account:*  changed by hand (id3 "stop eu"); 1 of 81 changes, in 1 of 4: text (name, status)
"""
HOW = """
    to set them: gitbackup suggest --apply
    or one: gitbackup config add quiet 'usage:*'
"""
SET = """
    added 1 setting; to take them back:
      gitbackup config remove quiet 'usage:*'
"""


def test_it_proposes_and_changes_nothing(busy: User) -> None:
    before = busy.state()
    assert busy.says("suggest") == text(FOUND) + text(HOW)
    assert busy.says("suggest", "-n", "1").startswith("the last commit and the live database: 40")
    assert (busy.state(), busy.says("config", "list").count("usage")) == (before, 0)


def test_the_same_for_a_program(busy: User) -> None:
    found = json.loads(busy.says("suggest", "--json"))
    (usage,) = found["suggestions"]
    assert (usage["setting"], usage["pattern"], usage["commits"]) == ("quiet", "usage:*", 4)
    assert (usage["added"], usage["changed"], usage["holds"]) == (20, 60, ["counters"])
    (kept,) = found["keep"]
    assert (kept["pattern"], kept["by_hand"], found["applied"]) == ("account:*", "ID3", False)


def test_it_asks_sets_and_says_how_to_take_it_back(busy: User) -> None:
    done = busy.at_terminal("suggest", "--apply", types="n\n", asked="]: ")
    assert (done.code, done.out) == (1, text(FOUND) + "nothing was changed\n")
    assert busy.says("suggest", "--apply", "--yes") == text(FOUND) + text(SET)
    assert busy.says("config", "get", "quiet") == "usage:*\n"
    assert "quiet keys, not shown: 20 changed" in busy.says("diff")
    told = busy.says("suggest", "--apply", "--yes")
    assert "nothing more to silence: the settings hide 80 of 81 changes already\n" in told
    assert "usage" not in told
    _, *words = shlex.split(text(SET).splitlines()[-1])
    busy.says(*words)
    assert busy.run("config", "get", "quiet") == Done(1, "", "")


def test_nobody_is_there_to_be_asked(busy: User) -> None:
    sentence = "--apply asks, which needs a terminal: give --yes to set them at once"
    assert busy.run("suggest", "--apply") == Done(2, "", f"gitbackup: {sentence}\n")
    assert busy.run("suggest", "--yes") == Done(2, "", "gitbackup: --yes needs --apply\n")


def test_without_a_server_the_history_is_enough(busy: User) -> None:
    done = busy.run("suggest", "--url", "redis://127.0.0.1:1", "--json")
    found = json.loads(done.out)
    assert (done.code, found["live"], found["changes"]) == (0, False, 61)
    assert done.err.startswith("gitbackup: warning: what changed since HEAD was not looked at: no")


def test_before_there_is_a_history(user: User) -> None:
    assert user.run("suggest").code == 10
    assert "after a few commits, `gitbackup suggest` proposes" in user.says("init")
    assert user.run("suggest").code == 2
    user.redis.set("[\x1b[31m", 1)
    user.says("commit", "-m", "\x1b[31mset up")
    assert "nothing to go by yet" in user.says("suggest")


def test_what_others_wrote_steers_no_terminal(user: User) -> None:
    user.redis.set("a", 1)
    user.says("commit")
    user.redis.hset("k\x1b[31m:\u202e", mapping={"f\x1b[2J": "text"})
    user.says("commit", "-m", "by \x1b]0;hand")
    done = user.on_screen("suggest", env={"NO_COLOR": "1"})
    assert not {"\x1b", "\u202e"} & {*done.out}
    assert "changed by hand" in done.out
