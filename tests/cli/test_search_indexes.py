"""Search indexes are definitions that no snapshot has: who commits or restores is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.user import User
from tests.servers import LiveServer
from tests.store.plain import git

pytestmark = pytest.mark.long


def test_indexes_that_are_not_covered_are_told_at_commit_status_and_restore(
    stack: LiveServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", stack.url)
    user = User(stack, capfd.readouterr)
    user.redis.hset("user:1", mapping={"name": "alice"})
    user.says("commit", "-m", "without an index")
    ask = user.redis.execute_command
    for name in ("people", "by name"):
        ask("FT.CREATE", name, "PREFIX", "1", "user:", "SCHEMA", "name", "TEXT")
    try:
        user.redis.hset("user:1", "name", "bob")
        told = "search indexes are not saved, and a restore does not create them"
        assert f"{told} (by name, people)" in user.run("status").err
        done = user.run("commit", "-m", "with two")
        assert (done.code, told in done.err) == (0, True)
        assert "Not-Covered: 2 search indexes\n" in git(user.repo, "log", "-1", "--format=%B")
    finally:
        for name in ("people", "by name"):
            ask("FT.DROPINDEX", name)
    user.redis.flushall()
    assert (
        "  warning: the server of the commit had 2 search indexes, which a restore does not create:"
        " use FT.CREATE\n"
    ) in user.says("restore", "HEAD", "--dry-run")
    assert "Not-Covered" not in git(user.repo, "log", "-1", "--format=%B", "HEAD~1")
