"""Who a commit is by, and when."""

from __future__ import annotations

from datetime import datetime

from gitbackup.store.command import Commands

_ROLES = ("AUTHOR", "COMMITTER")
_FALLBACK = {
    f"GIT_{role}_{part}": value
    for role in _ROLES
    for part, value in (("NAME", "gitbackup"), ("EMAIL", "gitbackup@localhost"))
}
_NOT_MADE_UP = ("-c", "user.useConfigOnly=true")


def fallback(git: Commands) -> dict[str, str]:
    """The environment for git's own commits: empty where git knows whose they are."""
    known = all(git.attempt(*_NOT_MADE_UP, "var", f"GIT_{r}_IDENT").status == 0 for r in _ROLES)
    return {} if known else _FALLBACK


def signature(git: Commands, role: str, when: datetime | None = None) -> bytes:
    """`Name <email> seconds zone` of the AUTHOR or the COMMITTER, as git knows them.

    Git makes one up from the machine's name where nobody has told it; then it is
    gitbackup itself. Without `when` it is now, or what the environment tells git.
    """
    words = (*_NOT_MADE_UP, "var", f"GIT_{role}_IDENT")
    result = git.attempt(*words)
    known = result.out if result.status == 0 else git.run(*words, environment=_FALLBACK)
    known = known.strip()
    if when is None:
        return known
    who = known.rsplit(b" ", 2)[0]
    return who + f" {int(when.timestamp())} {when.astimezone(when.tzinfo):%z}".encode()
