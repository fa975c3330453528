"""A value is forgotten: it is nowhere, everything else is as it was, and it does not come back."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from gitbackup.store.commits import rewrite
from gitbackup.store.repository import checkout, forgetting, worktree
from gitbackup.store.repository.repository import Repository
from gitbackup.store.repository.restore_journal import JournalEntry, State
from tests.cli.user import Done, User
from tests.store.plain import git, run_git

OLD, NEW = "first-secret-0123", "second-secret-4567"
FORGET = ("forget", "apikey:42", "--field", "secret", "--yes")


@pytest.fixture
def leaked(user: User) -> User:
    """Five commits; the middle three have the secret, and so do messages, a note and a tag."""
    user.redis.mset({"a": 1, "b": 1})
    user.says("commit", "-m", "before")
    user.redis.hset("apikey:42", mapping={"name": "alice", "secret": OLD})
    user.says("commit", "-m", f"token {OLD}")
    user.redis.hset("apikey:42", "secret", NEW)
    user.says("commit", "-m", "rotated")
    user.redis.set("a", 2)
    user.says("commit", "-m", "something else")
    user.run("note", "HEAD~1", "-m", f"why {OLD}")
    git(user.repo, "tag", "-a", "v1", "-m", f"with {OLD}", "HEAD~1")
    git(user.repo, "branch", "saved/elsewhere", "HEAD~2")
    git(user.repo, "update-ref", "ORIG_HEAD", "HEAD~1")
    user.redis.hdel("apikey:42", "secret")
    user.says("commit", "-m", "gone")
    return user


def holding(folder: Path, *words: str) -> list[str]:
    """The files, and git's objects, that have one of these words."""
    found = []
    for file in (file for file in folder.rglob("*") if file.is_file()):
        data = file.read_bytes()
        with suppress(zlib.error):
            data += zlib.decompress(data)
        found += [str(file) for word in words if word.encode() in data]
    if (folder / ".git").exists():
        every = ("cat-file", "--batch", "--batch-all-objects", "--unordered")
        objects = run_git(folder, *every).stdout
        found += [f"an object of {folder}" for word in words if word.encode() in objects]
    return found


def snapshots(folder: Path) -> list[dict[str, str]]:
    """The files of every commit of HEAD, the newest first."""
    commits = git(folder, "rev-list", "HEAD").split()
    listed = [git(folder, "ls-tree", "-r", commit).splitlines() for commit in commits]
    return [
        {line.split("\t")[1]: git(folder, "cat-file", "blob", line.split()[2]) for line in lines}
        for lines in listed
    ]


def without_secret(files: dict[str, str]) -> dict[str, object]:
    """The keys of a snapshot, less the field."""
    found = {path: json.loads(content) for path, content in files.items()}
    for entries in found.values():
        if "apikey:42" in entries:
            entries["apikey:42"]["value"].pop("secret", None)
    return found


def test_the_value_is_nowhere_and_all_else_is_as_it_was(leaked: User) -> None:
    before = snapshots(leaked.repo)
    assert holding(leaked.repo, OLD, NEW)
    first = leaked.commits()[0]
    done = leaked.run(*FORGET)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("forget apikey:42, field secret: 2 values in 3 of 5 commits\n")
    assert "HDEL apikey:42 secret removes it live" in done.out
    assert holding(leaked.repo, OLD, NEW) == []
    after = snapshots(leaked.repo)
    assert [*map(without_secret, after)] == [*map(without_secret, before)]
    assert leaked.commits()[0] == first
    assert git(leaked.repo, "fsck", "--strict") == ""
    assert git(leaked.repo, "status", "--porcelain") == ""
    assert "token (forgotten)" in leaked.says("log", "--oneline")
    assert git(leaked.repo, "rev-parse", "v1^{commit}", "saved/elsewhere").split() == [
        git(leaked.repo, "rev-parse", "HEAD~2"),
        git(leaked.repo, "rev-parse", "HEAD~3"),
    ]
    assert "why (forgotten)" in leaked.says("show", "HEAD~2")
    log = git(leaked.repo, "log", "--walk-reflogs", "--format=%H", "HEAD").split()
    assert log == git(leaked.repo, "rev-list", "HEAD").split()
    assert leaked.run("verify", "--all").code == 0
    assert leaked.says("commit") == "nothing to commit: none of 3 keys changed since id5\n"


