"""The work tree follows HEAD, also after a kill; a person's edits are never overwritten."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gitbackup.errors import Busy, GitbackupError
from gitbackup.store.objects import refs
from gitbackup.store.repository import worktree
from gitbackup.store.repository.repository import Repository
from tests.store.plain import commit, everything, git, run_python, work_tree


def at_rest(repository: Repository) -> dict[str, bytes]:
    """All of the repository but what a look at it may refresh."""
    return {n: d for n, d in everything(repository.path).items() if n != ".git/index"}


def test_an_edit_of_a_file_that_changes_stops_the_commit(
    repository: Repository, first: str
) -> None:
    (repository.path / "db0" / "a.json").write_bytes(b"my edit\n")
    before = at_rest(repository)

    with pytest.raises(GitbackupError, match=r"db0/a\.json has uncommitted changes.*stash"):
        commit(repository, {"db0/a.json": b"9\n"})

    assert repository.head() == first
    assert at_rest(repository) == before


def test_an_edit_that_is_staged_stops_the_commit(repository: Repository, first: str) -> None:
    (repository.path / "db0" / "a.json").write_bytes(b"my edit\n")
    git(repository.path, "add", "db0/a.json")

    with pytest.raises(GitbackupError, match=r"db0/a\.json"):
        commit(repository, {"db0/a.json": b"9\n"})

    assert (repository.path / "db0" / "a.json").read_bytes() == b"my edit\n"


def test_an_edit_of_a_file_that_goes_stops_the_commit(repository: Repository, first: str) -> None:
    (repository.path / "db0" / "a.json").write_bytes(b"my edit\n")

    with pytest.raises(GitbackupError, match=r"db0/a\.json"):
        commit(repository, {"db0/a.json": None})

    assert (repository.path / "db0" / "a.json").read_bytes() == b"my edit\n"


def test_edits_of_other_files_stay(repository: Repository, first: str) -> None:
    (repository.path / "db0" / "b.json").write_bytes(b"my edit\n")
    (repository.path / "notes.txt").write_bytes(b"mine\n")

    commit(repository, {"db0/a.json": b"9\n"})

    assert (repository.path / "db0" / "b.json").read_bytes() == b"my edit\n"
    assert (repository.path / "notes.txt").read_bytes() == b"mine\n"
    assert git(repository.path, "status", "--porcelain") == " M db0/b.json\n?? notes.txt"


@pytest.mark.parametrize("mine", ["db0/new.json", "db1"])
def test_an_untracked_file_in_the_way_stops_the_commit(
    repository: Repository, first: str, mine: str
) -> None:
    (repository.path / mine).write_bytes(b"mine\n")

    with pytest.raises(GitbackupError, match=mine):
        commit(repository, {"db0/new.json": b"1\n", "db1/x.json": b"1\n"})

    assert repository.head() == first
    assert (repository.path / mine).read_bytes() == b"mine\n"


@pytest.mark.parametrize("mine", ["db0/new.json", "db1", "db2/x.json/deep"])
def test_an_ignored_file_in_the_way_is_a_persons_too(
    repository: Repository, first: str, mine: str
) -> None:
    (repository.path / ".git" / "info" / "exclude").write_text(f"/{mine}\n/other\n")
    (repository.path / mine).parent.mkdir(parents=True, exist_ok=True)
    (repository.path / mine).write_bytes(b"mine\n")
    (repository.path / "other").write_bytes(b"mine\n")

    with pytest.raises(GitbackupError, match=mine.removesuffix("/deep")):
        commit(repository, {"db0/new.json": b"1\n", "db1/x": b"1\n", "db2/x.json": b"1\n"})

    assert repository.head() == first
    assert (repository.path / mine).read_bytes() == b"mine\n"


def test_a_first_commit_does_not_overwrite_either(repository: Repository) -> None:
    (repository.path / "gitbackup.json").write_bytes(b"mine\n")

    with pytest.raises(GitbackupError, match=r"gitbackup\.json has uncommitted changes"):
        commit(repository, {"gitbackup.json": b"{}\n"})

    assert repository.head() is None
    assert (repository.path / "gitbackup.json").read_bytes() == b"mine\n"


def test_another_git_at_work_in_the_index_is_told(repository: Repository, first: str) -> None:
    (repository.path / ".git" / "index.lock").touch()

    with pytest.raises(Busy, match=r"remove .*index\.lock"):
        commit(repository, {"db0/a.json": b"9\n"})

    assert repository.head() == first


def test_a_person_cannot_commit_the_old_files_while_head_moves(
    repository: Repository, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their git is told that another one is at work, as git tells it."""
    follow, told = worktree.follow, list[bytes]()

    def after_a_person(*of: Any) -> None:
        words = ["git", "commit", "--allow-empty", "-m", "by hand"]
        told.append(subprocess.run(words, cwd=repository.path, capture_output=True).stderr)
        follow(*of)

    monkeypatch.setattr(worktree, "follow", after_a_person)

    made = commit(repository, {"db0/a.json": b"9\n"})

    assert repository.head() == made
    assert [b"index.lock" in each for each in told] == [True]
    assert work_tree(repository)["db0/a.json"] == b"9\n"
    assert git(repository.path, "status", "--porcelain") == ""


