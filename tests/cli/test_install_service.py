"""`gitbackup watch --install-service`, in a home of its own."""

from __future__ import annotations

import os
import plistlib
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gitbackup.cli import install_service
from tests.cli.user import HOUSE, User
from tests.servers import LiveServer, StartServer

pytestmark = pytest.mark.few(1)

INSTALL = ("watch", "--install-service", "--user")
SECRET = "s3cr3t-p4ss"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return folder


def files(home: Path) -> dict[str, int]:
    """What is in the home, and who may read it."""
    found = (path for path in home.rglob("*") if path.is_file())
    return {f"{path.relative_to(home)}": stat.S_IMODE(path.stat().st_mode) for path in found}


UNIT = ".config/systemd/user/gitbackup.service"
SECRETS = ".config/gitbackup/watch.env"


def test_the_unit_is_shown_and_written_with_the_same_options(user: User, home: Path) -> None:
    words = ("--match", "account:*", "--idle", "3", "--db", "0", "--cacert", "ca.pem")
    url = ("--url", "rediss://localhost")
    Path("ca.pem").write_text("")
    refused = user.run(*INSTALL, *words, *url, "--yes")
    assert (refused.code, files(home)) == (2, {})  # a certificate that is none
    told = user.says(*INSTALL, *words[:-2], "--timeout", "9", "--yes")
    text = (home / UNIT).read_text("utf-8")
    assert f"# {home / UNIT}\n{text}".replace(user.place, "SERVER") in told.replace(
        "HERE", str(Path.cwd())
    )
    (command,) = [line for line in text.splitlines() if line.startswith("ExecStart=")]
    repository = Path.cwd() / "data-git-backup"
    assert command == (
        f"ExecStart={sys.executable} -m gitbackup watch --repo {repository} --timeout 9 --db 0"
        ' --match "account:*" --idle 3'
    )
    assert f"Environment=REDIS_URL={user.server.url}" in text
    assert "systemctl --user enable --now gitbackup" in told
    assert files(home) == {UNIT: 0o600}


def test_nothing_is_written_without_a_yes(user: User, home: Path) -> None:
    assert "[Service]" in user.says(*INSTALL, "--dry-run")
    done = user.run(*INSTALL)
    assert (done.code, done.out) == (2, "")
    assert "add --yes, or --dry-run to see it" in done.err
    done = user.at_terminal(*INSTALL, types="n\n")
    assert (done.code, files(home)) == (1, {})
    assert "[Service]" in done.out
    assert done.out.endswith("nothing was written\n")


def test_a_password_is_in_the_file_of_its_owner_alone(
    user: User, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And shown nowhere. What the file has besides stays; a URL without a password goes from it to
    the unit."""
    (home / SECRETS).parent.mkdir(parents=True)
    (home / SECRETS).write_text("MINE=1\n")
    monkeypatch.setenv("REDISCLI_AUTH", SECRET)
    told = user.says(*INSTALL, "--url", f"redis://:{SECRET}2@localhost:1", "--yes")
    assert "REDIS_URL=(not shown)\nREDISCLI_AUTH=(not shown)\n" in told
    assert SECRET not in told + (home / UNIT).read_text("utf-8")
    assert (home / SECRETS).read_text("utf-8") == (
        f"MINE=1\nREDIS_URL=redis://:{SECRET}2@localhost:1\nREDISCLI_AUTH={SECRET}\n"
    )
    assert files(home) == {UNIT: 0o600, SECRETS: 0o600}
    user.says(*INSTALL, "--url", "redis://localhost:1", "--yes")
    assert (home / SECRETS).read_text("utf-8") == f"MINE=1\nREDISCLI_AUTH={SECRET}\n"
    assert "Environment=REDIS_URL=redis://localhost:1\n" in (home / UNIT).read_text("utf-8")


def test_a_service_of_the_system_runs_as_the_owner_of_the_history(user: User) -> None:
    import pwd

    me = pwd.getpwuid(os.getuid()).pw_name
    told = user.says("watch", "--install-service", "--dry-run")
    assert told.startswith("# /etc/systemd/system/gitbackup.service\n[Unit]\n")
    assert f"\nUser={me}\n" in told


def test_a_folder_that_is_not_one_s_own_is_told_before_anything_is_written(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(Path, "is_dir", lambda path: True)
    done = user.run("watch", "--install-service", "--yes")
    assert done.code == 2
    assert "/etc/systemd/system is not yours to write: use sudo, or add --user" in done.err


def test_a_machine_without_a_service_manager_is_told_so(
    user: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = install_service.Place(tmp_path / "none" / "x.service", tmp_path / "x.env", None, [])
    monkeypatch.setattr(install_service, "place_of", lambda user, mac: place)
    done = user.run("watch", "--install-service", "--yes")
    assert (done.code, done.out) == (2, "")
    assert "/none: this machine has no systemd or launchd" in done.err


def test_a_user_without_a_name_is_a_number() -> None:
    assert install_service._user(2_000_000_123) == "2000000123"


@pytest.mark.parametrize("option", ["--user", "--dry-run", "--yes"])
def test_options_of_the_service_need_it(user: User, option: str) -> None:
    done = user.run("watch", option)
    assert (done.code, done.err) == (2, f"gitbackup: {option} needs --install-service\n")


def test_what_launchd_runs_watches_a_server_with_a_password(
    start_server: StartServer, user: User, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = start_server(requirepass=SECRET)
    url = locked.url.replace("unix://", f"unix://:{SECRET}@")
    with LiveServer(locked.brand, url).client() as client:
        client.set("a", 1)
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setenv("REDISCLI_AUTH", SECRET)
    told = user.says(*INSTALL, "--url", locked.url, "--yes")
    assert "launchctl bootstrap gui/" in told
    monkeypatch.undo()
    (path,) = (home / "Library" / "LaunchAgents").glob("*.plist")
    listed = plistlib.loads(path.read_bytes())
    surroundings = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HOUSE), "HOME": str(home)}
    running = subprocess.Popen(
        listed["ProgramArguments"],
        env={**surroundings, **listed["EnvironmentVariables"]},
        stdout=subprocess.PIPE,
        text=True,
    )
    with running, running.stdout as stdout:
        assert stdout.readline().startswith("[")  # the first commit
        assert stdout.readline().startswith("watching ")
        running.send_signal(signal.SIGTERM)
        assert running.wait(30) == 0
