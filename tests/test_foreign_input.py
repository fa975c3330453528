"""What others wrote is data: whatever it is, it is read, or refused by an error of ours."""

from __future__ import annotations

import json
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbackup.errors import GitbackupError
from gitbackup.format import codec
from gitbackup.live.connection.address import parse
from gitbackup.live.rdb import rdb_file
from gitbackup.model.commits import Rehearsal
from gitbackup.model.keys import Entry, Key, Scope
from gitbackup.plan.plan_json import plan_object, read_plan
from gitbackup.snapshot import file_format
from gitbackup.snapshot.sources import Spool
from gitbackup.store.metadata import rehearsals
from gitbackup.transfer.export_reader import read
from gitbackup.transfer.formats import FORMS
from tests.kinds.examples import EXAMPLES
from tests.mutations import bounded, changed, grown
from tests.plan.test_plan_json import PLAN
from tests.servers import LiveServer
from tests.store.test_notes import FAILED, PASSED
from tests.transfer.test_import_formats import DUMPS, FACTS, NOW, SOURCE

ENTRIES: dict[Key, Entry] = {
    Key(number % 2, f"{name}:{number}"): entry
    for name, examples in EXAMPLES.items()
    for number, value in enumerate(examples.values)
    for entry in [Entry(type=name, value=value)]
    if len(codec.encode(entry)) < 2_000
}
FILES = {
    f"db0/{name}.json": file_format.encode_loose(
        {key.name: entry for key, entry in ENTRIES.items() if entry["type"] == name}
    )
    for name in EXAMPLES
}
MANIFEST = file_format.manifest(Scope((0, 3), ("user:*",), ("*lock", "\udcff"), True))


def exported(form: str) -> bytes:
    gathered = {key: FORMS[form].entry(key, entry) for key, entry in ENTRIES.items()}
    return b"".join(FORMS[form].file(FACTS, sorted(ENTRIES), gathered.__getitem__))


@pytest.mark.parametrize("path", sorted(FILES))
@given(data=st.data())
def test_files_of_entries(path: str, data: st.DataObject) -> None:
    good = FILES[path]
    content = data.draw(changed(good) | grown(json.loads(good)))
    with bounded(), suppress(GitbackupError):
        for entry in file_format.decode_file(path, content).values():
            codec.encode(entry)


@given(changed(MANIFEST) | grown(json.loads(MANIFEST)))
def test_manifests(content: bytes) -> None:
    with bounded(), suppress(GitbackupError):
        file_format.manifest(file_format.read_manifest(content))


@given(changed(json.dumps(plan_object(PLAN)).encode()) | grown(plan_object(PLAN)))
def test_plans(content: bytes) -> None:
    with bounded(), suppress(GitbackupError):
        plan_object(read_plan(content))


def is_read_or_refused(content: bytes) -> None:
    with bounded(), suppress(GitbackupError), Spool() as spool:
        for path, file in read(BytesIO(content), "FILE", NOW, spool).files():
            file_format.decode_file(path, file)


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
        found = rehearsals.parse(content.decode("utf-8", "replace"))
    assert found is None or isinstance(found, Rehearsal)


def _note(rehearsal: Rehearsal) -> st.SearchStrategy[bytes]:
    good = rehearsals.compose(rehearsal)
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
    for look in (rdb_file.look, rdb_file.check):
        with bounded(), suppress(GitbackupError):
            look(file)
