"""A type that was stored as dumps stays readable, comparable and restorable once it has a kind."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from gitbackup.format import codec
from gitbackup.kinds import KINDS, Abilities, Command, is_opaque, normal_entry
from gitbackup.kinds.base import PartOf, Reading, Row, Rows, TextParts, normal_text
from gitbackup.kinds.string import String
from gitbackup.model.changes import Part
from gitbackup.model.keys import Entry
from tests.cli.user import User
from tests.module import TYPE, compiled
from tests.servers import LiveServer, StartServer
from tests.store.plain import git

FAR = "2100-01-01T00:00:00.000Z"


class Note(String):
    """The value is `{"text": ...}`, which stands in a dump before a zero byte."""

    name = TYPE

    def read(self, key: bytes, server: Abilities) -> Reading:
        (dump,) = yield [("DUMP", key)]
        if dump is None:
            return None
        text = codec.raw(dump)[12 : -len(b"\0\0") - 10].decode()
        return {"type": self.name, "value": {"text": text}}

    def single_reply(self, server: Abilities, sized: bool) -> None:
        return None

    def canonicalize(self, value: Any) -> Any:
        if not isinstance(value, dict) or value.keys() != {"text"}:
            raise ValueError("the value is no note")
        return {"text": normal_text(value["text"], "the note")}

    def are_canonical(self, values: Sequence[Any]) -> bool:
        return False

    def write(self, key: bytes, entry: Entry, server: Abilities) -> Iterator[Command]:
        yield "NOTE.SET", key, entry["value"]["text"]

    def parts(self, value: Any, text: TextParts) -> Iterator[PartOf]:
        return text(Part.VALUE, "", value["text"])

    def rows(self, value: Any) -> Rows:
        return Rows([Row(None, value["text"])])


@pytest.fixture
def notes(start_server: StartServer, tmp_path: Path) -> LiveServer:
    module = str(compiled(tmp_path)).replace('"', '\\"')
    server = start_server("redis7", loadmodule=f'"{module}"')
    with server.client() as client:
        client.execute_command("NOTE.SET", "note:1", "one")
        client.execute_command("NOTE.SET", "note:2", "two")
    return server


@pytest.fixture
def old(
    notes: LiveServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> User:
    """Two commits by a gitbackup that has no kind for notes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", notes.url)
    user = User(notes, capfd.readouterr)
    user.says("commit", "-m", "old")
    with notes.client() as client:
        client.execute_command("NOTE.SET", "note:2", "changed")
    user.says("commit", "-m", "old too")
    return user


def test_a_dump_is_opaque_whatever_its_type_has_become(monkeypatch: pytest.MonkeyPatch) -> None:
    entry: Entry = {"type": TYPE, "value": {"dump": "AAAA"}}
    assert is_opaque(entry)
    monkeypatch.setitem(KINDS, TYPE, Note())
    assert is_opaque(entry)
    assert normal_entry(entry) == entry
    assert not is_opaque({"type": TYPE, "value": {"text": "a"}})
    assert not is_opaque({"type": "hash", "value": {"dump": "a field of that name"}})


