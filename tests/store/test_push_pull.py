"""Pushing to git repositories and pulling from them: nothing is ever forced."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gitbackup.errors import Damaged, GitbackupError, NoRepository, UsageError
from gitbackup.store.remotes.push_pull import PullOutcome
from gitbackup.store.repository.repository import Repository
from tests.store.plain import commit, everything, git, settle, work_tree
from tests.web import git_host

SECRET = "s3cr3t-p4ss"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A bare repository for others to push to."""
    git(tmp_path, "init", "--bare", "--initial-branch=main", "host/r.git")
    git(tmp_path / "host" / "r.git", "config", "http.receivepack", "true")
    return tmp_path / "host" / "r.git"


@pytest.fixture
def second(repository: Repository, first: str, bare: Path, tmp_path: Path) -> Iterator[Repository]:
    """Another machine's clone of what was pushed to the bare repository."""
    push(repository, str(bare))
    with Repository.clone(str(bare), tmp_path / "second") as (cloned, _):
        yield cloned


def push(repository: Repository, word: str | None = None) -> int:
    return repository.push(repository.remote(word)).commits


def pull(repository: Repository) -> PullOutcome:
    with repository.lock():
        return repository.pull(repository.remote())


def refs_of(folder: Path) -> dict[str, str]:
    lines = git(folder, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(line.split(" ") for line in lines)


def test_all_branches_tags_and_notes_are_pushed(
    repository: Repository, first: str, bare: Path
) -> None:
    git(repository.path, "branch", "saved/elsewhere")
    git(repository.path, "tag", "v1")
    git(repository.path, "notes", "--ref=verdicts", "add", "-m", "well")

    assert push(repository, str(bare)) == 1

    assert list(refs_of(bare)) == [
        "refs/heads/main",
        "refs/heads/saved/elsewhere",
        "refs/notes/verdicts",
        "refs/tags/v1",
    ]
    assert git(repository.path, "rev-parse", "origin/main", "origin/saved/elsewhere").split() == [
        first,
        first,
    ]
    assert push(repository) == 0


def test_a_clone_is_a_data_repository_of_its_own(
    repository: Repository, second: Repository, first: str
) -> None:
    assert second.head() == first
    assert work_tree(second) == work_tree(repository)
    assert second.path.stat().st_mode & 0o777 == 0o700
    assert git(second.path, "config", "core.fsync") == "committed,reference"
    assert git(second.path, "status", "--porcelain", "--branch") == "## main"


def test_a_pull_moves_forward_with_the_work_tree(
    repository: Repository, second: Repository, first: str
) -> None:
    newer = commit(repository, {"db0/a.json": b"2\n", "db0/b.json": None})
    push(repository)

    assert pull(second) == (first, newer, 1, [])
    assert work_tree(second) == work_tree(repository)
    assert pull(second) == (newer, newer, 0, [])


def test_a_pull_into_a_bare_repository(
    repository: Repository, first: str, bare: Path, tmp_path: Path
) -> None:
    push(repository, str(bare))
    with Repository.clone(str(bare), tmp_path / "c.git", bare=True) as (cloned, _):
        newer = commit(repository, {"db0/a.json": b"2\n"})
        push(repository)
        assert pull(cloned).head == newer
    assert git(tmp_path / "c.git", "rev-parse", "--is-bare-repository") == "true"


def test_a_pull_never_overwrites_a_person_s_edits(
    repository: Repository, second: Repository, first: str
) -> None:
    commit(repository, {"db0/a.json": b"2\n"})
    push(repository)
    (second.path / "db0" / "a.json").write_bytes(b"my edit\n")

    with pytest.raises(GitbackupError, match="has uncommitted changes"):
        pull(second)
    assert (second.head(), work_tree(second)["db0/a.json"]) == (first, b"my edit\n")


def test_what_is_not_yet_pushed_is_no_matter_for_a_pull(second: Repository, first: str) -> None:
    newer = commit(second, {"db0/a.json": b"2\n"})
    assert pull(second) == (newer, newer, 0, [])


def test_a_remote_that_went_on_is_explained_and_never_forced(
    repository: Repository, second: Repository, bare: Path
) -> None:
    theirs = commit(repository, {"db0/a.json": b"2\n"})
    push(repository)
    ours = commit(second, {"db0/a.json": b"3\n"})

    with pytest.raises(GitbackupError, match=r"commits that are not here \(main\).*Backup.pull"):
        push(second)
    with pytest.raises(
        GitbackupError, match=r"1 commit only here, and 1 only there\. Nothing was changed"
    ):
        pull(second)

    assert refs_of(bare)["refs/heads/main"] == theirs
    assert (second.head(), work_tree(second)["db0/a.json"]) == (ours, b"3\n")
    git(second.path, "merge", "--quiet", "-s", "ours", "-m", "both", "origin/main")
    assert push(second) == 2
    assert work_tree(second)["db0/a.json"] == b"3\n"


def test_another_database_s_history_is_explained(bare: Path, second: Repository) -> None:
    other = Repository.create(second.path.parent / "other")
    commit(other, {"gitbackup.json": b"{}\n"}, "another\n")
    with pytest.raises(GitbackupError, match="has commits that are not here"):
        push(other, str(bare))
    git(other.path, "remote", "add", "origin", str(bare))
    with pytest.raises(GitbackupError, match="is the history of another database"):
        pull(other)


def test_other_branches_and_tags_come_with_a_pull(
    repository: Repository, second: Repository, first: str
) -> None:
    newer = commit(repository, {"db0/a.json": b"2\n"})
    for name in ("saved/one", "saved/two"):
        git(repository.path, "branch", name, newer)
    git(repository.path, "tag", "v1")
    git(second.path, "branch", "saved/one", first)
    git(second.path, "branch", "saved/two", git(second.path, "commit-tree", "-m", "x", "HEAD:"))
    parted = git(second.path, "rev-parse", "saved/two")
    push(repository)

    got = pull(second)

    assert git(second.path, "rev-parse", "saved/one", "saved/two", "v1").split() == [
        newer,
        parted,
        newer,
    ]
    (warning,) = got.warnings
    assert warning.startswith("branch saved/two was not moved: it and the one of origin (")
    assert warning.endswith(") have diverged")


def test_notes_of_two_machines_become_one(repository: Repository, second: Repository) -> None:
    for at, words in ((repository, "here"), (second, "there")):
        git(at.path, "notes", "--ref=verdicts", "add", "-m", words)
    push(repository)
    sent = second.push(second.remote())
    assert "has notes that are not here (refs/notes/verdicts)" in sent.warnings[0]

    assert pull(second).warnings == []
    assert push(second) == 0
    pull(repository)

    assert git(repository.path, "notes", "--ref=verdicts", "show") == "here\nthere"


def test_a_repository_with_a_work_tree_is_not_pushed_into(
    repository: Repository, first: str, tmp_path: Path
) -> None:
    git(tmp_path, "init", "--initial-branch=main", "checkout")
    with pytest.raises(
        GitbackupError, match=r"refused some branches: main: .*currently checked out"
    ):
        push(repository, str(tmp_path / "checkout"))


def test_a_place_that_cannot_be_reached_is_told_in_git_s_words(
    repository: Repository, first: str
) -> None:
    with pytest.raises(GitbackupError, match=r"^cannot use http://127.0.0.1:1/r: git push"):
        push(repository, f"http://me:{SECRET}@127.0.0.1:1/r")
    assert repository.pushed() == []


def test_nothing_is_pushed_before_the_first_commit(repository: Repository, bare: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no commit in .*: nothing was pushed"):
        push(repository, str(bare))


@pytest.mark.parametrize("name", ["not-ours", "empty"])
def test_a_clone_of_what_is_no_data_repository_leaves_nothing(tmp_path: Path, name: str) -> None:
    git(tmp_path, "init", "--quiet", "empty")
    git(tmp_path, "init", "--quiet", "not-ours")
    git(tmp_path / "not-ours", "commit", "--allow-empty", "-m", "a project")
    with (
        pytest.raises(NoRepository, match="is not a gitbackup data repository"),
        Repository.clone(str(tmp_path / name), tmp_path / "data"),
    ):
        pass
    assert not (tmp_path / "data").exists()


def test_a_clone_of_a_bundle_that_is_not_whole_leaves_nothing(
    repository: Repository, first: str, tmp_path: Path
) -> None:
    git(repository.path, "bundle", "create", str(tmp_path / "b"), "--all")
    (tmp_path / "b").write_bytes((tmp_path / "b").read_bytes()[:-30])
    (tmp_path / "clone").mkdir()
    (tmp_path / "clone" / "README.md").write_text("the format\n")
    with (
        pytest.raises(Damaged, match=r"the bundle .* is not complete"),
        Repository.clone(str(tmp_path / "b"), tmp_path / "clone"),
    ):
        pass
    assert everything(tmp_path / "clone") == {"README.md": b"the format\n"}


@pytest.mark.parametrize("bare", [False, True])
def test_a_clone_needs_an_empty_folder(
    repository: Repository, first: str, tmp_path: Path, bare: bool
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine\n")
    with (
        pytest.raises(NoRepository, match="is not empty"),
        Repository.clone(str(repository.path), tmp_path / "mine", bare),
    ):
        pass
    assert everything(tmp_path / "mine") == {"file": b"mine\n"}


def test_a_clone_is_on_the_branch_that_the_source_is_on(
    repository: Repository, first: str, tmp_path: Path
) -> None:
    git(repository.path, "switch", "--quiet", "-c", "relay")
    newer = commit(repository, {"db0/a.json": b"2\n"})
    git(repository.path, "bundle", "create", str(tmp_path / "b"), "--all", "HEAD")
    for source, name in ((repository.path, "one"), (tmp_path / "b", "two")):
        with Repository.clone(str(source), tmp_path / name) as (cloned, _):
            assert (cloned.head(), git(cloned.path, "branch", "--show-current")) == (newer, "relay")


def test_a_plain_clone_is_adopted_with_our_settings(
    repository: Repository, first: str, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "--quiet", str(repository.path), "plain")
    adopted = Repository.create(tmp_path / "plain")
    assert adopted.path.stat().st_mode & 0o777 == 0o700
    assert git(adopted.path, "config", "core.fsync") == "committed,reference"
    newer = commit(adopted, {"db0/a.json": b"2\n"})
    assert git(adopted.path, "log", "--format=%H").split() == [newer, first]


def test_the_password_of_a_url_logs_in_and_is_kept_by_the_settings_alone(
    repository: Repository, first: str, bare: Path
) -> None:
    with git_host(bare.parent, f"me:{SECRET}") as host:
        remote = repository.remote(f"http://me:{SECRET}@{host}/r.git")
        repository.push(remote)
        assert refs_of(bare) == {"refs/heads/main": first}
        newer = commit(repository, {"db0/a.json": b"2\n"})
        assert push(repository) == 1
        with pytest.raises(GitbackupError) as refused:
            push(repository, f"http://me:{SECRET}!@{host}/r.git")

    assert SECRET not in str(refused.value)
    assert SECRET not in repr((remote, repository.pushed()))
    assert refs_of(bare) == {"refs/heads/main": newer}
    holding = [
        name for name, data in everything(repository.path).items() if SECRET.encode() in data
    ]
    assert holding == [".git/config"]
    assert (repository.path / ".git" / "config").stat().st_mode & 0o077 == 0


def test_the_user_s_credential_helper_logs_in(
    repository: Repository,
    first: str,
    bare: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    helper = f'!f() {{ cat > /dev/null; test "$1" != get || echo "password={SECRET}"; }}; f'
    settle(monkeypatch, tmp_path / "home", "")
    git(tmp_path, "config", "--global", "credential.helper", helper)
    with git_host(bare.parent, f"me:{SECRET}") as host:
        push(repository, f"http://me@{host}/r.git")
    assert refs_of(bare) == {"refs/heads/main": first}


def test_the_user_s_ssh_is_used(
    repository: Repository,
    first: str,
    bare: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Stood in for by a program that runs what it is told on this machine."""
    program = "import os, sys; os.execvp('sh', ['sh', '-c', sys.argv[-1]])"
    monkeypatch.setenv("GIT_SSH_COMMAND", f"{sys.executable} -c {shlex.quote(program)}")
    push(repository, f"git@example.org:{bare}")
    assert refs_of(bare) == {"refs/heads/main": first}
    assert repository.remote().place.url == f"git@example.org:{bare}"


FORBIDDING = [
    ("", {"GIT_ALLOW_PROTOCOL": "https:ssh"}),
    ("[protocol]\nallow = never\n", {}),
    ('[protocol "file"]\nallow = never\n', {}),
    ('[protocol "file"]\nallow = user\n', {"GIT_PROTOCOL_FROM_USER": "0"}),
    ('[url "https://example.org/"]\ninsteadOf = /\n', {}),
]


@pytest.fixture(params=FORBIDDING)
def forbidden(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No place on this machine may be reached, by the user's settings."""
    settings, variables = request.param
    settle(monkeypatch, tmp_path / "home", settings)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.few(1)
@pytest.mark.usefixtures("forbidden")
@pytest.mark.parametrize("url", ["{}", "file://{}"])
def test_a_bundle_is_a_file_whatever_may_be_reached(
    repository: Repository, first: str, tmp_path: Path, url: str
) -> None:
    push(repository, str(tmp_path / "data.bundle"))

    source = url.format(tmp_path / "data.bundle")
    with Repository.clone(source, tmp_path / "second") as (second, _):
        assert second.head() == first
        made = commit(repository, {"db0/a.json": b"2\n"})
        push(repository)
        assert pull(second).head == made


@pytest.mark.parametrize("instead", ["/", "file:///", "{}/data", "."])
def test_a_bundle_is_that_file_whatever_the_repository_s_settings_make_of_it(
    repository: Repository, first: str, tmp_path: Path, instead: str
) -> None:
    folder = tmp_path / "a=b c"
    folder.mkdir()
    push(repository, str(folder / "data.bundle"))

    with Repository.clone(str(folder / "data.bundle"), tmp_path / "second") as (second, _):
        git(second.path, "config", "url.https://example.invalid/.insteadOf", instead.format(folder))
        made = commit(repository, {"db0/a.json": b"2\n"})
        push(repository)
        assert pull(second).head == made


@pytest.mark.parametrize("url", ["{}", "file://{}"])
def test_a_place_that_may_not_be_reached_is_told(
    repository: Repository,
    first: str,
    bare: Path,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settle(monkeypatch, tmp_path / "home", '[protocol "file"]\nallow = never\n')
    told = r"git push failed: fatal: transport 'file' not allowed \(see git's settings"

    with pytest.raises(GitbackupError, match=told):
        push(repository, url.format(bare))

    assert refs_of(bare) == {}


def test_no_hook_of_the_user_s_runs(
    repository: Repository, second: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pre-push", "post-merge", "post-checkout", "reference-transaction"):
        hook = second.path / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\nexit 1\n")
        hook.chmod(0o755)
    commit(second, {"db0/a.json": b"2\n"})
    assert push(second) == 1


def test_commits_that_are_dated_before_their_parents_are_no_others(
    repository: Repository, tmp_path: Path
) -> None:
    (tmp_path / "cloud").mkdir()
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    for number in range(20):
        pushed = commit(repository, {"a": b"%d" % number}, when=noon + timedelta(minutes=number))
        if number == 15:
            git(repository.path, "branch", "of-old")
    push(repository, str(tmp_path / "cloud"))

    for later in (30, 31, 32, -1000, 33):
        commit(repository, {"a": b"%d" % later}, when=noon + timedelta(minutes=later))

    assert git(repository.path, "rev-list", pushed, "--not", "HEAD", "of-old")  # git's mistake
    assert push(repository) == 5
    assert [remote.missing for remote in repository.pushed()] == [0]
