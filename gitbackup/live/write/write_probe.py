"""Whether a server takes what is going to be written: asked before the first write.

Commands are queued in a transaction that is never carried out: as they are queued, the server
checks rights, memory and role. Closing the connection discards them, which takes no right.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import NamedTuple

from gitbackup.errors import Forbidden, ForbiddenKey, ServerError
from gitbackup.format import codec
from gitbackup.kinds import Abilities, Command, kind_of
from gitbackup.live.connection import error_replies
from gitbackup.live.connection.connect import Server
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.connection.error_replies import name_of, words_of
from gitbackup.live.read import permissions
from gitbackup.live.server import keyspace, staging_keys
from gitbackup.live.server.keyspace import LibraryChange
from gitbackup.live.write.key_writer import KeyWrite, single, writes
from gitbackup.model.keys import Entry

MOST = 20  # commands of one value that are tried
TOGETHER = 500  # keys of one command
AT_ONCE = 20_000  # keys that one connection is asked about


class _Tried(NamedTuple):
    """A command that was queued, and what cannot be restored without it."""

    command: Command
    needed: str = ""
    maybe: bool = False  # whether some values of its type take it, and perhaps none of these


def probe(
    server: Server,
    samples: Sequence[tuple[int, KeyWrite]],
    libraries: Sequence[LibraryChange],
    keys: Iterable[bytes],
    values: Callable[[], Iterable[Entry]],
) -> None:
    """Makes sure that the server takes steps, in their databases, and changes of libraries.

    `samples` has one step of each sort; `keys` and `values` are those of all steps. Raises
    ServerError, saying all that is missing, for what it would refuse.
    """
    if not (samples or libraries):
        return
    somewhere = staging_keys.name_for(b"gitbackup")
    with closing(server.dial()) as connection:
        for db, _ in samples:
            connection.select(db)  # there, and permitted: inside a transaction that is not told yet
        lacking, begun = permissions.begin(connection, samples[0][1].key if samples else somewhere)
        refused = _refused(connection, [*_tried(samples, libraries, server)]) if begun else []
        lacking += _lacking(connection, refused, server, values)
        limited = begun and any(map(_forbids_key, connection.ask([("UNLINK", somewhere)])))
    if lacking:
        told = error_replies.lacking([*dict.fromkeys(lacking)], server.label)
        raise Forbidden(f"{told}{_without(lacking)}")
    forbidden = _forbidden(server, keys) if limited else []
    if forbidden:
        raise ForbiddenKey(error_replies.keys_forbidden(forbidden, server.label))
    for one, refusal in refused:
        if _forbids_key(refusal):
            raise ForbiddenKey(f"{connection.refused(refusal, one.command)}{one.needed}")


def _tried(
    samples: Iterable[tuple[int, KeyWrite]],
    libraries: Iterable[LibraryChange],
    server: Server,
) -> Iterator[_Tried]:
    for _, step in samples:
        needing = _needing(step)
        needed = [*_needed(step, server.abilities)]
        yield from (_Tried(command, needing) for command in needed)
        for command in _perhaps(step, server.abilities, {*map(name_of, needed)}):
            yield _Tried(command, maybe=True)
    for command in keyspace.changing(libraries):
        yield _Tried(command, f"; {keyspace.KEYS_ALONE}")


def _needed(step: KeyWrite, server: Abilities) -> Iterator[Command]:
    if step.after is not None:
        yield from _first_of_each(writes(step.key, step.after, server))
        yield "PEXPIREAT", step.key, 1
        yield "PERSIST", step.key
        if single(step.key, step.after, server) is None:
            yield "RENAME", step.key, staging_keys.name_for(step.key)
            yield "PEXPIRE", step.key, 1
    yield "UNLINK", step.key


def _perhaps(step: KeyWrite, server: Abilities, known: Container[str]) -> Iterator[Command]:
    """What other values of the type take."""
    entry = step.after and kind_of(step.after["type"]).sample(server)
    for command in writes(step.key, entry, server) if entry else ():
        if name_of(command) not in known:
            yield command


def _first_of_each(commands: Iterator[Command]) -> Iterator[Command]:
    """The first commands, and of the rest one of each name."""
    told = set()
    for command in islice(commands, MOST):
        told.add(name_of(command))
        yield command
    for command in commands:
        if name_of(command) not in told:
            told.add(name_of(command))
            yield command


def _refused(connection: Connection, tried: Sequence[_Tried]) -> list[tuple[_Tried, Refusal]]:
    replies = connection.ask([one.command for one in tried])
    pairs = zip(tried, replies, strict=True)
    return [(one, reply) for one, reply in pairs if isinstance(reply, Refusal)]


def _lacking(
    connection: Connection,
    refused: Sequence[tuple[_Tried, Refusal]],
    server: Server,
    values: Callable[[], Iterable[Entry]],
) -> list[str]:
    """The names of commands that the user may not run.

    Raises ServerError for what is refused for another reason than rights.
    """
    lacking: list[str] = []
    perhaps: list[str] = []
    for one, refusal in refused:
        if error_replies.forbids_command(words_of(refusal)):
            (perhaps if one.maybe else lacking).append(name_of(one.command))
        elif not (one.maybe or error_replies.forbids(words_of(refusal))):
            needed = one.needed if "unknown command" in str(refusal) else ""
            needed = one.needed if one.command[0] == "FUNCTION" else needed
            raise ServerError(f"{connection.refused(refusal, one.command)}{needed}")
    return lacking + ([*_taken(perhaps, server, values())] if perhaps else [])


def _taken(names: Sequence[str], server: Server, values: Iterable[Entry]) -> Iterator[str]:
    """Those of some commands that values take."""
    written = (writes(b"", entry, server.abilities) for entry in values)
    taken = {name_of(command) for commands in written for command in commands}
    return (name for name in names if name in taken)


def _without(lacking: Sequence[str]) -> str:
    """What is to be had without the rights to change libraries, where no other is missing."""
    alone = all(name.startswith("FUNCTION") for name in lacking)
    return f"; {keyspace.KEYS_ALONE}" if alone else ""


def _forbids_key(reply: object) -> bool:
    return isinstance(reply, Refusal) and error_replies.forbids_key(words_of(reply))


def _forbidden(server: Server, keys: Iterable[bytes]) -> list[bytes]:
    """Those of many keys that the user may not write."""
    forbidden: list[bytes] = []
    ordered = iter(keys)
    while some := [*islice(ordered, AT_ONCE)]:
        with closing(server.dial()) as connection:
            connection.call("MULTI")
            forbidden += _forbidden_of(connection, some)
    return forbidden


def _forbidden_of(connection: Connection, keys: Sequence[bytes]) -> Iterator[bytes]:
    pieces = [keys[at : at + TOGETHER] for at in range(0, len(keys), TOGETHER)]
    together = connection.ask([("UNLINK", *piece) for piece in pieces])
    for piece, reply in zip(pieces, together, strict=True):
        if _forbids_key(reply):
            each = connection.ask([("UNLINK", key) for key in piece])
            yield from (key for key, one in zip(piece, each, strict=True) if _forbids_key(one))


def _needing(step: KeyWrite) -> str:
    """Which key cannot be restored so, and what to do."""
    name = codec.text(step.key)[: error_replies.LONGEST]
    return (
        f"; this is needed to restore {name!r}: nothing has been written; leave it out by"
        " key patterns"
    )
