"""A real cluster of three primaries, and what happens to one: slots move, primaries fail.

`cluster` is one for the whole session, empty and with its slots where they were at first;
`start_cluster(replicas=...)` is one of the test's own.
"""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import redis
from redis.cluster import RedisCluster

from gitbackup.live.protocol.slots import slot
from tests import certificates
from tests.meanwhile import meanwhile
from tests.servers import LiveServer, StartServer, free_port, start_one
from tests.watching import eventually

SLOTS = 16_384
SETTINGS = {"cluster-enabled": "yes", "cluster-node-timeout": "2000", "bind": "127.0.0.1"}


@dataclass
class LiveCluster:
    """A running cluster; `owners` has the number of the primary that has each slot."""

    nodes: list[LiveServer]
    primaries: int
    ids: list[str] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.nodes[0].url

    def client(self) -> RedisCluster:
        """A client that knows all nodes."""
        return RedisCluster.from_url(self.url)

    def tell(self, number: int, *words: str | int | bytes) -> object:
        """What a node replies."""
        with self.nodes[number].client() as client:
            connection = client.connection_pool.get_connection()
            connection.send_command(*words)
            reply = connection.read_response()
            client.connection_pool.release(connection)
            return reply

    def home(self, number: int) -> int:
        """The primary that has a slot at first."""
        return number * self.primaries // SLOTS

    def begin_move(self, number: int, to: int) -> int:
        """Let a slot begin to move; the primary that it moves from."""
        of = self.owners[number]
        self.tell(to, "CLUSTER", "SETSLOT", number, "IMPORTING", self.ids[of])
        self.tell(of, "CLUSTER", "SETSLOT", number, "MIGRATING", self.ids[to])
        return of

    def move_keys(self, number: int, to: int, most: int = SLOTS) -> int:
        """Move some keys of a slot that moves; how many."""
        of = self.owners[number]
        keys = self.tell(of, "CLUSTER", "GETKEYSINSLOT", number, most)
        assert isinstance(keys, list)
        port = self.nodes[to].port
        if keys:
            self.tell(of, "MIGRATE", "127.0.0.1", port, "", 0, 5000, "KEYS", *keys)
        return len(keys)

    def end_move(self, number: int, to: int) -> None:
        """Let a slot have moved."""
        others = [each for each in range(self.primaries) if each not in (to, self.owners[number])]
        for each in (to, self.owners[number], *others):
            self.tell(each, "CLUSTER", "SETSLOT", number, "NODE", self.ids[to])
        self.owners[number] = to
        assert eventually(self.is_agreed)  # a node that does not know yet could take it back

    def is_agreed(self) -> bool:
        """Whether all primaries say the same of all."""
        views = [
            {tuple(line.split()[i] for i in (0, 6, *range(8, len(line.split())))) for line in lines}
            for lines in (
                _text(self.tell(each, "CLUSTER", "NODES")).splitlines()
                for each in range(self.primaries)
            )
        ]
        return views.count(views[0]) == len(views)

    def move(self, number: int, to: int) -> None:
        """Move a slot with its keys, a few at a time."""
        if self.owners[number] == to:
            return
        self.begin_move(number, to)
        while self.move_keys(number, to, 3):
            pass
        self.end_move(number, to)

    def take(self, number: int, to: int) -> None:
        """Give a slot to another primary without its keys, which go."""
        self.tell(to, "CLUSTER", "SETSLOT", number, "IMPORTING", self.ids[self.owners[number]])
        self.tell(to, "CLUSTER", "SETSLOT", number, "NODE", self.ids[to])
        self.owners[number] = to

    def kill(self, number: int) -> None:
        """End a node as a crash does."""
        with self.nodes[number].client() as client:
            process = int(client.info("server")["process_id"])
        os.kill(process, signal.SIGKILL)

    def reset(self) -> None:
        """Empty, and with each slot at home."""
        for number in range(self.primaries):
            self.tell(number, "FLUSHALL")
            self.tell(number, "FUNCTION", "FLUSH")
        for number in range(SLOTS):
            self.tell_home(number)

    def tell_home(self, number: int) -> None:
        home = self.home(number)
        if self.owners[number] != home:
            self.begin_move(number, home)
            self.end_move(number, home)


