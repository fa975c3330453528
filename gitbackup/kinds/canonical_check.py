"""Entries that are as they should be, told at a glance, and made by one command.

Most are, and for them the exact way takes long.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from itertools import chain
from typing import Any

from gitbackup.format import codec
from gitbackup.kinds.base import ARGUMENTS, Command
from gitbackup.kinds.stream_form import with_entries
from gitbackup.model.keys import Entry

SHORT = {"type", "value"}
LONG = {"type", "value", "expires_at"}
TEXT = {str}
INSTANT = re.compile(  # as `codec.instant` writes one; whether there is such a day is not told
    r"(?:19[7-9]|[2-9]\d\d)\d-\d\d-\d\dT(?:[01]\d|2[0-3])(?::[0-5]\d){2}\.\d{3}Z", re.ASCII
)
ENTRY_ID = re.compile(r"(?!0-0)(?:0|[1-9]\d{0,18})-(?:0|[1-9]\d{0,18})", re.ASCII)


def is_plain(entry: Any) -> bool:
    """Whether it surely is an entry in its canonical form; False where that takes a closer look.

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


def _string(value: Any) -> bool:
    return type(value) is str


def _hash(value: Any) -> bool:
    return type(value) is dict and set(map(type, value.values())) == TEXT


def _list(value: Any) -> bool:
    return type(value) is list and set(map(type, value)) == TEXT


def _set(value: Any) -> bool:
    return _list(value) and len(set(value)) == len(value) and sorted(value) == value


def _zset(value: Any) -> bool:
    return type(value) is dict and len(value) > 0 and all(map(_is_score, value.values()))


def _stream(value: Any) -> bool:
    """Whether its entries are, which may be many, and the rest too."""
    if type(value) is not dict or not _are_entries(value.get("entries")):
        return False
    entries, rest = value["entries"], {name: value[name] for name in value if name != "entries"}
    try:
        normal = with_entries(value, entries)
    except (TypeError, ValueError):
        return False
    del normal["entries"]
    return codec.encode(normal) == codec.encode(rest)


def _are_entries(entries: Any) -> bool:
    if type(entries) is not dict or not all(map(ENTRY_ID.fullmatch, entries)):
        return False
    fields = [*entries.values()]
    if {*map(type, fields)} - {list}:
        return False
    sizes, texts = {*map(len, fields)}, {*map(type, chain.from_iterable(fields))}
    return texts <= TEXT and all(size > 0 and size % 2 == 0 for size in sizes)


def _is_score(value: Any) -> bool:
    if type(value) is int:
        return -codec.EXACT < value < codec.EXACT
    return type(value) is float and not value.is_integer()


CHECKS: dict[str, Callable[[Any], bool]] = {
    "string": _string,
    "hash": _hash,
    "list": _list,
    "set": _set,
    "zset": _zset,
    "stream": _stream,
}


def made_by_one(name: str, entry: Entry) -> Command | None:
    """The command that makes the key of a plain entry, less its expiry.

    None where it takes more, for the value is large.
    """
    value = entry["value"]
    match entry["type"]:
        case "string":
            return "SET", name, value
        case "hash" if len(value) <= ARGUMENTS:
            return "HSET", name, *chain.from_iterable(value.items())
        case "list" if len(value) <= ARGUMENTS:
            return "RPUSH", name, *value
        case "set" if len(value) <= ARGUMENTS:
            return "SADD", name, *value
        case "zset" if len(value) <= ARGUMENTS:
            scored = ((str(score), member) for member, score in value.items())
            return "ZADD", name, *chain.from_iterable(scored)
    return None


def milliseconds(instant: str) -> int:
    """A plain entry's instant in milliseconds since 1970: nothing is wrong with it, and so this is
    quicker than `codec.milliseconds`."""
    return (datetime.fromisoformat(instant) - codec.EPOCH) // codec.MILLISECOND


def _is_instant(value: Any) -> bool:
    """Whether it is just what `codec.instant` writes, and no number."""
    if type(value) is not str or not INSTANT.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
