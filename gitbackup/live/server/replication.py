"""What a replica says of its primary: whether it has all that the primary has."""

from __future__ import annotations

from gitbackup.errors import ServerError
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.protocol.info import number, parse_info

QUESTION = ("INFO", "replication")
ALONE = "its link to its primary is down"


def doubt(connection: Connection) -> str:
    """Return why a server may not have what its primary has; nothing where it has, or is none.

    Raise ServerError for a replica that has nothing whole: it gets its data just now, or never
    has.
    """
    (reply,) = connection.ask([QUESTION])
    if isinstance(reply, Refusal):
        return (
            "the user has no permission to ask whether it is connected to its primary: grant +info"
        )
    info = parse_info(reply)
    if info.get("role") != "slave" or info.get("master_link_status") == "up":
        return ""
    if number(info, "master_sync_in_progress"):
        raise ServerError(
            f"the replica at {connection.label} is receiving its data from its"
            " primary: wait until it has finished, or name the primary"
        )
    since = number(info, "master_link_down_since_seconds")
    (size,) = connection.ask([("DBSIZE",)])
    if since < 0 and size == 0 and number(info, "slave_repl_offset") <= 1:
        raise ServerError(
            f"the replica at {connection.label} has never received data from its"
            " primary: correct its replicaof and masterauth, or name the primary"
        )
    return f"{ALONE} for {since:,} s" if since >= 0 else f"{ALONE} since it started"
