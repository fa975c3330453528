"""Write the keys of all nodes of a cluster as those of one server.

While a slot moves to another node, a key is written where it is. A value that takes a staging key
waits for the move to end, since the two may be at different nodes.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Generic, NamedTuple, Self, TypeVar

from gitbackup.errors import ServerError
from gitbackup.format import codec
from gitbackup.live.connection.asking import Lane, in_flight
from gitbackup.live.connection.cluster import FAILOVER, Cluster
from gitbackup.live.connection.connect import Server
from gitbackup.live.connection.connection import Connection, Refusal, pack
from gitbackup.live.protocol.error_replies import Redirected
from gitbackup.live.protocol.slots import by_slot
from gitbackup.live.server import staging_keys
from gitbackup.live.write.bulk_create import BEGIN, END, Created, Creator, Plain, creation
from gitbackup.live.write.key_writer import KeyWrite, KeyWriter, Outcome
from gitbackup.model.keys import Entry

LANES = 8  # connections to each node, on each of which a transaction is under way
RENAMED = 1  # what RENAMENX replies if the new name was free
T = TypeVar("T")


def key_writer(server: Server) -> KeyWriter:
    """Return a writer to the keys of a server, or of a cluster."""
    return ClusterKeyWriter(server, server.cluster) if server.cluster else KeyWriter(server)


def creator(server: Server, writer: KeyWriter) -> Creator | ClusterCreator:
    """Return what creates many keys of a server, or of a cluster."""
    return ClusterCreator(server, writer) if server.cluster else Creator(server, writer)


class ClusterKeyWriter(KeyWriter):
    """Writes to the keys of all nodes of a cluster, those of one slot together."""

    def __init__(self, server: Server, cluster: Cluster[Server]) -> None:
        super().__init__(server)
        self._cluster = cluster
        self._nodes = dict(server.nodes)
        self._writers: dict[tuple[str, bool, int], KeyWriter] = {}

    def __exit__(self, *exc: object) -> None:
        for writer in self._writers.values():
            writer.__exit__(*exc)

    def made_of(self, db: int, key: bytes, entry: Entry) -> Entry | None:
        def make(node: str, asking: bool) -> Entry | None:
            return self._at(node, asking).made_of(db, key, entry)

        return self._cluster.follow(key, make)

    def apply(self, db: int, steps: Sequence[KeyWrite]) -> Outcome:
        """Take the steps of each slot in one transaction, several at each node in flight at once.

        Those of a slot that moves are taken one by one afterwards.
        """
        outcome = Outcome()
        left: list[KeyWrite] = []  # of which another node has some
        for group, part in in_flight(self._lanes(db, by_slot(steps, lambda step: step.key))):
            if isinstance(part, Redirected):
                left += group
            else:
                outcome.add(part)
        outcome.add(*(self._follow(db, step) for step in left))
        return outcome

    def _lanes(
        self, db: int, groups: Iterable[Sequence[KeyWrite]]
    ) -> Iterator[Lane[Sequence[KeyWrite]]]:
        """Yield connections to each node, with what is to be done there."""
        jobs = defaultdict[str, deque[Sequence[KeyWrite]]](deque)
        for group in groups:
            jobs[self._server.node_of(group[0].key)].append(group)
        for number in range(LANES):
            for node, own in jobs.items():
                if own:
                    writer = self._at(node, asking=False, number=number)
                    yield Lane(writer.connection, partial(writer.applying, db), own)

    def remove(self, db: int, keys: Iterable[bytes]) -> None:
        for key in keys:
            with suppress(ServerError):
                self._at(self._server.node_of(key), asking=False).remove(db, [key])

    def _follow(self, db: int, step: KeyWrite) -> Outcome:
        """Take one step at the node that has the key."""

        def apply(node: str, asking: bool) -> Outcome:
            writer = self._at(node, asking)
            if asking and writer.builds(step):
                raise Redirected(MOVING.format(codec.text(step.key), self._server.label))
            return writer.apply(db, [step])

        return self._cluster.follow(step.key, apply, FAILOVER)

    def _at(self, node: str, asking: bool, number: int = 0) -> KeyWriter:
        """Return a writer to a node, one of several by its number; if it is `asking`, of keys of
        slots that move there."""
        at = node, asking, number
        if at not in self._writers:
            server = self._nodes[self._cluster.known(node, self._nodes)]
            self._writers[at] = KeyWriter(server, asking)
        return self._writers[at]


MOVING = (
    "the slot of key {!r} is moving between nodes of the cluster at {}: run it again after that"
)


class _Creation(NamedTuple):
    """A key that is created: its name, its packed commands, and how many replies these have."""

    name: str
    commands: bytes
    replies: int

    def is_done(self, replies: Sequence[Any]) -> bool:
        """Return whether the key did not exist, and was created."""
        if len(replies) == 1:
            return bool(replies[0] == "OK")
        done = replies[-1]
        refused = not isinstance(done, list) or any(isinstance(each, Refusal) for each in done)
        return not refused and bool(done[-2] == RENAMED)


@dataclass(frozen=True, slots=True)
class _SentBatch(Generic[T]):
    """Keys that were asked to be created, by node; the `others` take several commands."""

    label: T
    entries: Plain
    creations: dict[str, list[_Creation]]
    others: Sequence[str]


class ClusterCreator:
    """Creates keys of all nodes of a cluster. A context manager: leaving it closes the connections.

    A string is set if its key does not exist. Any other value is built in a staging key, which is
    renamed if the key does not exist, in one transaction. What cannot be done so, `writer` writes.
    """

    def __init__(self, server: Server, writer: KeyWriter) -> None:
        self._server = server
        self._nodes = dict(server.nodes)
        self._dated = server.abilities.pexpiretime
        self._writer = writer
        self._connections: dict[str, Connection] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections.values():
            connection.close()

    def create(self, db: int, batches: Iterable[tuple[T, Plain]]) -> Iterator[Created[T]]:
        """Create the keys of each batch, as `Creator` does; one is under way while the next is put
        together."""
        sent: _SentBatch[T] | None = None
        for label, entries in batches:
            following = self._send(db, label, entries)
            if sent:
                yield self._receive(db, sent)
            sent = following
        if sent:
            yield self._receive(db, sent)

    def _send(self, db: int, label: T, entries: Plain) -> _SentBatch[T]:
        creations: dict[str, list[_Creation]] = {}
        others: list[str] = []
        for name, entry in entries.items():
            if created := self._creation(name, entry):
                creations.setdefault(self._server.node_of(name.encode()), []).append(created)
            else:
                others.append(name)
        for node, group in creations.items():
            connection = self._connection(node)
            connection.select(db)
            connection.send_packed(b"".join(each.commands for each in group))
        return _SentBatch(label, entries, creations, others)

    def _creation(self, name: str, entry: Entry) -> _Creation | None:
        """Return how to create a key; None if its value takes several commands."""
        created = creation(name, entry, self._dated)
        if created is None or created.only_new:
            return created and _Creation(name, created.commands, created.number)
        key = name.encode()
        staging = staging_keys.name_for(key, same_slot=True)
        built = creation(staging.decode(), entry, self._dated)
        if built is None:
            return None
        rename, unlink = pack(("RENAMENX", staging, key)), pack(("UNLINK", staging))
        commands = b"".join((BEGIN, built.commands, rename, unlink, END))
        return _Creation(name, commands, built.number + 4)

    def _receive(self, db: int, sent: _SentBatch[T]) -> Created[T]:
        left: list[str] = []
        for node, group in sent.creations.items():
            replies = iter(self._connection(node).receive(sum(each.replies for each in group)))
            pairs = [(each, [*islice(replies, each.replies)]) for each in group]
            left += (each.name for each, own in pairs if not each.is_done(own))
        outcome = Outcome()
        for some in ([left] if left else []) + [[name] for name in sent.others]:
            steps = [KeyWrite(codec.data(name), None, sent.entries[name]) for name in some]
            part = self._writer.apply(db, steps)
            outcome.moved += part.moved
            outcome.refused += part.refused
        return Created(sent.label, sent.entries, outcome, [None] * len(sent.entries))

    def _connection(self, node: str) -> Connection:
        if node not in self._connections:
            cluster = self._server.cluster
            known = cluster.known(node, self._nodes) if cluster else node
            self._connections[node] = self._nodes[known].dial()
        return self._connections[node]
