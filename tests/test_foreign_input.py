"""What others wrote is data: whatever it is, it is read, or refused by an error of ours."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbackup import codec, snapshot
from gitbackup.cli.app import code_of
from gitbackup.errors import GitbackupError
from gitbackup.live import rdbfile
from gitbackup.live.address import parse
from gitbackup.model import Entry, Key, Rehearsal, Scope
from gitbackup.ops.exported import read
from gitbackup.ops.forms import FORMS
from gitbackup.ops.sides import Spool
from gitbackup.report.plans import plan_object, read_plan
from gitbackup.store import notes
from tests.kinds.examples import EXAMPLES
from tests.mutations import bounded, changed, grown
from tests.proxy import Event, Proxy
from tests.servers import LiveServer
from tests.store.test_notes import FAILED, PASSED
from tests.test_dumps import DUMPS, FACTS, NOW, SOURCE
from tests.test_plan_files import PLAN

CODES = {0, 1, 2, 3, 10, 11, 12, 13}
"""What a command may end with; 1 with a traceback is none of them: that is an exception here."""

ENTRIES: dict[Key, Entry] = {
    Key(number % 2, f"{name}:{number}"): entry
    for name, examples in EXAMPLES.items()
    for number, value in enumerate(examples.values)
    for entry in [Entry(type=name, value=value)]
    if len(codec.encode(entry)) < 2_000
}
FILES = {
    f"db0/{name}.json": snapshot.encode_loose(
        {key.name: entry for key, entry in ENTRIES.items() if entry["type"] == name}
    )
    for name in EXAMPLES
}
MANIFEST = snapshot.manifest(Scope((0, 3), ("user:*",), ("*lock", "\udcff"), True))


def exported(form: str) -> bytes:
    gathered = {key: FORMS[form].entry(key, entry) for key, entry in ENTRIES.items()}
    return b"".join(FORMS[form].file(FACTS, sorted(ENTRIES), gathered.__getitem__))


@pytest.mark.parametrize("path", sorted(FILES))
@given(data=st.data())
def test_files_of_entries(path: str, data: st.DataObject) -> None:
    good = FILES[path]
    content = data.draw(changed(good) | grown(json.loads(good)))
    with bounded(), suppress(GitbackupError):
        for entry in snapshot.decode_file(path, content).values():
            codec.encode(entry)


@given(changed(MANIFEST) | grown(json.loads(MANIFEST)))
def test_manifests(content: bytes) -> None:
    with bounded(), suppress(GitbackupError):
        snapshot.manifest(snapshot.read_manifest(content))


@given(changed(json.dumps(plan_object(PLAN)).encode()) | grown(plan_object(PLAN)))
def test_plans(content: bytes) -> None:
    with bounded(), suppress(GitbackupError):
        plan_object(read_plan(content))


def is_read_or_refused(content: bytes) -> None:
    with bounded(), suppress(GitbackupError), Spool() as spool:
        for path, file in read(BytesIO(content), "FILE", NOW, spool).files():
            snapshot.decode_file(path, file)


@given(changed(exported("json")) | grown(json.loads(exported("json"))))
def test_exports(content: bytes) -> None:
    is_read_or_refused(content)


@given(st.data())
def test_exports_by_line(data: st.DataObject) -> None:
    lines = exported("jsonl").splitlines()
    at = data.draw(st.integers(0, len(lines) - 1))
    lines[at] = data.draw(changed(lines[at]) | grown(json.loads(lines[at])))
    is_read_or_refused(b"\n".join(lines))


@pytest.mark.parametrize("dump", sorted(DUMPS.glob("*.json")), ids=lambda dump: dump.name)
@given(data=st.data())
def test_dumps_of_other_tools(dump: Path, data: st.DataObject) -> None:
    good = dump.read_bytes()
    is_read_or_refused(data.draw(changed(good) | grown(json.loads(good))))


@given(st.sampled_from([PASSED, FAILED]).flatmap(lambda one: _note(one)))
def test_notes(content: bytes) -> None:
    with bounded():
        found = notes.parse(content.decode("utf-8", "replace"))
    assert found is None or isinstance(found, Rehearsal)


def _note(rehearsal: Rehearsal) -> st.SearchStrategy[bytes]:
    good = notes.compose(rehearsal)
    return changed(good.encode()) | grown(json.loads(good))


@given(
    st.text(max_size=60)
    | changed(b"redis://user:p%40ss@[::1]:6379/3?protocol=3").map(
        lambda url: url.decode("utf-8", "replace")
    )
)
def test_urls(url: str) -> None:
    with bounded(), suppress(GitbackupError):
        assert parse(url).redis_cli


@pytest.fixture(scope="module")
def dumped(tmp_path_factory: pytest.TempPathFactory, running: Any) -> bytes:
    """An RDB file of one key of every type."""
    server: LiveServer = running("valkey")
    with server.client() as client:
        client.mset({f"user:{number}": number for number in range(20)})
        client.function_load(SOURCE)
        client.save()
        return Path(client.config_get("dir")["dir"], "dump.rdb").read_bytes()


@given(data=st.data())
def test_rdb_files(dumped: bytes, tmp_path: Path, data: st.DataObject) -> None:
    file = tmp_path / "dump.rdb"
    file.write_bytes(data.draw(changed(dumped)))
    for look in (rdbfile.look, rdbfile.check):
        with bounded(), suppress(GitbackupError):
            look(file)


@given(data=st.data())
def test_what_a_server_replies(valkey: LiveServer, tmp_path: Path, data: st.DataObject) -> None:
    """A run of each command in which some replies have become others."""
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
