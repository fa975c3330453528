"""Trees that are small and stand for more than any disk could hold: told in bounded time."""

from __future__ import annotations

import hashlib
import os
import re
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from gitbackup.snapshot.file_format import MANIFEST, MOST_MANIFEST
from gitbackup.store.repository.repository import Repository
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


def empty(repository: Path) -> str:
    """Ten folders in a folder, ten times in a folder, and so on, and not one file."""
    tree = git(repository, "mktree", stdin=b"")
    for _ in range(LEVELS + 1):
        lines = [f"040000 tree {tree}\t{name}\n" for name in NAMES]
        tree = git(repository, "mktree", stdin="".join(lines).encode())
    return tree


def deep(repository: Path, levels: int = 1500) -> str:
    """Folders in each other, written as git writes them: it takes long to make so many."""
    entry = b"100644 a.json\0" + bytes.fromhex(
        git(repository, "hash-object", "-w", "--stdin", stdin=b"{}\n")
    )
    for _ in range(levels):
        tree = loose(repository, b"tree %d\0" % len(entry) + entry)
        entry = b"40000 d\0" + bytes.fromhex(tree)
    return tree


def loose(repository: Path, whole: bytes) -> str:
    """Writes an object with its head, whatever that says, as git keeps one; its id."""
    ident = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
    file = repository / ".git" / "objects" / ident[:2] / ident[2:]
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(zlib.compress(whole))
    return ident


