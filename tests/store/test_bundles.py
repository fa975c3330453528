"""A bundle under its name is always a whole one, whatever happens while it is written."""

from __future__ import annotations

import os
import random
import resource
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitbackup.errors import Busy, Damaged, GitbackupError
from gitbackup.store.git import lock, open_repository
from gitbackup.store.repository.repository import Repository
from gitbackup.store.transports.bundle import is_whole, written
from tests.store.plain import commit, git, run_git

HOUSE = Path(__file__).parents[2]
PUSH = """
import sys
from gitbackup.store.repository.repository import Repository
repository = Repository.open(sys.argv[1])
repository.push(repository.remote(sys.argv[2]))
"""


@pytest.fixture
def cloud(tmp_path: Path) -> Path:
    folder = tmp_path / "cloud"
    folder.mkdir()
    return folder


@pytest.fixture
def bundle(repository: Repository, first: str, cloud: Path) -> Path:
    """The bundle of the first commit."""
    push(repository, cloud)
    return cloud / "data.bundle"


def push(repository: Repository, folder: Path) -> int:
    return repository.push(repository.remote(str(folder))).commits


def start(repository: Repository, folder: Path, **how: object) -> subprocess.Popen[bytes]:
    """The same in a process of its own."""
    words = [sys.executable, "-c", PUSH, str(repository.path), str(folder)]
    return subprocess.Popen(words, cwd=HOUSE, stderr=subprocess.PIPE, **how)  # type: ignore[call-overload,no-any-return]


def test_it_is_written_aside_by_a_name_that_no_cloud_drive_takes_along(
    repository: Repository, first: str, bundle: Path
) -> None:
    git_at_work = open_repository.find(repository.path)
    assert git_at_work
    with written(git_at_work, bundle) as (draft, refs):
        assert (draft.name[:6], draft.suffix, draft.parent) == ("~data-", ".tmp", bundle.parent)
        assert refs["HEAD"] == first
    assert sorted(bundle.parent.iterdir()) == [bundle.with_name("RESTORE.txt"), bundle]


def cloned(bundle: Path, folder: Path) -> str:
    """HEAD of what plain git makes of a bundle."""
    git(bundle.parent, "clone", "--quiet", str(bundle), str(folder))
    git(folder, "fsck", "--strict")
    return git(folder, "rev-parse", "HEAD")


def test_plain_git_clones_all_branches_tags_and_notes_of_it(
    repository: Repository, first: str, cloud: Path, tmp_path: Path
) -> None:
    git(repository.path, "branch", "saved/elsewhere")
    git(repository.path, "tag", "-a", "v1", "-m", "a tag")
    git(repository.path, "notes", "--ref=verdicts", "add", "-m", "well")
    push(repository, cloud)

    assert [file.name for file in cloud.iterdir() if file.suffix != ".txt"] == ["data.bundle"]
    assert cloned(cloud / "data.bundle", tmp_path / "clone") == first
    git(tmp_path / "clone", "fetch", "origin", "refs/*:refs/got/*")
    assert git(tmp_path / "clone", "for-each-ref", "--format=%(refname)", "refs/got").split() == [
        "refs/got/heads/main",
        "refs/got/heads/saved/elsewhere",
        "refs/got/notes/verdicts",
        "refs/got/tags/v1",
    ]


def test_refs_are_in_it_whose_names_could_mean_others(
    repository: Repository, first: str, cloud: Path, tmp_path: Path
) -> None:
    """`git bundle create` leaves all of them out."""
    named = ["heads/main", "heads/refs/heads/main", "tags/HEAD", "tags/heads/main"]
    for name in named:
        git(repository.path, "update-ref", f"refs/{name}", first)
    push(repository, cloud)

    assert cloned(cloud / "data.bundle", tmp_path / "clone") == first
    told = git(tmp_path / "clone", "ls-remote", "origin").splitlines()
    names = sorted(line.partition("\t")[2] for line in told)
    assert names == ["HEAD", *(f"refs/{name}" for name in named)]
    with Repository.clone(str(cloud), tmp_path / "ours") as (clone, warnings):
        assert (clone.head(), warnings) == (first, [])


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux only")
@pytest.mark.parametrize("name", ["new\nline", "\udcff"])
def test_it_may_have_any_name(
    repository: Repository, first: str, tmp_path: Path, name: str
) -> None:
    assert push(repository, tmp_path / f"{name}.bundle") == 1
    assert (tmp_path / "RESTORE.txt").is_file()


