"""One run at a time: another one waits, and a killed one is in nobody's way."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest

from gitbackup.errors import Busy, GitbackupError
from gitbackup.store.git import open_repository
from gitbackup.store.git.command import Commands
from gitbackup.store.metadata import settings_ref
from gitbackup.store.repository.repository import Repository
from tests.store.plain import commit, git, run_python

HOLD = """
import os, signal, sys
from gitbackup.store.repository.repository import Repository
with Repository.open(sys.argv[1]).lock():
    os.kill(os.getpid(), signal.SIGKILL)
"""

HOLD_WITH_GIT = """
import os, signal, sys
from gitbackup.store.repository.repository import Repository
repository = Repository.open(sys.argv[1])
with repository.lock():
    talk = repository._git.start("-c", f"alias.wait=!echo; cat {sys.argv[2]}", "wait")
    talk.stdout.readline()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_second_run_is_told_who_holds_it(repository: Repository, first: str) -> None:
    other = Repository.open(repository.path)
    other.lock_wait = 0
    who = f"another run of gitbackup, process {os.getpid()}, is working in .*, since 2\\d\\d\\d-"

    with repository.lock(), pytest.raises(Busy, match=who), other.lock():
        pass
    with other.lock():
        pass


def test_a_second_run_waits_for_the_first(repository: Repository, first: str) -> None:
    order = []
    held = threading.Event()

    def run() -> None:
        with Repository.open(repository.path).lock():
            held.set()
            time.sleep(0.3)  # the other one has begun to wait by then, or finds it free
            order.append("first")

    thread = threading.Thread(target=run)
    thread.start()
    held.wait()
    with repository.lock(60):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


def test_readers_need_no_lock(repository: Repository, first: str) -> None:
    with repository.lock():
        assert [info.id for info in Repository.open(repository.path).log()] == [first]


def test_a_killed_runs_git_keeps_the_lock_until_it_ends(
    repository: Repository, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert run_python(HOLD_WITH_GIT, str(repository.path), str(tmp_path / "pipe")).returncode == -9

    told = "git, started by a run that was killed, process .*, is still working"
    with pytest.raises(Busy, match=told), repository.lock(0):
        pass
    (tmp_path / "pipe").write_bytes(b"")  # which ends that git
    with repository.lock(60):
        pass


def test_what_a_killed_git_left_locked_is_free_again(repository: Repository, first: str) -> None:
    git_dir = repository.path / ".git"
    for name in ("HEAD", "index", "config", "packed-refs", "refs/heads/main", "refs/notes/x"):
        (git_dir / name).parent.mkdir(exist_ok=True)
        (git_dir / f"{name}.lock").touch()
    old = time.time() - 3600
    os.utime(git_dir / "refs/notes/x.lock", (old, old))  # a person's git, long before
    killed = {"process": 1, "machine": "here", "since": time.time() - 1}
    (git_dir / "gitbackup" / "lock").write_text(json.dumps(killed))

    commit(repository, {"db0/a.json": b"9\n"})

    assert [file.name for file in git_dir.rglob("*.lock") if "gitbackup" not in file.parts] == [
        "x.lock"
    ]


def test_what_git_left_locked_when_it_alone_was_killed_is_free_again(
    repository: Repository, first: str
) -> None:
    kill = ("-c", "alias.killed=!kill -9 $PPID", "killed")
    with repository.lock():
        (repository.path / ".git" / "HEAD.lock").touch()
        with pytest.raises(GitbackupError, match="it ended with signal 9"):
            repository._git.run(*kill)
        with repository.beside("watching"):
            pass

    commit(repository, {"db0/a.json": b"9\n"})

    assert not (repository.path / ".git" / "HEAD.lock").exists()
    with repository.lock():
        pass
    assert (repository.path / ".git" / "gitbackup" / "lock").read_bytes() == b""


@pytest.mark.long
def test_settings_are_carried_after_git_alone_was_killed_at_it(
    repository: Repository, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = repository.path / ".git" / "refs" / "gitbackup" / "settings.lock"

    def die(git: Commands, *_: object) -> None:
        left.parent.mkdir(exist_ok=True)
        left.touch()
        git.run("-c", "alias.killed=!kill -9 $PPID", "killed")

    with monkeypatch.context() as patch:
        patch.setattr(settings_ref, "write", die)
        with pytest.raises(GitbackupError, match="it ended with signal 9"):
            repository.carry(b"{}\n")

    repository.carry(b"{}\n")

    assert repository.carried() == b"{}\n"
    assert not left.exists()


@pytest.mark.parametrize("said", [b"", b"{", b"[1]", b'{"process": 1}', b"[" * 9999, b"\xff"])
def test_nonsense_in_the_lock_is_no_matter(repository: Repository, said: bytes) -> None:
    (repository.path / ".git" / "gitbackup").mkdir(exist_ok=True)
    (repository.path / ".git" / "gitbackup" / "lock").write_bytes(said)
    with repository.lock(), pytest.raises(Busy), Repository.open(repository.path).lock(0):
        pass


KILLED_AT = """
import os, signal, sys
from pathlib import Path
from gitbackup.store.git import open_repository
at, bare = int(sys.argv[2]), sys.argv[3] == "bare"
calls = 0
run = open_repository.Commands.attempt
def counted(self, *words, **how):
    global calls
    calls += 1
    if calls == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return run(self, *words, **how)
open_repository.Commands.attempt = counted
open_repository.make(Path(sys.argv[1]), bare)
"""


@pytest.mark.long
@pytest.mark.parametrize(("bare", "existed"), [(False, False), (True, True)])
def test_making_a_repository_is_killed_anywhere_and_done_again(
    bare: bool, existed: bool, tmp_path: Path
) -> None:
    ended, at = -9, 0
    while ended:
        at += 1
        path = tmp_path / f"data-{at}"
        if existed:
            path.mkdir()
        ended = run_python(KILLED_AT, str(path), str(at), "bare" if bare else "").returncode
        assert ended in (0, -9)
        made = commit(Repository.create(path, bare), {"gitbackup.json": b"{}\n"})
        assert git(path, "rev-parse", "HEAD") == made
        assert git(path, "status", "--porcelain") == "" if not bare else True
        assert git(path, "config", "--get-all", "gitbackup.format") == "1"
    assert at > 3


def test_two_runs_that_make_a_repository_make_one(tmp_path: Path) -> None:
    made: list[Path] = []
    threads = [
        threading.Thread(
            target=lambda: made.append(open_repository.make(tmp_path / "d", False).git_dir)
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert made == [tmp_path / "d" / ".git"] * 4
    assert [file.name for file in (tmp_path / "d").iterdir()] == [".git"]


def test_the_lock_goes_with_a_run_that_is_killed(repository: Repository) -> None:
    assert run_python(HOLD, str(repository.path)).returncode == -9

    with repository.lock():
        pass


def test_the_lock_is_free_after_an_error(repository: Repository, first: str) -> None:
    (repository.path / "db0" / "a.json").write_bytes(b"my edit\n")
    with pytest.raises(GitbackupError):
        commit(repository, {"db0/a.json": b"9\n"})

    commit(repository, {"db0/b.json": b"9\n"})
