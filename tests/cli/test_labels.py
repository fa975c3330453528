"""`config add label 'GLOB=PART'`: a part of a key's value stands beside its name."""

from __future__ import annotations

import json

import pytest

from tests.cli.user import User, text


@pytest.fixture
def named(user: User) -> User:
    """An API key whose name changes, one that is deleted, and one that has no name."""
    one = user.redis
    one.hset("apikey:1", mapping={"name": "李四", "used": "1"})
    one.hset("apikey:2", mapping={"name": "王五\x1b[31m", "used": "1"})
    one.hset("apikey:3", mapping={"used": "1"})
    one.set("config", '{"title": "Relay", "on": true}')
    user.says("commit", "-m", "begin")
    one.hset("apikey:1", "used", "2")
    one.delete("apikey:2")
    one.hset("apikey:3", "used", "2")
    one.set("config", '{"title": "Relay", "on": false}')
    user.says("commit", "-m", "later")
    user.says("config", "add", "label", "apikey:*=name", "config=title")
    return user


SHOWN = """
    M  apikey:1 (李四)  hash
         used: "1" -> "2"
    D  apikey:2 (王五\\x1b[31m)  hash
         - name: "王五\\x1b[31m"
         - used: "1"
    M  apikey:3  hash
         used: "1" -> "2"

    M  config (Relay)  string
         on: true -> false
"""


def test_it_stands_beside_the_name_wherever_changes_are_shown(named: User) -> None:
    shown = named.says("diff", "HEAD~1", "HEAD")
    assert shown == "apikey: 2 changed, 1 removed\n" + text(SHOWN)
    assert text(SHOWN) in named.says("show", "HEAD")
    assert "M  config (Relay)  string\n" in named.says("log", "-n", "1", "--", "config")


def test_a_plan_has_it_too(named: User) -> None:
    lines = named.says("revert", "HEAD", "apikey:*", "--dry-run", "-p").splitlines()
    assert lines[1:4] == [
        "  overwrite  hash  apikey:1 (李四)",
        "  create     hash  apikey:2 (王五\\x1b[31m)",
        "  overwrite  hash  apikey:3",
    ]
    assert lines[5] == "M  apikey:1 (李四)  hash"
    assert "apikey:1 (李四)\n" in named.says("restore", "HEAD~1", "--yes")


def test_a_list_of_keys_has_it_too(named: User) -> None:
    lines = named.says("keys").splitlines()
    assert [line.split("  ")[-1].strip() for line in lines[1:]] == [
        "apikey:1 (李四)",
        "apikey:3",
        "config (Relay)",
    ]


def test_a_program_reads_it_as_a_member(named: User) -> None:
    told = [*map(json.loads, named.says("diff", "HEAD~1", "HEAD", "--json").splitlines())]
    assert [each.get("label") for each in told] == ["李四", "王五\x1b[31m", None, "Relay"]
    (commit,) = map(json.loads, named.says("log", "-n1", "--json", "--", "config").splitlines())
    assert commit["keys"][0]["label"] == "Relay"
    told = [*map(json.loads, named.says("keys", "--json").splitlines())]
    assert [each.get("label") for each in told] == ["李四", None, "Relay"]


def test_what_is_masked_is_no_label(named: User) -> None:
    named.says("config", "add", "redact", "name")
    for words in (["diff", "HEAD~1", "HEAD"], ["keys"], ["restore", "HEAD~1", "--dry-run"]):
        told = named.says(*words)
        assert "李四" not in told
        assert "Relay" in told


@pytest.mark.parametrize("rule", ["apikey:*", "=name", "apikey:*="])
def test_a_rule_that_is_none_is_refused(user: User, rule: str) -> None:
    user.says("init")
    done = user.run("config", "add", "label", rule)
    assert done.code == 2
    assert "apikey:*=name" in done.err or "a glob must have" in done.err
