"""Whatever a node says of its cluster: one sentence, in bounded time."""

from __future__ import annotations

import socket
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from gitbackup import Backup
from gitbackup.errors import ServerError
from gitbackup.live.connection import cluster
from tests.live.test_nonsense import HELLO, Answer, answering, each, listening, one_list

NODE = HELLO.replace(b"$10\r\nstandalone", b"$7\r\ncluster")
OWN, OTHER = b"a" * 40, b"b" * 40


def text(word: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(word), word)


def slots(
    host: bytes = b"$0\r\n\r\n",
    port: bytes = b":0\r\n",
    id_: bytes = OWN,
    stop: bytes = b":16383\r\n",
) -> bytes:
    return b"*1\r\n*3\r\n:0\r\n" + stop + b"*3\r\n" + host + port + text(id_)


def nodes(place: bytes = b"127.0.0.1:1@1", slots: bytes = b"0-16383") -> bytes:
    return text(OWN + b" " + place + b" myself,master - 0 0 1 connected " + slots + b"\n")


def fine(_: list[bytes]) -> bytes:
    return b"+OK\r\n"


def node(
    say: Callable[[], tuple[bytes, bytes]], rest: Callable[[list[bytes]], bytes] = fine
) -> Answer:
    """A node that says these of CLUSTER SLOTS and CLUSTER NODES, and does the rest."""
    told: dict[bytes, bytes] = {}

    def one(command: list[bytes]) -> bytes:
        if command[0].upper() != b"CLUSTER":
            return NODE if command[0].upper() == b"HELLO" else rest(command)
        if command[1] == b"SLOTS":
            told[b"SLOTS"], told[b"NODES"] = say()
        return told[command[1]]

    return each(one)


NONSENSE = {
    "no list": (b":1\r\n", nodes()),
    "a slot twice": (slots().replace(b"*1", b"*2", 1) + slots()[4:], nodes()),
    "a slot without end": (slots(stop=b",inf\r\n"), nodes()),
    "a slot beyond the last": (slots(stop=b":16384\r\n"), nodes()),
    "a port without end": (slots(port=b",inf\r\n"), nodes()),
    "a port beyond the last": (slots(text(b"x"), b":65536\r\n", OTHER), nodes()),
    "a port below zero": (slots(text(b"x"), b":-1\r\n", OTHER), nodes()),
    "a host with control characters": (slots(text(b"\x1b[2J\n"), b":1\r\n", OTHER), nodes()),
    "a host that is long": (slots(text(b"x" * 256), b":1\r\n", OTHER), nodes()),
    "a host that is a list": (slots(b"*1\r\n" + text(b"x x"), b":1\r\n", OTHER), nodes()),
    "nodes that are a number": (slots(), b":1\r\n"),
    "nodes without itself": (slots(), text(b"")),
    "a slot that moves nowhere": (slots(), nodes(slots=b"[5->-" + OTHER + b"]")),
    "an odd place": (slots(id_=OTHER), nodes(place=b"x:y@1")),
}


@pytest.mark.parametrize("what", NONSENSE)
def test_what_is_no_cluster(what: str, tmp_path: Path) -> None:
    with (
        answering(node(lambda: NONSENSE[what])) as url,
        pytest.raises(ServerError, match="to CLUSTER SLOTS is not valid"),
    ):
        Backup(tmp_path / "data", url).commit()


def test_a_host_that_has_no_name(tmp_path: Path) -> None:
    said = slots(text(b"a..b"), b":1\r\n", OTHER), nodes()
    with (
        answering(node(lambda: said)) as url,
        pytest.raises(
            ServerError,
            match=r"names a\.\.b:1 as one .* no server answers .* `cluster-announce-ip`",
        ),
    ):
        Backup(tmp_path / "data", url).commit()


def test_a_key_that_has_moved_to_a_stranger(tmp_path: Path) -> None:
    """Nothing is sent to a server that only such a reply names: the nodes are asked again."""
    heard: list[socket.socket] = []
    with listening(heard.append) as stranger:
        place = stranger.partition("?")[0].removeprefix("redis://").encode()
        keys = one_list(b"LRANGE", b"-MOVED 1 " + place + b"\r\n")
        with (
            answering(node(lambda: (slots(), nodes()), keys)) as url,
            pytest.raises(ServerError, match=r"another node has the key|a new primary"),
        ):
            Backup(tmp_path / "data", url).commit()
    assert not heard


def test_nodes_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each says that it is the one that was asked for, and names another."""
    monkeypatch.setattr(cluster, "MOST_NODES", 20)
    numbers = count()
    port = b""

    def say() -> tuple[bytes, bytes]:
        number = next(numbers)
        own, other = b"%040x" % max(0, number - 1), b"%040x" % number
        place = text(b"127.0.0.1") + port
        ends = (b":0\r\n:8191\r\n", own), (b":8192\r\n:16383\r\n", other)
        ranges = [b"*3\r\n" + end + b"*3\r\n" + place + text(id_) for end, id_ in ends]
        return b"*2\r\n" + b"".join(ranges), nodes().replace(OWN, own)

    with answering(node(say)) as url:
        port = b":%s\r\n" % url.partition("?")[0].rpartition(":")[2].encode()
        with pytest.raises(ServerError, match="names more than 20 nodes"):
            Backup(tmp_path / "data", url).commit()
