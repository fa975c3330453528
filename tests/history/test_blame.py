"""`blame` of some parts, and for some time only."""

from __future__ import annotations

import json

import pytest
import redis

from gitbackup import Backup
from gitbackup.history.blame import Blame, Window, blame
from gitbackup.redact import Redaction
from tests.servers import LiveServer


@pytest.fixture
def server(valkey: LiveServer) -> LiveServer:
    return valkey


@pytest.fixture
def kept(backup: Backup, client: redis.Redis) -> Backup:
    """A hash, a list and a document of twelve parts, of which each commit changed some."""
    fields = {f"field:{number:02}": "1" for number in range(12)}
    items = [f"item {number}" for number in range(12)]
    for version in range(4):
        client.delete("list")
        fields |= {f"field:{version:02}": f"{version}!", f"field:{11 - version:02}": "2"}
        items[3 * version : 3 * version + 1] = [f"new {version}", f"put in {version}"]
        client.hset("hash", mapping=fields)
        client.rpush("list", *items)
        client.expire("list", 1_000_000)
        client.set("document", json.dumps({"of": fields, "version": [version, 1, 2]}))
        backup.commit(f"version {version}")
    return backup


def blamed(kept: Backup, key: str, window: Window) -> Blame:
    assert kept.repository
    return blame(kept.repository, kept.resolve("HEAD"), key, 0, window)


@pytest.mark.parametrize("key", ["hash", "list", "document"])
def test_of_each_part_a_window_tells_what_the_whole_does(kept: Backup, key: str) -> None:
    whole = kept.blame(key).lines
    assert len({line.info.id for line in whole}) == 4

    shown = [blamed(kept, key, Window(start, 5)) for start in range(0, len(whole), 5)]

    assert [line for each in shown for line in each.lines] == [*whole]
    assert [each.more for each in shown] == [True] * (len(shown) - 1) + [False]
    assert blamed(kept, key, Window(len(whole), 5)).lines == []


def test_what_there_is_no_time_to_find_out_is_told_with_a_commit_that_has_it(
    kept: Backup,
) -> None:
    found = blamed(kept, "hash", Window(patience=-1))

    head, before = (kept.resolve(name) for name in ("HEAD", "HEAD~1"))
    assert {line.info.id for line in found.lines} == {head}
    assert {line.info.id for line in found.older} == {before}
    names = sorted(line.name for line in [*found.lines, *found.older])
    assert names == [f"field:{number:02}" for number in range(12)]
    masked = found.masked(Redaction(["field:*"]))
    assert "1" not in {line.value for line in masked.older}
