"""Whether any hash of a database has fields that expire, so that most need not be asked."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gitbackup.live.connection.connect import parse_info
from gitbackup.live.connection.connection import Connection, Refusal

QUESTION = ("INFO", "keyspace")
COUNT = re.compile(r"\b(?:keys_with_volatile_items|subexpiry)=(\d+)")  # Valkey 9, Redis 7.4


def may_expire(connection: Connection, db: int) -> bool:
    """False where the server says that no hash of the database has such a field."""
    (info,) = connection.ask([QUESTION])
    return told(info, db)


def told(info: str | Refusal, db: int) -> bool:
    """The same, by the reply to QUESTION."""
    return isinstance(info, Refusal) or told_of(parse_info(info), db)


def told_of(keyspace: Mapping[str, str], db: int) -> bool:
    """The same, by what INFO has said of the databases."""
    count = COUNT.search(keyspace.get(f"db{db}", ""))
    return count is None or int(count[1]) > 0
