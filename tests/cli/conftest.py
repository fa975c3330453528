"""A person in an empty folder, with a server whose URL is in the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.user import User
from tests.servers import LiveServer


@pytest.fixture
def user(
    valkey: LiveServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> User:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", valkey.url)
    return User(valkey, capfd.readouterr)
