"""Along the commits: what stood at their top, and which files they changed."""

from __future__ import annotations

import shutil

import pytest

from gitbackup.errors import Damaged
from gitbackup.model.changes import FileChange
from gitbackup.store.repository.repository import Repository
from tests.store.plain import commit, git


def test_all_that_ever_stood_at_the_top_is_known(repository: Repository, first: str) -> None:
    """Also where it is the same under another name."""
    made = [
        first,
        commit(repository, {"db3/a.json": b"1\n"}),
        commit(repository, {"db3/a.json": None, "db12/a.json": b"1\n"}),
    ]
    ids = [*map(repository.tree_id, made)]

    assert repository.tops(ids) == {"gitbackup.json", "db0", "db3", "db12"}
    assert repository.tops(ids[:1]) == {"gitbackup.json", "db0"}
    assert repository.tops([]) == set()
    with pytest.raises(Damaged, match="1111 cannot be read: it is missing"):
        repository.tops([*ids, "1" * 40])


def test_a_line_tells_which_of_the_files_changed(repository: Repository, first: str) -> None:
    one, two, nine = map(Repository.blob_id, (b"1\n", b"2\n", b"9\n"))
    second = commit(repository, {"db0/b.json": b"9\n"})
    third = commit(repository, {"db0/a.json": None, "db0/b.json": None})

    def told(stop: str | None, *paths: str) -> list[tuple[str, list[FileChange]]]:
        along = repository.history.changed_along(third, stop, paths)
        return [(commit, [*changes]) for some in along for commit, changes in some]

    assert told(None, "db0/a.json") == [
        (third, [FileChange("db0/a.json", one, None)]),
        (first, [FileChange("db0/a.json", None, one)]),
    ]
    assert told(first, "db0") == [
        (third, [FileChange("db0/a.json", one, None), FileChange("db0/b.json", nine, None)]),
        (second, [FileChange("db0/b.json", two, nine)]),
    ]


def test_a_folder_that_is_missing_is_damage_and_no_end(repository: Repository) -> None:
    """Nobody takes the commits beyond it for such as changed nothing."""
    repository = Repository.create(repository.path)
    for number in range(3):
        (repository.path / "db0").mkdir(exist_ok=True)
        (repository.path / "db0" / "a.json").write_text(f"{number}\n")
        git(repository.path, "add", ".")
        git(repository.path, "commit", "-m", "by hand")
    objects = repository.path / ".git" / "objects"
    tree = git(repository.path, "rev-parse", "HEAD~1:db0")
    shutil.rmtree(objects / tree[:2])

    with pytest.raises(Damaged, match=r"is damaged: git log failed: .*see `git fsck`"):
        [*repository.history.changed_along(repository.resolve("HEAD"), None, ["db0/a.json"])]
