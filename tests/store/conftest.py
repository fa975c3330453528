"""A data repository, and one with a first commit."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitbackup.store.repository.repository import Repository
from tests.store.plain import commit


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / "data")


@pytest.fixture
def first(repository: Repository) -> str:
    """The id of a first commit, with a manifest and two files of keys."""
    files = {"gitbackup.json": b"{}\n", "db0/a.json": b"1\n", "db0/b.json": b"2\n"}
    return commit(repository, files)
