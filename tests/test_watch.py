"""A watch commits what changes, and HEAD is what the database holds."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from gitbackup.backup import Backup
from gitbackup.ops import watch as engine
from tests.servers import LiveServer
from tests.store.plain import git
from tests.watching import Turmoil, attempt, follows, watching


@pytest.fixture(autouse=True)
def curious(monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks more often at what the server does not tell."""
    monkeypatch.setattr(engine, "ASK", 0.05)


@pytest.mark.parametrize("seed", range(2))
def test_after_ten_thousand_commands_of_every_kind_head_is_the_database(
    server: LiveServer, tmp_path: Path, seed: int
) -> None:
    """To the byte: its tree is that of a commit of all, again and again in between."""
    valkey, functions = server.brand == "valkey", server.brand != "redis6"
    turmoil = Turmoil(seed, valkey, functions)
    chance, done = random.Random(seed), 0
    with server.client() as client, watching(Backup(tmp_path / "data", server.url)) as watcher:
        while done < 1_700:
            done += attempt(client, turmoil.commands(chance.choice((3, 30, 300))))
            if chance.random() < 0.2:
                assert follows(watcher, tmp_path / "other", server.url)
        assert follows(watcher, tmp_path / "other", server.url)
        assert len(watcher.commits()) > 5
    assert git(watcher.backup.path, "fsck", "--strict", "--no-dangling") == ""
