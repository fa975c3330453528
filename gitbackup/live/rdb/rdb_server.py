"""Load a whole RDB file into a server of our own, also what has expired since.

A primary drops what has expired when it loads, a replica keeps it. So the server begins as a
replica, of a primary that cannot be. To a reader a replica hides what has expired; Valkey
shows it to a client that calls itself the source of an import. Where the server is a Redis,
those keys are counted, but cannot be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from gitbackup.errors import ServerError
from gitbackup.format import codec
from gitbackup.kinds import Abilities, canonical, kind_of
from gitbackup.kinds.base import ARGUMENTS, pieces
from gitbackup.live.connection.address import parse
from gitbackup.live.connection.connect import Server, connect
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.protocol.info import parse_info
from gitbackup.live.rdb import rdb_file
from gitbackup.live.rdb.load_refusal import LoadRefusal, refusal, refused_by_all
from gitbackup.live.read.key_reader import KeyReader
from gitbackup.live.read.scan import scanned
from gitbackup.live.server.embedded import EmbeddedServer, find_server, find_servers
from gitbackup.model.keys import Entry
from gitbackup.model.server.rdb import RdbFile

DATABASES = 10_000  # a server refuses a file that has more
WITH_STREAM_COUNTERS = 10  # version of the format, of Redis 7.0
NOBODY = "127.0.0.1 0"  # a primary that no process can be
NOT_DATA = (
    *("ACL", "BGREWRITEAOF", "BGSAVE", "CLUSTER", "CONFIG", "DEBUG", "FAILOVER", "MIGRATE"),
    *("MODULE", "PSYNC", "REPLCONF", "REPLICAOF", "SAVE", "SHUTDOWN", "SLAVEOF", "SYNC"),
)
"""Commands that no server writes to an append-only file, and that reach beyond its data."""
OF_COMMANDS = {
    "appendonly": "yes",
    "appendfilename": "dump.rdb",
    "aof-load-truncated": "no",
    "rename-command": "\n".join(f'{name} ""' for name in NOT_DATA),
}
"""Settings that have a server run the commands, too, of the file that it begins with: but for
`NOT_DATA`, since anybody may have written it."""


@dataclass(frozen=True, slots=True)
class RdbServer:
    """A server that holds an RDB file's data; what it reads is as the file has it.

    `keys` tells how many keys each database has in the file, `expiring` how many of these
    expire at some time. `hides` tells whether those that have expired by now cannot be read;
    `with_fields` are the databases in which fields of hashes expire.
    """

    file: RdbFile
    server: Server
    keys: Mapping[int, int]
    expiring: Mapping[int, int]
    hides: bool
    with_fields: Sequence[int]
    _plain: Server

    def living(self, db: int) -> int:
        """Return how many keys of a database have not expired by now."""
        if not self.expiring.get(db):
            return self.keys.get(db, 0)
        with closing(self._plain.dial()) as connection:
            connection.select(db)
            return len(set(chain.from_iterable(scanned(connection))))

    def drop_expired(self) -> None:
        """Remove what had expired before the file was written.

        A primary drops that by and by, and until then shows it to nobody.
        """
        if self.hides or not self.file.dated:
            return
        moment = int(self.file.taken_at.timestamp() * 1000)
        with KeyReader(self.server) as reader, closing(self.server.dial()) as connection:
            for db in (db for db, count in self.expiring.items() if count):
                connection.select(db)
                _forget_keys(connection, reader.names(db), moment)
            for db in self.with_fields:
                connection.select(db)
                _forget_fields(connection, reader, db, moment, self.server.abilities)


def _forget_keys(connection: Connection, names: list[bytes], moment: int) -> None:
    for piece in pieces(names, ARGUMENTS):
        dues = connection.need([("PEXPIRETIME", name) for name in piece])
        if dead := [name for name, due in zip(piece, dues, strict=True) if 0 <= due <= moment]:
            connection.call("UNLINK", *dead)


def _forget_fields(
    connection: Connection, reader: KeyReader, db: int, moment: int, server: Abilities
) -> None:
    """Remove the parts of keys that had expired at that moment, in milliseconds since 1970."""
    for name, found in reader.entries(db, reader.names(db)):
        if not found or "field_expires_at" not in found:
            continue
        entry = canonical(found)
        expiries = entry["field_expires_at"]
        dead = {field for field, at in expiries.items() if codec.milliseconds(at) <= moment}
        left: Entry = {
            "type": entry["type"],
            "value": {field: text for field, text in entry["value"].items() if field not in dead},
            "field_expires_at": {f: at for f, at in expiries.items() if f not in dead},
        }
        commands = kind_of(entry).change(name, entry, left, server)
        connection.need([*(commands or ())])


@contextmanager
def load(
    path: Path, program: Path | None = None, modules: Sequence[Path] = ()
) -> Iterator[RdbServer]:
    """Load a whole file into the server `program`, or into the first one here that can load it.

    The server loads `modules` before. It has no stream counters if the file has none, for then it
    makes them up. Raises ServerError if none takes the file.
    """
    file = rdb_file.look(path)
    with ExitStack() as opened:
        programs = [program] if program else find_servers() or [find_server()]
        embedded = _start(opened, file, programs, modules)
        plain = connect(parse(embedded.url))
        with closing(plain.dial()) as connection:
            counts = _counts(connection)
            shows = _shows_expired(connection)
        server = _importing(plain) if shows else plain
        counters = file.version >= WITH_STREAM_COUNTERS
        server = replace(server, knows=replace(server.abilities, stream_counters=counters))
        keys = {db: facts["keys"] for db, facts in counts.items()}
        expiring = {db: facts["expires"] for db, facts in counts.items()}
        fields = [db for db, facts in counts.items() if facts.get("keys_with_volatile_items")]
        yield RdbServer(file, server, keys, expiring, not shows, fields, plain)


def _start(
    opened: ExitStack, file: RdbFile, programs: Sequence[Path], modules: Sequence[Path]
) -> EmbeddedServer:
    """Return the first of these servers that loads the file. Raises ServerError, which says why
    each of them does not. If one gets stuck, no others are tried, for they may, too."""
    data = opened.enter_context(rdb_file.as_loaded(file))
    refusals: list[LoadRefusal] = []
    for program in programs:
        settings = {"replicaof": NOBODY, **(OF_COMMANDS if file.commands else {})}
        begins = EmbeddedServer(program, settings, DATABASES, data, modules)
        try:
            return opened.enter_context(begins)
        except ServerError as error:
            refusals.append(refusal(file, program, error))
            if refusals[-1].stuck:
                break
    raise refused_by_all(file, refusals, programs[len(refusals) :])


def _counts(connection: Connection) -> dict[int, dict[str, int]]:
    """Return the numbers of keys that INFO has for each database."""
    found = parse_info(connection.call("INFO", "keyspace")).items()
    return {int(name.removeprefix("db")): _numbers(told) for name, told in found}


def _numbers(told: str) -> dict[str, int]:
    pairs = (fact.partition("=") for fact in told.split(","))
    read = ((name, codec.whole_number(number)) for name, _, number in pairs)
    return {name: number for name, number in read if number is not None}


def _shows_expired(connection: Connection) -> bool:
    """Make a Valkey show what has expired; return False if the server knows no such mode.

    In that mode it drops nothing, so it need not be a replica any longer.
    """
    (reply,) = connection.ask([("CONFIG", "SET", "import-mode", "yes")])
    if isinstance(reply, Refusal):
        return False
    connection.call("REPLICAOF", "NO", "ONE")
    return True


def _importing(server: Server) -> Server:
    """Return the server, each of whose connections counts as the source of an import."""

    def dial() -> Connection:
        connection = server.dial()
        connection.call("CLIENT", "IMPORT-SOURCE", "ON")
        return connection

    return replace(server, dial=dial)
