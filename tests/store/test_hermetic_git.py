"""Whatever the environment and the user's own settings tell git, ours does what we ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitbackup.model import Selection
from gitbackup.store.repository import Repository
from tests.store.plain import commit, everything, git, work_tree


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
    (tmp_path / "settings").write_text(
        f"[core]\nhooksPath = {hooks}\nautocrlf = true\neol = crlf\nignoreCase = true\n"
        f"attributesFile = {tmp_path}/attributes\nfsmonitor = {hooks}/post-checkout\n"
        f"[init]\ndefaultBranch = trunk\ntemplateDir = {tmp_path}/template\n"
        "[commit]\ngpgSign = true\n[log]\nshowSignature = true\ndate = relative\n"
        "[color]\nui = always\n[diff]\nrenames = copies\nnoprefix = true\n"
        "[submodule]\nrecurse = true\n[i18n]\ncommitEncoding = latin1\n"
        "logOutputEncoding = latin1\n[trailer]\nseparators = '='\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "settings"))


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
