"""The nodes of a cluster: which primaries it has, and which of them has the keys of a slot.

Each primary is asked, and believed of its own slots; what it says of others may be out of date.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Container, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

from gitbackup import wording
from gitbackup.errors import Forbidden, PasswordNeeded, ServerError
from gitbackup.kinds import Command
from gitbackup.live.connection.address import Address, place_of, told_place
from gitbackup.live.connection.connection import Connection, CutOff, Refusal, TookTooLong
from gitbackup.live.connection.dial import DEFAULTS, NoServer, NoTls, dial
from gitbackup.live.protocol.error_replies import Redirected
from gitbackup.live.protocol.slots import slot

SLOTS = 16_384
QUESTIONS: Sequence[Command] = (("CLUSTER", "SLOTS"), ("CLUSTER", "NODES"))
FAILOVER = 30.0  # seconds to wait for a replica to take the place of its primary
HANDOVER = 1.0  # seconds to wait for a slot that is handed over to have a node
AGAIN = 0.1  # seconds between two looks
MOST_NODES = 1_000  # that a cluster may have, by the specification of Redis
TIMEOUTS = 10  # that all nodes together may take to answer
HOPS = 4  # from node to node, before they are given time to agree

MOVE = re.compile(r"\[[0-9]+-([<>])-(\w+)\]")

T = TypeVar("T")
Node = TypeVar("Node")


class NodesChanged(ServerError):
    """Another node has slots: all has to be read anew."""


class _NoNode(NoServer):
    """No server answers where the cluster has a node."""

    def __init__(self, sentence: str, reason: str) -> None:
        ServerError.__init__(self, sentence)
        self.reason = reason


LOST = (CutOff, TookTooLong, NoServer, NodesChanged, Redirected)
"""What is raised if a node of a cluster goes away, or another takes its place."""


class _Unsettled(Exception):
    """A cluster that may soon be whole: `error` says why it is not, if it stays so for `patience`
    seconds."""

    def __init__(self, error: ServerError, patience: float) -> None:
        super().__init__(str(error))
        self.error = error
        self.patience = patience


class _Place(NamedTuple):
    """A node, by its id, its host and its port."""

    id: str
    host: str
    port: int

    def __str__(self) -> str:
        return place_of(self.host, self.port)


class _Range(NamedTuple):
    """Slots, both ends among them; their primary, and its replicas."""

    start: int
    stop: int
    primary: _Place
    replicas: Sequence[_Place]


@dataclass(frozen=True, slots=True)
class View:
    """What one node says of the cluster: its own id, and which primary has which slots.

    `receivers` are the nodes to which it is moving slots, `senders` those that move slots to it.
    `epochs` change with each slot that gets another node. `replicas` are pairs of
    the id of a primary and a replica, also those that have no data yet.
    """

    own: str
    ranges: Sequence[_Range]
    receivers: Sequence[_Place] = ()
    senders: Sequence[_Place] = ()
    epochs: frozenset[tuple[str, str]] = frozenset()
    replicas: Sequence[tuple[str, _Place]] = ()

    @property
    def epoch(self) -> int:
        """Return the node's own epoch."""
        return int(dict(self.epochs).get(self.own, "0"))

    @property
    def claimed(self) -> list[_Range]:
        """Return the slots that the node says are its own."""
        return [each for each in self.ranges if each.primary.id == self.own]

    @property
    def needed(self) -> list[_Place]:
        """Return the nodes that may have keys."""
        return [*dict.fromkeys([*(each.primary for each in self.ranges), *self.receivers])]


