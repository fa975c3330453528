"""A run that is killed may leave a git that lives a moment longer, and moves HEAD just then."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import redis

from gitbackup import Backup
from gitbackup.errors import Busy
from gitbackup.plan.plan import Plan
from gitbackup.store.objects import refs
from gitbackup.store.objects.commit_writer import CommitWriter
from gitbackup.store.repository.repository import Repository
from tests.servers import LiveServer
from tests.store.plain import git


class Killed(BaseException):
    """In place of a signal that nothing can catch."""


class Late:
    """The git that a killed run has left: it moves HEAD when something else is done."""

    def __init__(self, backup: Backup, patch: pytest.MonkeyPatch) -> None:
        self._backup = backup
        self._patch = patch
        self._commits: list[str] = []

    def kill(self, run: Callable[[], object]) -> None:
        """Kills a run when it is about to move HEAD."""

        def move(_git: object, _ref: str, new: str, _old: str | None) -> None:
            self._commits.append(new)
            raise Killed

        with self._patch.context() as patch, suppress(Killed):
            patch.setattr(refs, "move", move)
            run()
        assert len(self._commits) == 1

    def moves_head_in(self, owner: type, name: str) -> None:
        """Once, at the beginning of this method."""
        method = getattr(owner, name)

        def late(*arguments: Any) -> Any:
            while self._commits:
                git(self._backup.path, "update-ref", "HEAD", self._commits.pop())
            return method(*arguments)

        self._patch.setattr(owner, name, late)


def yes(plan: Plan) -> bool:
    return True


@pytest.fixture
def server(valkey: LiveServer) -> LiveServer:
    return valkey


@pytest.fixture
def late(backup: Backup, monkeypatch: pytest.MonkeyPatch) -> Late:
    return Late(backup, monkeypatch)


@pytest.mark.parametrize(
    ("owner", "name"),
    [(Repository, "resolve"), (CommitWriter, "publish")],
    ids=["while they are read", "before it is to"],
)
def test_the_same_words_mean_what_they_meant_though_head_moves(
    client: redis.Redis, backup: Backup, late: Late, owner: type, name: str
) -> None:
    client.set("k", "good")
    backup.commit()
    client.set("k", "bad")
    late.kill(lambda: backup.restore("HEAD", yes))
    late.moves_head_in(owner, name)
    with suppress(Busy):  # which says to run it again
        backup.restore("HEAD", yes)
    assert backup.restore("HEAD", yes).whole
    assert client.get("k") == "good"


def test_an_undo_is_finished_though_head_moves_while_it_is_looked_for(
    client: redis.Redis, backup: Backup, late: Late
) -> None:
    client.set("k", "one")
    backup.commit()
    client.set("k", "two")
    backup.restore("HEAD", yes)
    client.set("k", "three")
    late.kill(lambda: backup.undo(yes))
    late.moves_head_in(Repository, "log")
    assert backup.undo(yes).whole
    assert client.get("k") == "two"
