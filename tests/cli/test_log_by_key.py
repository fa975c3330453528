"""`gitbackup log -- KEY-GLOB`, and the ways to choose commits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.user import Done, User, text
from tests.store.plain import git


@pytest.fixture
def history(user: User) -> User:
    user.redis.mset({"user:1": "a", "config": '{"limits": {"daily": 100}}'})
    user.says("commit", "-m", "begin")
    user.redis.set("config", '{"limits": {"daily": 250, "hourly": 10, "monthly": 9, "yearly": 1}}')
    user.says("commit", "-m", "raise the limit")
    user.redis.delete("user:1")
    user.redis.hset("user:2", mapping={"name": "b", "mail": "b@example.org"})
    user.says("commit", "-m", "another user")
    return user


def test_only_commits_that_changed_such_a_key_are_told_with_what_became_of_it(
    history: User,
) -> None:
    assert history.says("log", "--", "config") == text("""
        id2  MINUTE (AGE)
            raise the limit
            M  config  string
                 limits.daily: 100 -> 250
                 + limits.hourly: 10
                 … more (-p shows it)
        id1  MINUTE (AGE)
            begin
            A  config  string
                 + limits.daily: 100
    """)


def test_a_pattern_needs_no_dashes(history: User) -> None:
    assert history.says("log", "user:*") == text("""
        id3  MINUTE (AGE)
            another user
            D  user:1  string
            A  user:2  hash
        id1  MINUTE (AGE)
            begin
            A  user:1  string
                 + "a"
    """)


def test_a_plain_key_needs_no_dashes_while_a_commit_that_is_named_has_it(history: User) -> None:
    assert history.says("log", "config") == history.says("log", "--", "config")
    assert history.says("log", "HEAD~1", "config") == history.says("log", "HEAD~1", "--", "config")
    history.redis.set("config", "x")
    assert history.says("diff", "config") == history.says("diff", "HEAD", "--", "config") != ""
    assert history.says("diff", "HEAD~1", "HEAD", "user:2")
    assert "config" in history.says("export", "config", "-o", "-")
    history.redis.delete("config")
    history.says("commit")
    assert history.run("log", "config").code == 2
    assert "D  config" in history.says("diff", "HEAD~1", "config")


def test_all_that_changed_is_told_if_asked_for(history: User) -> None:
    assert history.says("log", "-p", "-n", "1", "user:*", "config") == text("""
        id3  MINUTE (AGE)
            another user
            D  user:1  string
                 - "a"
            A  user:2  hash
                 + name: "b"
                 + mail: "b@example.org"
    """)


def test_a_line_for_each_commit(history: User) -> None:
    lines = history.says("log", "--oneline", "-n", "2").splitlines()
    assert [line[:5] + line[15:] for line in lines] == [
        "id3    another user",
        "id2    raise the limit",
    ]
    lines = history.says("log", "--oneline", "--", "user:*").splitlines()
    assert [line[:5] + line[15:] for line in lines] == [
        "id3    another user  (1 added, 1 removed)",
        "id1    begin  (user:1 added)",
    ]


def test_how_many_keys_changed_by_namespace(history: User) -> None:
    assert history.says("log", "--stat", "HEAD~2..") == text("""
        id3  MINUTE (AGE)
            another user
              user  1 added, 1 removed  +-
            1 added, 1 removed
        id2  MINUTE (AGE)
            raise the limit
              config  1 changed  ~
            1 changed
    """)
    assert history.says("log", "--stat", "-n", "1", "--", "user:1") == text("""
        id3  MINUTE (AGE)
            another user
              user  1 removed  -
            1 removed
    """)


@pytest.mark.parametrize(
    ("words", "subjects"),
    [
        (["HEAD~1"], ["raise the limit", "begin"]),
        (["HEAD~1.."], ["another user"]),
        (["HEAD~2..HEAD~1"], ["raise the limit"]),
        (["HEAD...HEAD~1"], ["another user"]),
        (["HEAD", "^HEAD~2"], ["another user", "raise the limit"]),
        (["--reverse"], ["begin", "raise the limit", "another user"]),
        (["--reverse", "-n", "2"], ["raise the limit", "another user"]),
        (["--grep", "limit", "--grep", "^begin"], ["raise the limit", "begin"]),
        (["--grep", "^an\\{0,1\\}other"], ["another user"]),
        (["--since", "1 hour ago", "-n", "1"], ["another user"]),
        (["--until", "2000-01-01"], []),
        (["--reverse", "--", "config"], ["begin", "raise the limit"]),
        (["-n", "1", "--", "config"], ["raise the limit"]),
        (["HEAD~1..", "--", "config"], []),
        (["--grep", "begin", "--", "config"], ["begin"]),
        (["--db", "3", "--", "config"], []),
        (["--db", "0", "--", "config"], ["raise the limit", "begin"]),
    ],
)
def test_which_commits_are_told(history: User, words: list[str], subjects: list[str]) -> None:
    """As git takes ranges, dates and patterns."""
    told = map(json.loads, history.says("log", "--json", *words).splitlines())
    assert [commit["subject"] for commit in told] == subjects


def test_a_program_gets_the_keys_with_the_commit(history: User) -> None:
    told = json.loads(history.says("log", "--json", "-n", "1", "--", "user:1"))
    assert (told["schema"], told["commit"], told["damage"]) == ("gitbackup.log/1", "ID3", None)
    assert told["keys"] == [
        {
            "schema": "gitbackup.diff/1",
            "db": 0,
            "key": "user:1",
            "action": "removed",
            "type": {"before": "string", "after": None},
            "before": {"type": "string", "value": "a"},
            "after": None,
            "changes": [],
        }
    ]


def test_a_program_gets_the_numbers_with_the_commit(history: User) -> None:
    told = json.loads(history.says("log", "--json", "--stat", "-n", "1"))
    assert told["stat"] == {
        "added": 1,
        "changed": 0,
        "removed": 1,
        "namespaces": [
            {"place": "db0", "namespace": "user", "added": 1, "changed": 0, "removed": 1}
        ],
        "hidden": {"added": 0, "changed": 0, "removed": 0},
    }


def test_a_persons_own_files_are_looked_at_as_well(history: User) -> None:
    """Wherever below dbN they are, and whoever's words the message has."""
    mine = history.repo / "db0" / "by" / "hand.json"
    mine.parent.mkdir()
    mine.write_text('{"user:9": {"type": "string", "value": "x"}}')
    git(history.repo, "add", ".")
    git(history.repo, "commit", "--quiet", "--amend", "-C", "HEAD")
    history.says("commit", "-m", "back to what is there")
    lines = history.says("log", "--oneline", "--", "user:9").splitlines()
    assert [line.partition("-")[2][7:] for line in lines] == [
        "back to what is there  (user:9 removed)",
        "another user  (user:9 added)",
    ]


