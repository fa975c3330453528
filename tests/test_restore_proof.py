"""What a restore says in the end is true: it looked again after its last write, and says what it
saw."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import redis

from gitbackup.backup import Backup
from gitbackup.ops import restore as restoring
from gitbackup.plan import Plan
from tests.servers import LiveServer


@pytest.fixture
def client(valkey: LiveServer) -> redis.Redis:
    return valkey.client(decode_responses=True)


@pytest.fixture
def backup(valkey: LiveServer, tmp_path: Path) -> Backup:
    return Backup(tmp_path / "data", valkey.url)


def yes(plan: Plan) -> bool:
    return True


def before_reading_again(monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    """Lets something happen once all is written, and nothing read again."""
    real = restoring.differing

    def late(*words: Any) -> Any:
        act()
        return real(*words)

    monkeypatch.setattr(restoring, "differing", late)


def connections(client: redis.Redis) -> int:
    return int(client.info("stats")["total_connections_received"])


def test_keys_that_expire_before_they_are_read_again_cost_no_connection_each(
    client: redis.Redis, backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    due = int(time.time() * 1000) + 5_000
    for number in range(300):
        client.set(f"k:{number}", "v", pxat=due)
    backup.commit()
    client.flushall()

    def expire() -> None:
        while client.exists("k:0", "k:299"):
            time.sleep(0.02)

    before_reading_again(monkeypatch, expire)
    before = connections(client)
    assert backup.restore("HEAD", yes).whole
    assert connections(client) - before < 50
