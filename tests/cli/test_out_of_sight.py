"""What is not shown: excluded for once, quiet for good, or masked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.user import User, text
from tests.store.plain import git

NONE = {"added": 0, "changed": 0, "removed": 0}


@pytest.fixture
def busy(user: User) -> User:
    """A commit, then a change that matters among counters that do not."""
    user.redis.mset({"config": "1", "usage:1": "1", "usage:2": "1", "usage:3": "1"})
    user.redis.hset("account:1", mapping={"name": "eu", "token": "s3cret"})
    user.says("commit", "-m", "begin")
    user.redis.mset({"config": "2", "usage:1": "2", "usage:4": "1"})
    user.redis.delete("usage:3")
    return user


CONFIG = """
    M  config  string
         value: "1" -> "2"
"""
HIDDEN = """
    quiet keys, not shown: 1 added, 1 changed, 1 removed (--with-quiet shows them)
"""


def test_what_is_excluded_is_not_shown_and_committed_all_the_same(busy: User) -> None:
    assert busy.says("diff", "--exclude", "usage:*") == text(CONFIG)
    assert busy.says("status", "--exclude", "usage:*", "--exclude", "config") == text("""
        SERVER: 5 keys
        HEAD id1 (AGE): begin
        nothing changed since
        excluded keys, not shown: 1 added, 2 changed, 1 removed
    """)
    assert busy.run("diff", "--exclude", "*", "--exit-code").code == 0
    busy.says("commit", "-m", "on")
    assert busy.says("diff", "HEAD~1..HEAD", "--exclude", "usage:*") == text(CONFIG)
    assert "usage:4" in git(busy.repo, "show", "HEAD:db0/_.json")


def test_quiet_keys_are_only_counted(busy: User) -> None:
    busy.says("init", "--quiet", "usage:*")
    assert git(busy.repo, "config", "gitbackup.quiet") == "usage:*"
    assert busy.says("diff") == text(CONFIG) + text(HIDDEN)
    assert busy.says("diff", "--stat") == text("""
          config  1 changed  ~
        1 changed
    """) + text(HIDDEN)
    assert busy.says("status") == text("""
        SERVER: 5 keys
        HEAD id1 (AGE): begin
        changed since: 1 changed
          config  1 changed
    """) + text(HIDDEN)


def test_the_history_only_counts_them_too(busy: User) -> None:
    busy.says("init", "--quiet", "usage:*")
    busy.says("commit", "-m", "on")
    assert busy.says("log", "--stat", "-n", "1") == text("""
        id2  MINUTE (AGE)
            on
              config  1 changed  ~
            1 changed
            quiet keys, not shown: 1 added, 1 changed, 1 removed (--with-quiet shows them)
    """)
    assert busy.says("log", "--stat", "--all", "--oneline", "-n", "1").splitlines()[1:] == [
        "      config  1 changed                      ~",
        "      usage   1 added, 1 changed, 1 removed  +~-",
        "    1 added, 2 changed, 1 removed",
    ]
    (told,) = map(json.loads, busy.says("log", "--stat", "--json", "-n", "1").splitlines())
    assert told["stat"]["hidden"] == {"added": 1, "changed": 1, "removed": 1}
    assert busy.run("log", "--all").code == 2


def test_a_page_of_the_history_counts_them_and_says_what_has_none(busy: User) -> None:
    busy.says("init", "--quiet", "usage:*")
    busy.says("commit", "-m", "on")
    busy.says("commit", "--allow-empty")
    busy.says("log", "--html", "page.html")
    page = Path("page.html").read_text("utf-8")
    assert page.count("Quiet keys, not shown: 1 added, 1 changed, 1 removed.") == 1
    assert (page.count('<span class="counts">nothing</span>'), "usage:4" in page) == (1, False)
    busy.says("log", "--with-quiet", "--html", "page.html")
    page = Path("page.html").read_text("utf-8")
    assert ("Quiet keys" in page, "usage:4" in page) == (False, True)


def test_quiet_keys_are_shown_where_they_are_asked_for(busy: User) -> None:
    whole, one = busy.says("diff"), busy.says("diff", "usage:1")
    busy.says("init", "--quiet", "usage:*")
    assert busy.says("diff", "--all") == whole
    assert busy.says("diff", "usage:1") == one
    assert "usage   1 added, 1 changed, 1 removed" in busy.says("status", "--all")


def test_quiet_keys_are_committed_and_restored(busy: User) -> None:
    busy.says("init", "--quiet", "usage:*")
    busy.says("commit", "-m", "the config is 2")
    assert busy.says("show").endswith(text(CONFIG) + text(HIDDEN))
    assert "A  usage:4" in busy.says("show", "--all")
    busy.says("restore", "HEAD~1", "--yes")
    assert busy.redis.mget("usage:1", "usage:3", "usage:4") == [b"1", b"1", None]


def test_a_commit_that_is_asked_for_is_made_of_quiet_keys_too(busy: User) -> None:
    busy.says("init", "--quiet", "*")
    assert busy.says("diff") == text("""
        quiet keys, not shown: 1 added, 2 changed, 1 removed (--with-quiet shows them)
    """)
    assert busy.run("diff", "--exit-code").code == 1
    busy.says("commit")
    assert len(busy.commits()) == 2


def test_the_subject_of_a_commit_tells_of_what_is_not_quiet(busy: User) -> None:
    busy.says("init", "--quiet", "usage:*")
    assert "would commit: config changed\n" in busy.says("commit", "--dry-run")
    busy.says("commit")
    message = git(busy.repo, "log", "-1", "--format=%B").splitlines()
    assert message[:6] == ["config changed", "", "~ config", "~ usage:1", "- usage:3", "+ usage:4"]
    assert {"Added: 1", "Changed: 2", "Removed: 1"} <= {*message}


def test_a_program_is_told_how_many_keys_are_hidden(busy: User) -> None:
    counts = {"added": 1, "changed": 1, "removed": 1}
    busy.says("init", "--quiet", "usage:*")
    told = [json.loads(line) for line in busy.says("diff", "--json").splitlines()]
    assert [line.get("key") for line in told] == ["config", None]
    assert told[-1] == {"schema": "gitbackup.hidden/1", **counts}
    assert json.loads(busy.says("diff", "--stat", "--json"))["hidden"] == counts
    assert json.loads(busy.says("status", "--json"))["hidden"] == counts
    assert json.loads(busy.says("status", "--json", "--all"))["hidden"] == NONE


def test_masked_values_are_seen_to_have_changed(busy: User) -> None:
    busy.redis.hset("account:1", "token", "an0ther")
    words = "diff", "account:*", "--redact", "TOKEN"
    assert busy.says(*words) == text("""
        M  account:1  hash
             token: *** -> ***
    """)
    [told] = map(json.loads, busy.says(*words, "--json").splitlines())
    assert told["redacted"] is True
    assert told["changes"] == [
        {
            "part": "field",
            "action": "changed",
            "name": "token",
            "path": [],
            "before": "***",
            "after": "***",
            "note": "redacted",
        }
    ]


def test_what_the_settings_mask_is_masked_wherever_it_is_shown(busy: User) -> None:
    busy.says("init", "--redact", "*token*", "--redact", "config")
    for words in (("show",), ("show", "--json"), ("show", "HEAD:account:1"), ("diff",)):
        assert "s3cret" not in busy.says(*words)
    assert "config  string\n     value: *** -> ***\n" in busy.says("diff")
    assert busy.says("show", "HEAD:account:1") == text("""
        {
          "account:1": {
            "type": "hash",
            "value": {
              "name": "eu",
              "token": "***"
            }
          }
        }
    """)
    assert "s3cret" in git(busy.repo, "show", "HEAD:db0/_.json")


def test_a_key_that_comes_or_goes_is_masked_too(busy: User) -> None:
    busy.redis.delete("account:1")
    busy.redis.zadd("token:board", {"s3cret": 3})
    assert busy.says("diff", "account:*", "token:*", "--redact", "token*") == text("""
        D  account:1  hash
             - name: "eu"
             - token: ***
        A  token:board  zset
             + ***1: ***
    """)
