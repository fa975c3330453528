"""Whether anything was written, as the server tells it without any work."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from gitbackup.live.connection.address import parse
from gitbackup.live.connection.connect import connect
from gitbackup.live.server.pulse import Pulse, pulse
from tests.clusters import LiveCluster
from tests.servers import LiveServer

WRITES: list[Callable[[redis.Redis], object]] = [
    lambda client: client.set("key", "value"),
    lambda client: client.hset("hash", "field", "another"),
    lambda client: client.expire("key", 1000),
    lambda client: client.delete("key"),
    lambda client: client.rename("key", "other"),
    lambda client: client.move("key", 3),
    lambda client: client.flushall(),
    lambda client: client.eval("redis.call('INCR', 'number')", 0),
]


@pytest.mark.parametrize("write", WRITES)
def test_every_write_makes_another_mark(
    server: LiveServer, write: Callable[[redis.Redis], object]
) -> None:
    known = connect(parse(server.url))
    with server.client() as client:
        client.set("key", "value")
        client.hset("hash", "field", "value")
        before = pulse(known)
        write(client)
        assert before.mark is not None
        assert before.mark != pulse(known).mark


def test_an_expired_key_makes_another_mark(server: LiveServer) -> None:
    known = connect(parse(server.url))
    with server.client() as client:
        client.set("key", "value", px=1)
        before = pulse(known)
        while client.exists("key"):
            pass
        assert before.mark != pulse(known).mark


def test_reading_makes_no_other_mark(server: LiveServer) -> None:
    """Nor does asking for it, or a key that another database has."""
    known = connect(parse(server.url))
    with server.client() as client, server.client(db=2) as other:
        client.mset({"a": "1", "b": "2"})
        other.set("c", "3")
        before = pulse(known)
        client.get("a")
        client.keys("*")
        client.hgetall("nothing")
        assert pulse(known) == before
        assert before.keys == 3


def test_a_user_who_may_not_ask_gets_none(valkey: LiveServer) -> None:
    with valkey.client() as client:
        client.acl_setuser("reader", enabled=True, nopass=True, commands=["+@all", "-info"])
    url = valkey.url.replace("unix://", "unix://reader:any@")
    assert pulse(connect(parse(url))) == Pulse(None, None)


@pytest.mark.long
def test_a_cluster_has_the_pulse_of_all_its_nodes(cluster: LiveCluster) -> None:
    known = connect(parse(cluster.url))
    with cluster.client() as client:
        for number in range(20):
            client.set(f"key:{number}", "value")
        before = pulse(known)
        assert before.keys == 20
        for number in range(20):
            last = pulse(known).mark
            client.set(f"key:{number}", "another")
            assert pulse(known).mark != last