class Cluster(Generic[Node]):
    """The primaries of a cluster that have slots, and who has which; `join` makes one of them.

    `nodes` are these by their ids, and a node to which slots are moving; `owners` has the id of the
    one that has a slot, for each slot. `moving` tells whether slots were moving when all were
    looked at, and `epochs` are others once one has moved. `look()` finds all of that out; whoever
    keeps connections to the nodes asks `found()` later what has changed.
    """

    def __init__(self, address: Address, join: Callable[[Connection, Address], Node]) -> None:
        self.nodes: dict[str, Node] = {}
        self._address = address
        self._join = join
        self._own = ""  # the id of the node at that address
        self.owners: list[str] = []
        self.moving = False
        self.epochs: frozenset[tuple[str, str]] = frozenset()
        self._ids: dict[str, str] = {}  # by place, as the nodes call it
        self._replicated = set[str]()  # ids of primaries that have had a replica
        self._replicas: dict[str, list[str]] = {}  # ids by that of their primary
        self._places: dict[str, Address] = {}  # of all nodes that were seen, replicas too, by id

    def any(self) -> Node:
        """Return a primary."""
        return next(iter(self.nodes.values()))

    def replicas(self, node: str) -> list[Address]:
        """Return where the replicas of a primary are, by what it says."""
        return [self._places[id_] for id_ in self._replicas.get(node, ())]

    def look(self) -> None:
        """Ask all nodes who has which slot, and wait for one whose primary is being replaced.

        Raises ServerError if slots have no node, or a node does not answer.
        """
        began = time.monotonic()
        while True:
            try:
                self._look()
                return
            except _Unsettled as why:
                if time.monotonic() - began > why.patience:
                    raise why.error from None
            time.sleep(AGAIN)

    def follow(
        self, key: bytes, attempt: Callable[[str, bool], T], patience: float = HANDOVER
    ) -> T:
        """Do something to a key at the node that has it, and return what comes of it.

        `attempt` is called with the node's id, and whether the slot is just moving there. Raises
        NodesChanged if that is a new node, and Redirected if no node lets it be done for so many
        seconds.
        """
        number = slot(key)
        node, asking = self.owners[number], False
        began, hops = time.monotonic(), 0
        while True:
            try:
                return attempt(node, asking)
            except Redirected as told:
                if time.monotonic() - began > patience:
                    raise
                hops += 1
                if hops > HOPS or not told.place:
                    time.sleep(AGAIN)
                asking = bool(told.place) and not told.for_good
                node = self._named(told) if told.place else self.owners[number]

    def known(self, node: str, nodes: Container[str]) -> str:
        """Return a node's id again. Raises NodesChanged if it is none of these."""
        if node in nodes:
            return node
        raise NodesChanged(f"{self._label(node)} is a new primary of the cluster")

    def _named(self, told: Redirected) -> str:
        """Return the id of the node that is named, and note that it has the slot, if it has."""
        named = self._ids.get(told.place)
        if named is None:
            raise NodesChanged(f"{told.place} is a new primary of the cluster")
        if told.for_good:
            self.owners[told.slot] = named
        return named

    def _label(self, node: str) -> str:
        return self._places[node].label

    def found(self, views: Sequence[View]) -> list[str]:
        """Return the owner of each slot by what all nodes say now, and note it.

        Raises NodesChanged if one of them names a node that is none of them.
        """
        for view in views:
            self._note(view)
            for place in view.needed:
                self.known(place.id, {view.own for view in views})
        self.owners = _claimed(views, self.owners)
        return self.owners

    def _look(self) -> None:
        began = time.monotonic()
        views = dict[str, View]()
        joined: dict[str, Node] = {}
        left = {place.id: place for place in self._first_view().needed}
        while left:
            self._expect_end(len(views) + len(left), time.monotonic() - began)
            place = left.pop(next(iter(left)))
            server, found = self._visit(place)
            views[place.id], joined[place.id] = found, server
            left |= {other.id: other for other in found.needed if other.id not in views}
        owners = _claimed(views.values(), [""] * SLOTS)
        if missing := owners.count(""):
            raise _Unsettled(ServerError(self._uncovered(missing)), HANDOVER)
        receivers = {place.id for view in views.values() for place in view.receivers}
        needed = {id_ for id_, found in views.items() if found.claimed or id_ in receivers}
        self.nodes = {id_: server for id_, server in joined.items() if id_ in needed}
        self.owners = owners
        self.moving = any(view.receivers or view.senders for view in views.values())
        self.epochs = frozenset().union(*(view.epochs for view in views.values()))

    def _expect_end(self, nodes: int, seconds: float) -> None:
        """Raise ServerError if there are too many nodes, or asking them takes too long."""
        if nodes > MOST_NODES:
            raise ServerError(f"{self._address.label} names more than {MOST_NODES:,} nodes")
        patience = TIMEOUTS * (DEFAULTS | self._address.options)["socket_timeout"]
        if seconds > patience:
            raise TookTooLong(
                f"the nodes of the cluster at {self._address.label} have not all answered after"
                f" {patience:g} s; {wording.option('--timeout')} allows more time"
            )

    def _first_view(self) -> View:
        """Return what the first node says that answers."""
        error: ServerError | None = None
        for address in [self._address, *self._places.values()]:
            try:
                with closing(dial(address)) as connection:
                    found = view(connection)
            except (Forbidden, PasswordNeeded):
                raise
            except ServerError as why:
                error = error or why
                continue
            if address is self._address:
                self._own = found.own
            self._note(found)
            return found
        raise error or ServerError("a cluster without nodes")

    def _visit(self, place: _Place) -> tuple[Node, View]:
        """Return a primary, and what it says.

        Raises ServerError if it does not answer, and _Unsettled if a replica may take its place.
        """
        address = self._places[place.id]
        try:
            with closing(dial(address)) as connection:
                found = view(connection)
                server = self.nodes.get(place.id) or self._join(connection, address)
        except (Forbidden, PasswordNeeded):
            raise
        except ServerError as reason:
            error = self._told(reason, address)
            if place.id in self._replicated:
                raise _Unsettled(error, FAILOVER) from None
            raise error from None
        if found.own != place.id:
            raise _Unsettled(ServerError(self._another(place, found, address)), HANDOVER)
        self._note(found)
        return server, found

    def _told(self, error: ServerError, address: Address) -> ServerError:
        """Return why a node does not answer, and what to do if the cluster has named it wrongly."""
        if address is self._address:
            return error
        named = f"the cluster at {self._address.label} names {address.label} as one of its nodes"
        if isinstance(error, NoTls):
            return ServerError(
                f"{named}, but that port does not use TLS: set `tls-cluster yes` at all nodes, so"
                " that they name their TLS ports"
            )
        if isinstance(error, NoServer):
            return _NoNode(
                f"{named}, but no server answers there ({error.reason}): start it; if it runs, and"
                " is reached by another address from here, as in Docker or behind NAT, set"
                " `cluster-announce-ip` (or `-hostname`) and `cluster-announce-port` at that node",
                error.reason,
            )
        return error

    def _another(self, place: _Place, found: View, address: Address) -> str:
        return (
            f"the cluster at {self._address.label} names {address.label} as its node"
            f" {place.id[:8]!r}, but the server there is its node {found.own[:8]!r}:"
            " see `redis-cli --cluster check`"
        )

    def _note(self, found: View) -> None:
        """Note where the nodes are, and which have replicas."""
        self._replicated.update(primary for primary, _ in found.replicas)
        for each in found.claimed:
            own = [place.id for primary, place in found.replicas if primary == found.own]
            self._replicas[each.primary.id] = own
        for place in (*found.needed, *(place for _, place in found.replicas)):
            self._ids[str(place)] = self._ids[f":{place.port}"] = place.id
            self._places[place.id] = self._address_of(place)

    def _address_of(self, place: _Place) -> Address:
        """Return how to reach a node: as the first one, but for its place."""
        if place.id == self._own or not place.port:
            return self._address
        options = {name: value for name, value in self._address.options.items() if name != "path"}
        options |= {"host": place.host, "port": place.port}
        return replace(self._address, label=str(place), options=options)

    def _uncovered(self, missing: int) -> str:
        return (
            f"{missing:,} of the {SLOTS:,} slots of the cluster at {self._address.label} have no"
            " node, so their keys cannot be read: see `redis-cli --cluster check`"
        )


