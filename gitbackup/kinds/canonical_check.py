"""Recognize canonical entries fast, and find the one command that makes such an entry.

Most are, and for them the exact way takes long.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from gitbackup.format import codec
from gitbackup.kinds import KINDS, Command
from gitbackup.model.keys import Entry

FOREVER = ("type", "value")
UNTIL = ("expires_at", "type", "value")
INSTANT = re.compile(  # as `codec.instant` writes one; but not each month has a 29th, 30th or 31st
    r"(?:19[7-9]|[2-9]\d\d)\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
    r"T(?:[01]\d|2[0-3])(?::[0-5]\d){2}\.\d{3}Z",
    re.ASCII,
)


def are_plain(entries: Collection[Any], made: bool) -> bool:
    """Return whether they surely are entries in their canonical form; False if only a closer look
    can tell.

    They are those of a document that `codec.decode_plain` gave: their members are in order. `made`
    tells whether gitbackup has made them, so that most values need not be looked at. No dump passes
    that a gitbackup without the kind stored.
    """
    if not ({*map(type, entries)} <= {dict} and {*map(tuple, entries)} <= {FOREVER, UNTIL}):
        return False
    types = [entry["type"] for entry in entries]
    if not {*map(type, types)} <= {str}:
        return False
    for type_ in {*types}:
        kind = KINDS.get(type_)
        if kind is None:
            return False
        if made and kind.canonical_as_made:
            continue
        if not kind.are_canonical([entry["value"] for entry in entries if entry["type"] == type_]):
            return False
    moments = [entry["expires_at"] for entry in entries if len(entry) == len(UNTIL)]
    return {*map(type, moments)} <= {str} and (made or _are_instants(moments))


def made_by_one(name: str, entry: Entry) -> Command | None:
    """Return the command that makes the key of a plain entry, less its expiry.

    None if it takes more, for the value is large.
    """
    return KINDS[entry["type"]].create(name, entry["value"])


def milliseconds(instant: str) -> int:
    """Return a plain entry's instant in milliseconds since 1970, faster than `codec.milliseconds`,
    which also checks it."""
    return (datetime.fromisoformat(instant) - codec.EPOCH) // codec.MILLISECOND


def _are_instants(values: Sequence[str]) -> bool:
    """Return whether they are instants as `codec.instant` writes them."""
    if not all(map(INSTANT.fullmatch, values)):
        return False
    try:
        for late in {value[:10] for value in values if value[8:10] > "28"}:
            datetime.fromisoformat(late)
    except ValueError:
        return False
    return True
