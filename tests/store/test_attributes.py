"""An attribute by which git would keep other bytes than ours is named, and nothing is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gitbackup.errors import GitbackupError
from gitbackup.store.repository.repository import Repository
from tests.store.plain import commit, everything, git, settle, work_tree

pytestmark = pytest.mark.few(4)

MORE = {"gitbackup.json": b"{}\n", "db0/a.json": b"2\n", "db0/new/c.json": b"3\n"}
HARMFUL = [
    "filter=git-crypt",
    "filter=lfs -text",
    "ident",
    "working-tree-encoding=UTF-16",
    "eol=crlf",
]
HARMLESS = ["text", "text=auto", "-text", "binary", "diff=x", "-filter", "!ident", "eol=lf"]


def give(repository: Repository, where: str, line: str) -> Path:
    """Writes a line of attributes there; its file."""
    file = repository.path / where
    file.parent.mkdir(exist_ok=True)
    with file.open("a") as stream:
        stream.write(line + "\n")
    return file


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("attribute", HARMFUL)
@pytest.mark.parametrize("where", [".gitattributes", ".git/info/attributes", "db0/.gitattributes"])
def test_it_is_named_and_nothing_is_written(
    repository: Repository, where: str, attribute: str
) -> None:
    git(repository.path, "config", "filter.git-crypt.clean", "tr a-z b-za")
    file = give(repository, where, f"*.json {attribute}")
    before = everything(repository.path)

    with pytest.raises(GitbackupError) as caught:
        commit(repository, MORE)

    said = str(caught.value)
    assert re.search(rf"gives (gitbackup|db0/a)\.json the attribute {attribute.split()[0]},", said)
    assert said.startswith("a .gitattributes" if where.startswith("db0") else str(file))
    after = everything(repository.path)
    after.pop(".git/gitbackup/lock", None)
    before.pop(".git/gitbackup/lock", None)
    assert after == before


@pytest.mark.usefixtures("first")
def test_one_that_only_the_index_has_counts_too(repository: Repository) -> None:
    file = give(repository, ".gitattributes", "*.json ident")
    git(repository.path, "add", ".gitattributes")
    file.unlink()

    with pytest.raises(GitbackupError, match="the attribute ident"):
        commit(repository, MORE)


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("attribute", HARMLESS)
def test_what_changes_no_byte_is_no_matter(repository: Repository, attribute: str) -> None:
    give(repository, ".gitattributes", f"* {attribute}")

    commit(repository, MORE)

    assert work_tree(repository).items() >= MORE.items()
    assert git(repository.path, "status", "--porcelain") == "?? .gitattributes"


@pytest.mark.usefixtures("first")
def test_what_is_said_of_other_files_is_no_matter(repository: Repository) -> None:
    give(repository, ".gitattributes", "*.png filter=lfs\nREADME.md filter=x ident")

    commit(repository, MORE)

    assert work_tree(repository).items() >= MORE.items()


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("where", [".config/git/attributes", "mine"])
def test_a_filter_of_the_users_is_named(
    repository: Repository, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    settle(monkeypatch, home, "[core]\n\tattributesFile = ~/mine\n" if where == "mine" else "")
    (home / where).parent.mkdir(parents=True, exist_ok=True)
    (home / where).write_text("*.json filter=git-crypt\n")

    with pytest.raises(GitbackupError, match=f"{home / where} gives .* filter=git-crypt"):
        commit(repository, MORE)

    (home / where).write_text("*.json ident eol=crlf\n")  # that is not followed
    commit(repository, MORE)
    assert work_tree(repository).items() >= MORE.items()


def test_it_is_named_where_there_is_no_work_tree(
    repository: Repository, first: str, tmp_path: Path
) -> None:
    give(repository, ".gitattributes", "*.json filter=git-crypt")
    git(repository.path, "add", ".gitattributes")
    git(repository.path, "commit", "-m", "encrypt")
    with Repository.clone(str(repository.path), tmp_path / "bare.git", bare=True) as (bare, _):
        pass

    with pytest.raises(GitbackupError, match=r"a \.gitattributes gives .* filter=git-crypt"):
        commit(bare, MORE)


def test_a_pull_does_not_write_through_a_filter(
    repository: Repository, first: str, tmp_path: Path
) -> None:
    with Repository.clone(str(repository.path), tmp_path / "second") as (second, _):
        pass
    commit(repository, MORE)
    git(second.path, "config", "filter.x.smudge", f"touch {tmp_path}/canary; cat")
    give(second, ".git/info/attributes", "*.json filter=x")

    with pytest.raises(GitbackupError, match="filter=x"), second.lock():
        second.pull(second.remote())

    assert second.head() == first
    assert not (tmp_path / "canary").exists()


def test_a_restore_does_not_begin(repository: Repository, first: str) -> None:
    """It asks this before it writes anything, for the commit that it is to be."""
    give(repository, ".gitattributes", "*.json filter=x")
    with pytest.raises(GitbackupError, match="filter=x"):
        repository.expect_kept(first)