def _claimed(views: Iterable[View], owners: Sequence[str]) -> list[str]:
    """Return who has each slot by what each node says of itself, or else by `owners`.

    If two say so, it is the one with the later epoch: the other does not know yet.
    """
    claimed = [*owners]
    for view in sorted(views, key=lambda view: view.epoch):
        for each in view.claimed:
            claimed[each.start : each.stop + 1] = [view.own] * (each.stop + 1 - each.start)
    return claimed


def view(connection: Connection) -> View:
    """Ask one node. Raises ServerError if the user may not."""
    return told(connection, connection.ask([*QUESTIONS]))


def told(connection: Connection, replies: Sequence[Any]) -> View:
    """Return what a node has said to the QUESTIONS."""
    for question, reply in zip(QUESTIONS, replies, strict=True):
        if isinstance(reply, Refusal):
            raise connection.refused(reply, question)
    ranges, nodes = replies
    try:
        return _view(
            [_range(connection, *each) for each in ranges], _lines(str(nodes)), connection.host
        )
    except (TypeError, ValueError, LookupError, OverflowError, StopIteration):
        raise connection.nonsense(QUESTIONS[0]) from None


class _Line(NamedTuple):
    """What a line of CLUSTER NODES says of a node; `slots` also tell which are moving."""

    id: str
    place: str
    flags: Sequence[str]
    primary: str
    epoch: str
    slots: Sequence[str]


