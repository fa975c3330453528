"""The files of snapshots, what differs between two, and their bytes."""

from __future__ import annotations

import pytest

from gitbackup.errors import Damaged
from gitbackup.model.changes import FileChange
from gitbackup.store.objects.trees import tree_id
from gitbackup.store.repository.repository import Repository
from tests.store.plain import commit, git


def test_the_files_that_differ_are_told_with_both_ids(repository: Repository, first: str) -> None:
    second = commit(repository, {"db0/a.json": b"9\n", "db0/b.json": None, "db1/b.json": b"2\n"})
    one, two, nine = (Repository.blob_id(data) for data in (b"1\n", b"2\n", b"9\n"))

    assert repository.changed_files(first, second) == [
        FileChange("db0/a.json", one, nine),
        FileChange("db0/b.json", two, None),
        FileChange("db1/b.json", None, two),
    ]
    assert repository.changed_files(second, second) == []


def test_a_tree_s_id_is_the_one_that_git_gives_it(repository: Repository, first: str) -> None:
    """Git sorts a folder as if its name ended in a slash; modes are part of it."""
    made = commit(repository, {"a-b": b"1", "a/b/c": b"2", "a.b": b"3", "é/\n": b"", "a0": b"5"})
    assert repository.tree_id(made) == tree_id(repository.listing(made))
    git(repository.path, "update-index", "--chmod=+x", "a/b/c")
    git(repository.path, "update-index", "--add", "--cacheinfo", f"160000,{first},a/module")
    git(repository.path, "commit", "-m", "modes")
    assert repository.tree_id("HEAD") == tree_id(repository.listing("HEAD"))
    assert repository.tree_id("HEAD") != repository.tree_id(made)


def test_against_nothing_every_file_is_new(repository: Repository, first: str) -> None:
    changes = repository.changed_files(None, first)

    assert {change.path: change.after for change in changes} == repository.files(first)
    assert {change.before for change in changes} == {None}


def test_another_mode_is_no_difference(repository: Repository, first: str) -> None:
    git(repository.path, "update-index", "--chmod=+x", "db0/a.json")
    git(repository.path, "commit", "-m", "executable")

    assert repository.changed_files(first, "HEAD") == []


def test_a_commit_that_is_missing_is_damage(repository: Repository, first: str) -> None:
    with pytest.raises(Damaged, match=r"tree 1111.* cannot be read: it is missing"):
        repository.files("1" * 40)
    with pytest.raises(Damaged, match="git diff-tree failed: fatal: "):
        repository.changed_files(first, "1" * 40)


def test_a_blob_that_is_missing_is_damage(repository: Repository, first: str) -> None:
    with pytest.raises(Damaged, match="1111 cannot be read: it is missing"):
        repository.read("1" * 40)

    assert repository.read(Repository.blob_id(b"1\n")) == b"1\n"


def test_a_blob_that_is_corrupt_is_damage(repository: Repository, first: str) -> None:
    blob = git(repository.path, "hash-object", "-w", "--stdin", stdin=b"precious\n")
    file = repository.path / ".git" / "objects" / blob[:2] / blob[2:]
    file.chmod(0o600)
    file.write_bytes(file.read_bytes()[:-8] + b"\0" * 8)

    with pytest.raises(Damaged, match=f"blob {blob} cannot be read: error: .*unpack"):
        repository.read(blob)

    assert repository.read(Repository.blob_id(b"1\n")) == b"1\n"


def test_a_pack_that_is_corrupt_is_damage(repository: Repository) -> None:
    data = b"".join(b"%d\n" % number for number in range(10_000))
    commit(repository, {"a": data})
    (pack,) = (repository.path / ".git" / "objects" / "pack").glob("*.pack")
    pack.chmod(0o600)
    middle = pack.stat().st_size // 2
    pack.write_bytes(pack.read_bytes()[:middle] + b"\0" * 50 + pack.read_bytes()[middle + 50 :])

    with pytest.raises(Damaged, match=r"is damaged, blob .* cannot be read: "):
        Repository.open(repository.path).read(Repository.blob_id(data))


def test_a_blob_under_anothers_id_is_damage(repository: Repository, first: str) -> None:
    right, wrong = (
        git(repository.path, "hash-object", "-w", "--stdin", stdin=data) for data in (b"1", b"2")
    )
    objects = repository.path / ".git" / "objects"
    (objects / right[:2] / right[2:]).replace(objects / wrong[:2] / wrong[2:])

    with pytest.raises(Damaged, match="cannot be read"):
        repository.read(wrong)


def test_a_reader_sees_commits_that_came_later(repository: Repository, first: str) -> None:
    reader = Repository.open(repository.path)
    reader.read(Repository.blob_id(b"1\n"))

    commit(repository, {"db0/a.json": b"later\n"})

    assert reader.read(Repository.blob_id(b"later\n")) == b"later\n"
    reader.close()
    assert reader.read(Repository.blob_id(b"1\n")) == b"1\n"


def test_what_stands_in_folders_is_told_in_turn(repository: Repository, first: str) -> None:
    made = [first, commit(repository, {"db3/a.json": b"1\n"})]
    trees = [*map(repository.tree_id, made)]

    assert [{*each} for each in repository.folders(trees)] == [
        {"gitbackup.json", "db0"},
        {"gitbackup.json", "db0", "db3"},
    ]
    assert [*repository.folders(trees)] == [*map(repository.folder, trees)]
    with pytest.raises(Damaged, match="1111 cannot be read: it is missing"):
        [*repository.folders([*trees, "1" * 40])]
