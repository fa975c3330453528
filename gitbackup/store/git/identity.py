"""Who a commit is by, and when: see "COMMIT INFORMATION" in git-commit(1)."""

from __future__ import annotations

import re
from datetime import datetime

from gitbackup.store.git import settings
from gitbackup.store.git.command import Commands, failure
from gitbackup.store.git.environment import told_of

_ROLES = ("AUTHOR", "COMMITTER")
_OURS = ("gitbackup", "gitbackup@localhost")
_CRUD = " .,:;<>\"\\'" + "".join(map(chr, range(32)))
"""What git takes from both ends of a name or an address."""


def environment(git: Commands) -> dict[str, str]:
    """Return the environment for git's own commits: who git says that the user is."""
    told = {}
    for role in _ROLES:
        told[f"GIT_{role}_NAME"], told[f"GIT_{role}_EMAIL"] = _who(git, role)
    return told


def signature(git: Commands, role: str, when: datetime | None = None) -> bytes:
    """Return `Name <email> seconds zone` of the AUTHOR or the COMMITTER, as git has them.

    Without `when` it is now, or what the environment tells git.
    """
    name, email = _who(git, role)
    if when is None and told_of(role, "DATE"):
        date = _told_date(git, role)
    else:
        when = when or datetime.now().astimezone()
        date = f"{int(when.timestamp())} {when.astimezone(when.tzinfo):%z}"
    return f"{name} <{email}> {date}".encode("utf-8", "surrogateescape")


def _who(git: Commands, role: str) -> tuple[str, str]:
    """Return the name and the email address of the AUTHOR or the COMMITTER.

    They are gitbackup's own where git would make one up from the machine's name.
    """
    config = settings.every(git)
    told = [
        told_of(role, part.upper())
        or config.get(f"{role}.{part}".lower())
        or config.get(f"user.{part}")
        for part in ("name", "email")
    ]
    name, email = (None if value is None else _without_crud(value) for value in told)
    return (name, email) if name and email is not None else _OURS


def _without_crud(value: str) -> str:
    return re.sub("[\n<>]", "", value.strip(_CRUD))


def _told_date(git: Commands, role: str) -> str:
    """Return the date that the environment tells, which only git can read: it may be in words."""
    named = {f"GIT_{role}_NAME": "x", f"GIT_{role}_EMAIL": "x"}
    result = git.attempt("var", f"GIT_{role}_IDENT", environment=named)
    if result.status:  # it is none
        raise failure("var", result)
    return result.out.decode("ascii").strip().partition("> ")[2]