def test_only_its_owner_may_read_it(bundle: Path) -> None:
    assert stat.S_IMODE(bundle.stat().st_mode) == 0o600


def test_a_bundle_that_is_up_to_date_is_left_alone(repository: Repository, bundle: Path) -> None:
    before = bundle.stat()
    assert push(repository, bundle.parent) == 0
    assert bundle.stat().st_ino == before.st_ino


def test_a_bundle_whose_end_was_lost_is_written_anew(
    repository: Repository, first: str, bundle: Path, tmp_path: Path
) -> None:
    bundle.write_bytes(bundle.read_bytes()[:-30])
    assert run_git(repository.path, "bundle", "verify", str(bundle)).returncode == 0
    assert not is_whole(bundle)

    push(repository, bundle.parent)

    assert cloned(bundle, tmp_path / "clone") == first


def test_a_file_that_is_no_bundle_is_never_overwritten(
    repository: Repository, first: str, cloud: Path
) -> None:
    (cloud / "data.bundle").write_text("my shopping list\n")
    with pytest.raises(Damaged, match="is not a git bundle"):
        push(repository, cloud)
    assert (cloud / "data.bundle").read_text() == "my shopping list\n"


def test_a_bundle_with_commits_that_are_not_here_is_never_overwritten(
    repository: Repository, first: str, bundle: Path, tmp_path: Path
) -> None:
    with Repository.clone(str(bundle), tmp_path / "second" / "data") as (second, _):
        newer = commit(second, {"db0/a.json": b"2\n"})
        push(second, bundle.parent)
    mine = commit(repository, {"db0/a.json": b"3\n"})
    theirs = bundle.read_bytes()

    with pytest.raises(GitbackupError, match=r"has commits that are not here \(main\)"):
        push(repository, bundle.parent)
    with repository.lock(), pytest.raises(GitbackupError, match="merge -s ours origin/main"):
        repository.pull(repository.remote())

    assert bundle.read_bytes() == theirs
    git(repository.path, "merge", "-s", "ours", "-m", "both", "origin/main")
    push(repository, bundle.parent)
    assert git(repository.path, "merge-base", "--is-ancestor", newer, "HEAD") == ""
    assert git(repository.path, "show", "HEAD:db0/a.json") == "3"
    assert git(repository.path, "rev-parse", "HEAD^1") == mine


def test_commits_that_were_rewritten_here_are_kept_there(
    repository: Repository, first: str, bundle: Path
) -> None:
    """They are still in the repository, but on no branch."""
    git(repository.path, "commit", "--amend", "-m", "another message")
    with pytest.raises(GitbackupError, match="has commits that are not here"):
        push(repository, bundle.parent)


def test_a_bundle_of_another_database_is_never_overwritten(
    repository: Repository, bundle: Path, tmp_path: Path
) -> None:
    other = Repository.create(tmp_path / "other" / "data")
    commit(other, {"gitbackup.json": b"{}\n"}, "another database\n")
    with pytest.raises(GitbackupError, match="push to another file name in that folder"):
        push(other, bundle.parent)
    assert push(other, bundle.parent / "other.bundle") == 1


def test_what_was_pushed_last_is_in_the_remote_tracking_refs(
    repository: Repository, first: str, bundle: Path
) -> None:
    assert git(repository.path, "rev-parse", "origin/main") == first
    (told,) = repository.pushed()
    assert (told.remote, told.commit, told.missing) == ("origin", first, 0)
    assert told.when is not None
    commit(repository, {"db0/a.json": b"2\n"})
    (told,) = repository.pushed()
    assert (told.commit, told.missing) == (first, 1)
    git(repository.path, "fetch", "--quiet", "origin")


