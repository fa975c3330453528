"""Replies that were seen before need not be made a file again; and every other reply is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import redis

from gitbackup import Backup
from gitbackup.live.read.alone_read import ReadOutcome
from gitbackup.live.read.file_replies import FileReplies, FileReplyReader
from gitbackup.model.changes import Counts
from tests.servers import LiveServer
from tests.store.plain import git

FOREVER = 4102444800123


@pytest.fixture
def client(server: LiveServer) -> Iterator[redis.Redis]:
    with server.client() as client:
        yield client


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The first key of each file that was made of replies."""
    found: list[bytes] = []
    make = FileReplyReader.entries

    def noting(self: FileReplyReader, raw: FileReplies) -> Sequence[ReadOutcome]:
        found.append(raw.keys[0])
        return make(self, raw)

    monkeypatch.setattr(FileReplyReader, "entries", noting)
    return found


def tree(backup: Backup) -> str:
    """The id of what HEAD holds."""
    return git(backup.path, "rev-parse", "HEAD^{tree}")


def fill(client: redis.Redis) -> None:
    """Three files of small values of every type that has some."""
    for space in ("a", "b", "c"):
        for number in range(20):
            client.set(f"{space}:s{number:02}", f"value {number}", pxat=FOREVER)
        client.hset(f"{space}:hash", mapping={"field": "value", "other": b"\xff\x00"})
        client.sadd(f"{space}:set", "one", "two")
        client.zadd(f"{space}:zset", {"one": 1.5, "two": float("inf")})
        client.rpush(f"{space}:list", "one", "two", "one")


def test_an_unchanged_file_is_not_made_again(
    valkey: LiveServer, tmp_path: Path, made: list[bytes]
) -> None:
    client, backup = valkey.client(), Backup(tmp_path / "data", valkey.url)
    fill(client)
    backup.commit()
    assert made == [b"a:hash", b"b:hash", b"c:hash"]
    made.clear()
    client.append("b:s00", "!")
    assert backup.commit().summary.counts == Counts(changed=1)
    assert made == [b"b:hash"]
    made.clear()
    assert backup.commit().commit is None
    assert made == []


@pytest.mark.parametrize(
    "change",
    [
        ("SET", "b:s00", "value 0"),  # without its expiry
        ("PEXPIREAT", "b:s00", FOREVER + 1),
        ("PERSIST", "b:s00"),
        ("DEL", "b:s00"),
        ("RENAME", "b:s00", "b:s99"),
        ("HSET", "b:hash", "field", "valuE"),
        ("HDEL", "b:hash", "field"),
        ("SREM", "b:set", "one"),
        ("ZINCRBY", "b:zset", "1e-9", "one"),
        ("LSET", "b:list", 0, "two"),
        ("SET", "b:list", "another type"),
    ],
    ids=lambda words: " ".join(map(str, words)),
)
def test_whatever_changes_is_seen(
    server: LiveServer,
    client: redis.Redis,
    backup: Backup,
    tmp_path: Path,
    change: tuple[str | int, ...],
) -> None:
    fill(client)
    backup.commit()
    client.execute_command(*change)
    backup.commit()
    fresh = Backup(tmp_path / "fresh", server.url)
    fresh.commit()
    assert tree(backup) == tree(fresh)


def test_a_file_that_a_person_has_changed_in_the_repository_is_made_again(
    client: redis.Redis, backup: Backup
) -> None:
    fill(client)
    backup.commit()
    file = backup.path / "db0" / "b.json"
    file.write_text(file.read_text().replace("value 7", "something else"))
    git(backup.path, "commit", "-qam", "by hand")
    assert backup.commit().summary.counts == Counts(changed=1)
    assert backup.entry("HEAD", "b:s07")[1]["value"] == "value 7"


def test_after_a_commit_of_another_database_all_is_made_again(
    client: redis.Redis, backup: Backup
) -> None:
    fill(client)
    backup.commit()
    first = tree(backup)
    client.flushall()
    client.set("only", "this")
    backup.commit()
    client.flushall()
    fill(client)
    backup.commit()
    assert tree(backup) == first


def test_values_of_many_sizes_are_read_whole(client: redis.Redis, backup: Backup) -> None:
    """Some are asked for together, some by themselves, and never too much at once."""
    values = {f"k:{size}": b"x" * size for size in range(0, 300_000, 1_900)}
    client.mset(values)
    backup.commit()
    files = [json.loads(file.read_bytes()) for file in (backup.path / "db0").rglob("*.json")]
    read = {name: entry["value"] for entries in files for name, entry in entries.items()}
    assert read == {name: value.decode() for name, value in values.items()}


def test_a_value_that_looks_like_replies_is_a_value(client: redis.Redis, backup: Backup) -> None:
    value = b"*3\r\n$4\r\nECHO\r\n$32\r\n0123456789abcdef0123456789abcdef\r\n-ERR no\r\n"
    client.mset({"a:1": value, "a:2": b"\r\n$5\r\n", "a:3": value * 100})
    backup.commit()
    assert backup.entry("HEAD", "a:1")[1]["value"] == value.decode()
    assert backup.entry("HEAD", "a:3")[1]["value"] == (value * 100).decode()