def test_a_whole_key_goes_with_its_file(user: User) -> None:
    for number in range(20):
        user.redis.set(f"other:{number}", number)
    user.redis.set("session:1", "session-secret")
    user.redis.execute_command("SELECT", 3)
    user.redis.set("session:1", "another-session-secret")
    user.redis.execute_command("SELECT", 0)
    user.says("commit")
    assert (user.repo / "db3").exists()
    assert user.run("forget", "session:1", "--yes").code == 0
    assert holding(user.repo, "session-secret") == []
    assert not (user.repo / "db3").exists()
    assert "other:7" in user.says("log", "--", "other:7")


def test_it_is_asked_for_and_a_dry_run_changes_nothing(leaked: User) -> None:
    before = leaked.state()
    refused = leaked.run(*FORGET[:-1])
    assert (refused.code, "add --yes" in refused.err) == (2, True)
    assert leaked.says(*FORGET[:-1], "--dry-run").endswith("the database is not touched\n")
    told = json.loads(leaked.says(*FORGET[:-1], "--dry-run", "--json"))
    assert (told["done"], told["commits"], told["total"], told["versions"]) == (False, 3, 5, 2)
    assert leaked.state() == before
    said = leaked.at_terminal(*FORGET[:-1], types="n\n", asked="[y/N]: ")
    assert said.code == 1
    assert leaked.state() == before
    for words in (("none",), ("apikey:42", "--field", "none")):
        done = leaked.run("forget", *words, "--yes")
        assert (done.code, done.err[:28]) == (2, "gitbackup: no commit has a k")
    assert leaked.run("forget", "a", "--field", "x", "--yes").err == (
        "gitbackup: 'a' is a string, and --field is for hashes: without --field, the whole key is"
        " forgotten\n"
    )
    assert leaked.run(*FORGET).code == 0
    again = leaked.says(*FORGET)
    assert again.startswith("apikey:42, field secret was forgotten before: no commit has it\n")


def test_what_the_database_still_has_is_not_committed_unnoticed(leaked: User) -> None:
    assert leaked.run(*FORGET).code == 0
    head = leaked.commits()
    leaked.redis.hset("apikey:42", "secret", NEW)
    for words in (("commit",), ("restore", "HEAD~1", "--yes")):
        done = leaked.run(*words)
        assert (done.code, done.out) == (1, "" if words == ("commit",) else done.out)
        assert "apikey:42, field secret has a value again that was forgotten" in done.err
    assert leaked.commits() == head
    leaked.redis.hset("apikey:42", "secret", "a third one")
    leaked.says("commit")
    leaked.redis.hset("apikey:42", "secret", OLD)
    assert leaked.run("commit").code == 1
    assert leaked.says("forget", "apikey:42", "--allow").endswith("may be committed again\n")
    leaked.says("commit")
    assert leaked.run("forget", "b", "--allow").code == 2


def test_a_part_of_a_forgotten_key_is_known_again(leaked: User) -> None:
    leaked.redis.hset("apikey:42", "secret", NEW)
    assert leaked.run("forget", "apikey:42", "--yes").code == 0
    assert holding(leaked.repo, OLD, NEW) == []
    leaked.redis.hset("apikey:42", "lastUsed", "just now")
    assert "apikey:42 has a value again" in leaked.run("commit").err
    leaked.redis.hset("apikey:42", "secret", "rotated at last")
    leaked.says("commit")


def test_a_field_s_name_that_may_be_a_secret_is_nowhere_either(user: User) -> None:
    user.redis.hset("map", mapping={"sk-0123456789": "42", "other": "43"})
    user.says("commit", "-m", "token sk-0123456789")
    assert user.run("forget", "map", "--field", "sk-0123456789", "--yes").code == 0
    assert holding(user.repo, "sk-0123456789") == []
    refused = user.run("commit")
    assert (refused.code, "map, one field has a value again" in refused.err) == (1, True)
    assert "sk-0123456789" not in refused.err
    again = user.says("forget", "map", "--field", "sk-0123456789", "--yes")
    assert "was forgotten before: no commit has it\n" in again
    assert user.says("forget", "map", "--allow") == "map, one field may be committed again\n"
    user.says("commit")


