"""Settings in git's own config: exact, for git too, and seen by no one else."""

from __future__ import annotations

import secrets
import stat
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbackup.errors import Busy, UsageError
from gitbackup.store.repository.repository import Repository
from tests.meanwhile import meanwhile
from tests.store.plain import git, settle

URL = "rediss://user:p%40ss;word#1@host:6379/0"


def test_a_setting_is_read_back_by_us_and_by_git(repository: Repository) -> None:
    assert repository.get("url") is None

    repository.set("url", URL)

    assert repository.get("url") == URL
    assert git(repository.path, "config", "gitbackup.url") == URL


def test_a_setting_may_have_many_values_or_none(repository: Repository) -> None:
    repository.set_all("include", ["a*", "b#;*", ' "q\\uoted" '])
    assert repository.get_all("include") == ["a*", "b#;*", ' "q\\uoted" ']
    assert repository.get("include") == ' "q\\uoted" '

    repository.set_all("include", ["c"])
    assert repository.get_all("include") == ["c"]

    repository.set_all("include", [])
    assert repository.get_all("include") == []


def test_what_a_person_wrote_in_the_config_stays(repository: Repository) -> None:
    config = repository.path / ".git" / "config"
    mine = '# mine\n[alias]\n\tx = "!echo a;b" # why\n[gitbackup]\n\tURL = old\n'
    config.write_text(config.read_text() + mine)

    repository.set("url", "new")

    assert "# mine" in config.read_text()
    assert '\tx = "!echo a;b" # why' in config.read_text()
    assert repository.get_all("url") == ["new"]


def test_a_global_setting_holds_where_the_repository_has_none(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(monkeypatch, tmp_path / "home", "[gitbackup]\n\turl = redis://everywhere\n")

    assert repository.get("url") == "redis://everywhere"
    repository.set("url", "redis://here")
    assert repository.get("url") == "redis://here"


def test_what_others_change_is_seen_at_once(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, included = tmp_path / "home", tmp_path / "included"
    settle(monkeypatch, home, "")
    assert repository.get("url") is None
    (home / ".gitconfig").write_text("[gitbackup]\n\turl = user\n")
    assert repository.get("url") == "user"
    git(repository.path, "config", "gitbackup.url", "ours1")
    assert repository.get("url") == "ours1"
    git(repository.path, "config", "gitbackup.url", "ours2")
    assert repository.get("url") == "ours2"
    (home / ".config" / "git").mkdir(parents=True)
    (home / ".config" / "git" / "config").write_text("[gitbackup]\n\tquiet = x\n")
    assert repository.get_all("quiet") == ["x"]
    git(repository.path, "config", "include.path", str(included))
    assert repository.get("url") == "ours2"
    included.write_text("[gitbackup]\n\turl = included\n")
    assert repository.get("url") == "included"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert repository.get_all("quiet") == []


def test_a_password_is_in_no_process_list(repository: Repository) -> None:
    password = secrets.token_hex()  # like nobody else's on this machine
    seen: list[bytes] = []

    def look(done: threading.Event) -> None:
        while not done.is_set():
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    seen.append((process / "cmdline").read_bytes())
                except OSError:
                    continue
            time.sleep(0)

    with meanwhile(look):
        for number in range(5):
            repository.set("url", f"redis://:{password}{number}@host")

    assert not any(password.encode() in line for line in seen)


def test_nobody_else_may_read_the_config(repository: Repository) -> None:
    config = repository.path / ".git" / "config"
    config.chmod(0o644)

    repository.set("url", URL)

    assert stat.S_IMODE(config.stat().st_mode) == 0o600


def test_git_at_work_on_the_config_is_waited_for_by_the_caller(repository: Repository) -> None:
    (repository.path / ".git" / "config.lock").touch()

    with pytest.raises(Busy, match=r"config\.lock"):
        repository.set("url", URL)


@pytest.mark.parametrize("name", ["", "a.b", "é", "a b", "-a", "a\nb"])
def test_a_name_that_git_does_not_take_is_refused(repository: Repository, name: str) -> None:
    with pytest.raises(UsageError, match="not a setting name"):
        repository.set(name, "x")
    with pytest.raises(UsageError, match="not a setting name"):
        repository.get(name)


def test_a_zero_byte_is_refused_and_nothing_changes(repository: Repository) -> None:
    repository.set("url", "before")

    with pytest.raises(UsageError, match="null byte"):
        repository.set("url", "a\0b")

    assert repository.get("url") == "before"
    assert not (repository.path / ".git" / "config.lock").exists()


@given(
    st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), max_size=3)
)
def test_any_text_is_kept_exactly(repository: Repository, values: list[str]) -> None:
    repository.set_all("exclude", values)

    assert repository.get_all("exclude") == values
