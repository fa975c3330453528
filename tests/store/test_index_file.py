"""Git's index is read as git lists it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitbackup.store.git import index_file
from tests.store.plain import git, run_git


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A work tree of plain git, with paths of many lengths that begin alike."""
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    for number in range(40):
        file = tmp_path / "db0" / ("a" * number) / f"{number}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{number}\n")
    (tmp_path / ".gitattributes").write_text("*.json text\n")
    return tmp_path


def listed(work: Path) -> list[tuple[bytes, str, bool]]:
    """What git says of each path: the path, its blob, and whether it is in conflict."""
    lines = run_git(work, "ls-files", "--stage", "-z").stdout.split(b"\0")[:-1]
    pairs = (line.split(b"\t", 1) for line in lines)
    return [(path, about.split()[1].decode(), not about.endswith(b" 0")) for about, path in pairs]


def read(work: Path) -> list[tuple[bytes, str, bool]] | None:
    found = index_file.read(work / ".git" / "index")
    return found if found is None else [(e.path, e.id.hex(), e.stage > 0) for e in found]


@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_it_has_what_git_lists(work: Path, version: str) -> None:
    git(work, "add", "--all")
    if version == "3":
        (work / "later").write_text("x")
        git(work, "add", "--intent-to-add", "later")
    else:
        git(work, "update-index", "--index-version", version)
    assert (work / ".git" / "index").read_bytes()[7] == int(version)
    assert read(work) == listed(work)


@pytest.mark.parametrize("version", ["2", "4"])
def test_it_tells_what_is_in_conflict(work: Path, version: str) -> None:
    git(work, "add", "--all")
    git(work, "commit", "-qm", "first")
    git(work, "checkout", "-qb", "other")
    for branch in ("other", "main"):
        git(work, "checkout", "-q", branch)
        (work / "db0" / "0.json").write_text(branch)
        git(work, "commit", "-qam", branch)
    assert run_git(work, "merge", "other").returncode
    git(work, "update-index", "--index-version", version)
    assert read(work) == listed(work)
    assert [path for path, _, conflict in read(work) or () if conflict] == [b"db0/0.json"] * 3


def test_no_index_is_an_empty_one(work: Path) -> None:
    assert index_file.read(work / ".git" / "index") == []


def test_an_index_in_two_files_is_left_to_git(work: Path) -> None:
    git(work, "add", "--all")
    git(work, "update-index", "--split-index")
    assert index_file.read(work / ".git" / "index") is None


def test_an_index_that_is_damaged_is_left_to_git(work: Path) -> None:
    git(work, "add", "--all")
    index = work / ".git" / "index"
    content = index.read_bytes()
    for end in range(0, len(content) - 20, 7):
        index.write_bytes(content[:end])
        assert index_file.read(index) is None
    index.write_bytes(b"DIRC\0\0\0\5" + content[8:])
    assert index_file.read(index) is None
