"""What commits cover: libraries by name, scopes that change, formats of the future."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.user import Done, User, text
from tests.store.plain import git

pytestmark = pytest.mark.few(6)

LIBRARY = "#!lua name=mylib\nredis.register_function('f', function() return {} end)\n"


@pytest.fixture
def loaded(user: User) -> User:
    """Two commits that differ in a key and in a library."""
    for number in (1, 2):
        user.redis.set("user:1", number)
        user.redis.function_load(LIBRARY.replace("{}", str(number)), replace=True)
        user.says("commit", "-m", str(number))
    return user


@pytest.mark.few(1)
@pytest.mark.parametrize(("glob", "key", "library"), [
    ("user:*", True, False), ("my[kl]ib", False, True), ("*", True, True), ("m*:1", False, False),
])  # fmt: skip
def test_a_glob_finds_a_library_by_its_name_in_every_command(
    loaded: User, glob: str, key: bool, library: bool
) -> None:
    wanted = {"user:1"} if key else set()
    wanted |= {"mylib"} if library else set()

    def told(*words: str) -> set[str]:
        out = loaded.run(*words).out
        return {"user:1", "mylib"} & {*out.split()}

    assert told("diff", "HEAD~1", "HEAD", "--name-only", "--", glob) == wanted
    assert told("restore", "HEAD~1", glob, "--dry-run") == wanted
    assert told("log", "--", glob) == wanted
    assert told("keys", "HEAD", glob) == wanted
    loaded.run("export", "HEAD", glob, "-o", "all.json")
    assert told("import", "all.json", glob, "--dry-run") <= wanted
    held = {*json.loads(Path("all.json").read_text())["libraries"]} if wanted else set()
    assert held == wanted & {"mylib"}
    loaded.run("export", glob, "--format", "jsonl", "-o", "live.jsonl")
    lines = (
        [json.loads(line) for line in Path("live.jsonl").read_text().splitlines()] if wanted else []
    )
    assert {line["key"] for line in lines[1:]} == wanted
    left = {"user:1", "mylib"} - wanted
    assert told("diff", "HEAD~1", "HEAD", "--name-only", "--exclude", glob) == left
    git(loaded.repo, "config", "gitbackup.quiet", glob)
    assert told("diff", "HEAD~1", "HEAD", "--name-only") == left


def test_one_library_is_restored_and_the_rest_is_left_alone(loaded: User) -> None:
    loaded.says("restore", "HEAD~1", "mylib", "--yes")
    assert "return 1" in str(loaded.redis.function_list(withcode=True))
    assert loaded.redis.get("user:1") == b"2"


def test_a_library_that_is_excluded_is_in_no_commit_and_survives_a_restore(loaded: User) -> None:
    loaded.says("init", "--exclude", "mylib")
    loaded.run("commit")
    assert git(loaded.repo, "ls-tree", "-r", "--name-only", "HEAD") == "db0/_.json\ngitbackup.json"
    loaded.redis.function_load(LIBRARY.replace("{}", "3"), replace=True)
    assert "nothing changed since" in loaded.says("status")
    loaded.redis.set("user:1", 4)
    loaded.says("restore", "HEAD", "--yes")
    assert "return 3" in str(loaded.redis.function_list(withcode=True))


def test_a_scope_with_patterns_of_keys_covers_the_libraries_that_they_match(user: User) -> None:
    user.redis.mset({"app:1": 1, "b": 1})
    user.redis.function_load(LIBRARY)
    user.says("init", "--include", "app:*")
    user.says("commit")
    manifest = json.loads(git(user.repo, "show", "HEAD:gitbackup.json"))
    assert manifest["scope"]["functions"] is False
    git(user.repo, "config", "--add", "gitbackup.include", "my*")
    user.run("commit")
    files = git(user.repo, "ls-tree", "-r", "--name-only", "HEAD").splitlines()
    assert "functions/mylib.lua" in files


def test_keys_that_are_excluded_for_once_are_counted_by_status(user: User) -> None:
    user.redis.mset({"q:1": 1, "k": 1})
    user.says("commit", "-m", "one")
    user.redis.mset({"q:1": 2, "q:2": 2})
    counts = {"added": 1, "changed": 1, "removed": 0}
    told = json.loads(user.says("status", "--exclude", "q:*", "--json"))
    assert (told["hidden"], told["changed"]) == (counts, 0)
    assert user.says("status", "--exclude", "q:*").endswith(text("""
        nothing changed since
        excluded keys, not shown: 1 added, 1 changed
    """))  # fmt: skip
    assert user.run("diff", "--exit-code", "--exclude", "q:*").code == 0


@pytest.fixture
def narrowed(user: User) -> User:
    """The second commit leaves keys out that are still there."""
    user.redis.mset({"a": 1, "b": 1, "x:0": 1, "x:1": 1})
    user.says("commit", "-m", "all")
    git(user.repo, "config", "gitbackup.exclude", "x:*")
    user.redis.delete("b")
    user.run("commit", "-m", "fewer")
    return user


def test_keys_that_leave_the_scope_are_not_told_as_removed(narrowed: User) -> None:
    sentence = (
        "gitbackup: warning: 2 keys are not shown as removed, because they are outside"
        " the scope of the later commit\n"
    )
    gone = text("""
        D  b  string
             - "1"
    """)
    assert narrowed.run("diff", "HEAD~1", "HEAD") == Done(0, gone, sentence)
    shown = narrowed.run("show", "HEAD")
    assert shown.out.endswith(gone)
    assert shown.err == sentence
    assert "x" not in narrowed.says("log", "--stat", "-n", "1").partition("fewer")[2]
    assert narrowed.run("diff", "HEAD~1", "HEAD", "--format", "redis").out == "SELECT 0\nUNLINK b\n"


def test_the_history_of_a_key_says_where_it_left_the_scope(narrowed: User) -> None:
    assert narrowed.says("log", "--", "x:0") == text("""
        id2  MINUTE (AGE)
            fewer
            1 key is outside its scope: their older history is unknown
        id1  MINUTE (AGE)
            all
            A  x:0  string
                 + "1"
    """)
    newest = json.loads(narrowed.says("log", "--json", "--", "x:*").splitlines()[0])
    assert (newest["keys"], newest["out_of_scope"]) == ([], 2)
    assert "id1" in narrowed.says("blame", "a")


@pytest.mark.few(1)
@pytest.mark.parametrize("by_hand", [True, False])
@pytest.mark.parametrize("words", [
    ["restore", "HEAD", "--dry-run"], ["show"], ["show", "HEAD:a"], ["keys"], ["blame", "a"],
    ["log", "--stat"], ["log", "--", "a"], ["log", "--", "*"], ["diff"], ["diff", "HEAD~1", "HEAD"],
    ["diff", "HEAD", "HEAD~1"], ["status"], ["export", "HEAD"], ["commit", "-m", "over"],
    ["log", "--html", "page.html"], ["clone", "data-git-backup", "copy"],
])  # fmt: skip
def test_a_newer_format_is_refused_by_every_command_that_reads_it(
    user: User, words: list[str], by_hand: bool
) -> None:
    for value in (1, 2):
        user.redis.set("a", value)
        user.says("commit")
    newer = (user.repo / "gitbackup.json").read_text().replace('"format": 1', '"format": 2')
    (user.repo / "gitbackup.json").write_text(newer)
    message = git(user.repo, "log", "-1", "--format=%B").replace("Format: 1", "Format: 2")
    git(user.repo, "commit", "-qam", "by hand" if by_hand else message)
    done = user.run(*words)
    assert (done.code, done.out) == (13, "")
    assert done.err == (
        "gitbackup: gitbackup.json: the snapshot has format 2, and this gitbackup reads"
        " up to 1; upgrade gitbackup\n"
    )