def test_what_an_older_one_stored_is_shown_and_compared(
    old: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = old.says("show", "HEAD:note:1"), old.says("diff", "HEAD~1", "HEAD")
    monkeypatch.setitem(KINDS, TYPE, Note())
    assert (old.says("show", "HEAD:note:1"), old.says("diff", "HEAD~1", "HEAD")) == before
    assert "note:1" in old.says("log", "--", "note:1")
    assert old.says("keys", "HEAD").count(TYPE) == 2


def test_a_dump_that_is_masked_is_shown_as_such(old: User, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = [
        ("show", "HEAD:note:1", "--redact", "note:*"),
        ("diff", "HEAD~1", "HEAD", "--redact", "note:*"),
        ("log", "-p", "--redact", "note:*", "--", "note:1"),
    ]
    before = [old.says(*words) for words in commands]
    monkeypatch.setitem(KINDS, TYPE, Note())
    assert [old.says(*words) for words in commands] == before
    assert all("***" in said for said in before)


def test_a_key_that_is_read_by_its_content_now_is_a_change_once(
    old: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, TYPE, Note())
    assert "stored as a dump on one side, and by its content on the other" in old.says("diff")
    assert old.run("status").code == 0
    old.says("commit", "-m", "new")
    stored = json.loads(git(old.repo, "show", "HEAD:db0/_.json"))
    assert stored["note:1"] == {"type": TYPE, "value": {"text": "one"}}
    assert old.run("commit", "-m", "again").out.startswith("nothing to commit")
    assert "note:1" in old.says("diff", "HEAD~1", "HEAD")
    assert old.says("blame", "note:2")


def test_what_an_older_one_stored_is_restored_and_verified(
    old: User, notes: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, TYPE, Note())
    with notes.client() as client:
        dump = client.dump("note:1")
        client.flushall()
        done = old.run("restore", "HEAD~1", "--yes")
        assert (done.code, done.err) == (0, "")
        assert "verified: 2 keys equal commit" in done.out
        assert client.dump("note:1") == dump
        assert b"two" in (client.dump("note:2") or b"")
    assert old.run("commit", "-m", "again").out.startswith("nothing to commit")
    assert json.loads(git(old.repo, "show", "HEAD:db0/_.json"))["note:2"]["value"] == {
        "text": "two"
    }


def test_a_dump_is_sent_once_and_under_its_own_name(old: User, notes: LiveServer) -> None:
    """A module may end the server over a dump that it is given under another name."""
    with notes.client() as client:
        client.execute_command("NOTE.SET", "note:1", "changed too")
        client.pexpireat("note:2", 4_000_000_000_000)
        old.says("commit", "-m", "more")
        with client.monitor() as monitor:
            old.says("restore", "HEAD~1", "--dry-run")
            old.says("restore", "HEAD~1", "--yes")
            client.echo("that was all")
            said = [*iter(lambda: monitor.next_command()["command"], "ECHO that was all")]
        sent = [words.split()[1] for words in said if words.startswith("RESTORE ")]
        version_asked = "gitbackup:nobodys-key"  # without a value
        assert [name for name in sent if name != version_asked] == ["note:1"]
        assert client.exists(version_asked) == 0
        assert not any("gitbackup-aside" in words and "RENAME" in words for words in said)


def test_a_dump_that_is_refused_leaves_the_key_as_it_is(old: User, notes: LiveServer) -> None:
    path = next(old.repo.glob("db0/*.json"))
    stored = json.loads(path.read_text())
    stored["note:1"] = {"type": TYPE, "value": {"dump": "AAAA"}, "expires_at": FAR}
    path.write_text(json.dumps(stored))
    git(old.repo, "commit", "--quiet", "-am", "by hand")
    with notes.client() as client:
        held = client.dump("note:1")
        done = old.run("restore", "HEAD", "--yes")
        assert (done.code, client.dump("note:1"), client.ttl("note:1")) == (3, held, -1)
        assert "the server refused note:1 (" in done.err


@pytest.fixture
def modern(user: User) -> User:
    """A commit with keys of types that the server does not know."""
    user.redis.set("plain", "1")
    user.says("commit", "-m", "begin")
    odd = {
        "graph": {"type": "graphdata", "value": {"dump": "AAAA"}},
        "seen": {"type": "MBbloom--", "value": {"dump": "AAAA"}},
    }
    (user.repo / "db0" / "odd.json").write_text(json.dumps(odd))
    git(user.repo, "add", ".")
    git(user.repo, "commit", "--quiet", "-m", "by hand")
    user.redis.set("plain", "2")
    return user


def test_what_the_server_cannot_hold_is_left_out_where_that_is_wanted(modern: User) -> None:
    told = modern.says("restore", "HEAD", "--skip-unsupported", "--dry-run")
    assert "not supported by the server, left out: 2 keys (graph, seen)\n" in told
    done = modern.run("restore", "HEAD", "--skip-unsupported", "--yes")
    assert (done.code, modern.redis.get("plain")) == (3, b"1")
    assert "verified: 1 key equals" in done.out
    assert done.err == (
        "gitbackup: restored, except for types that the server does not know: graph, seen\n"
    )
    assert modern.run("commit", "-m", "again").out.startswith("nothing to commit")


@pytest.mark.parametrize(
    ("dump", "reason"),
    [
        (b"\x07" + bytes(9), "it has loaded no module"),
        (b"\x1f" + (999).to_bytes(2, "little") + bytes(8), "older than the server that dumped it"),
    ],
)
def test_a_dump_that_the_server_cannot_load_is_refused_in_the_plan(
    modern: User, dump: bytes, reason: str
) -> None:
    """A type of a module that we do not know, and the format of a newer server."""
    odd = {"odd": {"type": "of-a-new1", "value": {"dump": base64.b64encode(dump).decode()}}}
    (modern.repo / "db0" / "odd.json").write_text(json.dumps(odd))
    git(modern.repo, "commit", "--quiet", "-am", "by hand")
    assert reason in modern.says("restore", "HEAD", "--dry-run")
    done = modern.run("restore", "HEAD", "--yes")
    assert (done.code, modern.redis.get("plain")) == (12, b"2")
    assert reason in done.err
    assert ", the type of odd: nothing was written" in done.err
    assert modern.run("restore", "HEAD", "--skip-unsupported", "--yes").code == 3
    assert (modern.redis.get("plain"), modern.redis.exists("odd")) == (b"1", 0)


def test_what_is_left_out_is_in_the_plan_for_a_program(modern: User) -> None:
    plan = json.loads(modern.says("restore", "HEAD", "--skip-unsupported", "--dry-run", "--json"))
    assert plan["unsupported"] == [{"db": 0, "key": "graph"}, {"db": 0, "key": "seen"}]
