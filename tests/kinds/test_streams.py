"""Streams in every state that commands can bring them to, restored so that the server agrees."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gitbackup import Backup
from gitbackup.format import codec
from gitbackup.kinds import normal_entry, stream_commands
from gitbackup.model.keys import Entry, Key, Scope
from gitbackup.snapshot import file_format
from gitbackup.store.repository.repository import Repository
from tests.databases import Command, send
from tests.servers import LiveServer, in_turn
from tests.store.plain import commit

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


HOUR = 3_600_000
DECADES = 60 * 365 * 24 * HOUR
DELIVERED: dict[str, list[int]] = {
    "at different times, and some long ago": [50, -5_000, HOUR, -HOUR, DECADES],
    "a moment ahead": [50],
    "of many": [*range(60_000, 63_000)],
    "before 1970": [-DECADES, HOUR],
}
"""Milliseconds after now."""


def delivered(after_now: list[int]) -> Entry:
    """A stream whose entries were delivered then, in two groups; the first entry is gone."""
    now = time.time_ns() // 1_000_000
    ids = [f"{number}-1" for number in range(1, len(after_now) + 1)]
    groups = {}
    for name, more in (("first", 0), ("second", 1)):
        dates = {id_: now + later + more for id_, later in zip(ids, after_now, strict=True)}
        pending = {
            id_: {"consumer": name, "delivered_at": codec.instant(at), "deliveries": 2}
            for id_, at in dates.items()
        }
        groups[name] = {"last_id": ids[-1], "consumers": ["ann", name], "pending": pending}
    entries = {id_: ["field", "value " * 10] for id_ in ids[1:]}
    value = {"entries": entries, "last_id": ids[-1], "entries_added": len(ids), "groups": groups}
    return normal_entry({"type": "stream", "value": value})


def written(folder: Path, entries: Mapping[str, Entry]) -> Path:
    """A repository with a commit of these keys of database 0."""
    path = folder / "data"
    manifest, keys = file_format.manifest(Scope()), file_format.encode_stored(entries)
    commit(Repository.create(path), {file_format.MANIFEST: manifest, "db0/_.json": keys})
    return path


@pytest.mark.few(1)
@pytest.mark.parametrize("after_now", DELIVERED.values(), ids=DELIVERED)
@pytest.mark.parametrize("brand", in_turn(["valkey", "redis7", "redis6"]))
def test_deliveries_that_the_server_s_clock_is_behind_are_restored(
    running: Any, tmp_path: Path, brand: str, after_now: list[int]
) -> None:
    """XCLAIM sets them to now: they are put into the server's own dump."""
    server, stream = running(brand), delivered(after_now)
    if brand == "redis6":
        del stream["value"]["entries_added"]  # which it does not know
    path = written(tmp_path, {"s": stream, "t": {"type": "string", "value": "x"}})
    result = Backup(path, server.url).restore("HEAD", lambda plan: True)
    assert (result.whole, result.verified) == (True, 2)
    groups = stream["value"]["groups"]
    told = full(server)[b"groups"]
    wanted = [
        [
            [id_.encode(), name.encode(), codec.milliseconds(one["delivered_at"]), 2]
            for id_, one in groups[name]["pending"].items()
        ]
        for name in groups
    ]
    assert [group[b"pending"] for group in told] == wanted
    with server.client() as client:
        assert client.ttl("s") == -1
        assert [name for name in client.scan_iter() if b"aside" in name] == []


@pytest.mark.parametrize("lacking", in_turn(["restore", "dump"]))
def test_a_delivery_ahead_that_the_user_may_not_set_is_refused_by_its_reason(
    valkey: LiveServer, tmp_path: Path, lacking: str
) -> None:
    """The other keys are restored, and that one as soon as the clock is there."""
    stream = delivered([HOUR])
    path = written(tmp_path, {"s": stream, "t": {"type": "string", "value": "x"}})
    with valkey.client() as client:
        rights = ["~*", "+@all", f"-{lacking}"]
        client.execute_command("ACL", "SETUSER", "ann", "on", "nopass", *rights)
        result = Backup(path, valkey.url.replace("://", "://ann:any@")).restore(
            "HEAD", lambda plan: True
        )
        assert client.keys() == [b"t"]
    ((key, why),) = result.refused
    assert key == Key(0, "s")
    assert why.startswith("the clock of the server is behind a delivery of that stream")
    assert f"'{lacking}'" in why


def test_marks_that_are_not_all_in_a_dump_are_told() -> None:
    _, marks = stream_commands.marked(delivered([HOUR, HOUR]), 1)
    for dump in (b"", b"0123456789abcdef".join([b"", *marks, b""]), b"".join(marks) * 2):
        with pytest.raises(ValueError, match="the dump is not as expected"):
            stream_commands.put_into(dump, marks)
