"""A git that is killed has given no answer: not that there is nothing, nor that there is damage."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.cli.user import User


@pytest.fixture
def killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a test writes the command of git's that is killed: the system's does all others."""
    word, tools = tmp_path / "word", tmp_path / "tools"
    word.write_text("none")
    tools.mkdir()
    script = f'word="$(cat {word})"\ncase " $* " in *" $word "*) kill -9 $$;; esac'
    (tools / "git").write_text(f'#!/bin/sh\n{script}\nexec {shutil.which("git")} "$@"\n')
    (tools / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    return word


def ended(name: str) -> str:
    return f"git {name} failed: it ended with signal 9"


def test_a_pattern_to_leave_out_is_not_overlooked(user: User, killed: Path) -> None:
    user.redis.mset({"a": 1, "secret": 2})
    user.says("init", "--exclude", "secret")
    killed.write_text("config")
    done = user.run("commit")
    assert (done.code, done.err) == (1, f"gitbackup: {ended('config')}\n")
    assert user.commits() == []


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["show"], "diff-tree"),
        (["diff", "HEAD~1", "HEAD"], "diff-tree"),
        (["diff", "HEAD~1", "HEAD"], "cat-file"),
        (["keys"], "cat-file"),
        (["log"], "log"),
        (["log", "--stat"], "log"),
        (["log", "--stat"], "diff-tree"),
        (["log", "--", "a"], "log"),
        (["blame", "a"], "log"),
        (["verify"], "fsck"),
        (["verify"], "cat-file"),
        (["restore", "HEAD~1", "--yes"], "cat-file"),
        (["push", "cloud"], "fetch"),
    ],
)
def test_what_was_not_answered_is_told_as_that(
    user: User, killed: Path, words: list[str], command: str
) -> None:
    Path("cloud").mkdir()
    for value in (1, 2):
        user.redis.set("a", value)
        user.says("commit")
    before = user.state()
    killed.write_text(command)
    done = user.run(*words)
    killed.write_text("none")
    assert done.code == 1
    assert done.err.endswith(f"{ended(command)}\n")
    assert user.state() == before