def put(repository: Path, path: str, blob: str) -> None:
    """A commit of what HEAD has and, at this path, such a blob."""
    git(repository, "read-tree", "HEAD")
    git(repository, "update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
    tree = git(repository, "write-tree", "--missing-ok")
    found = git(repository, "commit-tree", tree, "-p", "HEAD", "-m", "hostile")
    git(repository, "update-ref", "HEAD", found)


@pytest.mark.parametrize("place", ["db0", "elsewhere"])
@pytest.mark.parametrize("make", [exponential, empty])
def test_files_without_end_are_not_taken_over(
    make: Callable[[Path], str], place: str, kept: User
) -> None:
    made(kept, make, place)
    before = git(kept.repo, "rev-parse", "HEAD")

    cloned = kept.run("clone", "bomb", "copied")
    pulled = kept.run("pull", "bomb")

    for done, code in ((cloned, 0), (pulled, 13)):
        assert done.code == code, done
        assert "a tree that cannot come from a database" in done.err
    assert "HEAD here is commit id1, the newest that can be read" in cloned.err
    assert git(Path("copied"), "rev-parse", "HEAD") == before
    assert kept.run("diff", "HEAD", "--repo", "copied").code == 0
    assert git(kept.repo, "rev-parse", "HEAD") == before
    assert kept.run("status").code == 0


def test_a_clone_goes_on_around_one_in_the_middle_of_the_history(kept: User) -> None:
    made(kept, exponential, "db0")
    folder = Path("bomb")
    tree = git(folder, "rev-parse", "HEAD~1^{tree}")
    good = git(folder, "commit-tree", tree, "-p", "HEAD", "-m", "good again")
    git(folder, "update-ref", "HEAD", good)
    git(folder, "branch", "other", "HEAD~1")

    cloned = kept.run("clone", "bomb", "copied")

    assert cloned.code == 0
    assert f"HEAD here is commit {good[:7]}, the newest that can be read" in cloned.err
    assert "left out branch other of origin (HERE/bomb): a commit there has a tree" in cloned.err
    assert git(Path("copied"), "rev-parse", "HEAD") == good
    assert "good again" in kept.says("log", "--repo", "copied")


@pytest.mark.parametrize(
    "words",
    [
        ("keys", "HEAD"),
        ("show", "HEAD:good"),
        ("blame", "good"),
        ("export", "HEAD", "-o", "out"),
        ("restore", "HEAD", "--dry-run"),
        ("status",),
        ("verify",),
        ("show",),
        ("diff",),
        ("diff", "HEAD~1", "HEAD"),
        ("restore", "HEAD", "--yes", "--skip-damaged"),
    ],
)
@pytest.mark.parametrize("make", [exponential, empty])
def test_files_without_end_are_told_where_they_are_already(
    make: Callable[[Path], str], words: tuple[str, ...], kept: User
) -> None:
    made(kept, make, "db0")

    done = kept.run(*words, "--repo", "bomb")

    assert (done.code, "Traceback" in done.err) == (13, False)


@pytest.mark.parametrize("make", [exponential, empty])
def test_what_is_in_the_history_besides_can_be_read(
    make: Callable[[Path], str], kept: User
) -> None:
    made(kept, make, "db0")

    for words in (("log",), ("log", "--stat"), ("log", "--repo", "bomb", "--", "good")):
        assert "one" in kept.says(*words, *(["--repo", "bomb"] if "--repo" not in words else []))
    for words in (("show", "HEAD~1:good"), ("keys", "HEAD~1")):
        assert "string" in kept.says(*words, "--repo", "bomb")
    assert "compared with commit" in kept.run("commit", "--dry-run", "--repo", "bomb").err
    assert kept.run("diff", "HEAD~1", "--repo", "bomb").code in (0, 1)


@pytest.mark.long
@pytest.mark.parametrize(
    "words", [("show", "HEAD:good"), ("blame", "good"), ("keys",), ("verify",), ("log", "--stat")]
)
def test_folders_in_each_other_without_end(words: tuple[str, ...], kept: User) -> None:
    made(kept, deep, "db0")

    done = kept.run(*words, "--repo", "bomb")

    assert (done.code in (0, 1, 2, 13), "Traceback" in done.err) == (True, False), done
    assert "the newest that can be read" in kept.run("clone", "bomb", "copied").err


def test_notes_that_are_one_are_left_out(kept: User) -> None:
    """git would merge them with ours, each file of them."""
    kept.says("clone", str(kept.repo), "bomb")
    tree = exponential(Path("bomb"))
    notes = git(Path("bomb"), "commit-tree", tree, "-m", "hostile")
    git(Path("bomb"), "update-ref", "refs/notes/gitbackup", notes)
    git(kept.repo, "notes", "--ref=gitbackup", "add", "-m", "ours")

    done = kept.run("pull", "bomb")

    assert done.code == 0
    assert "left out the notes gitbackup of origin (HERE/bomb): they have trees of" in done.err
    assert git(kept.repo, "notes", "--ref=gitbackup", "show", "HEAD") == "ours"


@pytest.mark.long
def test_what_is_the_same_in_every_database_is_no_bomb(kept: User) -> None:
    repository = Repository.open(kept.repo)
    files = {f"db{n}/{m:04x}.json": b"%d\n" % m for n in range(16) for m in range(500)}
    commit(repository, files)

    assert len(repository.files("HEAD")) >= 16 * 500
    assert kept.run("clone", str(kept.repo), "copied").code == 0


HUGE = 1 << 50


@pytest.fixture
def huge(kept: User) -> User:
    """A repository whose HEAD has, besides a good file, one of more bytes than any memory."""
    kept.redis.set("other", "b")
    kept.says("commit", "-m", "two")
    put(kept.repo, "db0/huge.json", loose(kept.repo, b"blob %d\0{\n" % HUGE))
    kept.redis.delete("good")
    return kept


@pytest.mark.parametrize(
    "words", [("keys",), ("diff", "HEAD~1", "HEAD"), ("export", "HEAD", "-o", "out"), ("show",)]
)
def test_a_file_that_no_memory_holds_is_named(words: tuple[str, ...], huge: User) -> None:
    done = huge.run(*words)

    assert (done.code, "Traceback" in done.err) == (13, False), done
    assert "db0/huge.json: cannot read blob " in done.err
    assert f"it has {HUGE:,} bytes, and " in done.err


@pytest.mark.parametrize("beginning", [b"", b'{"schema":"x","entries":1}\n', b"# v2 git bundle\n"])
@pytest.mark.parametrize(
    "words",
    [
        ("import", "file", "--dry-run"),
        ("restore", "--plan", "file", "--yes"),
        ("clone", "file", "copied"),
        ("rdb", "verify", "file"),
    ],
)
def test_a_file_that_no_memory_holds_is_not_read(
    words: tuple[str, ...], beginning: bytes, kept: User
) -> None:
    """Its line does not end either, and takes no room on the disk."""
    Path("file").write_bytes(beginning)
    os.truncate("file", 1 << 43)

    done = kept.run(*words)

    assert (done.code in (2, 13), "Traceback" in done.err) == (True, False), done
    assert len(done.err.splitlines()) == 1


def test_what_is_beside_it_is_restored(huge: User) -> None:
    assert huge.run("restore", "HEAD", "--yes").code == 13
    done = huge.run("restore", "HEAD", "--yes", "--skip-damaged")

    assert done.code == 3
    assert f"it has {HUGE:,} bytes, and " in done.err
    assert (huge.redis.get("good"), huge.redis.get("other")) == (b"a", b"b")


def test_a_manifest_is_small(kept: User) -> None:
    """What it covers is not known then: a commit writes it anew."""
    content = b'{"format":1,' + b" " * MOST_MANIFEST + b"}"
    put(kept.repo, MANIFEST, git(kept.repo, "hash-object", "-w", "--stdin", stdin=content))
    sentence = f"gitbackup.json: cannot read blob .* more than the maximum of {MOST_MANIFEST:,}"

    for words in (("restore", "HEAD", "--dry-run"), ("export", "HEAD", "-o", "out")):
        done = kept.run(*words)
        assert done.code == 13
        assert re.search(sentence, done.err), done
    assert kept.says("show", "HEAD:good")
    assert kept.run("log", "--stat").code == 0
    git(kept.repo, "reset", "--quiet", "--hard")
    kept.redis.set("good", "new")
    assert kept.run("commit", "-m", "after").code == 0
    assert kept.run("verify").code == 0


@pytest.mark.long
def test_a_commit_that_says_more_than_anybody_reads(kept: User) -> None:
    """Trailers on end are read in time in proportion to their length."""
    git(kept.repo, "commit-tree", "HEAD^{tree}", "-m", "x")
    for line in ("Name: value\n", "Name: value\n go on\n", "word " * 100 + "\n"):
        text = "subject\n\n" + line * (20_000_000 // len(line))
        found = git(kept.repo, "commit-tree", "HEAD^{tree}", "-p", "HEAD", stdin=text.encode())
        git(kept.repo, "update-ref", "HEAD", found)

    assert kept.says("log", "--oneline").count("subject") == 3
    assert "one" in kept.says("log")
    assert kept.run("show", "--json").code == 0
