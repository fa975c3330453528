"""A replica that has lost its primary, or has not got its data yet, does not pass for it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gitbackup import Backup
from gitbackup.errors import ServerError
from tests.servers import LiveServer, StartServer

NOBODY = "127.0.0.1 1"
ANSWERS = {b"PING": b"+PONG\r\n", b"REPLCONF": b"+OK\r\n"}
FULL = b"+FULLRESYNC " + b"a" * 40 + b" 1\r\n$1000000\r\nREDIS"


@contextmanager
def slow_primary() -> Iterator[int]:
    """A primary that begins to send its data, and does not go on; gives its port."""
    held: list[socket.socket] = []

    def serve() -> None:
        while not stopped.is_set():
            try:
                replica, _ = listener.accept()
            except OSError:  # closed, for the test is over
                return
            held.append(replica)
            with replica.makefile("rb", buffering=0) as said:
                while data := said.read(1 << 16):
                    known = [answer * data.count(word) for word, answer in ANSWERS.items()]
                    replica.sendall(b"".join(known) or FULL)

    stopped = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        threading.Thread(target=serve, daemon=True).start()
        try:
            yield port
        finally:
            stopped.set()
            for one in held:
                one.close()


def await_true(told: Callable[[], bool]) -> None:
    while not told():
        time.sleep(0.01)


def replication(server: LiveServer, name: str) -> object:
    with server.client() as client:
        return client.info("replication").get(name)


def test_a_replica_that_has_lost_its_primary(start_server: StartServer, tmp_path: Path) -> None:
    replica = start_server(tcp=True)
    with replica.client() as client:
        client.set("key", "value")
        client.replicaof(*NOBODY.split())
    backup = Backup(tmp_path / "data", replica.url)
    made = backup.commit()
    (warning,) = made.warnings
    assert warning.startswith("this replica may lack data of its primary: its link to its primary")
    assert made.commit
    trailers = _trailers(backup, made.commit)
    assert trailers["Primary"].startswith("its link to its primary is down")
    assert any("its link to its primary" in one for one in backup.status().warnings)


def _trailers(backup: Backup, commit: str) -> dict[str, str]:
    assert backup.repository
    return dict(backup.repository.commit_info(commit).trailers)


def test_a_replica_in_touch_with_its_primary(start_server: StartServer, tmp_path: Path) -> None:
    primary = start_server(tcp=True)
    replica = start_server(tcp=True, replicaof=f"127.0.0.1 {primary.port}")
    await_true(lambda: replication(replica, "master_link_status") == "up")
    made = Backup(tmp_path / "data", replica.url).commit()
    assert made.commit
    assert [*made.warnings] == []
    assert "Primary" not in _trailers(Backup(tmp_path / "data"), made.commit)


def test_a_replica_that_never_got_its_data(start_server: StartServer, tmp_path: Path) -> None:
    replica = start_server(tcp=True, replicaof=NOBODY)
    with pytest.raises(ServerError, match="has never received data from its primary"):
        Backup(tmp_path / "data", replica.url).commit()


def test_a_replica_that_gets_its_data_just_now(start_server: StartServer, tmp_path: Path) -> None:
    with slow_primary() as port:
        replica = start_server(tcp=True, replicaof=f"127.0.0.1 {port}")
        await_true(lambda: replication(replica, "master_sync_in_progress") == 1)
        with pytest.raises(ServerError, match="is receiving its data from its primary"):
            Backup(tmp_path / "data", replica.url).commit()
