"""The commands that only read. A connection that was opened read-only sends no others."""

from __future__ import annotations

from hiredis import Reader

from gitbackup.errors import ReadOnly
from gitbackup.kinds import KINDS
from gitbackup.live.protocol.error_replies import name_of

READING = frozenset(
    (
        *("HELLO", "AUTH", "SELECT", "ASKING", "READONLY", "PING", "ECHO", "TIME", "INFO"),
        *("WATCH", "MULTI", "EXEC", "DISCARD", "UNWATCH"),
        *("CLIENT NO-TOUCH", "CLIENT TRACKING", "CLUSTER SLOTS", "CLUSTER NODES", "CONFIG GET"),
        *("SENTINEL MASTERS", "SENTINEL GET-MASTER-ADDR-BY-NAME", "COMMAND", "FUNCTION LIST"),
        *("DBSIZE", "SCAN", "TYPE", "EXISTS", "OBJECT ENCODING", "MEMORY", "DUMP"),
        *("PTTL", "PEXPIRETIME", *(command for kind in KINDS.values() for command in kind.replies)),
        *("FT._LIST", "FT.INFO", "FT.SYNDUMP", "FT.EXPLAIN"),
    )
)
"""As `name_of` has them. MEMORY and COMMAND have no word that changes data."""


def expect_reading(packed: bytes, queued: bool = False) -> None:
    """Raise ReadOnly for a command that may write, among packed ones.

    Where they are `queued`, in a transaction that nobody carries out, only EXEC is refused.
    """
    reader = Reader()
    reader.feed(packed)
    while (command := reader.gets()) is not False:
        words = [word.decode("utf-8", "replace") for word in command[:2]]
        name = name_of(tuple(words))
        if name == "EXEC" if queued else name not in READING:
            raise ReadOnly
