"""What a server holds besides the values of its keys: databases, function libraries, a clock."""

from __future__ import annotations

import time
from typing import NamedTuple

from gitbackup import codec
from gitbackup.errors import ServerError
from gitbackup.kinds import Abilities
from gitbackup.kinds.base import mapping
from gitbackup.live.connect import parse_info
from gitbackup.live.refusals import words_of
from gitbackup.live.wire import Refusal, Wire

MOST_DATABASES = 1_000_000  # beyond it a server that never says no is not Redis


class Library(NamedTuple):
    """A library of Redis Functions, its source loose text."""

    name: str
    engine: str
    source: str


def databases(wire: Wire) -> list[int]:
    """The numbers of the databases that hold keys; by trying each where INFO is not permitted."""
    (info,) = wire.ask([("INFO", "keyspace")])
    if isinstance(info, Refusal):
        return _tried(wire)
    lines = parse_info(info)
    return sorted(int(name[2:]) for name in lines if name[:2] == "db" and name[2:].isdecimal())


def _tried(wire: Wire) -> list[int]:
    found = []
    for db in range(MOST_DATABASES):
        selected, size = wire.ask([("SELECT", db), ("DBSIZE",)])
        if isinstance(selected, Refusal):
            _expect_out_of_range(wire, selected, db)
            break
        if not isinstance(size, int) or size:  # DBSIZE may be forbidden too: then look
            found.append(db)
    wire.call("SELECT", 0)
    wire.select(0)
    return found


def _expect_out_of_range(wire: Wire, refusal: Refusal, db: int) -> None:
    if "out of range" not in str(refusal).lower():
        raise ServerError(f"{wire.refused(refusal, ('SELECT', db))}; or name a database with --db")


def libraries(wire: Wire, server: Abilities) -> list[Library] | None:
    """The function libraries in order of name; None where the user may not list them."""
    if not server.functions:
        return []
    (listed,) = wire.ask([("FUNCTION", "LIST", "WITHCODE")])
    if isinstance(listed, Refusal):
        return _unlisted(wire, listed)
    found = [mapping(library) for library in listed]
    return sorted(Library(one["library_name"], one["engine"], one["library_code"]) for one in found)


def _unlisted(wire: Wire, refusal: Refusal) -> list[Library] | None:
    told = words_of(refusal)
    if told.startswith("NOPERM"):
        return None
    if "unknown" in told.lower():  # a server that has no functions, or none any more
        return []
    raise wire.refused(refusal, ("FUNCTION", "LIST"))


def clock(wire: Wire) -> int:
    """The server's own time in milliseconds since 1970; ours where the user may not ask."""
    (reply,) = wire.ask([("TIME",)])
    if isinstance(reply, Refusal):
        return time.time_ns() // 1_000_000
    seconds, microseconds = reply
    return int(seconds) * 1000 + int(microseconds) // 1000


def write_library(wire: Wire, source: str) -> None:
    """Loads a library's source, stored under the text rule, over any of its name."""
    wire.call("FUNCTION", "LOAD", "REPLACE", codec.data(source))


def delete_library(wire: Wire, name: str) -> None:
    """Removes a library. Raises ServerError where that is refused."""
    (reply,) = wire.ask([("FUNCTION", "DELETE", name)])
    if isinstance(reply, Refusal) and "not found" not in str(reply).lower():
        raise ServerError(str(wire.refused(reply, ("FUNCTION", "DELETE"))))
