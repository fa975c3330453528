"""Types of a few keys stand for a whole file's, and one question for a value: never wrongly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from gitbackup import Backup
from gitbackup.kinds.base import FEW, SHORT
from gitbackup.live.read.file_replies import FileReplies, FileReplyReader
from tests.servers import LiveServer

KEYS = 21  # of one file; the first, the middle and the last are asked for their types


@pytest.fixture
def client(server: LiveServer) -> Iterator[redis.Redis]:
    with server.client(decode_responses=True) as client:
        yield client


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[FileReplies]:
    """The replies of which entries were made."""
    found: list[FileReplies] = []
    make = FileReplyReader.entries

    def noting(self: FileReplyReader, raw: FileReplies) -> object:
        found.append(raw)
        return make(self, raw)

    monkeypatch.setattr(FileReplyReader, "entries", noting)
    return found


def held(backup: Backup) -> dict[str, tuple[str, object]]:
    files = [json.loads(file.read_bytes()) for file in (backup.path / "db0").rglob("*.json")]
    return {
        name: (entry["type"], entry["value"])
        for entries in files
        for name, entry in entries.items()
    }


@pytest.mark.parametrize("odd", range(KEYS))
def test_one_key_of_another_type_is_found_wherever_it_stands(
    client: redis.Redis, backup: Backup, odd: int
) -> None:
    expected: dict[str, tuple[str, object]] = {}
    for number in range(KEYS):
        name = f"k:{number:02}"
        if number == odd:
            client.hset(name, "field", "value")
            expected[name] = "hash", {"field": "value"}
        else:
            client.set(name, number)
            expected[name] = "string", str(number)
    backup.commit()
    assert held(backup) == expected


@pytest.mark.parametrize("odd", ["set", "list", "zset", "stream"])
def test_a_mixed_file_is_known_again(
    valkey: LiveServer, tmp_path: Path, looked: list[FileReplies], odd: str
) -> None:
    """But for a stream, which takes more than one question."""
    client, backup = valkey.client(), Backup(tmp_path / "data", valkey.url)
    for number in range(KEYS):
        client.hset(f"k:{number:02}", "field", "value")
    client.delete("k:03")
    match odd:
        case "set":
            client.sadd("k:03", "a")
        case "list":
            client.rpush("k:03", "a")
        case "zset":
            client.zadd("k:03", {"a": 1})
        case "stream":
            client.xadd("k:03", {"a": "1"}, id="1-1")
    backup.commit()
    assert [raw.types.count(odd) for raw in looked] == ([] if odd == "stream" else [1])
    looked.clear()
    assert backup.commit().commit is None
    assert looked == []


def test_a_value_that_reads_like_a_refusal_is_a_value(client: redis.Redis, backup: Backup) -> None:
    words = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
    client.mset({f"k:{number:02}": f"{number}\r\n{words}" for number in range(KEYS)})
    backup.commit()
    assert held(backup) == {
        f"k:{number:02}": ("string", f"{number}\r\n{words}") for number in range(KEYS)
    }


@pytest.mark.parametrize("letter", ["x", "é", "€", "😀"])
@pytest.mark.parametrize("more", [-1, 0, 1, SHORT])
def test_strings_about_as_long_as_are_asked_for(
    client: redis.Redis, backup: Backup, letter: str, more: int
) -> None:
    """Cut off in the middle of a character, too."""
    size = len(letter.encode())
    text = "x" * ((SHORT + more) % size) + letter * ((SHORT + more) // size)
    assert len(text.encode()) == SHORT + more
    client.mset({"k:1": "short", "k:2": text, "k:3": "", "k:4": letter})
    for _ in range(2):
        backup.commit()
        assert held(backup) == {
            "k:1": ("string", "short"),
            "k:2": ("string", text),
            "k:3": ("string", ""),
            "k:4": ("string", letter),
        }
        client.append("k:2", letter)
        text += letter


@pytest.fixture(params=["packed", "unpacked"])
def form(request: pytest.FixtureRequest, client: redis.Redis) -> Iterator[str]:
    """The server's form for few elements, and that for many."""
    names = ["hash-max-ziplist-entries", "zset-max-ziplist-entries"]
    before = {name: client.config_get(name)[name] for name in names}
    for name in names:
        client.config_set(name, 2 * FEW if request.param == "packed" else 0)
    yield request.param
    for name, value in before.items():
        client.config_set(name, value)


@pytest.mark.parametrize("count", [FEW - 1, FEW, FEW + 1])
def test_collections_about_as_large_as_are_asked_for(
    client: redis.Redis, backup: Backup, form: str, count: int
) -> None:
    words = [f"{number:05}" for number in range(count)]
    numbers = [str(number) for number in range(count)]
    client.hset(f"{form}:hash", mapping=dict.fromkeys(words, "v"))
    client.rpush(f"{form}:list", *numbers)
    client.sadd(f"{form}:set", *numbers)
    client.zadd(f"{form}:zset", {word: at for at, word in enumerate(words)})
    backup.commit()
    assert held(backup) == {
        f"{form}:hash": ("hash", dict.fromkeys(words, "v")),
        f"{form}:list": ("list", numbers),
        f"{form}:set": ("set", sorted(numbers)),
        f"{form}:zset": ("zset", {word: at for at, word in enumerate(words)}),
    }


def test_small_values_that_have_become_large_are_read_whole(
    client: redis.Redis, backup: Backup
) -> None:
    client.set("k:string", "short")
    client.rpush("k:list", "first")
    client.hset("k:hash", "first", "value")
    backup.commit()
    text, many = "x" * 3_000_000, [str(number) for number in range(25_000)]
    client.set("k:string", text)
    client.rpush("k:list", *many)
    client.hset("k:hash", mapping=dict.fromkeys(many, "v"))
    backup.commit()
    assert held(backup) == {
        "k:string": ("string", text),
        "k:list": ("list", ["first", *many]),
        "k:hash": ("hash", {"first": "value", **dict.fromkeys(many, "v")}),
    }


@pytest.mark.long
@pytest.mark.parametrize(("fields", "size"), [(900, 2_400), (900, 60), (9_000, 300), (20, 1_000)])
def test_a_value_that_is_larger_than_the_first_the_middle_and_the_last_stays(
    client: redis.Redis, backup: Backup, fields: int, size: int
) -> None:
    """It may get a file of its own; the replies for all must not stand for the others' file."""
    client.config_set("hash-max-ziplist-entries", fields + 1)
    client.config_set("hash-max-ziplist-value", size + 1)
    expected: dict[str, tuple[str, object]] = {}
    for number in range(KEYS):
        value = {"field": "value"}
        if number == 3:
            value = {f"{field:05}": "x" * size for field in range(fields)}
        client.hset(f"k:{number:02}", mapping=value)
        expected[f"k:{number:02}"] = "hash", value
    client.config_set("hash-max-ziplist-entries", 128)
    client.config_set("hash-max-ziplist-value", 64)
    assert backup.commit().commit
    assert held(backup) == expected
    for _ in range(3):
        assert backup.commit().commit is None
    assert held(backup) == expected
