"""Trees that are small and stand for more than any disk could hold: told in bounded time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gitbackup.store.repository import Repository
from tests.cli.user import User
from tests.store.plain import commit, git

pytestmark = pytest.mark.few(1)

LEVELS, WIDTH = 10, 10
NAMES = [f"{number:02x}" for number in range(WIDTH)]


@pytest.fixture
def kept(user: User) -> User:
    user.redis.set("good", "a")
    user.says("commit", "-m", "one")
    return user


def made(user: User, make: Callable[[Path], str], at: str) -> None:
    """A repository, `bomb`, on a commit of what HEAD has and, at this place, such a tree."""
    folder = Path("bomb")
    user.says("clone", str(user.repo), str(folder))
    tree = make(folder)
    there = git(folder, "ls-tree", "HEAD").split("\n")
    kept = [line for line in there if not line.endswith(f"\t{at}")]
    whole = git(
        folder,
        "mktree",
        "--missing",
        stdin="\n".join([*kept, f"040000 tree {tree}\t{at}\n"]).encode(),
    )
    found = git(folder, "commit-tree", whole, "-p", "HEAD", "-m", "hostile")
    git(folder, "update-ref", "HEAD", found)


def exponential(repository: Path) -> str:
    """Ten files in a folder, ten times in a folder, and so on."""
    blob = git(repository, "hash-object", "-w", "--stdin", stdin=b"{}\n")
    lines = [f"100644 blob {blob}\t{name}.json" for name in NAMES]
    for _ in range(LEVELS):
        tree = git(repository, "mktree", stdin="\n".join([*lines, ""]).encode())
        lines = [f"040000 tree {tree}\t{name}" for name in NAMES]
    return tree


def deep(repository: Path, levels: int = 1500) -> str:
    blob = git(repository, "hash-object", "-w", "--stdin", stdin=b"{}\n")
    line = f"100644 blob {blob}\ta.json\n"
    for _ in range(levels):
        line = f"040000 tree {git(repository, 'mktree', stdin=line.encode())}\td\n"
    return line.split()[2]


@pytest.mark.parametrize("place", ["db0", "elsewhere"])
def test_files_without_end_are_not_taken_over(place: str, kept: User) -> None:
    made(kept, exponential, place)
    before = git(kept.repo, "rev-parse", "HEAD")

    cloned = kept.run("clone", "bomb", "copied")
    pulled = kept.run("pull", "bomb")

    for done in (cloned, pulled):
        assert (done.code, "trees that no database has" in done.err) == (13, True), done
    assert not Path("copied").exists()
    assert git(kept.repo, "rev-parse", "HEAD") == before
    assert kept.run("status").code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("keys", "HEAD"),
        ("show", "HEAD:good"),
        ("blame", "good"),
        ("export", "HEAD", "-o", "out"),
        ("restore", "HEAD", "--dry-run"),
        ("commit", "--dry-run"),
        ("status",),
        ("verify",),
    ],
)
def test_files_without_end_are_told_where_they_are_already(
    words: tuple[str, ...], kept: User
) -> None:
    made(kept, exponential, "db0")

    done = kept.run(*words, "--repo", "bomb")

    assert (done.code, "Traceback" in done.err) == (13, False)


@pytest.mark.long
@pytest.mark.parametrize(
    "words", [("show", "HEAD:good"), ("blame", "good"), ("keys",), ("verify",), ("log", "--stat")]
)
def test_folders_in_each_other_without_end(words: tuple[str, ...], kept: User) -> None:
    made(kept, deep, "db0")

    done = kept.run(*words, "--repo", "bomb")

    assert (done.code in (0, 1, 2, 13), "Traceback" in done.err) == (True, False), done
    assert kept.run("clone", "bomb", "copied").code == 13
    assert not Path("copied").exists()


def test_what_is_the_same_in_every_database_is_no_bomb(kept: User) -> None:
    repository = Repository.open(kept.repo)
    files = {f"db{n}/{m:04x}.json": b"%d\n" % m for n in range(16) for m in range(500)}
    commit(repository, files)

    assert len(repository.files("HEAD")) >= 16 * 500
    assert kept.run("clone", str(kept.repo), "copied").code == 0
