"""Repositories that past formats wrote are read for ever, and format 1 is written as ever.

`format-1/basic` is what gitbackup writes, byte for byte; should a test here fail, the format
has changed, which needs a version of its own. `format-1/by-hand` is the same database as a
person, a merge or another layout may have left it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from gitbackup import Backup
from gitbackup.format import codec
from gitbackup.model.keys import Entry, Key
from gitbackup.snapshot import file_format
from gitbackup.store.repository.repository import Repository
from tests import live_snapshot
from tests.servers import LiveServer
from tests.store.plain import commit

HERE = Path(__file__).parent
FORMAT_1 = HERE / "format-1"
SETS = ["basic", "by-hand"]


def files_of(folder: Path) -> dict[str, bytes]:
    found = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in found}


def entries_of(folder: Path) -> dict[Key, Entry]:
    found: dict[Key, Entry] = {}
    for _, entries in file_format.decode_all(sorted(files_of(folder).items())):
        found |= entries
    return found


def restored(server: LiveServer, folder: Path, repository: Path) -> None:
    """The server holds what the folder does."""
    commit(Repository.create(repository), dict(files_of(folder)))
    assert Backup(repository, server.url).restore("HEAD", lambda plan: True).whole


def test_every_key_is_there() -> None:
    entries = entries_of(FORMAT_1 / "basic")
    kinds = {entry["type"] for entry in entries.values()}
    assert kinds == {"string", "hash", "list", "set", "zset", "stream", "function"}
    assert len(entries) == 480


def test_what_is_read_is_written_as_the_same_bytes() -> None:
    for path, content in files_of(FORMAT_1 / "basic").items():
        entries = file_format.decode_file(path, content)
        if path.startswith("db"):
            named = {key.name: entry for key, entry in entries.items()}
            scores = {name: written(entry) for name, entry in named.items()}
            assert codec.encode(scores) == content


def written(entry: Entry) -> object:
    if entry["type"] != "zset":
        return entry
    return {**entry, "value": {m: codec.written(score) for m, score in entry["value"].items()}}


def test_an_edited_set_has_the_same_entries() -> None:
    expected, found = (entries_of(FORMAT_1 / name) for name in SETS)
    assert {str(key): codec.encode(entry) for key, entry in found.items()} == {
        str(key): codec.encode(entry) for key, entry in expected.items()
    }


@pytest.mark.few(1)
@pytest.mark.parametrize("name", SETS)
def test_a_server_restored_from_it_gives_the_same_bytes(
    valkey: LiveServer, tmp_path: Path, name: str
) -> None:
    restored(valkey, FORMAT_1 / name, tmp_path / "data")
    assert live_snapshot.files_of(valkey) == files_of(FORMAT_1 / "basic")


def test_nothing_is_left_to_commit_after_a_restore(valkey: LiveServer, tmp_path: Path) -> None:
    restored(valkey, FORMAT_1 / "basic", tmp_path / "one")
    commit(Repository.create(tmp_path / "other"), dict(files_of(FORMAT_1 / "basic")))
    assert Backup(tmp_path / "other", valkey.url).commit().commit is None


@pytest.mark.long
def test_the_next_commit_tidies_an_edited_set_and_keeps_a_persons_files(
    valkey: LiveServer, tmp_path: Path
) -> None:
    restored(valkey, FORMAT_1 / "basic", tmp_path / "one")
    other = Repository.create(tmp_path / "other")
    commit(other, dict(files_of(FORMAT_1 / "by-hand")))
    result = Backup(tmp_path / "other", valkey.url).commit()
    assert not result.summary.counts
    assert result.commit is not None
    expected = files_of(FORMAT_1 / "basic").keys() | {"README.md"}
    assert other.files(result.commit).keys() == expected