def _up(
    opened: ExitStack, replicas: int = 0, brand: str = "redis7", tls: Path | None = None
) -> LiveCluster:
    """Start a cluster of three primaries, each with so many replicas.

    `tls` is a folder with ca.pem, node.pem and client.pem and their keys: all speak TLS then, and
    want a certificate of their clients. The tests' own clients do not mind what names it has.
    """
    nodes = [_node(opened, brand, free_port(), tls) for _ in range(3 * (1 + replicas))]
    cluster = LiveCluster(nodes, 3)
    cluster.owners = [cluster.home(number) for number in range(SLOTS)]
    for number in range(len(nodes)):
        cluster.ids.append(_text(cluster.tell(number, "CLUSTER", "MYID")))
        cluster.tell(number, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        own = [each for each in range(SLOTS) if cluster.owners[each] == number]
        if own:
            cluster.tell(number, "CLUSTER", "ADDSLOTSRANGE", own[0], own[-1])
        cluster.tell(0, "CLUSTER", "MEET", "127.0.0.1", nodes[number].port)
    assert eventually(lambda: all(map(_is_whole(cluster), range(len(nodes)))))
    for number in range(3, len(nodes)):
        cluster.tell(number, "CLUSTER", "REPLICATE", cluster.ids[number % 3])
    for number in range(3, len(nodes)):
        assert eventually(lambda: b"master_link_status:up" in _info(cluster, number))  # noqa: B023
    assert eventually(lambda: all(map(_knows_replicas(cluster), range(len(nodes)))))
    return cluster


def _node(opened: ExitStack, brand: str, port: int, tls: Path | None) -> LiveServer:
    if tls is None:
        return start_one(opened, brand, {**SETTINGS, "port": str(port)}, port)
    secure = {"tls-cluster": "yes", "tls-replication": "yes"}
    own = certificates.settings(tls, "node", port, clients=True)
    started = start_one(opened, brand, {**SETTINGS, **secure, **own}, port)
    files = {"ca_certs": "ca.pem", "certfile": "client.pem", "keyfile": "client.key"}
    words = [f"ssl_{name}={tls / file}" for name, file in files.items()]
    query = "&".join(["ssl_check_hostname=no", *words])
    return replace(started, address=f"rediss://127.0.0.1:{port}", query=query)


def _knows_replicas(cluster: LiveCluster) -> Callable[[int], bool]:
    def knows(number: int) -> bool:
        told = _text(cluster.tell(number, "CLUSTER", "NODES"))
        return told.count("slave ") == len(cluster.nodes) - cluster.primaries

    return knows


def _is_whole(cluster: LiveCluster) -> Callable[[int], bool]:
    def whole(number: int) -> bool:
        known = _text(cluster.tell(number, "CLUSTER", "NODES")).splitlines()
        said = _text(cluster.tell(number, "CLUSTER", "INFO"))
        return len(known) == len(cluster.nodes) and "cluster_state:ok" in said

    return whole


def _info(cluster: LiveCluster, number: int) -> bytes:
    reply = cluster.tell(number, "INFO", "replication")
    assert isinstance(reply, bytes)
    return reply


def _text(reply: object) -> str:
    assert isinstance(reply, bytes)
    return reply.decode()


@contextmanager
def running() -> Iterator[LiveCluster]:
    """Three primaries, for as long as the context lasts."""
    with ExitStack() as opened:
        yield _up(opened)


@pytest.fixture(scope="session")
def _session_cluster() -> Iterator[LiveCluster]:
    with ExitStack() as opened:
        yield _up(opened)


@pytest.fixture
def cluster(_session_cluster: LiveCluster) -> LiveCluster:
    """Three primaries, empty."""
    _session_cluster.reset()
    return _session_cluster


@pytest.fixture
def start_cluster() -> Iterator[Callable[..., LiveCluster]]:
    """Starts clusters of the test's own."""
    with ExitStack() as opened:
        yield lambda **options: _up(opened, **options)


def a_node(
    start_server: StartServer, brand: str, slots: range = range(SLOTS), **settings: str
) -> LiveServer:
    """A node of a cluster by itself, which has these slots."""
    server = start_server(brand, tcp=True, cluster_enabled="yes", **settings)
    alone = LiveCluster([server], 1)
    if slots:
        alone.tell(0, "CLUSTER", "ADDSLOTS", *slots)
    if len(slots) == SLOTS:
        assert eventually(lambda: _is_whole(alone)(0))
    return server


@contextmanager
def turmoil(cluster: LiveCluster, pause: float) -> Iterator[None]:
    """Inside, slots with keys move back and forth, one about each `pause` seconds."""

    def move(stop: threading.Event) -> None:
        chosen = random.Random(7)
        while not stop.wait(pause * chosen.random()):
            number = slot(b"{t%d}" % chosen.randrange(TAGS))
            cluster.move(number, chosen.randrange(cluster.primaries))

    with meanwhile(move):
        yield


TAGS, ACCOUNTS, EACH, COUNTERS = 30, 5, 100, 10


class Ledger:
    """Money that moves between accounts of one slot, and counters that one client counts in turn.

    So the accounts of a slot have the same sum at each moment, and no counter is ahead of the one
    before it, nor behind it by more than one.
    """

    KEYS = TAGS * ACCOUNTS + COUNTERS

    def __init__(self, cluster: LiveCluster) -> None:
        self._cluster = cluster
        self._nodes = [node.client() for node in cluster.nodes[: cluster.primaries]]
        self._random = random.Random(5)
        with cluster.client() as client:
            for tag in range(TAGS):
                client.mset({f"{{t{tag}}}{n}": EACH for n in range(ACCOUNTS)})
            for number in range(COUNTERS):
                client.set(f"c:{number}", 0)

    def step(self, client: RedisCluster) -> None:
        tag = f"{{t{self._random.randrange(TAGS)}}}"
        one, other = self._random.sample(range(ACCOUNTS), 2)
        node = self._nodes[self._cluster.owners[slot(tag.encode())]]
        with suppress(redis.RedisError), node.pipeline(transaction=True) as transfer:
            transfer.incrby(f"{tag}{one}", 1)
            transfer.decrby(f"{tag}{other}", 1)
            transfer.execute()
        for number in range(COUNTERS):
            client.incr(f"c:{number}")

    @contextmanager
    def writing(self, pause: float) -> Iterator[None]:
        """Inside, a client writes about each `pause` seconds."""

        def write(stop: threading.Event) -> None:
            with self._cluster.client() as client:
                while not stop.wait(pause):
                    self.step(client)

        with meanwhile(write):
            yield

    @staticmethod
    def torn(values: dict[str, str]) -> set[int]:
        """The slots whose accounts are not of one moment."""
        return {
            slot(b"{t%d}" % tag)
            for tag in range(TAGS)
            if sum(int(values[f"{{t{tag}}}{n}"]) for n in range(ACCOUNTS)) != ACCOUNTS * EACH
        }

    @classmethod
    def is_whole(cls, values: dict[str, str]) -> bool:
        """Whether these are of one moment."""
        counts = [int(values[f"c:{number}"]) for number in range(COUNTERS)]
        in_turn = counts == sorted(counts, reverse=True) and counts[0] - counts[-1] <= 1
        return in_turn and not cls.torn(values)
