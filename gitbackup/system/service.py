"""A program as a service of this machine: the unit of systemd, and the property list of launchd.

Texts are made here, and nothing is written. No secret is in any of them: what only the owner may
read is in a file of variables, which the service manager, or the shell, reads at the start.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gitbackup.errors import UsageError

LABEL = "gitbackup.watch"
RESTART = 10  # seconds after a failure
PLAIN = re.compile(r"[\w@+=:,./-]+")
VARIABLE = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)=")
UNIT = """\
[Unit]
Description={description}
{network}
[Service]
{user}{environment}EnvironmentFile=-{secrets}
ExecStart={command}
Restart=on-failure
RestartSec={restart}

[Install]
WantedBy={target}
"""
NETWORK = "Wants=network-online.target\nAfter=network-online.target\n"
SHELL = 'if [ -r "$0" ]; then set -a; . "$0"; fi; exec "$@"'
"""Runs a command with the variables of a file: launchd itself reads none."""


@dataclass(frozen=True, slots=True)
class Service:
    """What is to run: a command, whose first word is a path, and its variables.

    `secrets` is the file of variables that only the owner may read. `user` is who it runs as;
    None for a service of the user who installs it.
    """

    description: str
    command: Sequence[str]
    secrets: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None

    def __post_init__(self) -> None:
        for word in (*self.command, *self.environment.values(), str(self.secrets)):
            if not word.isprintable():
                raise UsageError(f"a service cannot be given {word!r}: it has control characters")


def unit(service: Service) -> str:
    """Return the unit of systemd, for the whole system or for its user alone."""
    variables = [f"{name}={value}" for name, value in service.environment.items()]
    return UNIT.format(
        description=service.description,
        network=NETWORK if service.user else "",
        user=f"User={service.user}\n" if service.user else "",
        environment="".join(f"Environment={_word(one, dollar=False)}\n" for one in variables),
        secrets=str(service.secrets).replace("%", "%%"),
        command=" ".join(map(_word, service.command)),
        restart=RESTART,
        target="multi-user.target" if service.user else "default.target",
    )


def _word(word: str, dollar: bool = True) -> str:
    """Return a word as systemd reads it again: `dollar` where it would put in variables."""
    if PLAIN.fullmatch(word):
        return word
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{word.replace("$", "$$") if dollar else word}"'


def property_list(service: Service, log: Path) -> str:
    """Return the property list of launchd; `log` is the file for what the service prints."""
    from plistlib import dumps  # deferred: only macOS has a use for it

    listed = {
        "Label": LABEL,
        "ProgramArguments": ["/bin/sh", "-c", SHELL, str(service.secrets), *service.command],
        "EnvironmentVariables": {**service.environment},
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": RESTART,
        "StandardOutPath": str(log),
        "StandardErrorPath": str(log),
    }
    if service.user:
        listed["UserName"] = service.user
    return dumps(listed, sort_keys=False).decode()


def with_variables(text: str, variables: Mapping[str, str], gone: Collection[str] = ()) -> str:
    """Return a file of variables with these in it, without those that are `gone`, and with all else
    that it has.

    systemd and a shell read it in the same way. Raises UsageError for a value of several lines.
    """
    changed = {*variables, *gone}
    kept = [
        line
        for line in text.splitlines()
        if not ((found := VARIABLE.match(line)) and found[1] in changed)
    ]
    for name, value in variables.items():
        if not value.isprintable():
            raise UsageError(f"{name} has control characters, which a service cannot be given")
        kept.append(f"{name}={shlex.quote(value)}")
    return "".join(f"{line}\n" for line in kept)
