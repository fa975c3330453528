"""A clone that was killed at any instant is finished by the same words."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitbackup.model.keys import Scope
from gitbackup.snapshot.file_format import manifest
from gitbackup.store.repository.repository import Repository
from tests.store.plain import git, run_python, work_tree

KILLED_AT = """
import os, signal, sys
from gitbackup.store.git import command
at, calls = int(sys.argv[3]), 0
popen = command.Commands._popen
def counted(self, *how):
    global calls
    calls += 1
    if calls == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return popen(self, *how)
command.Commands._popen = counted
from gitbackup.remotes.sync import clone
from pathlib import Path
clone(sys.argv[1], Path(sys.argv[2]), False)
"""


@pytest.mark.long
@pytest.mark.parametrize("step", [3])
def test_a_killed_clone_is_gone_on_with(
    step: int, repository: Repository, first: str, tmp_path: Path
) -> None:
    (repository.path / "gitbackup.json").write_bytes(manifest(Scope()))
    git(repository.path, "commit", "--quiet", "-am", "with a manifest")
    head, ended, at = git(repository.path, "rev-parse", "HEAD"), -9, 1
    while ended:
        path = tmp_path / f"clone-{at}"
        ended = run_python(KILLED_AT, str(repository.path), str(path), str(at)).returncode
        assert ended in (0, -9)

        if ended:
            done = run_python(KILLED_AT, str(repository.path), str(path), "0")
            assert (done.returncode, done.stderr) == (0, "")
        assert git(path, "rev-parse", "HEAD") == head
        assert git(path, "status", "--porcelain") == ""
        assert work_tree(Repository.open(path)) == work_tree(repository)
        at += step
    assert at > 30
