"""The least rights of an ACL user for `commit`, `restore` and `watch`, and which of them lack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gitbackup.live.connection.connect import Server
from gitbackup.live.protocol.error_replies import right
from gitbackup.live.read import permissions
from gitbackup.live.read.permissions import Verb


@dataclass(frozen=True, slots=True)
class Rights:
    """What a verb takes on a server.

    `line` is an ACL SETUSER that makes a user who may do no more, and `lacking` are the rights
    that `user`, by whom we are logged in, does not have. `all_keys` tells whether the user may
    use every key.
    """

    line: str
    user: str
    lacking: Sequence[str]
    all_keys: bool


def rights(server: Server, verb: str) -> Rights:
    """Return what `commit`, `restore` or `watch` takes on a server.

    Commands are tried on it, none of which writes.
    """
    tried = permissions.tried(server, Verb(verb))
    least = " ".join(permissions.least(Verb(verb), server.abilities, tried.known))
    line = f"ACL SETUSER {verb} on >PASSWORD ~* {least}"
    user = server.address.options.get("username") or "default"
    return Rights(line, user, [*map(right, tried.refused)], tried.all_keys)
