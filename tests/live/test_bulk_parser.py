"""What a server replies is data: nonsense, or bytes that changed on the way, are one sentence."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbackup.cli.app import code_of
from tests.laws import tried
from tests.mutations import bounded
from tests.proxy import Event, Proxy
from tests.servers import LiveServer

CODES = {0, 1, 2, 3, 10, 11, 12, 13}
"""What a command may end with: a traceback is an exception here."""


@pytest.mark.long
@tried(100)
@given(data=st.data())
def test_nonsense_is_told(valkey: LiveServer, tmp_path: Path, data: st.DataObject) -> None:
    """A run of some command in which some replies have become others."""
    fill(valkey)
    shutil.rmtree(tmp_path / "data", ignore_errors=True)
    (tmp_path / "proxy").unlink(missing_ok=True)
    with Proxy(valkey.address, tmp_path / "proxy") as proxy:
        words = ["--repo", str(tmp_path / "data"), "--url", f"{proxy.url}?socket_timeout=1"]
        assert code_of(["commit", *words]) == 0
        with valkey.client() as client:
            client.rpush("list:1", "more")
        command = data.draw(st.sampled_from(COMMANDS))
        piece = data.draw(st.integers(0, 2_000))
        proxy.at(piece, data.draw(garbled()), of_replies=True)
        with bounded():
            assert code_of([*command, *words]) in CODES
        proxy.as_ever()


COMMANDS = (["commit"], ["status"], ["diff"], ["restore", "HEAD", "--yes"], ["check"])
REPLIES = (
    b":1\r\n",
    b"+PONG\r\n",
    b"+OK\r\n",
    b"$-1\r\n",
    b"_\r\n",
    b"*0\r\n",
    b"*-1\r\n",
    b"%0\r\n",
    b"%1\r\n%0\r\n:1\r\n",
    b"%1\r\n*1\r\n:1\r\n:1\r\n",
    b"~1\r\n%0\r\n",
    b"*2\r\n:1\r\n*1\r\n$1\r\nx\r\n",
    b"-ERR no\r\n",
    b"-LOADING\r\n",
    b",1.5\r\n",
    b"#t\r\n",
    b"(99999999999999999999\r\n",
    b"$3\r\n\xff\xfe\x00\r\n",
    b">2\r\n$10\r\ninvalidate\r\n_\r\n",
    b"\x00\xff garbage\r\n",
)


def garbled() -> st.SearchStrategy[Event]:
    """Other replies before, after or in place of those that came; or some bytes of them changed."""
    some = st.lists(st.sampled_from(REPLIES), min_size=1, max_size=4).map(b"".join)
    ways: tuple[Callable[[bytes], Event], ...] = (
        lambda odd: lambda replies: odd,
        lambda odd: lambda replies: odd + replies,
        lambda odd: lambda replies: replies + odd,
        lambda odd: lambda replies: odd[:3] + replies[3:],
    )
    flips = st.integers(0, 7).map(lambda bit: lambda data: bytes([data[0] ^ 1 << bit]) + data[1:])
    return flips | st.sampled_from(ways).flatmap(lambda way: some.map(way))


def fill(server: LiveServer) -> None:
    with server.client() as client:
        client.flushall()
        client.set("string:1", "x", px=10**9)
        client.hset("hash:1", mapping={"f": "v", "g": b"\xff"})
        client.rpush("list:1", "a", "b")
        client.sadd("set:1", "a", "b")
        client.zadd("zset:1", {"a": 1.5, "b": float("inf")})
        client.xadd("stream:1", {"f": "v"}, id="1-1")
        client.xgroup_create("stream:1", "jobs", "0")
