"""`gitbackup watch --install-service`: writes what systemd or launchd needs to run watch.

The files are shown first. A password goes into a file of variables that only its owner can read.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from gitbackup.cli.output import terminal
from gitbackup.errors import UsageError
from gitbackup.settings import without_password
from gitbackup.system.atomic_file import replace_file
from gitbackup.system.service import LABEL, Service, property_list, unit, with_variables

PASSWORDS = ("REDISCLI_AUTH", "GITBACKUP_SENTINEL_PASSWORD")
NAME = "gitbackup"
DESCRIPTION = "Commit every change of the Redis database"


class Place(NamedTuple):
    """Where the files of a service go, and what a person types to start it."""

    file: Path
    secrets: Path
    log: Path | None
    commands: Sequence[str]


def place_of(user: bool, mac: bool) -> Place:
    """Return the place of a service of this user, or of the whole system."""
    home = Path.home()
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    secrets = config / NAME / "watch.env" if user else Path("/etc/gitbackup.env")
    if mac:
        library, domain = (
            (home / "Library", f"gui/{os.getuid()}") if user else (Path("/Library"), "")
        )
        file = library / ("LaunchAgents" if user else "LaunchDaemons") / f"{LABEL}.plist"
        log = library / "Logs" / f"{NAME}.log"
        load = f"launchctl bootstrap {domain or 'system'} {file}"
        return Place(file, secrets, log, [load, f"tail -f {log}"])
    option = " --user" if user else ""
    folder = config / "systemd" / "user" if user else Path("/etc/systemd/system")
    commands = [
        f"systemctl{option} daemon-reload",
        f"systemctl{option} enable --now {NAME}",
        *(["loginctl enable-linger"] if user else []),
        f"journalctl{option} -u {NAME} -f",
    ]
    return Place(folder / f"{NAME}.service", secrets, None, commands)


def install(
    words: Sequence[str], repository: Path, url: str | None, user: bool, dry_run: bool, yes: bool
) -> bool:
    """Show the files of a service that runs `gitbackup` with these words, ask, and write them.

    Return False if the person does not want it. Raises UsageError if nobody can be asked, or if
    the files are another user's to write.
    """
    if sys.platform == "win32":
        raise UsageError("Windows has neither systemd nor launchd: use its Task Scheduler")
    mac = sys.platform == "darwin"
    place = place_of(user, mac)
    if not (dry_run or yes or terminal.asks()):
        raise UsageError("a service is written after a question: add --yes, or --dry-run to see it")
    if not (dry_run or user or place.file.parent.is_dir()):
        raise UsageError(f"there is no {place.file.parent}: this machine has no systemd or launchd")
    if not (dry_run or user or os.access(place.file.parent, os.W_OK)):
        raise UsageError(f"{place.file.parent} is not yours to write: use sudo, or add --user")
    plain, secrets = variables(url, os.environ)
    command = [*program(), *words]
    service = Service(
        DESCRIPTION, command, place.secrets, plain, None if user else _runs_as(repository)
    )
    text = property_list(service, place.log) if place.log else unit(service)
    terminal.say([f"# {place.file}", *text.rstrip("\n").split("\n")])
    terminal.say(["", f"# {place.secrets} (only its owner can read it)"] if secrets else [])
    terminal.say(f"{name}=(not shown)" for name in secrets)
    if dry_run:
        return True
    if not (yes or click.confirm("Write this?", err=True)):
        terminal.say(["nothing was written"])
        return False
    _write_secrets(place.secrets, secrets, [*plain], service.user if mac else None)
    place.file.parent.mkdir(parents=True, exist_ok=True)
    replace_file(place.file, text.encode("utf-8", "surrogateescape"))
    terminal.changed()
    terminal.say([f"wrote {place.file}", "To start it, and to see what it says:"])
    terminal.say(f"  {line}" for line in place.commands)
    if not secrets and not place.secrets.exists():
        terminal.say([f"If the server needs a password: REDISCLI_AUTH=... in {place.secrets}"])
    return True


def program() -> list[str]:
    """Return the words that run this gitbackup, the first a path."""
    called = Path(sys.argv[0])
    if called.name == NAME and called.is_file():
        return [str(called.absolute())]
    return [sys.executable, "-m", NAME]


def variables(
    url: str | None, environment: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the variables of the service that anybody may read, and those that are secret."""
    plain, secrets = dict[str, str](), dict[str, str]()
    if url:
        (plain if without_password(url) == url else secrets)["REDIS_URL"] = url
    secrets |= {name: environment[name] for name in PASSWORDS if environment.get(name)}
    if git := shutil.which("git"):
        usual = ("/usr/local/bin", "/usr/bin", "/bin")
        if (folder := str(Path(git).parent)) not in usual:
            plain["PATH"] = os.pathsep.join((folder, *usual))
    return plain, secrets


def _runs_as(repository: Path) -> str:
    """Return the user to run the service as: the owner of the history, who alone may write it
    besides root."""
    if repository.exists():
        return _user(repository.stat().st_uid)
    return os.environ.get("SUDO_USER") or _user(os.getuid())


def _user(number: int) -> str:
    """Return a user's name, or the number of one who has none, as in a container."""
    import pwd  # deferred: Windows has none

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _write_secrets(
    path: Path, secrets: Mapping[str, str], plain: Sequence[str], owner: str | None
) -> None:
    """Write the file of variables, and keep what else is in it, but none that is `plain` by now:
    it would count more. `owner` is who reads the file on macOS."""
    known = path.read_text("utf-8", "surrogateescape") if path.exists() else ""
    text = with_variables(known, secrets, plain)
    if text == known:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, text.encode("utf-8", "surrogateescape"))
    if owner:
        shutil.chown(path, owner)
