"""What a server holds besides the values of its keys: databases, function libraries, a clock."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple

from gitbackup import wording
from gitbackup.errors import ServerError
from gitbackup.format import codec
from gitbackup.kinds import Abilities, Command
from gitbackup.kinds.base import mapping
from gitbackup.live.connection.connect import Server
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.protocol.error_replies import is_out_of_range, is_unknown
from gitbackup.live.protocol.info import parse_info

MOST_DATABASES = 1_000_000
_MOST_TRIED = 1 << 16  # beyond it a server that never says no is not Redis
_USUAL_DATABASES = 16
LIST: Command = ("FUNCTION", "LIST", "WITHCODE")


class Library(NamedTuple):
    """A library of Redis Functions, its source loose text."""

    name: str
    engine: str
    source: str


class LibraryChange(NamedTuple):
    """A change of a library: its source before and after, as stored; None if it does not exist."""

    name: str
    before: str | None
    after: str | None


def databases(connection: Connection) -> list[int]:
    """Return the numbers of the databases that hold keys; each is tried if INFO is not
    permitted."""
    (info,) = connection.ask([("INFO", "keyspace")])
    if isinstance(info, Refusal):
        return _tried(connection)
    return sorted(numbers(parse_info(info)))


def numbers(info: Iterable[str]) -> Iterator[int]:
    """Return the numbers of the databases in the lines of INFO keyspace."""
    found = (codec.whole_number(name[2:]) for name in info if name[:2] == "db")
    return (number for number in found if number is not None)


def _tried(connection: Connection) -> list[int]:
    found, start, stop = list[int](), 0, _USUAL_DATABASES
    while start < _MOST_TRIED:
        some = range(start, stop)
        replies = iter(
            connection.ask([one for db in some for one in (("SELECT", db), ("DBSIZE",))])
        )
        for db, selected, size in zip(some, replies, replies, strict=True):
            if isinstance(selected, Refusal):
                _expect_out_of_range(connection, selected, db)
                connection.call("SELECT", 0)
                connection.select(0)
                return found
            if not isinstance(size, int) or size:  # DBSIZE may be forbidden too: then look
                found.append(db)
        start, stop = stop, 2 * stop
    raise connection.nonsense(("SELECT", start))


def _expect_out_of_range(connection: Connection, refusal: Refusal, number: int) -> None:
    if not is_out_of_range(str(refusal)):
        told = connection.refused(refusal, ("SELECT", number))
        db = wording.option("--db", "databases")
        if is_unknown(str(refusal)):
            raise ServerError(f"{told}: only database 0 can be read, so name it with {db} 0")
        raise ServerError(f"{told}; or name a database with {db}")


def keys_alone() -> str:
    """Return what to do if libraries cannot be restored."""
    return (
        "without it no library can be restored: restore only keys, naming each database with"
        f" {wording.option('--db', 'databases')}"
    )


def libraries(connection: Connection, server: Abilities) -> list[Library] | None:
    """Return the function libraries in order of name; None if the user may not list them."""
    if not server.functions:
        return []
    (listed,) = connection.ask([LIST])
    return _unlisted(connection, listed) if isinstance(listed, Refusal) else told(listed)


def libraries_of(server: Server) -> tuple[list[Library] | None, list[str]]:
    """Return the function libraries of a server, None if the user may not list them.

    Of a cluster these are those of all nodes, each as the first node has it; and the names of those
    that not all nodes have alike.
    """
    found: dict[str, Library] = {}
    counts = Counter[Library]()
    for node in server.nodes.values():
        with closing(node.dial()) as connection:
            listed = libraries(connection, node.abilities)
        if listed is None:
            return None, []
        found = {library.name: library for library in listed} | found
        counts.update(listed)
    alike = {library.name for library, count in counts.items() if count == len(server.nodes)}
    return sorted(found.values()), sorted(found.keys() - alike)


def sources(listed: Iterable[Library]) -> dict[str, str]:
    """Return the sources of libraries by name, as stored."""
    return {one.name: codec.strict(one.source) for one in listed}


def told(listed: Iterable[Any]) -> list[Library]:
    """Return the libraries in a reply to FUNCTION LIST."""
    found = [mapping(library) for library in listed]
    return sorted(Library(one["library_name"], one["engine"], one["library_code"]) for one in found)


def _unlisted(connection: Connection, refusal: Refusal) -> list[Library] | None:
    told = str(refusal)
    if told.startswith("NOPERM"):
        return None
    if is_unknown(told):  # a server that has no functions, or none any more
        return []
    raise connection.refused(refusal, ("FUNCTION", "LIST"))


def clock(connection: Connection) -> int:
    """Return the server's own time in milliseconds since 1970; ours if the user may not ask."""
    (reply,) = connection.ask([("TIME",)])
    if isinstance(reply, Refusal):
        return time.time_ns() // 1_000_000
    return milliseconds(reply)


