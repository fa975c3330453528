"""What is wrong with a repository is said in one sentence, and everything stays as it was."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
from pathlib import Path

import pytest

from gitbackup.store.repository.repository import Repository
from tests.cli.user import Done, User
from tests.store.plain import git

ENTRY = {"type": "string", "value": "x"}


@pytest.fixture
def kept(user: User) -> User:
    user.redis.mset({"user:1": "a", "user:2": "b"})
    user.says("commit", "-m", "begin")
    return user


def by_hand(user: User, path: str, content: str) -> None:
    file = user.repo / path
    file.parent.mkdir(exist_ok=True)
    file.write_text(content)
    git(user.repo, "add", ".")
    git(user.repo, "commit", "--quiet", "-m", "by hand")


def refusal(user: User, *words: str) -> Done:
    """What a command says that changes nothing."""
    before = user.state()
    done = user.run(*words)
    assert user.state() == before
    assert done.err.count("\n") == 1
    return done


@pytest.mark.parametrize(
    "words", [["show", "nope"], ["show", "nope:a"], ["restore", "nope", "--yes"]]
)
def test_a_commit_that_is_not_there(kept: User, words: list[str]) -> None:
    assert refusal(kept, *words) == Done(
        2,
        "",
        "gitbackup: there is no commit 'nope' in HERE/data-git-backup; `gitbackup log` lists"
        " them\n",
    )


def test_what_is_neither_a_commit_nor_a_pattern(kept: User) -> None:
    assert refusal(kept, "log", "nope") == Done(
        2,
        "",
        "gitbackup: there is no commit or key 'nope'; `gitbackup log` lists the commits; put --"
        " before the name of a key that HEAD does not have\n",
    )


def test_an_error_is_json_where_the_output_is(kept: User) -> None:
    done = refusal(kept, "show", "--json", "nope")
    assert (done.code, json.loads(done.err)) == (
        2,
        {
            "schema": "gitbackup.error/1",
            "error": "there is no commit 'nope' in HERE/data-git-backup; `gitbackup log` lists"
            " them",
            "exit_code": 2,
        },
    )


def test_wrong_usage_is_json_where_the_output_is(kept: User) -> None:
    done = refusal(kept, "log", "--json", "--xyzzy")
    assert json.loads(done.err) == {
        "schema": "gitbackup.error/1",
        "error": "No such option '--xyzzy'. See gitbackup log --help",
        "exit_code": 2,
    }


def test_a_repository_that_borrows_from_a_folder_that_is_gone(kept: User, tmp_path: Path) -> None:
    kept.repo.rename("lender")
    git(Path.cwd(), "clone", "--quiet", "--shared", "lender", str(kept.repo))
    assert "begin" in kept.says("log")
    Path("lender").rename(tmp_path / "elsewhere")
    for words in (["log"], ["status"], ["commit"], ["clone", "data-git-backup", "copy"]):
        done = kept.run(*words)
        told = (
            "is damaged: it borrows objects from HERE/lender/.git/objects (see git clone --shared)"
        )
        assert (done.code, told in done.err, done.err.count("\n")) == (13, True, 1)
    (tmp_path / "elsewhere").rename("lender")
    git(kept.repo, "repack", "-adq")
    Path("lender").rename(tmp_path / "elsewhere")
    assert "begin" in kept.says("log")


@pytest.mark.parametrize("words", [["log"], ["status"], ["commit"], ["restore", "HEAD", "--yes"]])
def test_a_repository_that_is_not_ours(user: User, words: list[str]) -> None:
    git(Path.cwd(), "init", "--quiet", "data-git-backup")
    Path("data-git-backup/file").write_text("mine")
    git(user.repo, "add", ".")
    git(user.repo, "commit", "--quiet", "-m", "mine")
    assert refusal(user, *words) == Done(
        10,
        "",
        "gitbackup: data-git-backup is a git repository, but not a gitbackup data repository;"
        " name the right one with --repo\n",
    )


@pytest.mark.parametrize("words", [["log"], ["commit"]])
def test_a_repository_of_a_format_from_the_future(kept: User, words: list[str]) -> None:
    git(kept.repo, "config", "gitbackup.format", "2")
    assert refusal(kept, *words) == Done(
        13,
        "",
        "gitbackup: HERE/data-git-backup has format 2, and this gitbackup reads up to 1;"
        " upgrade gitbackup\n",
    )


@pytest.mark.parametrize(
    "words",
    [["restore", "HEAD", "--yes"], ["diff"], ["status"], ["commit"], ["commit", "--dry-run"]],
)
def test_a_snapshot_of_a_format_from_the_future(kept: User, words: list[str]) -> None:
    by_hand(kept, "gitbackup.json", '{"format": 2}')
    assert refusal(kept, *words) == Done(
        13,
        "",
        "gitbackup: gitbackup.json: the snapshot has format 2, and this gitbackup reads"
        " up to 1; upgrade gitbackup\n",
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{\n  "a": {,\n}', "line 2: not valid JSON"),
        ('["a"]', "line 1: not an object of keys and entries"),
        ('{\n  "a": 7\n}', "line 2: key 'a': the entry is not an object"),
        (
            '{\n  "a": {"type": "hash", "value": "x"}\n}',
            "line 2: key 'a': the value is not an object",
        ),
        (
            '{\n  "a": {"type": "zset", "value": {"m": "many"}}\n}',
            "line 2: key 'a': 'many' is not a score",
        ),
        (
            '{\n  "a": {"type": "string", "value": "x", "expires_at": "soon"}\n}',
            "line 2: key 'a': ",
        ),
        (
            '{\n  "a": {"type": "string", "value": "base64:*"}\n}',
            "line 2: key 'a': the value begins with base64: but is not valid base64",
        ),
        (
            '{\n  "a": {"type": "string", "value": "x"},\n  "a": {"type": "string"}\n}',
            "line 3: duplicate name 'a'",
        ),
        ("", "line 1: not valid JSON: "),
    ],
)
def test_a_file_that_a_person_broke_is_named(kept: User, content: str, sentence: str) -> None:
    by_hand(kept, "db0/broken.json", content)
    done = refusal(kept, "restore", "HEAD", "--yes")
    assert done.code == 13
    assert done.err.startswith(f"gitbackup: db0/broken.json, {sentence}")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"gitdir: a\0b\n", "/.git is damaged"), (b"gitdir: \xff\n", "no data repository at ")],
)
def test_a_file_that_leads_to_no_git_directory(user: User, content: bytes, sentence: str) -> None:
    Path("other").mkdir()
    Path("other/.git").write_bytes(content)
    done = user.run("log", "--repo", "other")
    assert (done.code, done.out, done.err.count("\n")) == (10, "", 1)
    assert sentence in done.err


def test_the_same_key_in_two_files_is_named_with_both(kept: User) -> None:
    by_hand(kept, "db0/more.json", json.dumps({"user:1": ENTRY}))
    assert refusal(kept, "restore", "HEAD", "--yes") == Done(
        13,
        "",
        "gitbackup: db0/more.json: key 'user:1' is also in db0/_.json; remove one of"
        " them; --skip-damaged restores the rest, and deletes nothing\n",
    )


def test_a_file_that_a_person_edits_is_never_overwritten(kept: User) -> None:
    edited = kept.repo / "db0" / "_.json"
    edited.write_text(edited.read_text().replace('"a"', '"edited"'))
    kept.redis.set("user:1", "changed")
    assert refusal(kept, "commit") == Done(
        1,
        "",
        "gitbackup: HERE/data-git-backup/db0/_.json has uncommitted changes that would be"
        " overwritten; commit, stash or discard them with git, then run again\n",
    )
    assert '"edited"' in edited.read_text()


def test_another_run_holds_the_repository(kept: User) -> None:
    with Repository.open(kept.repo).lock():
        done = refusal(kept, "commit", "--lock-wait", "0")
    assert done.code == 11
    assert re.fullmatch(
        r"gitbackup: another run of gitbackup, process \d+, is working in"
        " HERE/data-git-backup, since [\\d:\\- ]+\n",
        done.err,
    )


@pytest.mark.long
def test_git_is_not_installed(kept: User) -> None:
    before = kept.state()
    for words in (["log"], ["commit"], ["commit", "--repo", "new"]):
        assert kept.process(*words, env={"PATH": str(Path.cwd())}) == Done(
            1,
            "",
            "gitbackup: git is not installed, or not on the PATH; install git 2.30 or newer\n",
        )
    assert kept.state() == before
    assert not Path("new").exists()


def test_a_folder_where_nothing_can_be_made(user: User) -> None:
    Path("file").write_text("mine")
    done = user.run("commit", "--repo", "file/data")
    assert (done.code, done.out) == (1, "")
    assert done.err == "gitbackup: cannot make the data repository: Not a directory: file/data\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_not_ours_to_write(kept: User) -> None:
    kept.redis.set("user:1", "changed")
    (kept.repo / ".git").chmod(0o500)
    try:
        assert refusal(kept, "commit").code == 1
    finally:
        (kept.repo / ".git").chmod(0o700)


def test_a_disk_that_may_only_be_read(kept: User, tmp_path: Path) -> None:
    bind = ["mount", "--bind", str(kept.repo), str(kept.repo)]
    if subprocess.run(bind, capture_output=True).returncode:
        pytest.skip("only root may mount a folder")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(kept.repo)], check=True)
        kept.redis.set("user:1", "changed")
        assert refusal(kept, "commit") == Done(
            1,
            "",
            "gitbackup: cannot lock the data repository: Read-only file system:"
            " HERE/data-git-backup/.git/gitbackup/lock\n",
        )
        assert kept.run("status").code == 0
    finally:
        subprocess.run(["umount", str(kept.repo)], check=True)


def _small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_a_disk_that_is_full(kept: User) -> None:
    kept.redis.set("large", os.urandom(200_000))
    before = kept.state()
    unmeasured = {"COVERAGE_PROCESS_START": ""}  # what is measured needs room on that disk too
    done = kept.process("commit", env=unmeasured, preexec_fn=_small_files)
    assert (done.code, done.out, kept.state()) == (1, "", before)
    assert done.err.count("\n") == 1
    assert done.err.startswith("gitbackup: ")
    kept.says("commit")
    assert git(kept.repo, "fsck", "--strict") == ""


def test_a_disk_that_is_full_for_real(kept: User, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        repo = ("--repo", str(disk / "data"))
        # each in a process of its own, which has no file open there once it has ended
        assert kept.process("commit", *repo).code == 0
        kept.redis.set("large", os.urandom(2_000_000))
        before = git(disk / "data", "rev-parse", "HEAD")
        done = kept.process("commit", *repo)
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
        assert re.search("(Out of diskspace|No space left on device)\n$", done.err)
        assert git(disk / "data", "rev-parse", "HEAD") == before
        kept.redis.delete("large")
        assert kept.process("commit", *repo, "--allow-empty").code == 0
        assert git(disk / "data", "fsck", "--strict") == ""
    finally:
        subprocess.run(["umount", str(disk)], check=True)
