"""One commit of the history cannot be read: the others are shown, and what is wrong with it."""

from __future__ import annotations

import json
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
