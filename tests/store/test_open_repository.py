"""Making a data repository, adopting one, and refusing what is none."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gitbackup.errors import Damaged, GitbackupError, NoRepository, UsageError
from gitbackup.store.repository.repository import Repository
from tests.store.plain import commit, everything, git, run_python


def test_a_new_repository_has_no_commit_and_its_branch_is_main(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / "deep" / "data")

    assert repository.head() is None
    assert git(repository.path, "symbolic-ref", "HEAD") == "refs/heads/main"


def test_only_its_owner_may_look_into_a_repository(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / "data")

    assert stat.S_IMODE(repository.path.stat().st_mode) == 0o700
    assert stat.S_IMODE((repository.path / ".git" / "config").stat().st_mode) == 0o600


def test_creating_again_changes_nothing(repository: Repository, first: str) -> None:
    before = everything(repository.path)

    assert Repository.create(repository.path).head() == first
    assert everything(repository.path) == before


def test_a_repository_without_a_commit_is_adopted_and_keeps_its_branch(tmp_path: Path) -> None:
    git(tmp_path, "init", "--initial-branch=backups")

    commit(Repository.create(tmp_path), {"gitbackup.json": b"{}\n"})

    assert git(tmp_path, "branch", "--show-current") == "backups"


def test_a_repository_with_other_content_is_refused(tmp_path: Path) -> None:
    git(tmp_path, "init")
    git(tmp_path, "commit", "--allow-empty", "-m", "a project")

    with pytest.raises(NoRepository, match="not a gitbackup data repository"):
        Repository.create(tmp_path)
    with pytest.raises(NoRepository, match="not a gitbackup data repository"):
        Repository.open(tmp_path)


def test_nothing_there_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        NoRepository, match=r"`Backup.commit\(\)` creates one, and `repository` names"
    ):
        Repository.open(tmp_path / "data")


def test_a_repository_that_holds_nothing_is_not_there_yet(tmp_path: Path) -> None:
    assert Repository.find(tmp_path) is None
    git(tmp_path, "init")
    assert Repository.find(tmp_path) is None

    Repository.create(tmp_path)
    assert Repository.find(tmp_path) is not None
    assert Repository.find(tmp_path / "below") is None


def test_a_repository_around_the_folder_is_not_taken_for_it(tmp_path: Path) -> None:
    git(tmp_path, "init")
    (tmp_path / "data").mkdir()

    with pytest.raises(NoRepository):
        Repository.open(tmp_path / "data")

    assert Repository.create(tmp_path / "data").path == tmp_path / "data"
    assert (tmp_path / "data" / ".git").is_dir()


def test_the_reference_of_the_format_may_stand_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("the format\n")

    repository = Repository.create(tmp_path)
    commit(repository, {"gitbackup.json": b"{}\n"})

    assert git(tmp_path, "status", "--porcelain") == ""
    assert (tmp_path / "README.md").read_text() == "the format\n"


def test_a_plain_clone_is_ours(repository: Repository, first: str, tmp_path: Path) -> None:
    git(tmp_path, "clone", str(repository.path), "clone")

    clone = Repository.open(tmp_path / "clone")

    assert clone.head() == first
    commit(clone, {"db0/a.json": b"9\n"})
    assert git(clone.path, "status", "--porcelain") == ""


def test_a_submodule_is_found_where_its_git_file_leads(
    repository: Repository, first: str, tmp_path: Path
) -> None:
    words = ("clone", "--separate-git-dir", str(tmp_path / "elsewhere"), str(repository.path))
    git(tmp_path, *words, "sub")

    commit(Repository.open(tmp_path / "sub"), {"db0/a.json": b"9\n"})

    assert (tmp_path / "sub" / "db0" / "a.json").read_bytes() == b"9\n"


def test_a_linked_work_tree_is_refused(repository: Repository, first: str, tmp_path: Path) -> None:
    git(repository.path, "worktree", "add", "--detach", str(tmp_path / "linked"))

    with pytest.raises(NoRepository, match="linked work tree"):
        Repository.open(tmp_path / "linked")


def test_sha256_is_refused(tmp_path: Path) -> None:
    git(tmp_path, "init", "--object-format=sha256")

    with pytest.raises(NoRepository, match="SHA-256"):
        Repository.create(tmp_path)


def test_a_format_of_the_future_is_refused(repository: Repository) -> None:
    git(repository.path, "config", "gitbackup.format", "2")

    with pytest.raises(Damaged, match="upgrade"):
        Repository.open(repository.path)


def test_a_bare_repository_has_no_work_tree(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / "data.git", bare=True)
    made = commit(repository, {"gitbackup.json": b"{}\n"})

    assert git(tmp_path / "data.git", "rev-parse", "--is-bare-repository") == "true"
    assert repository.bare
    assert Repository.open(tmp_path / "data.git").head() == made
    assert not (tmp_path / "data.git" / "gitbackup.json").exists()
    assert Repository.create(tmp_path / "data.git", bare=True).head() == made
    with pytest.raises(UsageError, match="no work tree"):
        Repository.create(tmp_path / "data.git")


def test_a_bare_repository_takes_no_folder_with_other_files(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear\n")

    with pytest.raises(NoRepository, match="not empty"):
        Repository.create(tmp_path, bare=True)


def test_the_git_directory_itself_leads_to_its_work_tree(repository: Repository) -> None:
    assert not Repository.open(repository.path / ".git").bare


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")

    with pytest.raises(GitbackupError, match="cannot make the data repository: File exists"):
        Repository.create(tmp_path / "data")


@pytest.mark.skipif(os.name == "nt", reason="Windows looks for programs in other places, too")
def test_without_git_the_error_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    done = run_python(
        "import sys\n"
        "from gitbackup.errors import GitbackupError\n"
        "from gitbackup.store.repository.repository import Repository\n"
        "try: Repository.create(sys.argv[1])\n"
        "except GitbackupError as error: print(error)\n",
        str(tmp_path / "data"),
    )

    assert done.stdout.startswith("git is not installed, or not on the PATH"), done.stderr


def test_what_a_run_left_that_was_killed_as_it_began_goes_by_itself(
    repository: Repository, first: str
) -> None:
    """It had locked nothing yet; one that has begun just now may be at work."""
    left, young = (repository.path / f".gitbackup-new-.git-{name}" for name in ("left", "young"))
    for folder in (left, young):
        folder.mkdir()
    os.utime(left, (0, 0))
    with repository.lock():
        repository.maintain()
    assert (left.exists(), young.exists()) == (False, True)
