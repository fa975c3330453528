"""Who a commit is by is whom git itself takes it to be by."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from gitbackup.errors import GitbackupError
from gitbackup.store.git.command import Commands
from gitbackup.store.git.identity import environment, signature
from gitbackup.store.repository.repository import Repository
from tests.store.plain import git, settle

DATE = "1764500000 +0100"
PERSON = "[user]\nname = A Person\nemail = person@example.org\n"
ROLES = "[author]\nname = Author\n[committer]\nemail = committer@example.org\n"
NOBODY = "gitbackup <gitbackup@localhost>"
CASES: list[tuple[str, Mapping[str, str]]] = [
    (PERSON, {}),
    (PERSON + ROLES, {}),
    (PERSON, {"GIT_COMMITTER_NAME": "Cron", "EMAIL": "other@example.org"}),
    (PERSON + ROLES, {"GIT_AUTHOR_NAME": "", "GIT_AUTHOR_EMAIL": "a@b"}),
    ("", {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b"}),
    ('[user]\nname = " <Zo\\"ë>, Jr.; "\nemail = <zoe@example.org>\n', {}),
    ('[user]\nname = "A\\nB"\nemail = " "\n', {}),
    ("[user]\nname = Someone\nemail =\n", {}),
]
UNKNOWN: list[tuple[str, Mapping[str, str]]] = [
    ("", {"EMAIL": "other@example.org"}),
    ("[user]\nname = Someone\n", {}),
    ("[user]\nemail = a@b\n", {}),
    ("[user]\nname = .\nemail = a@b\n", {}),
    ("", {"GIT_COMMITTER_NAME": "Cron"}),
]


def told(
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
    home: Path,
    case: tuple[str, Mapping[str, str]],
) -> dict[str, str]:
    """What we take for the author and the committer of a commit."""
    settle(monkeypatch, home, case[0])
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_DATE", DATE)
    for name, value in case[1].items():
        monkeypatch.setenv(name, value)
    commands = Commands(repository.path / ".git", repository.path)
    signed = {role: signature(commands, role).decode() for role in ("AUTHOR", "COMMITTER")}
    named = environment(commands)
    for role, line in signed.items():
        assert line.startswith(f"{named[f'GIT_{role}_NAME']} <{named[f'GIT_{role}_EMAIL']}> ")
    return signed


@pytest.mark.few(3)
@pytest.mark.parametrize("case", CASES)
def test_it_is_whom_git_says(
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    case: tuple[str, Mapping[str, str]],
) -> None:
    for role, line in told(repository, monkeypatch, tmp_path / "home", case).items():
        if case[1].get(f"GIT_{role}_NAME") == "":
            monkeypatch.delenv(f"GIT_{role}_NAME")
        if "AUTHOR" not in "".join(case[1]) or role == "AUTHOR":
            words = ("-c", "user.useConfigOnly=true", "var", f"GIT_{role}_IDENT")
            assert line == plain(repository.path, *words)


def plain(folder: Path, *words: str) -> str:
    """What git says as it is, without the person that the tests give it."""
    command = ["git", *words]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.few(2)
@pytest.mark.parametrize("case", UNKNOWN)
def test_it_is_gitbackup_where_git_would_make_somebody_up(
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    case: tuple[str, Mapping[str, str]],
) -> None:
    assert told(repository, monkeypatch, tmp_path / "home", case) == dict.fromkeys(
        ("AUTHOR", "COMMITTER"), f"{NOBODY} {DATE}"
    )


def test_a_date_of_the_environment_may_be_any_that_git_reads(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = Commands(repository.path / ".git", repository.path)
    monkeypatch.setenv("GIT_AUTHOR_DATE", "Sun, 30 Nov 2025 11:53:20 +0100")
    assert signature(commands, "AUTHOR") == f"{NOBODY} {DATE}".encode()
    monkeypatch.setenv("GIT_AUTHOR_DATE", "some day")
    with pytest.raises(GitbackupError, match="invalid date format: some day"):
        signature(commands, "AUTHOR")
    assert git(repository.path, "status", "--porcelain") == ""
