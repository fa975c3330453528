"""Find when keys expire, to the millisecond, also on servers that only tell the time left.

Redis before 7.0 has no PEXPIRETIME. PTTL counts from the server's own clock, which TIME
reads: if that clock shows the same millisecond before and after, their sum is exact.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from gitbackup.kinds import Abilities, Command
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.protocol.info import parse_info
from gitbackup.live.server.keyspace import milliseconds

GONE, NEVER = -2, -1
TOGETHER = 32  # keys between two readings of the clock
KEYSPACE = ("INFO", "keyspace")
"""Tells also whether any hash of a database has fields that expire."""
FIELDS = re.compile(
    r"\b(?:keys_with_volatile_items|subexpiry)=([0-9]{1,18})"
)  # Valkey 9, Redis 7.4
TRIES = 200  # for a key alone, until it falls within one millisecond


class Span(NamedTuple):
    """The server's clock before and after it answered, in milliseconds since 1970."""

    start: int
    end: int


def ask(key: bytes, server: Abilities) -> Command:
    """Return the command that tells when a key expires, or how much time it has left."""
    return ("PEXPIRETIME" if server.pexpiretime else "PTTL"), key


def agreed(first: int, last: int, moment: int, span: Span) -> bool:
    """Return whether the time left, told before and after a value, fits `moment` both times.

    `moment` was asked for later. If it had changed by then, the value might have, too.
    """
    if moment < 0:
        return first == last == moment
    spans = [(span.start + left, span.end + left) for left in (first, last) if left >= 0]
    return len(spans) == 2 and all(start <= moment <= end for start, end in spans)


def moments(connection: Connection, keys: list[bytes], server: Abilities) -> list[int]:
    """Return when each key expires, in milliseconds since 1970; or GONE, or NEVER."""
    if server.pexpiretime:
        return connection.need([ask(key, server) for key in keys])
    found: list[int] = []
    for start in range(0, len(keys), TOGETHER):
        found += _together(connection, keys[start : start + TOGETHER])
    return found


def _together(connection: Connection, keys: list[bytes]) -> list[int]:
    left = connection.need([("PTTL", key) for key in keys])
    if all(time < 0 for time in left):
        return left
    replies = connection.need([("TIME",), *(("PTTL", key) for key in keys), ("TIME",)])
    before, after = milliseconds(replies[0]), milliseconds(replies[-1])
    if before == after:
        return [time if time < 0 else before + time for time in replies[1:-1]]
    return [_alone(connection, key) for key in keys]


def _alone(connection: Connection, key: bytes) -> int:
    for _ in range(TRIES):
        first, time, last = connection.need([("TIME",), ("PTTL", key), ("TIME",)])
        if time < 0 or milliseconds(first) == milliseconds(last):
            break
    return int(time if time < 0 else milliseconds(first) + time)


def fields_may_expire(connection: Connection, db: int) -> bool:
    """Return whether a field of a hash may expire: not if the server says that none does."""
    (info,) = connection.ask([KEYSPACE])
    return fields_may_expire_by(info, db)


def fields_may_expire_by(info: str | Refusal, db: int) -> bool:
    """Return the same by the reply to KEYSPACE."""
    return isinstance(info, Refusal) or fields_may_expire_in(parse_info(info), db)


def fields_may_expire_in(keyspace: Mapping[str, str], db: int) -> bool:
    """Return the same by what INFO has said of the databases."""
    count = FIELDS.search(keyspace.get(f"db{db}", ""))
    return count is None or int(count[1]) > 0