def test_a_bundle_is_replaced_by_the_next_push_and_a_clone_is_told(leaked: User) -> None:
    Path("cloud").mkdir()
    leaked.run("push", "cloud")
    leaked.says("clone", "cloud", "copy")
    other = leaked.says("clone", "cloud", "mine")
    leaked.redis.incr("count")
    leaked.says("commit", "--repo", "mine")
    said = leaked.run(*FORGET).out
    assert "to replace the history at origin: gitbackup push origin\n" in said
    stale = leaked.run("pull")
    assert (stale.code, "has the history from before `gitbackup forget`" in stale.err) == (1, True)
    assert leaked.says("push").startswith("pushed ")
    assert other
    assert holding(Path("cloud"), OLD, NEW) == []
    fresh = leaked.says("clone", "cloud", "fresh")
    assert (fresh[:6], holding(Path("fresh"), OLD, NEW)) == ("cloned", [])
    leaked.redis.hset("apikey:42", "secret", NEW)
    assert leaked.run("commit", "--repo", "fresh").code == 1
    leaked.redis.hdel("apikey:42", "secret")
    for folder in ("copy", "mine"):
        head = git(Path(folder), "rev-parse", "HEAD")
        told = leaked.run("pull", "--repo", folder)
        assert (told.code, git(Path(folder), "rev-parse", "HEAD")) == (1, head)
        assert "`gitbackup forget --field secret apikey:42` forgets it here, too" in told.err
        assert leaked.run(*FORGET, "--repo", folder).code == 0
        assert leaked.run("pull", "--repo", folder).code == 0
        assert holding(Path(folder), OLD, NEW) == []
    ours = git(leaked.repo, "rev-parse", "HEAD")
    assert git(Path("copy"), "rev-parse", "HEAD") == ours
    assert git(Path("mine"), "rev-parse", "HEAD~1") == ours


def test_a_git_remote_is_replaced_by_the_command_that_is_printed(leaked: User) -> None:
    git(Path.cwd(), "init", "--quiet", "--bare", "there.git")
    leaked.run("push", "there.git")
    line = next(line for line in leaked.run(*FORGET).out.splitlines() if "--force" in line)
    refused = leaked.run("push")
    assert (refused.code, "to replace it: git -C " in refused.err) == (1, True)
    words = shlex.split(line.partition(": ")[2])
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0
    assert leaked.run("push").out.startswith("nothing to push")
    objects = run_git(Path("there.git"), "rev-list", "--all", "--objects").stdout.split()
    ids = b"\n".join(word for word in objects if len(word) == 40)
    contents = run_git(Path("there.git"), "cat-file", "--batch", stdin=ids + b"\n").stdout
    assert OLD.encode() not in contents


def test_what_goes_on_from_the_old_history_is_not_fetched(leaked: User) -> None:
    Path("cloud").mkdir()
    leaked.run("push", "cloud")
    leaked.says("clone", "cloud", "copy")
    leaked.redis.incr("count")
    leaked.says("commit", "--repo", "copy")
    leaked.says("push", "--repo", "copy")
    leaked.run(*FORGET)
    before = git(leaked.repo, "for-each-ref")
    done = leaked.run("pull")
    assert (done.code, "goes on from the history from before" in done.err) == (1, True)
    assert git(leaked.repo, "for-each-ref") == before
    assert holding(leaked.repo, OLD, NEW) == []


STEPS = (
    (forgetting, "write_whole"),
    (forgetting, "_keep_map"),
    (forgetting, "_remember"),
    (forgetting, "_move_refs"),
    (checkout, "advance"),
    (worktree, "follow"),
    (forgetting, "_rename_in_restores"),
    (forgetting, "_remove_left"),
    (forgetting, "_rewrite_logs"),
    (rewrite, "prune"),
    (rewrite, "expect_gone"),
    (Repository, "close"),
)


