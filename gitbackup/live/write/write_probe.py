"""Ask a server, before the first write, whether it takes what is going to be written.

Commands are queued in a transaction that is never carried out: when they are queued, the server
checks rights, memory and role. Closing the connection discards them, which takes no right.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import count, islice
from typing import NamedTuple

from gitbackup.errors import Forbidden, ForbiddenKey, ServerError
from gitbackup.format import codec
from gitbackup.kinds import Abilities, Command, kind_of
from gitbackup.kinds.base import pieces
from gitbackup.live.connection.connect import Server
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.protocol import error_replies
from gitbackup.live.protocol.error_replies import name_of
from gitbackup.live.read import permissions
from gitbackup.live.read.bulk_read import is_elsewhere
from gitbackup.live.server import keyspace, staging_keys
from gitbackup.live.server.keyspace import LibraryChange
from gitbackup.live.write.key_writer import KeyWrite, single, writes
from gitbackup.model.keys import Entry

MOST = 20  # commands of one value that are tried
KEYS_A_COMMAND = 500
KEYS_A_CONNECTION = 20_000


class _Trial(NamedTuple):
    """A command to queue, and the end of the sentence that says what needs it.

    If it is `optional`, only some values of its type take it, and perhaps none of these.
    """

    command: Command
    needed_for: str = ""
    optional: bool = False


def probe(
    server: Server,
    samples: Sequence[tuple[int, KeyWrite]],
    libraries: Sequence[LibraryChange],
    keys: Iterable[bytes],
    values: Callable[[], Iterable[Entry]],
    defining: Sequence[Command] = (),
) -> None:
    """Make sure that the server takes steps, in their databases, changes of libraries, and the
    commands `defining` search indexes.

    `samples` has one step of each sort, with its database; `keys` and `values` are those of all
    steps. Raises Forbidden or ForbiddenKey, naming all commands or keys that the user lacks rights
    to, and ServerError for what the server would refuse for another reason.
    """
    if not (samples or libraries or defining):
        return
    _expect_consumers(server, values)
    names = keys if server.cluster is None else [*keys]
    for id_, node in server.nodes.items():
        own = [sample for sample in samples if server.node_of(sample[1].key) == id_]
        if own or libraries or defining:
            _probe(node, own, libraries, names, values, _key_at(server, id_), defining)


def _key_at(server: Server, node: str) -> bytes:
    """Return the name of a key that nobody has, and a node would have."""
    names = (b"gitbackup%d" % number for number in count())
    name = next(name for name in names if server.node_of(name) == node)
    return staging_keys.name_for(name, same_slot=server.cluster is not None)


def _probe(
    server: Server,
    samples: Sequence[tuple[int, KeyWrite]],
    libraries: Sequence[LibraryChange],
    keys: Iterable[bytes],
    values: Callable[[], Iterable[Entry]],
    own_key: bytes,
    defining: Sequence[Command],
) -> None:
    """Do the same for one node, with an `own_key` that nobody has."""
    with closing(server.dial()) as connection:
        for db, _ in samples:
            connection.select(db)  # to see that it exists: a transaction does not say so in time
        lacking, begun = permissions.begin(connection, samples[0][1].key if samples else own_key)
        refused: list[tuple[_Trial, Refusal]] = []
        if begun:
            trials = [*_trials(samples, libraries, server), *map(_Trial, defining)]
            replies = connection.ask([trial.command for trial in trials])
            pairs = zip(trials, replies, strict=True)
            refused = [
                (trial, reply)
                for trial, reply in pairs
                if isinstance(reply, Refusal) and not is_elsewhere(reply)
            ]
        lacking += _lacking(connection, refused, server, values)
        limited = begun and any(map(_forbids_key, connection.ask([("UNLINK", own_key)])))
    if lacking:
        sentence = error_replies.lacking([*dict.fromkeys(lacking)], server.label)
        if all(name.startswith("FUNCTION") for name in lacking):
            sentence += f"; {keyspace.keys_alone()}"
        raise Forbidden(sentence)
    forbidden = _forbidden(server, keys) if limited else []
    if forbidden:
        raise ForbiddenKey(error_replies.keys_forbidden(forbidden, server.label))
    for trial, refusal in refused:
        if _forbids_key(refusal):
            raise ForbiddenKey(f"{connection.refused(refusal, trial.command)}{trial.needed_for}")


def _expect_consumers(server: Server, values: Callable[[], Iterable[Entry]]) -> None:
    """Raise ServerError for streams with consumers, if the server cannot make these.

    An old server says so only when the transaction is carried out.
    """
    if server.abilities.makes_consumers:
        return
    if any(kind_of(entry).needs(entry).makes_consumers for entry in values()):
        raise ServerError(
            f"{server.brand} {server.version} at {server.label} cannot create consumers of"
            " streams: nothing has been written; upgrade it to 6.2 or newer, or leave out streams"
            " with consumers by key patterns"
        )


def _trials(
    samples: Iterable[tuple[int, KeyWrite]],
    libraries: Iterable[LibraryChange],
    server: Server,
) -> Iterator[_Trial]:
    for _, step in samples:
        name = codec.text(step.key)[: error_replies.LONGEST]
        needed_for = (
            f"; this is needed to restore {name!r}: nothing has been written; leave it out by"
            " key patterns"
        )
        needed = [*_needed(step, server.abilities)]
        yield from (_Trial(command, needed_for) for command in needed)
        for command in _perhaps(step, server.abilities, {*map(name_of, needed)}):
            yield _Trial(command, optional=True)
    for command in keyspace.changing(libraries):
        yield _Trial(command, f"; {keyspace.keys_alone()}")


def _needed(step: KeyWrite, server: Abilities) -> Iterator[Command]:
    """Yield the commands that the step takes."""
    if step.after is not None:
        yield from _first_of_each(writes(step.key, step.after, server))
        yield "PEXPIREAT", step.key, 1
        yield "PERSIST", step.key
        if single(step.key, step.after, server) is None:
            yield "RENAME", step.key, staging_keys.name_for(step.key, server.one_slot)
            yield "PEXPIRE", step.key, 1
    yield "UNLINK", step.key


def _perhaps(step: KeyWrite, server: Abilities, known: Container[str]) -> Iterator[Command]:
    """Yield the commands that other values of the type take."""
    entry = step.after and kind_of(step.after).sample(server)
    for command in writes(step.key, entry, server) if entry else ():
        if name_of(command) not in known:
            yield command


def _first_of_each(commands: Iterator[Command]) -> Iterator[Command]:
    """Yield the first commands, and one of each other name."""
    names = set()
    for command in islice(commands, MOST):
        names.add(name_of(command))
        yield command
    for command in commands:
        if name_of(command) not in names:
            names.add(name_of(command))
            yield command


def _lacking(
    connection: Connection,
    refused: Sequence[tuple[_Trial, Refusal]],
    server: Server,
    values: Callable[[], Iterable[Entry]],
) -> list[str]:
    """Return the names of needed commands that the user may not run.

    Raises ServerError for a command that is refused for another reason than rights.
    """
    lacking: list[str] = []
    optional: list[str] = []
    for trial, refusal in refused:
        if error_replies.forbids_command(str(refusal)):
            (optional if trial.optional else lacking).append(name_of(trial.command))
        elif not (trial.optional or error_replies.forbids(str(refusal))):
            unknown = error_replies.is_unknown(str(refusal)) or trial.command[0] == "FUNCTION"
            needed_for = trial.needed_for if unknown else ""
            raise ServerError(f"{connection.refused(refusal, trial.command)}{needed_for}")
    if optional:
        written = (writes(b"", entry, server.abilities) for entry in values())
        names = {name_of(command) for commands in written for command in commands}
        lacking += (name for name in optional if name in names)
    return lacking


def _forbids_key(reply: object) -> bool:
    return isinstance(reply, Refusal) and error_replies.forbids_key(str(reply))


def _forbidden(server: Server, keys: Iterable[bytes]) -> list[bytes]:
    """Return those of the keys that the user may not write."""
    forbidden: list[bytes] = []
    left = iter(keys)
    while chunk := [*islice(left, KEYS_A_CONNECTION)]:
        with closing(server.dial()) as connection:
            connection.call("MULTI")
            groups = [*pieces(chunk, KEYS_A_COMMAND)]
            replies = connection.ask([("UNLINK", *group) for group in groups])
            for group, reply in zip(groups, replies, strict=True):
                if _forbids_key(reply):
                    own_replies = connection.ask([("UNLINK", key) for key in group])
                    pairs = zip(group, own_replies, strict=True)
                    forbidden += (key for key, own in pairs if _forbids_key(own))
    return forbidden