def test_where_another_git_holds_the_index_for_long_nothing_is_moved(
    repository: Repository, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worktree, "_PATIENCE", 0.1)
    check, lock = worktree.check, repository.path / ".git" / "index.lock"

    def then_another_git(*of: Any) -> None:
        check(*of)
        lock.touch()

    monkeypatch.setattr(worktree, "check", then_another_git)
    with pytest.raises(Busy, match="another git"):
        commit(repository, {"db0/a.json": b"9\n"})
    monkeypatch.undo()
    assert repository.head() == first
    with pytest.raises(Busy, match="another git"):  # and it keeps what it holds
        commit(repository, {"db0/a.json": b"9\n"})
    assert lock.exists()
    lock.unlink()

    commit(repository, {"db0/a.json": b"9\n"})

    assert git(repository.path, "status", "--porcelain") == ""


def test_an_edit_in_the_tick_of_the_last_commit_stops_the_next(
    repository: Repository, first: str
) -> None:
    """Of the same size, on a file system whose times are coarse."""
    file, index = repository.path / "db0" / "a.json", repository.path / ".git" / "index"
    git(repository.path, "config", "core.trustctime", "false")
    tick = file.stat().st_mtime_ns
    edit = b"e" * file.stat().st_size
    file.write_bytes(edit)
    for each in (file, index):
        os.utime(each, ns=(tick, tick))

    with pytest.raises(GitbackupError, match=r"db0/a\.json has uncommitted changes"):
        commit(repository, {"db0/a.json": b"9\n"})

    assert file.read_bytes() == edit


def test_a_check_that_was_killed_leaves_nothing_in_the_way(
    repository: Repository, first: str
) -> None:
    for name in ("index", "index.lock"):
        (repository.path / ".git" / "gitbackup" / name).write_bytes(b"half")

    commit(repository, {"db0/a.json": b"9\n"})


def test_a_file_that_was_only_touched_is_no_edit(repository: Repository, first: str) -> None:
    (repository.path / "db0" / "a.json").unlink()
    (repository.path / "db0" / "a.json").write_bytes(b"1\n")

    commit(repository, {"db0/a.json": b"9\n"})

    assert (repository.path / "db0" / "a.json").read_bytes() == b"9\n"


def test_a_file_that_was_deleted_comes_back_when_it_changes(
    repository: Repository, first: str
) -> None:
    (repository.path / "db0" / "a.json").unlink()

    commit(repository, {"db0/a.json": b"9\n"})

    assert (repository.path / "db0" / "a.json").read_bytes() == b"9\n"


def test_a_clone_that_was_not_checked_out_fills_its_work_tree(
    repository: Repository, first: str, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "--no-checkout", str(repository.path), "clone")
    clone = Repository.open(tmp_path / "clone")

    commit(clone, {"db0/a.json": b"9\n"})

    assert work_tree(clone)["db0/a.json"] == b"9\n"
    assert git(clone.path, "status", "--porcelain") == ""


class Killed:
    """A repository in which a run was killed after its commit was written."""

    def __init__(self, repository: Repository, first: str) -> None:
        self.repository, self.old = repository, first
        with repository.lock(), repository.commit_writer(first) as writer:
            blobs = {name: writer.blob(data) for name, data in self.wanted().items()}
            self.new = writer.commit("killed\n", {**blobs, "db0/b.json": None})
            writer.save("killed")
        git(repository.path, "branch", "-D", "killed")
        journal = repository.path / ".git" / "gitbackup" / "following"
        journal.write_text(f"{self.old} {self.new}\n")

    def wanted(self) -> dict[str, bytes]:
        return {"gitbackup.json": b"{}\n", "db0/a.json": b"a longer text\n", "db1/c.json": b"3\n"}

    def head_moved(self) -> None:
        git(self.repository.path, "update-ref", "HEAD", self.new)

    def run_again(self) -> None:
        with self.repository.lock():
            pass

    def is_whole(self) -> bool:
        tidy = git(self.repository.path, "status", "--porcelain") == ""
        journal = self.repository.path / ".git" / "gitbackup" / "following"
        return tidy and not journal.exists()


@pytest.fixture
def killed(repository: Repository, first: str) -> Killed:
    return Killed(repository, first)