@pytest.mark.few(4)
@pytest.mark.parametrize(("module", "step"), [*STEPS[::3], *STEPS[1::3], *STEPS[2::3]])
def test_a_run_that_is_killed_is_finished_by_the_same_words(
    leaked: User, module: object, step: str
) -> None:
    old = git(leaked.repo, "rev-parse", "HEAD")
    before = [*map(without_secret, snapshots(leaked.repo))]
    child = os.fork()
    if not child:
        done: Callable[..., None] = getattr(module, step)

        def killed(*given: object, **more: object) -> None:
            if step not in ("advance", "close"):
                done(*given, **more)  # it is killed right after the step, or else before it
            os._exit(9)

        setattr(module, step, killed)
        leaked.run(*FORGET)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 9 << 8
    head = git(leaked.repo, "rev-parse", "HEAD")
    assert [*map(without_secret, snapshots(leaked.repo))] == before
    assert leaked.run("log").code == 0
    done_again = leaked.run(*FORGET)
    assert done_again.code == 0
    assert holding(leaked.repo, OLD, NEW) == []
    assert git(leaked.repo, "fsck", "--strict") == ""
    assert git(leaked.repo, "status", "--porcelain") == ""
    assert git(leaked.repo, "rev-parse", "HEAD") != old
    assert head in (old, git(leaked.repo, "rev-parse", "HEAD"))
    assert leaked.says("commit").startswith("nothing to commit")


def test_an_unfinished_restore_and_a_watch_are_in_the_way(leaked: User) -> None:
    leaked.redis.hset("apikey:42", "secret", NEW)
    leaked.says("commit")
    repository = Repository.open(leaked.repo)
    before = leaked.state()
    with repository.beside("watching"):
        busy = leaked.run(*FORGET)
    assert (busy.code, "stop it" in busy.err) == (11, True)
    entry = JournalEntry("[]", "{}", git(leaked.repo, "rev-parse", "HEAD~1"), "", True)
    with repository.lock():
        repository.journal.restoring(entry)
        repository.journal.reach(State.WRITING)
    refused = leaked.run(*FORGET)
    assert (refused.code, "a restore was interrupted" in refused.err) == (1, True)
    (leaked.repo / ".git/gitbackup/restoring").unlink()
    file = leaked.repo / "db0/_.json"
    file.write_text(file.read_text().replace("alice", "bob"))
    edited = leaked.run(*FORGET)
    assert edited.code == 1
    git(leaked.repo, "checkout", "--", "db0")
    assert leaked.state() == before
    assert isinstance(edited, Done)


@pytest.mark.parametrize("back", ["restore", "revert"])
def test_an_undo_of_what_was_forgotten_says_who_has_to_do_it(leaked: User, back: str) -> None:
    """The database still has it, and no commit does."""
    leaked.redis.set("token", OLD)
    leaked.says("commit", "-m", "a token")
    leaked.redis.delete("token")
    leaked.says("commit", "-m", "no token")
    words = ("restore", "HEAD~1") if back == "restore" else ("revert", "HEAD")
    assert leaked.run(*words, "--yes").code == 0
    assert leaked.run("forget", "token", "--yes").code == 0
    done = leaked.run("undo", "--dry-run")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("gitbackup: nothing to undo: what the last restore, ")
    assert done.err.endswith(
        " changed was forgotten since (token): change or delete that in the database yourself\n"
    )
    assert leaked.redis.get("token") == OLD.encode()


def test_an_undo_finds_its_restore_in_the_new_history(leaked: User) -> None:
    leaked.redis.set("a", 5)
    assert leaked.run("restore", "HEAD~4", "a", "--yes").code == 0
    assert leaked.run(*FORGET).code == 0
    assert leaked.run("undo", "--yes").code == 0
    assert leaked.redis.get("a") == b"5"


def test_an_encrypted_bundle_follows_too(leaked: User) -> None:
    from tests.cli.test_encrypted_push import new_key

    Path("cloud").mkdir()
    key = new_key("KEY.txt")
    leaked.run("push", "cloud", "--encrypt-to", key)
    assert leaked.run(*FORGET).code == 0
    assert leaked.run("push").code == 0
    leaked.says("clone", "cloud", "fresh", "--identity", "KEY.txt")
    assert holding(Path("fresh"), OLD, NEW) == []