def test_a_shallow_clone_cannot_be_a_bundle(
    repository: Repository, first: str, cloud: Path, tmp_path: Path
) -> None:
    commit(repository, {"db0/a.json": b"2\n"})
    url = f"file://{repository.path}"
    git(tmp_path, "clone", "--quiet", "--depth=1", url, "shallow")
    with pytest.raises(GitbackupError, match="is a shallow clone"):
        push(Repository.create(tmp_path / "shallow"), cloud)
    assert [*cloud.iterdir()] == []


def test_two_pushes_at_once_are_one(repository: Repository, bundle: Path) -> None:
    repository.lock_wait = 0
    with (
        lock.hold(repository._git, "pushing.lock"),
        pytest.raises(Busy, match="another run"),
    ):
        push(repository, bundle.parent)


def test_a_commit_may_be_made_while_a_push_runs(repository: Repository, bundle: Path) -> None:
    with lock.hold(repository._git, "pushing.lock"):
        commit(repository, {"db0/a.json": b"2\n"})


def test_objects_that_are_damaged_are_told_before_a_bundle_is_replaced(
    repository: Repository, bundle: Path
) -> None:
    before = bundle.read_bytes()
    newer = commit(repository, {"db0/a.json": b"2\n"})
    (pack,) = [p for p in objects(repository) if newer_pack(repository, p, newer)]
    pack.chmod(0o600)
    pack.write_bytes(pack.read_bytes()[:-40] + bytes(40))

    with pytest.raises(GitbackupError):
        push(repository, bundle.parent)
    assert [file.name for file in bundle.parent.iterdir() if file.suffix != ".txt"] == [
        "data.bundle"
    ]
    assert bundle.read_bytes() == before


def objects(repository: Repository) -> Iterator[Path]:
    return (repository.path / ".git" / "objects" / "pack").glob("*.pack")


def newer_pack(repository: Repository, pack: Path, commit_id: str) -> bool:
    return commit_id in git(repository.path, "verify-pack", "-v", str(pack.with_suffix(".idx")))


def test_a_disk_that_fills_leaves_the_bundle_before(repository: Repository, bundle: Path) -> None:
    before = bundle.read_bytes()
    commit(repository, {"db0/big.json": random.Random(1).randbytes(300_000)})

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    child = start(repository, bundle.parent, preexec_fn=little_room)
    _, said = child.communicate()

    assert child.returncode == 1
    assert b"GitbackupError: cannot write the bundle: File too large" in said
    assert bundle.read_bytes() == before
    assert [file.name for file in bundle.parent.iterdir() if file.suffix != ".txt"] == [
        "data.bundle"
    ]


@pytest.mark.long
def test_a_push_that_is_killed_leaves_a_whole_bundle(
    repository: Repository, first: str, bundle: Path, tmp_path: Path
) -> None:
    """At random instants: it is the one before or the new one, and the next push is good."""
    chance = random.Random(7)
    known = {first}
    for number in range(6):
        known.add(commit(repository, {"db0/big.json": chance.randbytes(3_000_000)}))
        child = start(repository, bundle.parent)
        time.sleep(0.15 + 0.5 * chance.random())
        child.kill()
        child.communicate()
        assert cloned(bundle, tmp_path / f"clone-{number}") in known
        assert is_whole(bundle)
    for left in bundle.parent.glob("~data-*.tmp"):
        os.utime(left, (0, 0))

    push(repository, bundle.parent)

    assert [file.name for file in bundle.parent.iterdir() if file.suffix != ".txt"] == [
        "data.bundle"
    ]
    assert [*(repository.path / ".git" / "gitbackup").glob("proof-*")] == []
    assert cloned(bundle, tmp_path / "clone") == repository.head()
