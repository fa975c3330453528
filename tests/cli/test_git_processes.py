"""How many processes of git a command starts, beside the one that asks for git's version."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gitbackup.store.git import command
from tests.cli.user import User
from tests.store.plain import git


class Started(subprocess.Popen[bytes]):
    """A process, which is counted."""

    words: list[Sequence[str]] = []  # noqa: RUF012  of all of them

    def __init__(self, words: Sequence[str], **options: Any) -> None:
        Started.words.append(words)
        super().__init__(words, **options)


def test_a_command_starts_few(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    user.redis.mset({"a": 1, "b": 2})
    user.says("commit")
    monkeypatch.setattr(command, "Popen", Started)
    counts = {}
    for name, words in {
        "status": ["status"],
        "diff": ["diff"],
        "commit": ["commit"],
        "restore": ["restore", "HEAD~1", "--yes"],
        "undo": ["undo", "--yes"],
        "log": ["log"],
    }.items():
        user.redis.incr("a")
        git(user.repo, "pack-refs", "--all")  # as they are after a repack
        Started.words = []
        user.says(*words)
        counts[name] = len(Started.words)
    most = {"status": 2, "diff": 2, "commit": 6, "restore": 9, "undo": 10, "log": 2}
    assert {name: count for name, count in counts.items() if count > most[name]} == {}


def test_branches_without_number_take_no_more(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """As somebody else may have pushed them."""
    user.says("commit", "--allow-empty")
    counts = []
    for most in (1, 100):
        for number in range(most):
            git(user.repo, "branch", "-f", f"b{number}")
        with monkeypatch.context() as patch:
            patch.setattr(command, "Popen", Started)
            Started.words = []
            user.says("clone", str(user.repo), f"copy{most}")
            user.says("pull", "--repo", f"copy{most}")
            counts.append(len(Started.words))
        branches = git(Path(f"copy{most}"), "for-each-ref", "--format=%(refname)", "refs/heads/b*")
        assert len(branches.split()) == most
    assert counts[0] == counts[1]
