"""The texts of a service, as systemd, launchd and a shell read them."""

from __future__ import annotations

import plistlib
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from gitbackup.cli.install_service import DESCRIPTION
from gitbackup.errors import UsageError
from gitbackup.system.service import SHELL, Service, property_list, unit, with_variables

ODD = "acc ount:%$*\"'\\é"
PASSWORD = 'it\'s "$HOME" `x` \\ %n #'


def service(user: str | None = "root", *words: str) -> Service:
    command = ["/bin/echo", "watch", "--match", *words]
    return Service("Watch", command, Path("/etc/50%.env"), {"REDIS_URL": "redis://h%41:1/0"}, user)


def test_a_unit_has_each_word_as_systemd_reads_it_again() -> None:
    lines = unit(service("backup", ODD, "plain:*")).splitlines()
    assert 'ExecStart=/bin/echo watch --match "acc ount:%%$$*\\"\'\\\\é" "plain:*"' in lines
    assert 'Environment="REDIS_URL=redis://h%%41:1/0"' in lines
    assert "EnvironmentFile=-/etc/50%%.env" in lines
    assert "User=backup" in lines
    assert "WantedBy=multi-user.target" in lines


def test_a_unit_of_a_user_names_none_and_waits_for_no_network() -> None:
    """Neither is there for the manager of a user."""
    lines = unit(service(None)).splitlines()
    assert [line for line in lines if line.startswith(("User=", "Wants=", "After="))] == []
    assert "WantedBy=default.target" in lines


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing")
@pytest.mark.parametrize("user", ["root", None])
def test_systemd_finds_nothing_wrong_with_a_unit(
    user: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "gitbackup.service"
    path.write_text(unit(service(user, ODD)), "utf-8")
    words = ["systemd-analyze", *(["--user"] if user is None else []), "verify", path]
    with TemporaryDirectory() as short:  # for the sockets of other units
        monkeypatch.setenv("XDG_RUNTIME_DIR", short)
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_property_list_runs_the_command_with_the_variables_of_the_file(tmp_path: Path) -> None:
    secrets = tmp_path / "odd name.env"
    secrets.write_text(with_variables("", {"REDISCLI_AUTH": PASSWORD}), "utf-8")
    command = ["/bin/sh", "-c", 'printf "%s\\n" "$REDISCLI_AUTH" "$@"', "sh", ODD]
    made = Service("Watch", command, secrets, {}, "backup")
    listed = plistlib.loads(property_list(made, tmp_path / "log").encode())
    assert (listed["UserName"], listed["KeepAlive"]) == ("backup", {"SuccessfulExit": False})
    ran = subprocess.run(listed["ProgramArguments"], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == [PASSWORD, ODD]
    secrets.unlink()
    ran = subprocess.run(listed["ProgramArguments"], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["", ODD]


def test_a_file_of_variables_keeps_what_somebody_else_wrote() -> None:
    known = "# mine\nOTHER=1\nexport REDISCLI_AUTH=old\nREDIS_URL='redis://:p@h'\n"
    assert with_variables(known, {"REDISCLI_AUTH": "new"}, ["REDIS_URL"]) == (
        "# mine\nOTHER=1\nREDISCLI_AUTH=new\n"
    )


def test_no_control_character_gets_into_a_service() -> None:
    """A line break would be a setting of its own."""
    with pytest.raises(UsageError, match="control characters"):
        service("backup", "a\nExecStartPre=/bin/sh")
    with pytest.raises(UsageError, match="REDISCLI_AUTH has control characters"):
        with_variables("", {"REDISCLI_AUTH": "a\nb"})


def test_the_shell_s_line_has_no_word_of_ours_in_it() -> None:
    """They are its arguments."""
    assert SHELL == 'if [ -r "$0" ]; then set -a; . "$0"; fi; exec "$@"'


def test_the_unit_in_the_docs_is_the_one_that_is_written() -> None:
    page = (Path(__file__).parents[2] / "docs" / "watch.md").read_text("utf-8")
    command = ("/usr/local/bin/gitbackup", "watch", "--repo", "/var/backups/relay")
    environment = {"REDIS_URL": "redis://localhost:6379"}
    made = Service(DESCRIPTION, command, Path("/etc/gitbackup.env"), environment, "backup")
    assert f"```ini\n{unit(made)}```" in page