def runs(server: Server) -> frozenset[str]:
    """Return what names this run of a server, or of each node of a cluster, if it may be asked.

    Whoever is started again, or takes the place of another one, has another name.
    """
    found = set[str]()
    for node in server.nodes.values():
        with closing(node.dial()) as connection:
            (reply,) = connection.ask([("INFO", "server")])
        found.add("" if isinstance(reply, Refusal) else parse_info(reply).get("run_id", ""))
    return frozenset(found - {""})


def milliseconds(reply: Any) -> int:
    """Return what a reply to TIME tells, in milliseconds since 1970."""
    seconds, microseconds = reply
    return int(seconds) * 1000 + int(microseconds) // 1000


def change_libraries(
    connection: Connection, changes: Iterable[LibraryChange], seen: Mapping[str, str]
) -> dict[str, str] | None:
    """Change libraries in one transaction; return which were refused, and why.

    `seen` are the sources of all libraries, as stored, that the changes are drawn from. Nobody
    can WATCH libraries: the transaction lists them itself, and where they are others by then,
    it is undone, and None returned.

    What was there goes before anything comes, since no function may be in two libraries. Where
    a library's successor is refused, it is put back.
    """
    ordered = [*changes]
    commands: list[Command] = [LIST, *changing(ordered), ("EXEC",)]
    connection.call("MULTI")
    queued = connection.ask(commands)
    for command, reply in zip(commands, queued, strict=True):
        if isinstance(reply, Refusal):  # then nothing was done
            return {change.name: str(connection.refused(reply, command)) for change in ordered}
    listed, *replies = connection.unwatched(queued[-1])
    there = sources(told(listed))
    if there != seen:
        _undo(connection, ordered, there)
        return None
    coming = [change for change in ordered if change.after is not None]
    loaded = zip(reversed(coming), reversed(replies), strict=False)
    wrong = {change: reply.why for change, reply in loaded if isinstance(reply, Refusal)}
    return {change.name: why + _put_back(connection, change) for change, why in wrong.items()}


def _undo(connection: Connection, changes: list[LibraryChange], there: Mapping[str, str]) -> None:
    """Give the changed libraries their previous sources again."""
    gone = [change.name for change in changes if change.name in there]
    commands: list[Command] = [("FUNCTION", "DELETE", change.name) for change in changes]
    commands += [_load(there[name]) for name in gone]
    connection.call("MULTI")
    replies = connection.unwatched(connection.ask([*commands, ("EXEC",)])[-1])
    for command, reply in zip(commands[len(changes) :], replies[len(changes) :], strict=True):
        if isinstance(reply, Refusal):
            raise connection.refused(reply, command)


def _put_back(connection: Connection, change: LibraryChange) -> str:
    """Load the library that a change has deleted; return what to add to the message about it."""
    if change.before is None:
        return ""
    (reply,) = connection.ask([_load(change.before)])
    if isinstance(reply, Refusal):
        return (
            f"; the previous library could not be put back ({reply.why}): it is in the saved commit"
        )
    return "; the previous library was put back"


def changing(changes: Iterable[LibraryChange]) -> list[Command]:
    """Return the commands that change libraries: first those that delete, then those that load."""
    ordered = [*changes]
    going: list[Command] = [("FUNCTION", "DELETE", c.name) for c in ordered if c.before is not None]
    return going + [_load(change.after) for change in ordered if change.after is not None]


def _load(source: str) -> Command:
    return "FUNCTION", "LOAD", codec.data(source)
