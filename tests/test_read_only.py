"""A Backup that is opened read-only changes neither its repository nor its server."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitbackup import Backup
from gitbackup.errors import ReadOnly
from gitbackup.kinds import CORE, Abilities
from gitbackup.live.connection import cluster
from gitbackup.live.connection.read_only import READING
from gitbackup.live.protocol.error_replies import name_of
from gitbackup.live.read import permissions
from gitbackup.transfer.import_file import Importing
from tests.servers import LiveServer


def yes(plan: object) -> bool:
    """Confirm any plan."""
    return True


def files(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def imported(backup: Backup) -> Importing:
    """Return an import of the first commit."""
    dump = io.BytesIO()
    backup.export(dump, "HEAD~1")
    dump.seek(0)
    return backup.importer(dump, "dump")


def writes(folder: Path, url: str) -> dict[str, Callable[[Backup], Any]]:
    """Return every method that writes."""
    return {
        "after_commit": lambda backup: backup.events.after_commit(words=True),
        "amend": lambda backup: backup.words.amend("other"),
        "clone": lambda backup: backup.clone(str(folder)),
        "commit": lambda backup: backup.commit(),
        "config": lambda backup: backup.config.set("quiet", "x*"),
        "copy": lambda backup: backup.copier(url, databases={0: 1}).run(yes),
        "forget": lambda backup: backup.secrets.forget("a", yes),
        "import": lambda backup: imported(backup).run(yes),
        "init": lambda backup: backup.init(quiet=["x*"]),
        "note": lambda backup: backup.words.put("a note"),
        "pull": lambda backup: backup.pull(),
        "push": lambda backup: backup.push(),
        "rdb": lambda backup: backup.rdb.save(folder.parent / "rdb"),
        "remove": lambda backup: backup.words.remove(),
        "restore": lambda backup: backup.restore("HEAD~1", yes),
        "restore elsewhere": lambda backup: backup.restore("HEAD~1", yes, to=url),
        "revert": lambda backup: backup.revert("HEAD", yes),
        "send": lambda backup: backup.server.dial().call("SET", "a", "9"),
        "undo": lambda backup: backup.undo(yes),
        "watch": lambda backup: next(backup.watch(threading.Event())),
    }


def test_every_method_that_writes_is_refused(valkey: LiveServer, tmp_path: Path) -> None:
    folder, url = tmp_path / "data", valkey.url
    writer = Backup(folder, url)
    valkey.client().set("a", "1")
    writer.commit("first")
    valkey.client().set("a", "2")
    writer.commit("second")
    writer.restore("HEAD~1", yes)
    writer.words.put("kept")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    writer.push(str(elsewhere))
    valkey.client().set("a", "3")
    before = files(tmp_path)

    for name, write in writes(folder, url).items():
        with pytest.raises(ReadOnly, match="opened read-only"):
            pytest.fail(f"{name} gave {write(Backup(folder, url, read_only=True))}")

    assert files(tmp_path) == before
    assert valkey.client().get("a") == b"3"


def test_nothing_is_made(valkey: LiveServer, tmp_path: Path) -> None:
    for name in ("init", "commit", "clone", "watch"):
        backup = Backup(tmp_path / "new", valkey.url, read_only=True)
        with pytest.raises(ReadOnly):
            writes(tmp_path, valkey.url)[name](backup)
    assert [*tmp_path.iterdir()] == []


def test_all_can_be_read(valkey: LiveServer, tmp_path: Path) -> None:
    Backup(tmp_path, valkey.url).commit("first", allow_empty=True)
    client = valkey.client()
    client.set("text", "1")
    client.hset("hash", "field", "1")
    client.rpush("list", "1")
    client.sadd("set", "1")
    client.zadd("zset", {"1": 1})
    client.xadd("stream", {"field": "1"})
    backup = Backup(tmp_path, valkey.url, read_only=True)
    assert backup.status().summary.counts.added == 6
    assert backup.commit(dry_run=True).keys == 6
    whole = Backup(tmp_path, valkey.url)
    for verb in ("commit", "restore", "watch"):
        assert whole.rights(verb) == backup.rights(verb)
    assert backup.restorer("HEAD").plan().counts.removed == 6
    assert backup.check().server
    assert backup.verify().whole


def test_what_reads_is_known_and_what_writes_is_not_among_it() -> None:
    for known in (Abilities(), Abilities(pexpiretime=False), Abilities(one_slot=True)):
        asked = [*permissions.reading(b"key", known), *permissions.HEARING, *cluster.QUESTIONS]
        assert {*map(name_of, asked)} - READING == set()
        written = permissions._writing(b"key", known, CORE)
        assert {*map(name_of, written)} & READING == set()
