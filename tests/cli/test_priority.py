"""Whoever uses the server goes before a backup of it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from gitbackup.cli import NICENESS
from tests.cli.user import User

NOTING = """#!/bin/sh
nice >> {noted}
exec {git} "$@"
"""


@pytest.mark.skipif(not hasattr(os, "nice"), reason="the system has no such thing")
def test_a_commit_and_the_git_that_it_runs_go_after_others(user: User, tmp_path: Path) -> None:
    tools, noted = tmp_path / "bin", tmp_path / "noted"
    tools.mkdir()
    (tools / "git").write_text(NOTING.format(noted=noted, git=shutil.which("git")))
    (tools / "git").chmod(0o755)
    user.redis.set("a", "b")
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    assert user.process("commit", "-m", "first", env={"PATH": path}).code == 0
    assert {*noted.read_text().split()} == {str(min(os.nice(0) + NICENESS, 19))}
