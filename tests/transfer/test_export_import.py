"""Export, FLUSHALL, and back: the same database, by the server's own word and by ours."""

from __future__ import annotations

import json
import subprocess
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbackup import Backup
from gitbackup.kinds import KINDS
from gitbackup.live.connection.address import parse
from gitbackup.live.connection.connect import connect
from gitbackup.live.write.key_writer import KeyWrite, KeyWriter
from gitbackup.model.keys import Entry, Key
from gitbackup.restore.result import RestoreResult
from gitbackup.transfer.formats import FORMS
from tests.databases import Database, databases
from tests.kinds.examples import EXAMPLES, dump
from tests.live_snapshot import files_of as files
from tests.servers import BRANDS, LiveServer, redis_cli
from tests.test_roundtrip import Running, backups, digests, fill, yes

MANY = 2_000  # elements or characters
FEW = settings(max_examples=5)


def exported(server: LiveServer, form: str) -> bytes:
    out = BytesIO()
    Backup("none", server.url).export(out, form=form)
    return out.getvalue()


def piped(server: LiveServer, commands: bytes) -> str:
    """What redis-cli says in the end; it alone restores."""
    path = server.address.removeprefix("unix://")
    words = [redis_cli(), "-s", path, "--pipe"]
    done = subprocess.run(words, input=commands, capture_output=True, check=False)
    return (done.stdout + done.stderr).decode().splitlines()[-1]


def exact(backup: Backup, content: bytes) -> RestoreResult:
    """Imports the file, and nothing is there besides."""
    result = backup.importer(BytesIO(content), "FILE", delete=True).run(yes)
    assert result.whole
    return result


@FEW
@given(data=st.data())
def test_export_flush_import_gives_the_same_database(
    server: LiveServer, data: st.DataObject
) -> None:
    fill(server, data.draw(databases(server.brand)))
    before, snapshot = digests(server), files(server)
    content = exported(server, data.draw(st.sampled_from(["json", "jsonl"])))
    fill(server, Database(()))
    with backups(server) as (backup,):
        exact(backup, content)
        assert (digests(server), files(server)) == (before, snapshot)


@pytest.mark.long
@FEW
@given(data=st.data())
def test_an_import_from_any_state_gives_exactly_the_file_and_is_undone(
    valkey: LiveServer, data: st.DataObject
) -> None:
    fill(valkey, data.draw(databases(valkey.brand)))
    wanted, content = files(valkey), exported(valkey, "jsonl")
    fill(valkey, data.draw(databases(valkey.brand)))
    state = files(valkey)
    with backups(valkey) as (backup,):
        result = exact(backup, content)
        assert files(valkey) == wanted
        if result.applied:
            assert backup.undo(yes).whole
        assert files(valkey) == state


@pytest.mark.long
@FEW
@given(data=st.data())
def test_an_import_adds_to_what_is_there_and_replaces_what_it_names(
    valkey: LiveServer, data: st.DataObject
) -> None:
    fill(valkey, data.draw(databases(valkey.brand)))
    told, content = digests(valkey), exported(valkey, "json")
    fill(valkey, data.draw(databases(valkey.brand)))
    there = digests(valkey)
    with backups(valkey) as (backup,):
        assert backup.importer(BytesIO(content), "FILE").run(yes).whole
        assert digests(valkey) == there | told


@pytest.mark.long
@settings(max_examples=5)
@given(data=st.data())
def test_a_commit_s_export_is_that_of_the_database_it_was_taken_of(
    valkey: LiveServer, data: st.DataObject
) -> None:
    """But for when, and of what commit."""
    fill(valkey, data.draw(databases("valkey")))
    out = BytesIO()
    with backups(valkey) as (backup,):
        commit = backup.commit("all", allow_empty=True).commit
        backup.export(out, "HEAD")
    of_commit, of_live = (json.loads(each) for each in (out.getvalue(), exported(valkey, "json")))
    assert of_commit.pop("commit") == commit
    assert of_live.pop("commit") is None
    assert of_commit | {"taken_at": ""} == of_live | {"taken_at": ""}


@FEW
@given(data=st.data())
def test_resp_restores_by_redis_cli_alone(server: LiveServer, data: st.DataObject) -> None:
    fill(server, data.draw(databases(server.brand)))
    before, snapshot = digests(server), files(server)
    commands = exported(server, "resp")
    fill(server, Database(()))
    assert piped(server, commands).startswith("errors: 0,")
    assert (digests(server), files(server)) == (before, snapshot)


@pytest.mark.long
@FEW
@given(data=st.data())
def test_resp_makes_each_key_anew_whatever_is_there(
    server: LiveServer, data: st.DataObject
) -> None:
    """A full server holds what the file tells, and the keys besides that it does not name."""
    fill(server, data.draw(databases(server.brand)))
    before = digests(server)
    commands = exported(server, "resp")
    fill(server, data.draw(databases(server.brand)))
    there = digests(server)
    assert piped(server, commands).startswith("errors: 0,")
    assert digests(server) == there | before


@pytest.mark.long
@settings(max_examples=5)
@given(data=st.data())
def test_resp_of_one_brand_restores_into_the_others(running: Running, data: st.DataObject) -> None:
    source, target = map(running, data.draw(st.permutations([*BRANDS]))[:2])
    fill(source, data.draw(databases(common=True)))
    commands = exported(source, "resp")
    fill(target, Database(()))
    assert piped(target, commands).startswith("errors: 0,")
    assert files(target) == files(source)


@pytest.mark.long
def test_every_form_holds_every_type_and_values_of_many_pieces(server: LiveServer) -> None:
    """All that the kinds have for examples, at once; the large ones on one server alone."""
    large = server.brand == "valkey"
    steps = []
    held_by_all = {name: some for name, some in EXAMPLES.items() if not KINDS[name].known_by}
    for kind, some in held_by_all.items():
        for at, value in enumerate(some.values):
            if len(value.get("entries", value) if kind == "stream" else value) > MANY and not large:
                continue
            entry: Entry = {"type": kind, "value": KINDS[kind].canonicalize(value)}
            entry |= {"expires_at": "2100-01-01T00:00:00.001Z"} if at % 2 else {}
            steps.append(
                KeyWrite(f"{kind}:\udcff:{at}".encode(errors="surrogateescape"), None, entry)
            )
    with KeyWriter(connect(parse(server.url))) as writer:
        assert writer.apply(3, steps).refused == []
    before, snapshot = digests(server), files(server)
    assert len(before) == len(steps)
    contents = {form: exported(server, form) for form in FORMS}
    for form in ["jsonl"] if large else ["json", "jsonl"]:
        fill(server, Database(()))
        with backups(server) as (backup,):
            exact(backup, contents[form])
        assert (digests(server), files(server)) == (before, snapshot)
    fill(server, Database(()))
    assert piped(server, contents["resp"]).startswith("errors: 0,")
    assert (digests(server), files(server)) == (before, snapshot)


def test_resp_restores_what_we_do_not_know_by_the_server_s_own_dump(valkey: LiveServer) -> None:
    with valkey.client() as client:
        client.hset("h", mapping={"f": "v"})
        payload = client.dump("h")
        assert payload
        entry: Entry = {"type": "MBbloom--", "value": dump(payload)}
        client.flushall()
        assert piped(valkey, FORMS["resp"].entry(Key(0, "h"), entry)) == "errors: 0, replies: 2"
        assert client.hgetall("h") == {b"f": b"v"}
