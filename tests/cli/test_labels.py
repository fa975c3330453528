"""`config add label 'GLOB=PART'`: a part of a key's value stands beside its name."""

from __future__ import annotations

import json
from pathlib import Path

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


def test_it_stands_beside_a_key_by_itself(named: User) -> None:
    """In blame, on the one line of a commit, and where a status counts keys."""
    assert named.says("blame", "apikey:1").startswith("apikey:1 (李四)  hash\n")
    assert "(config (Relay) changed)" in named.says("log", "--oneline", "-n", "1", "--", "config")
    named.redis.hset("apikey:1", "used", "3")
    named.redis.hset("apikey:3", "used", "3")
    named.redis.delete("config")
    assert named.says("status").splitlines()[2:] == [
        "changed since: 2 changed, 1 removed",
        "  apikey  2 changed  (李四, …)",
        "  config  1 removed  (Relay)",
    ]
    (first, *_) = map(json.loads, named.says("blame", "apikey:1", "--json").splitlines())
    assert first["label"] == "李四"


def test_a_conflict_and_what_is_left_of_a_restore_have_it(named: User) -> None:
    named.redis.hset("apikey:1", "used", "3")
    done = named.run("revert", "HEAD", "apikey:1", "--yes")
    assert '    apikey:1 (李四)  used: "1" before, "2" after, "3" now\n' in done.out
    assert "1 conflict in apikey:1 (李四); --theirs or --ours decides" in done.err
    named.redis.delete("config")
    named.says("commit")
    named.says("restore", "HEAD~1", "--no-delete", "--dry-run")
    named.redis.hset("apikey:9", "name", "later")
    named.says("commit")
    told = named.says("restore", "HEAD~1", "--no-delete", "--dry-run")
    assert "not in the commit, kept: 1 key (apikey:9 (later))" in told


def test_the_list_to_choose_from_has_it(named: User) -> None:
    done = named.at_terminal("restore", "HEAD~1", "-i", types="\n", asked="help]: ")
    assert "overwrite  hash    apikey:1 (李四)\n" in done.out
    assert "create     hash    apikey:2 (王五\\x1b[31m)\n" in done.out


def test_a_page_has_it_as_text(named: User) -> None:
    """Whatever it is; and it is found as the key is."""
    named.redis.hset("apikey:1", "name", "<b>李四")
    for words in (["diff"], ["diff", "HEAD~1", "HEAD"], ["log"]):
        named.says(*words, "--html", "page.html")
        page = Path("page.html").read_text("utf-8")
        assert ("<b>李" in page, "\x1b[31m" in page) == (False, False)
        called = "&lt;b&gt;李四" if words == ["diff"] else "李四"
        assert f'apikey:1</code> <span class="name label">{called}</span>' in page
    named.says("config", "add", "redact", "name")
    for words in (["diff"], ["log"]):
        named.says(*words, "--html", "page.html")
        assert "李四" not in Path("page.html").read_text("utf-8")


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
