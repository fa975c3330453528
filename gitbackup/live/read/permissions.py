"""Which commands a user may not run, all of them at once.

Each is tried on a key that nobody has: those that read find nothing, and those that write are
queued in a transaction that is never carried out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

from gitbackup.errors import Forbidden
from gitbackup.kinds import KINDS, Abilities, Command
from gitbackup.kinds.opaque import Opaque
from gitbackup.live.connection import error_replies
from gitbackup.live.connection.connect import Server
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.connection.error_replies import name_of, words_of
from gitbackup.live.read import expiry
from gitbackup.live.server import staging_keys


@contextmanager
def all_told(server: Server, writes: bool = False) -> Iterator[None]:
    """A command that the user may not run is told together with the others that are missing.

    With `writes` these are all that a restore may take, else all that reading does.
    """
    try:
        yield
    except Forbidden:
        lacking = missing(server, writes)
        if not lacking:
            raise
        raise Forbidden(error_replies.lacking(lacking, server.label)) from None


def missing(server: Server, writes: bool) -> list[str]:
    """The names of the commands that reading takes, and writing, and the user may not run."""
    key, known = staging_keys.name_for(b"gitbackup"), server.abilities
    with closing(server.dial()) as connection:
        found = _refused(connection, [*reading(key, known)])
        if writes:
            refused, begun = begin(connection, key)
            found += refused
            found += _refused(connection, [*_writing(key, known)]) if begun else []
    return [*dict.fromkeys(found)]


def begin(connection: Connection, key: bytes) -> tuple[list[str], bool]:
    """Begins a transaction that nobody is going to end.

    Returns which commands of those that every transaction takes the user may not run, and
    whether it has begun.
    """
    commands: list[Command] = [("WATCH", key), ("MULTI",), ("EXEC",), ("MULTI",)]
    replies = connection.ask(commands)
    refused = [
        name_of(command)
        for command, reply in zip(commands[:3], replies, strict=False)
        if isinstance(reply, Refusal) and error_replies.forbids_command(words_of(reply))
    ]
    return refused, replies[1] == "OK"


def reading(key: bytes, server: Abilities) -> Iterator[Command]:
    """What is asked of a server that has every type."""
    yield "SCAN", "0", "COUNT", 1
    yield "SELECT", 0
    yield "TYPE", key
    yield expiry.ask(key, server)
    if not server.pexpiretime:
        yield ("TIME",)
    for kind in (*KINDS.values(), Opaque("")):
        yield from next(kind.read(key, server))
        yield from kind.more_reads(key, server)


def _writing(key: bytes, server: Abilities) -> Iterator[Command]:
    for kind in KINDS.values():
        if sample := kind.sample(server):
            yield from kind.write(key, sample, server)
    yield "RESTORE", key, 0, ""
    yield "PEXPIREAT", key, 1
    yield "PEXPIRE", key, 1
    yield "PERSIST", key
    yield "RENAME", key, key
    yield "UNLINK", key


def _refused(connection: Connection, commands: Sequence[Command]) -> list[str]:
    pairs = zip(commands, connection.ask([*commands]), strict=True)
    return [
        name_of(command)
        for command, reply in pairs
        if isinstance(reply, Refusal) and error_replies.forbids_command(words_of(reply))
    ]
