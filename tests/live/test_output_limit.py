"""A server that cuts off whoever is sent much at once is asked for less at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitbackup import Backup
from gitbackup.errors import ServerError
from tests.servers import LiveServer

LIMIT = "normal 1mb 1mb 1"


def fill(server: LiveServer) -> None:
    """Values that each take more than the limit, and many that do together."""
    with server.client() as client, client.pipeline(transaction=False) as pipe:
        client.set("text", "äöü€" * 500_000)
        client.set("bytes", b"\xff\x00" * 1_500_000)
        pipe.set("empty", "")
        for number in range(9_000):
            pipe.set(f"key:{number:05}", "v" * 500)
            pipe.hset("hash", f"field {number}", "v" * 200)
            pipe.rpush("list", f"{number} " + "v" * 200)
            pipe.sadd("set", f"{number} " + "v" * 200)
            pipe.zadd("zset", {f"{number} " + "v" * 200: number / 2})
            pipe.xadd("stream", {"number": number, "text": "v" * 200})
        pipe.execute()


@pytest.mark.long
def test_all_is_read_and_restored(server: LiveServer, tmp_path: Path) -> None:
    fill(server)
    free = Backup(tmp_path / "free", server.url)
    free.commit()
    with server.client() as client:
        client.config_set("client-output-buffer-limit", LIMIT)
        limited = Backup(tmp_path / "limited", server.url)
        made = limited.commit()
        assert made.keys == 9_008
        assert free.repository
        assert limited.repository
        assert limited.repository.files("HEAD") == free.repository.files("HEAD")
        client.delete("hash")
        client.set("text", "x" * 3_000_000)
        assert limited.restore("HEAD", lambda plan: True).applied
        assert not limited.status().summary.counts
        client.flushall()
        assert Backup(tmp_path / "limited", server.url).restore("HEAD", lambda plan: True).applied


def test_what_was_written_is_read_again_in_pieces(valkey: LiveServer, tmp_path: Path) -> None:
    """Nothing large was read before, as of an empty server."""
    with valkey.client() as client:
        client.set("text", "x" * 3_000_000)
        Backup(tmp_path / "data", valkey.url).commit()
        client.flushall()
        client.config_set("client-output-buffer-limit", LIMIT)
    assert Backup(tmp_path / "data", valkey.url).restore("HEAD", lambda plan: True).verified == 1


def test_a_server_that_is_gone_is_not_asked_again(valkey: LiveServer, tmp_path: Path) -> None:
    with valkey.client() as client:
        client.set("text", "x" * 3_000_000)
        client.config_set("client-output-buffer-limit", "normal 10kb 10kb 1")
    with pytest.raises(ServerError, match="lost the server at"):
        Backup(tmp_path / "data", valkey.url).commit()