def test_what_cannot_be_read_is_told_where_it_stands(history: User) -> None:
    """It hides nothing else."""
    file = history.repo / "db0" / "_.json"
    whole = file.read_bytes()
    for content, message in ((b"{", "cut off"), (whole, "mended")):
        file.write_bytes(content)
        git(history.repo, "commit", "--quiet", "-am", message)
    told = history.says("log", "--", "config")
    assert told.count("cannot be read: db0/_.json, line 1: not valid JSON: ") == 2
    assert "limits.daily: 100 -> 250" in told


def test_a_merge_is_told_where_a_key_of_it_is_none_of_its_parents(history: User) -> None:
    """Both sides of it are walked."""
    repo = history.repo
    git(repo, "branch", "side")
    _set_limit(repo, 300, "here")
    git(repo, "switch", "--quiet", "side")
    _set_limit(repo, 400, "there")
    git(repo, "switch", "--quiet", "main")
    git(repo, "merge", "--quiet", "-s", "ours", "side", "-m", "keep ours")
    before = ["begin", "here", "raise the limit", "there"]
    assert _subjects(history) == before
    git(repo, "switch", "--quiet", "side")
    _set_limit(repo, 500, "there again")
    git(repo, "switch", "--quiet", "main")
    git(repo, "merge", "--quiet", "-s", "ours", "--no-commit", "side")
    _set_limit(repo, 600, "neither")
    assert _subjects(history) == sorted([*before, "there again", "neither"])


def _subjects(history: User) -> list[str]:
    told = history.says("log", "--json", "--", "config").splitlines()
    return sorted(json.loads(line)["subject"] for line in told)


def _set_limit(repo: Path, limit: int, message: str) -> None:
    file = repo / "db0" / "_.json"
    content = file.read_text()
    at = content.index('daily\\": ') + len('daily\\": ')
    file.write_text(content[:at] + str(limit) + content[at + 3 :])
    git(repo, "commit", "--quiet", "-am", message)


def test_hostile_names_are_found_and_cannot_steer_the_terminal(user: User) -> None:
    user.redis.mset({"a\x1b[31m\n": 1, 'q"\\': 2, b"\xff\xfe": 3, "back\\slash*": 4})
    user.says("commit", "-m", "\x1b[31mred")
    assert user.says("log", "--", "a*") == text("""
        id1  MINUTE (AGE)
            \\x1b[31mred
            A  "a\\x1b[31m\\n"  string
                 + "1"
    """)
    assert r"""A  'q"\\'  string""" in user.says("log", "--", r'q"\\')
    assert r"A  back\\slash*" in user.says("log", "--", r"back\\slash\*")
    assert "A  base64://4=" in user.says("log", "-p", "--", "*").replace('"', "")


def test_what_is_not_for_every_eye_is_masked(history: User) -> None:
    told = history.says("log", "-n", "1", "--redact", "mail", "--", "user:2")
    assert "+ mail: ***" in told
    assert '+ name: "b"' in told
    told = history.says("log", "--json", "--redact", "user:*", "--", "user:1")
    assert json.loads(told.splitlines()[0])["keys"][0]["before"]["value"] == "***"


def test_options_of_a_key_need_one(history: User) -> None:
    for option in (["-p"], ["--db", "3"]):
        assert history.run("log", *option) == Done(
            2, "", "gitbackup: -p and --db need a key: gitbackup log -p -- KEY-GLOB\n"
        )
