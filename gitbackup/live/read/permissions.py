"""Find all the commands that a user may not run, at once.

Each is tried on a key that nobody has: those that read find nothing, and those that write are
queued in a transaction that is never carried out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from enum import Enum
from typing import NamedTuple

from gitbackup.errors import Forbidden, ServerError
from gitbackup.kinds import CORE, KINDS, Abilities, Command, search_index
from gitbackup.kinds.opaque import Opaque
from gitbackup.live.connection import cluster
from gitbackup.live.connection.connect import Server
from gitbackup.live.connection.connection import ASKING, Connection, Refusal
from gitbackup.live.protocol import error_replies
from gitbackup.live.protocol.error_replies import name_of, right
from gitbackup.live.read import expiry
from gitbackup.live.read.invalidation import TRACKING
from gitbackup.live.server import staging_keys
from gitbackup.live.server.search_indexes import LIST, has_search

HEARING: Sequence[Command] = (
    *(("INFO", "commandstats"), ("PING",), ("TIME",)),
    TRACKING,
)
"""What a watch asks besides, so that the server tells it of writes."""
WITHOUT = "without which nothing can be restored safely: nothing has been written"


class Verb(Enum):
    """What a user may want to do, each with rights of its own."""

    COMMIT = "commit"
    RESTORE = "restore"
    WATCH = "watch"


class Tried(NamedTuple):
    """The names of commands that the user may not run, and of those that the server has; and
    whether the user may use all keys."""

    refused: Sequence[str]
    known: Collection[str]
    all_keys: bool


@contextmanager
def all_told(server: Server, writes: bool = False) -> Iterator[None]:
    """Name all commands that the user may not run in the error that one of them raises.

    With `writes` these are all that a restore may take, else all that reading takes.
    """
    try:
        yield
    except Forbidden:
        lacking = tried(server, Verb.RESTORE if writes else Verb.COMMIT).refused
        if not lacking:
            raise
        raise Forbidden(error_replies.lacking(lacking, server.label)) from None


def tried(server: Server, verb: Verb) -> Tried:
    """Try the commands that a verb takes, and return those that the user may not run.

    Without the right to MULTI, those that write cannot be tried.
    """
    key, known = staging_keys.name_for(b"gitbackup"), server.abilities
    with closing(server.dial() if verb is not Verb.WATCH else server.listen()) as connection:
        commands = [*reading(key, known), *_searching(server, key)]
        replies = connection.ask([*commands, *(HEARING if verb is Verb.WATCH else ())])
        found = _refused([*commands, *HEARING], replies)
        readable = _known(commands, replies[: len(commands)])
        known_names = dict.fromkeys(name for name in readable if "." in name)
        if verb is not Verb.COMMIT:
            refused, begun = begin(connection, key)
            found += refused
            if begun and verb is Verb.RESTORE:
                connection.only_queues = True
                commands = [*_writing(key, known), *_indexing(server, key)]
                written = connection.ask(commands)
                found += _refused(commands, written)
                known_names |= dict.fromkeys(_known(commands, written))
    limited = any(isinstance(reply, Refusal) and _is_about_keys(reply) for reply in replies)
    return Tried([*dict.fromkeys(found)], [*known_names], not limited)


def least(verb: Verb, server: Abilities, known: Collection[str] = ()) -> list[str]:
    """Return the least rights that a verb takes on a server that has every type of Redis itself.

    Those for other types, and for search indexes, are among them where the server has their
    commands, which are `known`. No category has the commands of modules.
    """
    needed = ["+@read", "+select"]
    if verb is not Verb.COMMIT:
        needed += ["+multi", "+exec", "+watch"]
    if verb is Verb.WATCH:
        needed += map(right, map(name_of, HEARING))
    if verb is Verb.RESTORE:
        own = {name_of(command) for command in _writing(b"", server, CORE)}
        names = map(name_of, _writing(b"", server))
        needed += (right(name.partition(" ")[0]) for name in names if name in own or name in known)
    needed += (right(name) for name in known if "." in name)
    if server.one_slot:
        needed += map(right, map(name_of, (*cluster.QUESTIONS, ASKING)))
    if not server.pexpiretime:  # Redis 6.2
        needed = [*(each.partition("|")[0] for each in needed), "+time"]
    return [*dict.fromkeys(needed)]


def begin(connection: Connection, key: bytes) -> tuple[list[str], bool]:
    """Begin a transaction that nobody is going to end.

    Returns which commands of those that every transaction takes the user may not run, and
    whether it has begun. Raises ServerError if the server does not know one.
    """
    commands: list[Command] = [("WATCH", key), ("MULTI",), ("EXEC",), ("MULTI",)]
    replies = connection.ask(commands)
    for command, reply in zip(commands[:3], replies, strict=False):
        if isinstance(reply, Refusal) and error_replies.is_unknown(str(reply)):
            raise ServerError(f"{connection.refused(reply, command)}, {WITHOUT}")
    refused = [
        name_of(command)
        for command, reply in zip(commands[:3], replies, strict=False)
        if isinstance(reply, Refusal) and error_replies.forbids_command(str(reply))
    ]
    still = replies[3] == "OK" or isinstance(replies[2], Refusal)
    return refused, replies[1] == "OK" and still


def reading(key: bytes, server: Abilities) -> Iterator[Command]:
    """Yield the commands that reading sends to a server that has every type."""
    yield "SCAN", "0", "COUNT", 1
    yield "SELECT", 0
    yield "TYPE", key
    yield expiry.ask(key, server)
    if not server.pexpiretime:
        yield ("TIME",)
    for kind in (*KINDS.values(), Opaque("")):
        yield from next(kind.read(key, server))
        yield from kind.more_reads(key, server)


def _searching(server: Server, name: bytes) -> Iterator[Command]:
    """Yield the commands that read search indexes, if the server has any."""
    if has_search(server):
        yield from (LIST, *search_index.ask(name))


def _indexing(server: Server, name: bytes) -> Iterator[Command]:
    """Yield the commands that change a search index."""
    if has_search(server):
        yield "FT.CREATE", name, "SCHEMA", "a", "TEXT"
        yield "FT.ALTER", name, "SCHEMA", "ADD", "a", "TEXT"
        yield search_index.SYNONYMS, name, "a", "b"
        yield search_index.drop(name)


def _writing(key: bytes, server: Abilities, types: Collection[str] = KINDS) -> Iterator[Command]:
    for kind in map(KINDS.__getitem__, filter(types.__contains__, KINDS)):
        if sample := kind.sample(server):
            yield from kind.write(key, sample, server)
    yield "RESTORE", key, 0, ""
    yield "PEXPIREAT", key, 1
    yield "PEXPIRE", key, 1
    yield "PERSIST", key
    yield "RENAME", key, key
    if server.one_slot:
        yield "RENAMENX", key, key
    yield "UNLINK", key


def _is_about_keys(refusal: Refusal) -> bool:
    return error_replies.forbids_key(str(refusal))


def _known(commands: Sequence[Command], replies: Sequence[object]) -> Iterator[str]:
    for command, reply in zip(commands, replies, strict=True):
        if not (isinstance(reply, Refusal) and error_replies.is_unknown(str(reply))):
            yield name_of(command)


def _refused(commands: Sequence[Command], replies: Sequence[object]) -> list[str]:
    return [
        name_of(command)
        for command, reply in zip(commands, replies, strict=False)
        if isinstance(reply, Refusal) and error_replies.forbids_command(str(reply))
    ]