def _lines(text: str) -> list[_Line]:
    words = [line.split(" ") for line in text.splitlines()]
    return [_Line(w[0], w[1], w[2].split(","), w[3], w[6], w[8:]) for w in words]


def _view(ranges: Sequence[_Range], lines: Sequence[_Line], host: str) -> View:
    if sum(each.stop - each.start + 1 for each in ranges) > SLOTS:
        raise ValueError("a slot that is told of twice")
    own = next(line for line in lines if "myself" in line.flags)
    known = {each.primary.id: each.primary for each in ranges}
    places = {line.id: known.get(line.id) or _place_in(line, host) for line in lines}
    moves = [match for match in map(MOVE.fullmatch, own.slots) if match]
    to, of = (
        tuple(dict.fromkeys(places[move[2]] for move in moves if move[1] == way)) for way in "><"
    )
    epochs = frozenset((line.id, str(int(line.epoch))) for line in lines)
    told = {place.id: place for each in ranges for place in each.replicas}
    replicas = [
        (line.primary, told.get(line.id) or _place_in(line, host))
        for line in lines
        if "slave" in line.flags and {"noaddr", "fail"}.isdisjoint(line.flags)
    ]
    return View(own.id, ranges, to, of, epochs, replicas)


def _place_in(line: _Line, host: str) -> _Place:
    """Return where a node is that has no slots: `127.0.0.1:7000@17000,name`."""
    own_host, _, port = line.place.partition("@")[0].rpartition(":")
    return _Place(line.id, *told_place(own_host or host, port))


def _range(connection: Connection, start: Any, stop: Any, *nodes: Any) -> _Range:
    primary, *replicas = [_place(connection, *each) for each in nodes]
    if not 0 <= int(start) <= int(stop) < SLOTS:
        raise ValueError(start, stop)
    return _Range(int(start), int(stop), primary, replicas)


def _place(connection: Connection, host: Any, port: Any, id_: Any, *_: object) -> _Place:
    """Return a node's place; one that does not know its own host is where it was asked."""
    known = host and host != "?"
    return _Place(str(id_), *told_place(host if known else connection.host, port))
