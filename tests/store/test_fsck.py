from __future__ import annotations

from pathlib import Path

import pytest

from gitbackup.errors import GitbackupError
from gitbackup.store.repository.repository import Repository
from tests.store.plain import commit, git, run_git

POSITIONS = 12


@pytest.fixture
def pack(repository: Repository) -> Path:
    """The one pack of a repository with some files."""
    commit(repository, {f"db0/{n}.json": b"%d\n" % n * 200 for n in range(8)})
    (found,) = (repository.path / ".git/objects/pack").glob("*.pack")
    found.chmod(0o600)
    return found


def test_git_finds_nothing_wrong_with_what_we_wrote(repository: Repository) -> None:
    assert repository.problems() == []
    commit(repository, {"db0/a.json": b"1\n", "functions/é.lua": b""})
    assert repository.problems() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("skipList", "/nonexistent"), ("nonsense", "error"), ("missingEmail", "nonsense")],
)
def test_a_setting_that_makes_no_sense_is_no_damage(
    repository: Repository, first: str, name: str, value: str
) -> None:
    git(repository.path, "config", f"fsck.{name}", value)
    with pytest.raises(GitbackupError, match="git fsck failed: fatal: ") as caught:
        repository.problems()
    assert type(caught.value) is GitbackupError


def test_one_flipped_bit_is_found_wherever_it_is(repository: Repository, pack: Path) -> None:
    sound = pack.read_bytes()
    for at in range(0, len(sound), len(sound) // POSITIONS):
        flipped = bytearray(sound)
        flipped[at] ^= 1
        pack.write_bytes(flipped)
        assert repository.problems() != [], at
    pack.write_bytes(sound)
    assert repository.problems() == []


def test_a_missing_blob_is_named_with_the_tree_that_needs_it(repository: Repository) -> None:
    git(repository.path, "config", "user.useConfigOnly", "false")
    blob = git(repository.path, "hash-object", "-w", "--stdin", stdin=b"lost")
    tree = git(repository.path, "mktree", stdin=f"100644 blob {blob}\ta.json\n".encode())
    made = git(repository.path, "commit-tree", "-m", "by hand", tree)
    git(repository.path, "update-ref", "refs/heads/main", made)
    assert repository.problems() == []
    (repository.path / ".git/objects" / blob[:2] / blob[2:]).unlink()
    assert f"broken link from tree {tree} to blob {blob}" in repository.problems()
    assert f"missing blob {blob}" in repository.problems()


@pytest.mark.parametrize("author", ["A <a@b> 1700000000 +00000", "A a@b <> 01 +0000", "A 1 +0000"])
def test_an_odd_author_of_old_is_no_damage(repository: Repository, first: str, author: str) -> None:
    """Git reads such a commit, though its own `git fsck` complains."""
    lines = [f"tree {repository.tree_id(first)}", f"parent {first}"]
    odd = "\n".join([*lines, f"author {author}", f"committer {author}", "", "old"])
    words = ("hash-object", "-w", "-t", "commit", "--literally", "--stdin")
    made = git(repository.path, *words, stdin=odd.encode())
    git(repository.path, "update-ref", "refs/heads/old", made)
    assert repository.problems() == []
    assert run_git(repository.path, "fsck", "--strict").returncode != 0
