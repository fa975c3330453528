"""The kinds of remotes: a new one is a class and a line in the list, for every verb."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitbackup.store.git.command import Commands, Result
from gitbackup.store.repository.repository import Repository
from gitbackup.store.transports import transports
from gitbackup.store.transports.git_url import GitUrl
from gitbackup.store.transports.remote_url import RemoteUrl
from tests.store.plain import git


class Shelf(GitUrl):
    """Git repositories in one folder, by their names: `shelf:NAME`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def handles(self, place: RemoteUrl) -> bool:
        return place.url.startswith("shelf:")

    def target(self, path: Path, word: str, name: str) -> str | None:
        return word if word.startswith("shelf:") else None

    def source(self, path: Path, word: str) -> str | None:
        return self.target(path, word, "")

    def attempt(self, git: Commands, place: RemoteUrl, *words: str) -> Result:
        there = str(self.folder / place.url.removeprefix("shelf:"))
        known = (there if word == place.url else word for word in words)
        return super().attempt(git, RemoteUrl(there), *known)


def test_a_class_and_a_line_make_a_kind_of_remote(
    repository: Repository, first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "--bare", "relay")
    monkeypatch.setattr(transports, "TRANSPORTS", (Shelf(tmp_path), *transports.TRANSPORTS))
    remote = repository.remote("shelf:relay")
    assert (remote.name, repository.push(remote).commits) == ("origin", 1)
    with Repository.clone("shelf:relay", tmp_path / "copy") as (copy, _):
        assert copy.head() == first
        with copy.lock():
            assert copy.pull(copy.remote()).head == first
    assert [pushed.remote for pushed in repository.pushed()] == ["origin"]
