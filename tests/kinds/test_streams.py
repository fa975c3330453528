"""Streams in every state that commands can bring them to, restored so that the server agrees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitbackup.backup import Backup
from tests.databases import Command, send
from tests.servers import LiveServer, in_turn

ADDED: list[Command] = [("XADD", "s", f"{n}-1", "f", str(n), "f", "twice") for n in range(1, 8)]
AGES = {"idle", "seen-time", "active-time", "inactive", "radix-tree-keys", "radix-tree-nodes"}
READ: Command = ("XREADGROUP", "GROUP", "g", "alice", "COUNT", 3, "STREAMS", "s", ">")
GROUP: Command = ("XGROUP CREATE", "s", "g", "0")

STATES: dict[str, list[Command]] = {
    "duplicate fields": ADDED,
    "deleted entries": [*ADDED, ("XDEL", "s", "3-1", "7-1")],
    "trimmed": [*ADDED, ("XTRIM", "s", "MAXLEN", 2)],
    "trimmed to nothing": [*ADDED, ("XTRIM", "s", "MAXLEN", 0)],
    "deleted to nothing": [*ADDED[:1], ("XDEL", "s", "1-1")],
    "empty from the first": [("XGROUP CREATE", "s", "g", "0", "MKSTREAM")],
    "empty with a last id": [("XADD", "s", "5-5", "", ""), ("XTRIM", "s", "MAXLEN", 0)],
    "a last id after the last entry": [*ADDED, ("XSETID", "s", "99-99")],
    "a group with no consumers": [*ADDED, GROUP, ("XGROUP CREATE", "s", "new", "$")],
    "a consumer without pending": [*ADDED, GROUP, ("XGROUP CREATECONSUMER", "s", "g", "bob")],
    "pending entries": [*ADDED, GROUP, READ, ("XACK", "s", "g", "2-1")],
    "pending, delivered twice": [
        *ADDED,
        GROUP,
        READ,
        ("XCLAIM", "s", "g", "bob", 0, "1-1", "2-1", "TIME", 1_700_000_000_123),
    ],
    "pending, deleted": [*ADDED, GROUP, READ, ("XDEL", "s", "1-1", "3-1")],
    "pending, trimmed": [*ADDED, GROUP, READ, ("XTRIM", "s", "MAXLEN", 3)],
    "pending, all gone": [*ADDED[:3], GROUP, READ, ("XTRIM", "s", "MAXLEN", 0)],
    "pending, gone in both ways": [
        *ADDED,
        GROUP,
        READ,
        ("XTRIM", "s", "MAXLEN", 6),
        ("XDEL", "s", "3-1"),
    ],
    "read without acknowledgement": [
        *ADDED,
        GROUP,
        ("XREADGROUP", "GROUP", "g", "alice", "COUNT", 3, "NOACK", "STREAMS", "s", ">"),
    ],
    "a group set back": [*ADDED, GROUP, READ, ("XGROUP SETID", "s", "g", "1-1")],
    "a group ahead of the stream": [*ADDED, ("XGROUP CREATE", "s", "g", "99-99")],
    "groups of odd names": [
        *ADDED,
        ("XGROUP CREATE", "s", "", "0"),
        ("XGROUP CREATE", "s", b"\xff", "2-1"),
        ("XGROUP CREATECONSUMER", "s", b"\xff", b"\0"),
    ],
    "ids at the edge": [
        ("XADD", "s", "0-1", "f", "v"),
        ("XADD", "s", f"{2**64 - 1}-0", "f", "v"),
        ("XADD", "s", f"{2**64 - 1}-{2**64 - 1}", "f", "v"),
    ],
}
COUNTED: dict[str, list[Command]] = {
    "entries read by number": [*ADDED, (*GROUP, "ENTRIESREAD", 5)],
    "more entries read than added": [*ADDED, (*GROUP, "ENTRIESREAD", 2**62)],
    "counters of another life": [
        *ADDED,
        (*GROUP, "ENTRIESREAD", 90),
        ("XSETID", "s", "9-9", "ENTRIESADDED", 100, "MAXDELETEDID", "8-8"),
    ],
    "the greatest deleted id lowered": [
        *ADDED,
        GROUP,
        READ,
        ("XDEL", "s", "3-1"),
        ("XSETID", "s", "7-1", "ENTRIESADDED", 7, "MAXDELETEDID", "1-1"),
    ],
}


def build(server: LiveServer, commands: list[Command]) -> None:
    with server.client() as client:
        send(client, commands)


def timeless(reply: Any) -> Any:
    """XINFO's reply but for what is an age, or a matter of memory."""
    if isinstance(reply, list) and reply and reply[0] in (b"length", b"name"):
        reply = dict(zip(reply[::2], reply[1::2], strict=True))
    if isinstance(reply, dict):
        kept = {name: item for name, item in reply.items() if name.decode() not in AGES}
        return {name: timeless(item) for name, item in kept.items()}
    return [timeless(item) for item in reply] if isinstance(reply, list) else reply


def full(server: LiveServer) -> Any:
    with server.client() as client:
        (reply,) = send(client, [("XINFO STREAM", "s", "FULL", "COUNT", 0)])
    return timeless(reply)


def restored(server: LiveServer, folder: Path) -> Any:
    """XINFO's reply after commit and restore into the same server, empty."""
    backup = Backup(folder / "data", server.url)
    backup.commit()
    with server.client() as client:
        client.flushall()
    result = backup.restore("HEAD", lambda plan: True)
    assert result.whole
    return full(server)


@pytest.mark.long
@pytest.mark.parametrize("commands", STATES.values(), ids=STATES)
def test_a_stream_is_restored_as_the_server_tells_of_it(
    server: LiveServer, tmp_path: Path, commands: list[Command]
) -> None:
    build(server, commands)
    expected = full(server)
    assert restored(server, tmp_path) == expected


@pytest.mark.few(1)
@pytest.mark.parametrize("commands", COUNTED.values(), ids=COUNTED)
@pytest.mark.parametrize("brand", in_turn(["valkey", "redis7"]))
def test_a_stream_keeps_its_counters(
    running: Any, tmp_path: Path, commands: list[Command], brand: str
) -> None:
    server = running(brand)
    build(server, commands)
    expected = full(server)
    assert restored(server, tmp_path) == expected


def test_a_stream_of_a_server_without_counters_restores_into_one_with_them(
    running: Any, tmp_path: Path
) -> None:
    old, new = running("redis6"), running("valkey")
    build(old, [*ADDED, GROUP, READ, ("XDEL", "s", "1-1", "3-1")])
    backup = Backup(tmp_path / "data", old.url)
    backup.commit()
    assert backup.restore("HEAD", lambda plan: True, to=new.url).whole
    with new.client() as client:
        assert client.xlen("s") == 5
        assert client.xpending("s", "g")["pending"] == 3
