"""One run at a time."""

from __future__ import annotations

import pytest

from gitbackup.errors import Busy, GitbackupError
from gitbackup.store.repository import Repository
from tests.store.plain import commit, run_python

HOLD = """
import os, signal, sys
from gitbackup.store.repository import Repository
with Repository.open(sys.argv[1]).lock():
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_second_run_is_told_at_once(repository: Repository, first: str) -> None:
    other = Repository.open(repository.path)

    with repository.lock(), pytest.raises(Busy, match="another run"), other.lock():
        pass
    with other.lock():
        pass


def test_readers_need_no_lock(repository: Repository, first: str) -> None:
    with repository.lock():
        assert [info.id for info in Repository.open(repository.path).log()] == [first]


def test_the_lock_goes_with_a_run_that_is_killed(repository: Repository) -> None:
    assert run_python(HOLD, str(repository.path)).returncode == -9

    with repository.lock():
        pass


def test_the_lock_is_free_after_an_error(repository: Repository, first: str) -> None:
    (repository.path / "db0" / "a.json").write_bytes(b"my edit\n")
    with pytest.raises(GitbackupError):
        commit(repository, {"db0/a.json": b"9\n"})

    commit(repository, {"db0/b.json": b"9\n"})
