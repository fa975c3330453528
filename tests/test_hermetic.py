"""No test may see or touch what belongs to the person who runs it."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import closed_off


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True)
    return done.stdout.strip()


def test_home_is_a_folder_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> None:
    assert tmp_path_factory.getbasetemp() in Path.home().parents


def test_the_work_is_done_far_from_the_checkout() -> None:
    assert Path(__file__).parent.parent not in [Path.cwd(), *Path.cwd().parents]
    assert git("rev-parse", "--show-toplevel") == ""


def test_git_has_no_settings() -> None:
    assert git("config", "--list") == ""


def test_no_variable_names_a_server_or_a_repository() -> None:
    leftover = [name for name in os.environ if name.startswith(("REDIS", "VALKEY", "GITBACKUP_"))]
    assert leftover == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "redis://production"),
        ("REDISCLI_AUTH", "secret"),
        ("GITBACKUP_REPO", "/backups"),
        ("GIT_DIR", "/elsewhere"),
        ("GIT_AUTHOR_NAME", "a person"),
        ("EMAIL", "person@example.com"),
    ],
)
def test_a_setting_of_the_person_is_gone_inside_and_back_after(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with closed_off(tmp_path):
        assert name not in os.environ
    assert os.environ[name] == value


def test_a_git_config_at_home_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".gitconfig").write_text("[user]\nname = a person\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / ".gitconfig"))
    assert git("config", "user.name") == "a person"
    (tmp_path / "empty").mkdir()
    with closed_off(tmp_path / "empty"):
        assert git("config", "user.name") == ""


@pytest.mark.parametrize("one", [signal.SIGINT, signal.SIGQUIT])
def test_a_child_gets_the_keys_that_a_script_in_the_background_ignores(
    one: signal.Signals, tmp_path: Path
) -> None:
    before = signal.signal(one, signal.SIG_IGN)
    try:
        with closed_off(tmp_path):
            child = subprocess.Popen(["sleep", "300"])
            child.send_signal(one)
            assert child.wait() == -one
        assert signal.getsignal(one) is signal.SIG_IGN
    finally:
        signal.signal(one, before)