def test_killed_before_head_moved_the_old_commit_stands(killed: Killed) -> None:
    (killed.repository.path / ".git" / "HEAD.lock").touch()
    (killed.repository.path / ".git" / "refs" / "heads" / "main.lock").touch()

    killed.run_again()

    assert killed.repository.head() == killed.old
    assert killed.is_whole()
    commit(killed.repository, killed.wanted())


def test_killed_after_head_moved_the_work_tree_follows_later(killed: Killed) -> None:
    killed.head_moved()

    killed.run_again()

    assert work_tree(killed.repository) == killed.wanted()
    assert killed.is_whole()


def test_killed_while_files_were_written_the_rest_follows_later(killed: Killed) -> None:
    killed.head_moved()
    folder = killed.repository.path
    (folder / "db0" / "b.json").unlink()
    (folder / "db1").mkdir()
    (folder / "db1" / "c.json").write_bytes(b"3\n")
    (folder / "db0" / "a.json").write_bytes(b"a lon")
    (folder / ".git" / "index.lock").write_bytes(b"half an ind")

    killed.run_again()

    assert work_tree(killed.repository) == killed.wanted()
    assert killed.is_whole()


def test_killed_after_the_work_tree_followed_nothing_is_left_to_do(killed: Killed) -> None:
    killed.head_moved()
    git(killed.repository.path, "reset", "--hard")

    killed.run_again()

    assert work_tree(killed.repository) == killed.wanted()
    assert killed.is_whole()


def test_after_a_kill_a_persons_edit_is_still_not_overwritten(killed: Killed) -> None:
    killed.head_moved()
    edit = killed.repository.path / "db0" / "a.json"
    edit.write_bytes(b"my edit\n")

    with pytest.raises(GitbackupError, match=r"db0/a\.json has uncommitted changes"):
        killed.run_again()
    assert edit.read_bytes() == b"my edit\n"

    git(killed.repository.path, "stash")
    killed.run_again()
    assert killed.is_whole()


def test_after_a_kill_what_a_person_committed_stands(killed: Killed) -> None:
    killed.head_moved()
    git(killed.repository.path, "reset", "--hard")
    git(killed.repository.path, "commit", "--allow-empty", "-m", "going on")
    head = killed.repository.head()

    killed.run_again()

    assert killed.repository.head() == head
    assert killed.is_whole()


def test_a_run_that_is_killed_is_swept_up_by_the_next(repository: Repository, first: str) -> None:
    done = run_python(
        "import os, signal, sys\n"
        "from gitbackup.store.repository.repository import Repository\n"
        "repository = Repository.open(sys.argv[1])\n"
        "with repository.lock(), repository.commit_writer(repository.head()) as writer:\n"
        "    writer.blob(os.urandom(1_000_000))\n"
        "    writer.read(writer.blob(b'x'))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n",
        str(repository.path),
    )
    assert done.returncode == -9, done.stderr
    assert list((repository.path / ".git" / "objects").glob("tmp_*"))

    with repository.lock():
        pass

    assert not list((repository.path / ".git" / "objects").glob("tmp_*"))
    assert repository.head() == first


def test_a_commit_that_is_made_is_told_where_the_work_tree_cannot_follow(
    repository: Repository, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something comes in the way after all was looked at."""
    move = refs.move

    def then_block(*arguments: Any) -> None:
        move(*arguments)
        (repository.path / "db1").write_bytes(b"mine")

    monkeypatch.setattr(refs, "move", then_block)
    with pytest.raises(GitbackupError, match=r"commit [0-9a-f]{7} was made, but the work tree"):
        commit(repository, {"db1/x.json": b"1\n"})
    assert repository.head() != first

    (repository.path / "db1").unlink()
    with repository.lock():
        assert (repository.path / "db1" / "x.json").read_bytes() == b"1\n"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_what_the_system_refuses_is_no_edit_of_a_person(repository: Repository, first: str) -> None:
    folder = repository.path / "db0"
    folder.chmod(0o500)
    with pytest.raises(GitbackupError, match=r"Permission denied"):
        commit(repository, {"db0/a.json": b"2\n"})
    folder.chmod(0o700)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"--output=CANARY HEAD\n", b"\xff\xfe\0"])
def test_a_journal_that_cannot_be_read_stops_nobody(
    repository: Repository, first: str, content: bytes
) -> None:
    journal = repository.path / ".git" / "gitbackup" / "following"
    journal.parent.mkdir(exist_ok=True)
    journal.write_bytes(content)

    commit(repository, {"db0/a.json": b"2\n"})

    assert (repository.path / "db0" / "a.json").read_bytes() == b"2\n"
    assert not journal.exists()
