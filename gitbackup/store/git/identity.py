"""Who a commit is by, and when."""

from __future__ import annotations

from datetime import datetime

from gitbackup.store.git import settings
from gitbackup.store.git.command import Commands, failure, text
from gitbackup.store.git.environment import roles_differ

_ROLES = ("AUTHOR", "COMMITTER")
_FALLBACK = {
    f"GIT_{role}_{part}": value
    for role in _ROLES
    for part, value in (("NAME", "gitbackup"), ("EMAIL", "gitbackup@localhost"))
}
_ROLE_S = ("author.", "committer.")
_NOT_MADE_UP = ("-c", "user.useConfigOnly=true")


def environment(git: Commands) -> dict[str, str]:
    """Return the environment for git's own commits: who git says that the user is."""
    told = {}
    for role in _ROLES:
        name, _, email = _known(git, role).rsplit(b" ", 2)[0].rpartition(b" ")
        told[f"GIT_{role}_NAME"] = text(name)
        told[f"GIT_{role}_EMAIL"] = text(email.strip(b"<>"))
    return told


def signature(git: Commands, role: str, when: datetime | None = None) -> bytes:
    """`Name <email> seconds zone` of the AUTHOR or the COMMITTER, as git knows them.

    Without `when` it is now, or what the environment tells git.
    """
    who = _one_for_both(git)
    if who is None:
        known = _known(git, role)
        if when is None:
            return known
        who = known.rsplit(b" ", 2)[0]
    when = when or datetime.now().astimezone()
    return who + f" {int(when.timestamp())} {when.astimezone(when.tzinfo):%z}".encode()


def _one_for_both(git: Commands) -> bytes | None:
    """`Name <email>` where nothing tells the author from the committer; None where it may.

    It is git's, asked for once as long as the settings are the same.
    """
    config = settings.read(git)
    if roles_differ() or any(value.name.startswith(_ROLE_S) for value in config):
        return None
    known: tuple[object, bytes] | None = git.memo.get(__name__)
    if known is None or known[0] is not config:
        known = config, _known(git, "COMMITTER").rsplit(b" ", 2)[0]
        git.memo[__name__] = known
    return known[1]


def _known(git: Commands, role: str) -> bytes:
    """Who git knows; gitbackup itself, where git would make one up from the machine's name."""
    words = (*_NOT_MADE_UP, "var", f"GIT_{role}_IDENT")
    result = git.attempt(*words, as_user=True)
    if result.status:
        result = git.attempt(*words, environment=_FALLBACK)
    if result.status:  # a date that is none
        raise failure("var", result)
    return result.out.strip()
