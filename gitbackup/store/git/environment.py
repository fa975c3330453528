"""The environment in which git runs: built from what it needs, whatever surrounds us.

Nothing of the caller's own GIT_* variables goes in but what ALLOWED names: in a hook they lead
to another repository, and each version of git reads some that the one before did not know. See
"Environment Variables" in git(1).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

ALLOWED = frozenset(
    {
        # who commits, and when
        *("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_AUTHOR_DATE"),
        *("GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_COMMITTER_DATE"),
        # where the user's and the system's settings are, and git's own programs
        *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_EXEC_PATH"),
        # how git reaches another machine, and asks for a password
        *("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_ASKPASS", "GIT_PROXY_COMMAND"),
        *("GIT_HTTP_PROXY_AUTHMETHOD", "GIT_HTTP_USER_AGENT", "GIT_HTTP_MAX_REQUESTS"),
        *("GIT_HTTP_LOW_SPEED_LIMIT", "GIT_HTTP_LOW_SPEED_TIME"),
        *("GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_SSL_CERT", "GIT_SSL_CERT_TYPE", "GIT_SSL_KEY"),
        *("GIT_SSL_KEY_TYPE", "GIT_SSL_CERT_PASSWORD_PROTECTED", "GIT_SSL_CIPHER_LIST"),
        *("GIT_SSL_NO_VERIFY", "GIT_SSL_VERSION"),
        *("GIT_PROXY_SSL_CAINFO", "GIT_PROXY_SSL_CERT", "GIT_PROXY_SSL_KEY"),
        "GIT_PROXY_SSL_CERT_PASSWORD_PROTECTED",
        # which protocols the user permits
        *("GIT_ALLOW_PROTOCOL", "GIT_PROTOCOL_FROM_USER"),
        "GIT_TRACE_REDACT",
    }
)
"""The names of the variables beginning with GIT_ that git gets from the caller's environment."""

_GIVEN = re.compile(r"GIT_CONFIG_(COUNT|PARAMETERS|(KEY|VALUE)_[0-9]+)")
_LONGEST_UID = 10
_TRACES = ("GIT_TRACE", "GIT_TRACE2", "GIT_TRACE_", "GIT_TRACE2_")
_OURS = ("GITBACKUP_", "REDISCLI_AUTH", "REDIS_URL")

OF_THE_REPOSITORY_ALONE = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_GLOBAL": os.devnull,
    # git before 2.32 knows no other way to leave out the user's
    "HOME": os.devnull,
    "XDG_CONFIG_HOME": os.devnull,
}
"""Makes git read the repository's settings only: the user's may name hooks and filters to run."""


def of_git(git_dir: Path, folder: Path) -> dict[str, str]:
    """Return the whole environment for git's commands in one repository.

    `folder` is its work tree, or `git_dir` itself where it has none.
    """
    return {
        **surroundings(os.environ),
        "LANGUAGE": "C",
        "LC_ALL": "C",  # git's words are read, and not only shown
        "GIT_DIR": str(git_dir),
        # a file that cannot be there: git gives advice about any that is, and grafts hide commits
        "GIT_GRAFT_FILE": f"{os.devnull}/none",
        "GIT_WORK_TREE": str(folder),
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }


def asking() -> dict[str, str]:
    """Return what lets git ask for a password, unless the user's own variable says no."""
    return {"GIT_TERMINAL_PROMPT": os.environ.get("GIT_TERMINAL_PROMPT") or "1"}


def of_hook(event: str, folder: Path) -> dict[str, str]:
    """Return the environment for a hook: no password, and which repository it is about."""
    ours = {"GITBACKUP_EVENT": event, "GITBACKUP_REPO": str(folder)}
    return {**surroundings(os.environ), **ours}


def in_hook() -> bool:
    """Return whether this run is that of a hook."""
    return bool(os.environ.get("GITBACKUP_EVENT"))


def users_file(name: str) -> Path:
    """Return where git looks for a user's own file of this name, be it there or not."""
    home = os.environ.get("HOME") or os.devnull
    return Path(os.environ.get("XDG_CONFIG_HOME") or f"{home}/.config", "git", name)


def config_files() -> list[Path]:
    """Return where git looks for the user's and the system's settings, be they there or not."""
    home = os.environ.get("HOME") or os.devnull
    users = os.environ.get("GIT_CONFIG_GLOBAL")
    system = os.environ.get("GIT_CONFIG_SYSTEM") or "/etc/gitconfig"
    named = [Path(users)] if users else [Path(home, ".gitconfig"), users_file("config")]
    return [*named, Path(system)]


def told_of(role: str, what: str) -> str:
    """Return what the caller tells git of the AUTHOR or the COMMITTER: a NAME, an EMAIL, a DATE."""
    return os.environ.get(f"GIT_{role}_{what}", "")


def surroundings(caller: Mapping[str, str]) -> dict[str, str]:
    """Return what of the caller's environment git may see, and the programs that it starts.

    An empty value is left out: for git it is seldom the same as none. So are our own variables,
    one of which may hold the server's password.
    """
    return {name: value for name, value in caller.items() if value and _may_pass(name, value)}


def protected() -> dict[str, str]:
    """Return the settings that the user gives git by the environment, as `git -c` does."""
    return {name: value for name, value in os.environ.items() if _GIVEN.fullmatch(name)}


def sudo_user() -> int | None:
    """Return the user who ran sudo, by number; None if nobody did."""
    told = os.environ.get("SUDO_UID", "")
    return int(told) if told.isdecimal() and told.isascii() and len(told) <= _LONGEST_UID else None


def _may_pass(name: str, value: str) -> bool:
    if name.startswith(_OURS):
        return False
    if name.startswith(_TRACES) and name not in ALLOWED:
        return Path(value).is_absolute()  # to a file; elsewhere it would mix with what we read
    return not name.startswith("GIT_") or name in ALLOWED
