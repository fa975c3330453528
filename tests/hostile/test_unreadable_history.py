"""One commit of the history cannot be read: the others are shown, and what is wrong with it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.user import User
from tests.hostile.test_bombs import empty, exponential
from tests.hostile.test_unreadable_head import NOWHERE, lose, lose_root, put_tree
from tests.store.plain import git


def lose_file(repository: Path) -> None:
    """The file that gitbackup's own last commit has of the key `good`."""
    lose(repository, git(repository, "rev-parse", "HEAD:db0/_.json"))


def lose_folder(repository: Path) -> None:
    lose(repository, git(repository, "rev-parse", "HEAD:db0"))


CASES: dict[str, Callable[[Path], None]] = {
    "a missing file": lose_file,
    "a missing folder": lose_folder,
    "a missing root": lose_root,
    "a missing folder of a person": lambda at: put_tree(at, NOWHERE),
    "files without end": lambda at: put_tree(at, exponential(at)),
    "folders without end": lambda at: put_tree(at, empty(at)),
}


FAST = ("a missing file", "files without end")


@pytest.fixture(
    params=[pytest.param(n, marks=[] if n in FAST else [pytest.mark.long]) for n in CASES]
)
def kept(request: pytest.FixtureRequest, user: User) -> User:
    """The third commit of four, or the one after it, is the bad one."""
    user.says("init", "--bare")
    for number in range(4):
        if number == 3:
            CASES[request.param](user.repo)
        user.redis.mset({"good": f"v{number}", "field": "same"})
        assert user.run("commit", "-m", f"number {number}").code == 0
    return user


def test_the_log_goes_on_around_it(kept: User) -> None:
    for words in (["--stat"], ["--stat", "--oneline"], ["-p", "--", "good"], ["--", "g*"]):
        told = kept.says("log", *words)
        assert [f"number {number}" in told for number in (0, 1, 3)] == [True] * 3, told
        assert "--oneline" in words or "is damaged" in told, told
    kept.says("log", "--html", "page.html")
    page = Path("page.html").read_text()
    assert [f"number {number}" in page for number in (0, 1, 3)] == [True] * 3
    assert "cannot be read: " in page


def test_the_log_tells_a_program(kept: User) -> None:
    for words in (["--stat"], ["--", "good"]):
        lines = kept.says("log", "--json", *words).splitlines()
        damage = {told["subject"]: told["damage"] for told in map(json.loads, lines)}
        assert (damage["number 0"], damage["number 1"]) == (None, None)
        assert "is damaged" in (damage["number 3"] or damage["number 2"])


def test_blame_says_what_it_does_not_know(kept: User) -> None:
    """The value is of the last commit; the other key is from the first, if that can be known."""
    done = kept.run("blame", "field")

    assert (done.code, "number " in done.out) == (0, True), done
    assert "number 0" in done.out or "may be older: HERE/data-git-backup is damaged" in done.err


@pytest.fixture(params=["missing", "corrupt"])
def cut(request: pytest.FixtureRequest, user: User) -> User:
    """The commit before HEAD itself cannot be read, so git does not find those before it."""
    user.says("init", "--bare")
    for number in range(3):
        user.redis.set("good", f"v{number}")
        user.says("commit", "-m", f"number {number}")
    commit = git(user.repo, "rev-parse", "HEAD~1")
    lose(user.repo, commit)
    if request.param == "corrupt":
        (user.repo / "objects" / commit[:2] / commit[2:]).write_bytes(b"nonsense")
    return user


def test_a_log_without_its_end(cut: User) -> None:
    words = (["--stat"], ["--oneline"], ["--", "good"], ["--html", "page.html"])
    told = [cut.run("log", *each) for each in words]

    assert [done.code for done in told] == [13] * len(words)
    assert all("number 2" in done.out for done in told[:3]), told
    assert "number 2" in Path("page.html").read_text()
    for done in told:
        assert done.err.startswith("gitbackup: HERE/data-git-backup is damaged: git log failed: ")
        assert "commits before that one are not listed" in done.err
        assert done.err.count("\n") == 1
    assert "number 2" in cut.says("log", "-n1")
    assert "may be older: HERE" in cut.run("blame", "good").err


def test_head_is_good_whatever_was_before_it(cut: User) -> None:
    cut.redis.set("good", "live")

    assert cut.run("restore", "HEAD", "--yes").code == 0
    assert cut.redis.get("good") == b"v2"
    cut.redis.set("good", "after")
    assert cut.run("commit", "-m", "after").code == 0
    assert cut.run("status").code == 0
    assert cut.run("check").code in (0, 1)
    assert cut.run("export", "HEAD", "-o", "out.json").code == 0


@pytest.mark.parametrize("what", ["HEAD~1", "HEAD~1:db0/_.json"])
@pytest.mark.parametrize("place", ["there.git", "there.bundle"])
def test_a_push_says_what_is_missing_and_how_to_get_it_back(
    what: str, place: str, user: User
) -> None:
    user.says("init", "--bare")
    for number in range(2):
        user.redis.set("good", f"v{number}")
        user.says("commit")
    git(Path.cwd(), "clone", "--quiet", "--bare", str(user.repo), "copy.git")
    git(Path.cwd(), "init", "--quiet", "--bare", "there.git")
    lose(user.repo, git(user.repo, "rev-parse", what))

    done = user.run("push", place)

    assert (done.code, done.err.count("\n")) == (13, 1), done
    kind = "blob" if ":" in what else "commit"
    assert re.match(f"gitbackup: nothing was pushed, .* missing {kind} ", done.err), done
    command = done.err.split("`")[3].replace("HERE", str(Path.cwd()))
    assert command.split()[3:] == ["fetch", "--refetch", "COPY"]
    if "--refetch" in git_help("fetch"):  # since 2.36
        git(user.repo, "fetch", "--quiet", "--refetch", str(Path("copy.git").resolve()))
        assert user.run("push", place).code == 0


def git_help(command: str) -> str:
    return subprocess.run(
        ["git", command, "-h"], capture_output=True, text=True, check=False
    ).stdout
