"""Entries that are as they should be, told at a glance, and made by one command.

Most are, and for them the exact way takes long.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from gitbackup.format import codec
from gitbackup.kinds import KINDS, Command
from gitbackup.model.keys import Entry

SHORT = {"type", "value"}
LONG = {"type", "value", "expires_at"}
CHECKS = {name: kind.is_canonical for name, kind in KINDS.items()}
"""By type. None of them takes a dump that a gitbackup without the kind stored."""
INSTANT = re.compile(  # as `codec.instant` writes one; but not each month has a 29th, 30th or 31st
    r"(?:19[7-9]|[2-9]\d\d)\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
    r"T(?:[01]\d|2[0-3])(?::[0-5]\d){2}\.\d{3}Z",
    re.ASCII,
)


def is_plain(entry: Any) -> bool:
    """Return whether it surely is an entry in its canonical form; False if only a closer look can
    tell.

    It is one of a document that `codec.decode_plain` gave.
    """
    if type(entry) is not dict or type(entry.get("type")) is not str:
        return False
    check = CHECKS.get(entry["type"])
    if check is None or not check(entry.get("value")):
        return False
    if len(entry) == len(SHORT):
        return entry.keys() == SHORT
    return entry.keys() == LONG and _is_instant(entry["expires_at"])


def made_by_one(name: str, entry: Entry) -> Command | None:
    """Return the command that makes the key of a plain entry, less its expiry.

    None if it takes more, for the value is large.
    """
    return KINDS[entry["type"]].create(name, entry["value"])


def milliseconds(instant: str) -> int:
    """Return a plain entry's instant in milliseconds since 1970, faster than `codec.milliseconds`,
    which also checks it."""
    return (datetime.fromisoformat(instant) - codec.EPOCH) // codec.MILLISECOND


def _is_instant(value: Any) -> bool:
    """Return whether it is an instant as `codec.instant` writes it, and not a number."""
    if type(value) is not str or not INSTANT.fullmatch(value):
        return False
    if value[8:10] <= "28":
        return True
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
