"""Connecting to a server, and learning what it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Self
from urllib.parse import quote

from gitbackup.errors import ServerError
from gitbackup.kinds import Abilities
from gitbackup.kinds.shapes import mapping
from gitbackup.live.connection import sentinel
from gitbackup.live.connection.address import Address
from gitbackup.live.connection.cluster import Cluster
from gitbackup.live.connection.connection import Connection, CutOff, Refusal
from gitbackup.live.connection.dial import NO_VERSION, dial, hello
from gitbackup.live.protocol.error_replies import is_unknown
from gitbackup.live.protocol.slots import slot
from gitbackup.model.server.replicas import ReplicaRead

NOBODYS = b"gitbackup:nobodys-key"
ONLY = ""  # the id of a server that is no cluster
STEP, LEAST = 16, 256  # times, that what is asked for at once is less
Dial = Callable[[], Connection]


class Patience:
    """What a server bears: it may cut off whoever asks for much at once, by its setting
    client-output-buffer-limit. Whatever reads it next asks for less then."""

    share = 1

    def less(self) -> bool:
        """Ask for less from now on; return False if that is little already."""
        if self.share >= LEAST:
            return False
        self.share *= STEP
        return True


@dataclass(frozen=True, slots=True)
class Server:
    """A server that let us in: who it is, what it knows, and how to open more connections.

    `brand` is `Redis` or `Valkey`, `mode` what it says of itself, `replica` its role. `listen`
    opens a connection on which the server may speak unasked: one of RESP3. `address` is that of
    this very server, also where sentinels named it; `label` is the same after a failover.

    `modules` are the names of those that it has loaded, None if it does not tell.

    A `cluster` is one server of several `nodes`: `dial` then opens a connection to any of them.

    If replicas were asked for, `read_instead` says which is read and why; the replica `follows` its
    primary.
    """

    label: str
    brand: str
    version: str
    mode: str
    replica: bool
    knows: Abilities
    dial: Dial
    listen: Dial
    address: Address = field(repr=False, compare=False)
    modules: frozenset[str] | None = field(default=None, repr=False, compare=False)
    patience: Patience = field(default_factory=lambda: Patience(), repr=False, compare=False)
    cluster: Cluster[Server] | None = field(default=None, repr=False, compare=False)
    follows: Server | None = field(default=None, repr=False, compare=False)
    read_instead: ReplicaRead | None = field(default=None, repr=False, compare=False)

    @property
    def nodes(self) -> Mapping[str, Server]:
        """The servers that have its keys, by their ids: itself, or the primaries of a cluster."""
        return self.cluster.nodes if self.cluster else {ONLY: self}

    @property
    def node_ids(self) -> tuple[str, ...]:
        """The ids of the primaries of a cluster, sorted; none of a server that is no cluster."""
        return tuple(sorted(self.nodes)) if self.cluster else ()

    @property
    def places(self) -> set[str]:
        """The labels by which it can be named: its own, and those of all nodes of a cluster."""
        found = {self.label, *(node.label for node in self.nodes.values())}
        if self.cluster:
            replicas = map(self.cluster.replicas, self.node_ids)
            found.update(address.label for own in replicas for address in own)
        return found

    def was_at(self, place: str, nodes: Collection[str]) -> bool:
        """Return whether it is the server that had this label then, or the cluster that had these
        nodes."""
        return place in self.places or not {*nodes}.isdisjoint(self.node_ids)

    def node_of(self, name: bytes) -> str:
        """Return the id of the node that has a key of this name, as far as is known."""
        return self.cluster.owners[slot(name)] if self.cluster else ONLY

    @property
    def abilities(self) -> Abilities:
        """What it knows, and how much of it can be asked for at once."""
        share = self.patience.share  # asked for each key: nothing is made anew while it is 1
        return self.knows if share == 1 else replace(self.knows, share=share)

    def ask_for_less(self, error: ServerError) -> None:
        """Ask for less at a time from now on, for the server may have cut us off because of that.

        Raises the error if the server is gone, or was asked for as little as possible already.
        """
        if not isinstance(error, CutOff):
            raise error
        try:
            self.dial().close()
        except ServerError:
            raise error from None
        if not self.patience.less():
            raise error

    def __str__(self) -> str:
        return f"{self.brand} {self.version} {self.mode} at {self.label}"


class OwnConnection:
    """The base of what has a connection of its own to one server, which is made when it is first
    used. A context manager: leaving it closes the connection."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._dialled: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._dialled:
            self._dialled.close()

    @property
    def connection(self) -> Connection:
        """The connection."""
        if self._dialled is None:
            self._dialled = self._server.dial()
        return self._dialled


