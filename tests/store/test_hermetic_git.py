"""Whatever the environment and the user's own settings tell git, ours does what we ask."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitbackup.errors import GitbackupError
from gitbackup.model.commits import Selection
from gitbackup.store.git import environment
from gitbackup.store.repository.repository import Repository
from tests.store.plain import commit, everything, git, settle, work_tree


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project like ours, with a commit, whose checkout the data repository stands in."""
    project = tmp_path / "project"
    (project / "data-git-backup").mkdir(parents=True)
    (project / ".gitignore").write_text("/data-git-backup/*\n!/data-git-backup/README.md\n")
    (project / "data-git-backup" / "README.md").write_text("the format\n")
    git(project, "init")
    git(project, "add", "--all")
    git(project, "commit", "-m", "the project")
    return project


@pytest.fixture
def led_astray(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a hook of the project's repository, and worse."""
    for name, value in {
        "GIT_DIR": str(project / ".git"),
        "GIT_COMMON_DIR": str(project / ".git"),
        "GIT_WORK_TREE": str(project),
        "GIT_INDEX_FILE": str(project / ".git" / "index"),
        "GIT_OBJECT_DIRECTORY": str(project / ".git" / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(project),
        "GIT_NAMESPACE": "elsewhere",
        "GIT_CONFIG_PARAMETERS": "'core.bare=true'",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.autocrlf",
        "GIT_CONFIG_VALUE_0": "true",
        "GIT_ICASE_PATHSPECS": "1",
        "GIT_DEFAULT_HASH": "sha256",
        "GIT_TRACE": "1",
        "GIT_TRACE_SETUP": "1",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def strange_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user whose global settings turn everything that can be turned."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("reference-transaction", "post-index-change", "post-checkout"):
        (hooks / name).write_text("#!/bin/sh\nexit 1\n")
        (hooks / name).chmod(0o755)
    (tmp_path / "attributes").write_text("* text eol=crlf\n")
    (tmp_path / "template").mkdir()
    (tmp_path / "template" / "surprise").write_text("from the template\n")
    settle(
        monkeypatch,
        tmp_path / "home",
        f"[core]\nhooksPath = {hooks}\nautocrlf = true\neol = crlf\nignoreCase = true\n"
        f"attributesFile = {tmp_path}/attributes\nfsmonitor = {hooks}/post-checkout\n"
        f"[init]\ndefaultBranch = trunk\ntemplateDir = {tmp_path}/template\n"
        "[commit]\ngpgSign = true\n[log]\nshowSignature = true\ndate = relative\n"
        "[color]\nui = always\n[diff]\nrenames = copies\nnoprefix = true\n"
        "[submodule]\nrecurse = true\n[i18n]\ncommitEncoding = latin1\n"
        "logOutputEncoding = latin1\n[trailer]\nseparators = '='\n",
    )


def check_everything_works(folder: Path) -> None:
    files = {"gitbackup.json": b"{}\n", "db0/Key.json": b"1\r\n", "db0/key.json": b"2\n"}
    repository = Repository.create(folder)
    first = commit(repository, files, "Grüße\n\nAdded: 2\nChanged: 0\nRemoved: 0\n")
    second = commit(repository, {"db0/Key.json": None, "db0/k.json": b"1\r\n"})

    repository = Repository.open(folder)
    assert repository.head() == repository.resolve("main") == second
    assert {n: repository.read(b) for n, b in repository.files(first).items()} == files
    assert (folder / "db0" / "k.json").read_bytes() == b"1\r\n"
    assert [commit.subject for commit in repository.log()] == ["a commit", "Grüße"]
    assert [c.info.subject for c in repository.history.records(Selection(), ["db0/key.json"])] == [
        "Grüße"
    ]
    changed = [change.path for change in repository.changed_files(first, second)]
    assert changed == ["db0/Key.json", "db0/k.json"]
    with repository.lock():
        repository.maintain()
    repository.set("url", "redis://localhost")
    assert repository.get("url") == "redis://localhost"


@pytest.mark.usefixtures("led_astray")
def test_variables_that_lead_to_another_repository_are_not_followed(project: Path) -> None:
    before = everything(project)

    check_everything_works(project / "data-git-backup")

    after = everything(project)
    assert {name: after[name] for name in before} == before
    assert {name.split("/")[0] for name in after.keys() - before.keys()} == {"data-git-backup"}


@pytest.mark.usefixtures("led_astray")
def test_a_bare_repository_is_made_there_too(project: Path, tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / "data.git", bare=True)

    made = commit(repository, {"gitbackup.json": b"{}\n"})

    assert Repository.open(tmp_path / "data.git").head() == made


@pytest.mark.usefixtures("strange_settings")
def test_a_users_global_settings_change_nothing(tmp_path: Path) -> None:
    check_everything_works(tmp_path / "data")

    assert not (tmp_path / "data" / ".git" / "surprise").exists()


def test_the_project_around_sees_nothing_of_the_data(project: Path) -> None:
    repository = Repository.create(project / "data-git-backup")
    commit(repository, {"gitbackup.json": b"{}\n", "db0/a.json": b"1\n"})

    assert git(project, "status", "--porcelain") == ""
    assert git(project / "data-git-backup", "status", "--porcelain") == ""
    assert work_tree(repository)["README.md"] == b"the format\n"


def test_a_folder_with_a_strange_name_is_no_matter(tmp_path: Path) -> None:
    check_everything_works(tmp_path / 'a: "b" \\ é')


def test_replaced_objects_are_read_as_they_were(repository: Repository, first: str) -> None:
    second = commit(repository, {"db0/a.json": b"9\n"})
    git(repository.path, "replace", second, first)

    assert repository.read(repository.files(second)["db0/a.json"]) == b"9\n"


def test_grafts_hide_no_commit(repository: Repository, first: str) -> None:
    second = commit(repository, {"db0/a.json": b"9\n"})
    (repository.path / ".git" / "info" / "grafts").write_text(f"{second}\n")

    assert [each.id for each in repository.log()] == [second, first]


@pytest.mark.usefixtures("led_astray")
def test_git_gets_what_it_needs_and_no_empty_value(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GIT_ATTR_SOURCE", "GIT_QUARANTINE_PATH", "GIT_INTERNAL_SUPER_PREFIX", "GIT_NEW"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("GIT_CONFIG", os.devnull)
    monkeypatch.setenv("GIT_SSH_COMMAND", "")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "a person")
    monkeypatch.setenv("REDISCLI_AUTH", "secret")

    found = environment.of_git(repository.path / ".git", repository.path)

    assert "" not in found.values()
    assert "REDISCLI_AUTH" not in found
    assert {name for name in found if name.startswith("GIT_")} - environment.ALLOWED == {
        *("GIT_DIR", "GIT_WORK_TREE", "GIT_ATTR_NOSYSTEM", "GIT_LITERAL_PATHSPECS"),
        *("GIT_NO_REPLACE_OBJECTS", "GIT_TERMINAL_PROMPT", "GIT_GRAFT_FILE"),
    }
    assert found["GIT_AUTHOR_NAME"] == "a person"
    assert found["GIT_DIR"] == str(repository.path / ".git")


@pytest.mark.few(1)
@pytest.mark.parametrize(
    "name",
    [
        *("GIT_CONFIG", "GIT_ATTR_SOURCE", "GIT_QUARANTINE_PATH", "GIT_INTERNAL_SUPER_PREFIX"),
        *("GIT_PYTHON_REFRESH", "GIT_EXTERNAL_DIFF", "GIT_PREFIX", "GIT_SHALLOW_FILE"),
    ],
)
@pytest.mark.parametrize("value", ["", os.devnull, "raise"])
def test_a_variable_that_a_version_of_git_reads_is_no_matter(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    check_everything_works(tmp_path / "data")


def program(folder: Path, script: str) -> None:
    """Makes a `git` of a shell script in the folder."""
    folder.mkdir()
    (folder / "git").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "git").chmod(0o755)


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("echo 'git version 2.29.4'", "git 2.29.4 ({}/git) is too old; install git 2.30 or newer"),
        (
            "echo 'libpcre2: cannot open shared object file' >&2; exit 127",
            "git version failed: libpcre2: cannot open shared object file ({}/git);"
            " install git 2.30 or newer",
        ),
        (
            "exit 0",
            "git version failed: it ended with status 0 ({}/git); install git 2.30 or newer",
        ),
        (
            "echo 'git version 2.50.1'; echo bye",
            "{}/git cannot be used: `git version` prints more than git's version"
            " (git version 2.50.1; bye), and so may every command",
        ),
    ],
)
def test_a_git_that_cannot_be_used_is_told_in_one_sentence(
    script: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin", script)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    with pytest.raises(GitbackupError) as caught:
        Repository.create(tmp_path / "data")
    assert str(caught.value) == sentence.format(tmp_path / "bin")


def test_settings_that_git_cannot_read_are_no_reason_to_install_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(monkeypatch, tmp_path / "home", "[core\nnonsense")
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:{tmp_path}")  # it is not known to run yet
    repository = Repository.create(tmp_path / "data")

    with pytest.raises(GitbackupError) as caught:
        commit(repository, {"db0/a.json": b"1\n"})
    assert str(caught.value) == (
        f"git config failed: fatal: bad config line 1 in file {tmp_path}/home/.gitconfig"
    )


def test_a_git_that_is_no_program_is_told_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin", "")
    (tmp_path / "bin" / "git").write_bytes(b"\x7fELF nonsense")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    with pytest.raises(GitbackupError, match="cannot start git: Exec format error"):
        Repository.create(tmp_path / "data")


def test_what_we_write_another_reader_of_git_reads_too(tmp_path: Path) -> None:
    from git import Repo

    files = {"gitbackup.json": b"{}\n", "db0/Key.json": b"1\r\n", "db0/é ü.json": b"2\n" * 9999}
    repository = Repository.create(tmp_path / "data")
    made = commit(repository, files, "Grüße\n")

    with Repo(tmp_path / "data") as other:
        blobs = [item for item in other.head.commit.tree.traverse() if item.type == "blob"]
        assert {blob.path: blob.data_stream.read() for blob in blobs} == files
        assert (other.head.commit.hexsha, other.head.commit.message) == (made, "Grüße\n")


def test_settings_by_which_git_loses_an_index_do_not_hold(
    repository: Repository, first: str
) -> None:
    """Git makes of both a split index that has no sum, and finds nothing of its base again."""
    for number in range(2):
        git(repository.path, "config", "core.splitIndex", "true")
        git(repository.path, "config", "index.skipHash", str(bool(number)).lower())
        commit(repository, {"db0/a.json": b"%d\n" % (number + 2)})

    git(repository.path, "config", "core.splitIndex", "false")
    assert git(repository.path, "status", "--porcelain") == ""
