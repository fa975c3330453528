"""Whether any hash of a database has fields that expire, so that most need not be asked."""

from __future__ import annotations

import re

from gitbackup.live.connect import parse_info
from gitbackup.live.wire import Refusal, Wire

COUNT = re.compile(r"\b(?:keys_with_volatile_items|subexpiry)=(\d+)")  # Valkey 9, Redis 7.4


def may_expire(wire: Wire, db: int) -> bool:
    """False where the server says that no hash of the database has such a field."""
    (info,) = wire.ask([("INFO", "keyspace")])
    if isinstance(info, Refusal):
        return True
    line = parse_info(info).get(f"db{db}", "")
    count = COUNT.search(line)
    return count is None or int(count[1]) > 0