def connect(address: Address) -> Server:
    """Log in, and return the server that answers.

    Any node of a cluster leads to all of it. Raises ServerError if that fails, and for a cluster
    of which slots have no node.
    """
    found, connection = sentinel.find(address) if address.sentinels else (address, dial(address))
    try:
        server = _server(address.label, found, hello(connection), connection.resp3)
        if server.mode == "sentinel":
            raise ServerError(_sentinel(found, sentinel.services(connection)))
        if server.version == NO_VERSION:
            server = replace(server, knows=_known(connection, server.knows))
    finally:
        connection.close()
    return _as_cluster(server) if server.mode == "cluster" else server


def alone(address: Address) -> Server:
    """Log in to one server; if it is a node of a cluster, to that node only."""
    with closing(dial(address)) as connection:
        return _server(address.label, address, hello(connection), connection.resp3)


def _as_cluster(seed: Server) -> Server:
    """Return the whole cluster of a node."""

    def join(connection: Connection, address: Address) -> Server:
        node = _server(address.label, address, hello(connection), connection.resp3)
        return replace(node, knows=replace(node.knows, one_slot=True), patience=seed.patience)

    cluster = Cluster(seed.address, join)
    cluster.look()
    return replace(
        seed,
        replica=False,
        knows=replace(seed.knows, one_slot=True),
        dial=lambda: cluster.any().dial(),
        listen=lambda: cluster.any().listen(),
        cluster=cluster,
    )


def _sentinel(address: Address, services: Sequence[str]) -> str:
    """Return the message for a sentinel that was taken for a server: the URL to use instead."""
    scheme = "rediss+sentinel" if address.is_secure else "redis+sentinel"
    urls = [f"{scheme}://{address.label}/{quote(name, '')}" for name in services]
    return (
        f"the server at {address.label} is a sentinel, which has no data: use the URL of its"
        f" service, {' or '.join(urls) or f'{scheme}://{address.label}/SERVICE'}"
    )


def _known(connection: Connection, expected: Abilities) -> Abilities:
    """Return the abilities of a server that does not tell its version."""
    (reply,) = connection.ask([("PEXPIRETIME", NOBODYS)])
    lacks = isinstance(reply, Refusal) and is_unknown(str(reply))
    return replace(expected, pexpiretime=not lacks)


def _server(label: str, address: Address, facts: dict[str, Any], resp3: bool) -> Server:
    valkey = str(facts.get("server", "")).lower() == "valkey"
    version = str(facts.get("version", "0"))
    again = sentinel.dial_primary if address.sentinels else dial
    return Server(
        label=label,
        brand="Valkey" if valkey else "Redis",
        version=version,
        mode=str(facts.get("mode", "standalone")),
        replica=facts.get("role") in ("replica", "slave"),
        knows=abilities(valkey, version, resp3),
        dial=lambda: again(address),
        listen=lambda: again(replace(address, options=address.options | {"protocol": 3})),
        address=address,
        modules=_modules(facts),
    )


def _modules(facts: dict[str, Any]) -> frozenset[str] | None:
    """Return the names of the modules that the server has loaded; None if it does not tell."""
    told = facts.get("modules")
    if not isinstance(told, list):
        return None
    found = set[str]()
    for module in told:
        with suppress(TypeError, ValueError):
            found.add(str(mapping(module).get("name")))
    return frozenset(found)


def abilities(valkey: bool, version: str, resp3: bool) -> Abilities:
    """Return the abilities of a server of this version."""
    numbers = (0, 0)
    with suppress(ValueError):
        major, _, rest = version.partition(".")
        numbers = (int(major), int(rest.partition(".")[0] or 0))
    seven = valkey or numbers >= (7, 0)
    field_expiry = numbers >= ((9, 0) if valkey else (7, 4))
    consumers = valkey or numbers >= (6, 2) or version == NO_VERSION
    return Abilities(resp3, seven, field_expiry, seven, seven, consumers)
