"""Read the keys of all nodes of a cluster as those of one server.

Each key is asked of the node that has its slot. While a slot moves to another node, the nodes say
which of them has a key, and are followed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from gitbackup.live.connection.cluster import Cluster
from gitbackup.live.connection.connect import Server
from gitbackup.live.connection.connection import Connection
from gitbackup.live.protocol.error_replies import Redirected
from gitbackup.live.read import alone_read
from gitbackup.live.read.alone_read import RetryAlone
from gitbackup.live.read.atomic_read import AtomicReader, KeyToRead, Moment
from gitbackup.live.read.file_replies import FileReplyReader
from gitbackup.live.read.key_reader import Found, KeyReader
from gitbackup.live.read.scan import Names
from gitbackup.model.keys import Entry


def key_reader(server: Server, hears: bool = False) -> KeyReader:
    """Return a reader of the keys of a server, or of a cluster."""
    cluster = server.cluster
    return ClusterKeyReader(server, cluster, hears) if cluster else KeyReader(server, hears)


def atomic_reader(connections: Mapping[str, Connection], server: Server) -> AtomicReader:
    """Return a reader of some keys at one moment, on connections to each node of a server."""
    return (
        ClusterAtomicReader(connections, server)
        if server.cluster
        else next(_readers(connections, server))
    )


class ClusterKeyReader(KeyReader):
    """Reads the keys of all nodes of a cluster. What it notes is of all of them."""

    def __init__(self, server: Server, cluster: Cluster[Server], hears: bool = False) -> None:
        super().__init__(server, hears)
        self._cluster = cluster
        self._nodes = dict(server.nodes)
        self._readers = {id_: _NodeReader(node, self) for id_, node in self._nodes.items()}
        self._others: dict[tuple[str, bool], Connection] = {}

    def size(self, db: int) -> int | None:
        sizes = [reader.size(db) for reader in self._readers.values()]
        return None if None in sizes else sum(filter(None, sizes))

    def names(self, db: int, advance: Callable[[int], None] = lambda count: None) -> list[bytes]:
        names = Names()
        for reader in self._readers.values():
            names.add(reader.names(db, advance))
        return names.each_once(())

    def entries(self, db: int, keys: Iterable[bytes]) -> Iterator[Found]:
        ordered = [*keys]
        nodes = [*map(self._node_of, ordered)]
        own: dict[str, list[bytes]] = defaultdict(list)
        for node, key in zip(nodes, ordered, strict=True):
            own[node].append(key)
        streams = {node: self._readers[node].entries(db, names) for node, names in own.items()}
        for node in nodes:
            yield next(streams[node])

    def raw(self, db: int) -> FileReplyReader | None:
        """Return a reader of files, if all keys of a file are at one node."""
        if len(self._readers) > 1:
            return None
        (reader,) = self._readers.values()
        return reader.raw(db)

    def alone(self, db: int, key: bytes) -> Entry | None:
        return self._followed(db, key, dumped=False)

    def dumped(self, db: int, key: bytes) -> Entry | None:
        return self._followed(db, key, dumped=True)

    def rest(self) -> None:
        for reader in self._readers.values():
            reader.rest()
        for connection in self._others.values():
            connection.close()
        self._others = {}

    def _node_of(self, key: bytes) -> str:
        return self._cluster.known(self._server.node_of(key), self._nodes)

    def _followed(self, db: int, key: bytes, dumped: bool) -> Entry | None:
        """Return a key's entry, from whichever node has it."""

        def read(node: str, asking: bool) -> Entry | None:
            connection = self._connected(node, asking)
            connection.select(db)
            return alone_read.whole(connection, key, self._server.abilities, dumped).entry

        return self._cluster.follow(key, read)

    def _connected(self, node: str, asking: bool) -> Connection:
        """Return a connection to a node; if it is `asking`, for keys of slots that move there."""
        if (node, asking) not in self._others:
            connection = self._nodes[self._cluster.known(node, self._nodes)].dial()
            connection.asking = asking
            self._others[node, asking] = connection
        return self._others[node, asking]


class _NodeReader(KeyReader):
    """Reads the keys of one node for a reader of the whole cluster, and notes them there."""

    def __init__(self, node: Server, whole: ClusterKeyReader) -> None:
        super().__init__(node, whole.hears)
        self.left_over, self.torn = whole.left_over, whole.torn
        self.large, self.silent = whole.large, whole.silent
        self._whole = whole

    def _watched(self, db: int, key: bytes) -> Entry | None:
        try:
            return super()._watched(db, key)
        except Redirected:
            self._forget_second()  # it may watch the key
            return self._whole.alone(db, key)
        finally:
            self._whole.watching = self._whole.watching and self.watching


class ClusterAtomicReader(AtomicReader):
    """Reads keys of several nodes, those of each node at one moment if they are in one slot."""

    def __init__(self, connections: Mapping[str, Connection], server: Server) -> None:
        self._nodes = dict(zip(connections, _readers(connections, server), strict=True))
        self._node_of = server.node_of

    def read(self, keys: Sequence[KeyToRead], libraries: bool) -> Moment:
        own: dict[str, list[KeyToRead]] = defaultdict(list)
        for key in keys:
            own[self._node_of(key.name)].append(key)
        first = next(iter(self._nodes))
        there = [node for node in own if node in self._nodes and node != first]
        if own[first] or libraries or not there:
            there.insert(0, first)
        asked = {
            node: self._nodes[node].send(own[node], libraries and node == first) for node in there
        }
        whole = _joined([self._nodes[node].settle(sent) for node, sent in asked.items()])
        for key in [key for node in own.keys() - self._nodes.keys() for key in own[node]]:
            raw_key = key.db, key.name
            whole.outcomes[raw_key], whole.types[raw_key] = RetryAlone.LATER, key.type
        return whole


def _readers(connections: Mapping[str, Connection], server: Server) -> Iterator[AtomicReader]:
    """Yield a reader for each of the connections."""
    nodes = server.nodes
    return (
        AtomicReader(connection, nodes[node].abilities) for node, connection in connections.items()
    )


def _joined(moments: Sequence[Moment]) -> Moment:
    """Return what several nodes held as one: of one moment only if nobody wrote meanwhile."""
    whole, *others = moments
    for each in others:
        whole.outcomes |= each.outcomes
        whole.types |= each.types
        whole.late |= each.late
    return replace(
        whole,
        at=min(each.at for each in moments),
        databases=frozenset().union(*(each.databases for each in moments)),
        fields_expire=frozenset().union(*(each.fields_expire for each in moments)),
        several=len(moments) > 1 or whole.several,
    )
