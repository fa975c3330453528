"""Read replicas instead of their primaries, those that are in sync.

A replica is in sync if it gets, within a few seconds, all that its primary has now. Whoever reads
it asks that again at each barrier, so what is read then is the primary's data, of the same moment.
"""

from __future__ import annotations

import time
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace

from gitbackup.errors import ServerError
from gitbackup.live.connection.address import Address, place_of, told_place
from gitbackup.live.connection.cluster import Cluster, NodesChanged, View
from gitbackup.live.connection.connect import Dial, Server, alone
from gitbackup.live.connection.connection import Connection
from gitbackup.live.protocol.info import number, parse_info
from gitbackup.live.server.replication import QUESTION
from gitbackup.model.server.replicas import ReplicaRead

IN_SYNC = 5.0  # seconds in which a replica has to get what its primary has now
LOOK = 0.01  # seconds between two looks
MOST = 5  # replicas of a primary that are looked at
Info = Mapping[str, str]


def from_replicas(server: Server) -> Server:
    """Return a server that reads a replica of each primary; the primary itself if none is in sync.

    A server that is a replica is returned as it is. Raises ServerError for a cluster whose slots
    are moving, for a replica does not tell which keys have moved.
    """
    if server.cluster:
        cluster = _Replicas(server, server.cluster)
        cluster.look()
        return replace(server, cluster=cluster)
    if server.replica:
        return server
    with closing(server.dial()) as connection:
        places = _named(parse_info(connection.call(*QUESTION)))
    return _chosen(server, [_address(server, *place) for place in places])


def reads(server: Server) -> Sequence[ReplicaRead]:
    """Return which replicas are read instead of primaries; nothing if nobody asked for that."""
    found = (node.read_instead for node in server.nodes.values())
    return [each for each in found if each]


def is_level(label: str, replica: Info, primary: Info) -> bool:
    """Return whether a replica has what its primary had, by what both say of themselves.

    Raises NodesChanged if it is not connected to that primary.
    """
    linked = replica.get("role") == "slave" and replica.get("master_link_status") == "up"
    same = replica.get("master_replid") == primary.get("master_replid")
    if not (linked and same) or number(replica, "master_sync_in_progress"):
        raise NodesChanged(f"the replica at {label} is not connected to its primary")
    return number(replica, "slave_repl_offset") >= number(primary, "master_repl_offset")


class _Replicas(Cluster[Server]):
    """A cluster whose nodes are replicas, each under the id of its primary.

    The primaries tell who has which slot. A replica knows nothing of keys that are moving, so no
    slot may move.
    """

    def __init__(self, server: Server, primaries: Cluster[Server]) -> None:
        super().__init__(server.address, lambda connection, address: server)
        self._primaries = primaries
        self._name = server.label

    def look(self) -> None:
        self._primaries.look()
        self._expect_settled(self._primaries.moving)
        self.owners = self._primaries.owners
        self.nodes = {id_: self._replica(id_, node) for id_, node in self._primaries.nodes.items()}
        labels = ((id_, node.label) for id_, node in self.nodes.items())
        self.epochs = self._primaries.epochs | {*labels}

    def found(self, views: Sequence[View]) -> list[str]:
        self._expect_settled(any(view.receivers or view.senders for view in views))
        self.owners = self._primaries.found(views)
        return self.owners

    def known(self, node: str, nodes: Container[str]) -> str:
        return self._primaries.known(node, nodes)

    def _replica(self, id_: str, primary: Server) -> Server:
        """Return the replica that was read before, if it is still in sync, or another."""
        addresses, before = self._primaries.replicas(id_), self.nodes.get(id_)
        if before is None or before.follows is not primary:
            return _chosen(primary, addresses, readonly=True)
        addresses.sort(key=lambda address: address.label != before.label)
        chosen = _chosen(primary, addresses, readonly=True)
        if chosen.label != before.label:
            return chosen
        return replace(before, read_instead=chosen.read_instead)

    def _expect_settled(self, moving: bool) -> None:
        if moving:
            raise NodesChanged(
                f"slots of the cluster at {self._name} are moving between its nodes, which replicas"
                " do not tell: wait until that has ended, or read the primaries"
            )


def _chosen(primary: Server, addresses: Sequence[Address], readonly: bool = False) -> Server:
    """Return the first replica that is in sync, or else the primary."""
    why = "it has no replica"
    for address in addresses[:MOST]:
        try:
            server = alone(address)
            behind = _behind(primary, server)
        except ServerError as error:
            why = f"no replica is in sync: {error}"
            continue
        return replace(
            server,
            knows=replace(server.knows, one_slot=readonly),
            dial=_reading(server.dial) if readonly else server.dial,
            listen=_reading(server.listen) if readonly else server.listen,
            patience=primary.patience,
            follows=primary,
            read_instead=ReplicaRead(primary.label, server.label, behind),
        )
    return replace(primary, read_instead=ReplicaRead(primary.label, why=why))


def _reading(dial: Dial) -> Dial:
    """Return a way to a replica that lets it be read, and does not lead to its primary."""

    def dialled() -> Connection:
        connection = dial()
        try:
            connection.call("READONLY")
        except BaseException:
            connection.close()
            raise
        return connection

    return dialled


def _behind(primary: Server, replica: Server) -> float:
    """Return after how many seconds a replica has what its primary had at first.

    Raises ServerError if it is not connected to it, or does not get that in time.
    """
    with closing(primary.dial()) as connection:
        expected = parse_info(connection.call(*QUESTION))
    began = time.monotonic()
    with closing(replica.dial()) as connection:
        while not is_level(replica.label, parse_info(connection.call(*QUESTION)), expected):
            if time.monotonic() - began > IN_SYNC:
                raise ServerError(
                    f"the replica at {replica.label} is more than {IN_SYNC:g} s behind"
                )
            time.sleep(LOOK)
    return time.monotonic() - began


def _named(info: Info) -> Iterable[tuple[str, int]]:
    """Yield the places of a primary's replicas, by what it says of them."""
    for name, told in info.items():
        if name.startswith("slave") and name[5:].isdecimal():
            facts = dict(fact.partition("=")[::2] for fact in told.split(","))
            try:
                yield told_place(facts.get("ip"), facts.get("port"))
            except ValueError:
                continue


def _address(primary: Server, host: str, port: int) -> Address:
    """Return how to reach a replica: as its primary, but for its place."""
    known = primary.address.options
    options = {name: value for name, value in known.items() if name != "path"}
    options |= {"host": host, "port": port}
    return replace(primary.address, label=place_of(host, port), options=options, sentinels=None)
