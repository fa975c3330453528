"""The embedded server: real, private, and gone whatever happens to us."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from gitbackup.errors import ServerError
from gitbackup.live.server import embedded
from gitbackup.live.server.embedded import EmbeddedServer, find_server, find_servers
from tests.servers import LiveServer, StartServer

CHECKOUT = Path(__file__).parents[2]

VICTIM = """
import subprocess, time
import redis
from gitbackup.live.server.embedded import EmbeddedServer

with EmbeddedServer() as server:
    child = subprocess.Popen(["sleep", "300"], close_fds=False)
    server_id = redis.Redis.from_url(server.url).info("server")["process_id"]
    print(server.url, server_id, child.pid, flush=True)
    time.sleep(300)
"""


DEAF = """
import signal
from gitbackup.live.server.embedded import EmbeddedServer

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
for _ in range(10):
    with EmbeddedServer():
        pass
"""


def socket_of(url: str) -> Path:
    return Path(url.removeprefix("unix://"))


def is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def comes_true(said: Callable[[], bool]) -> bool:
    """Waited for, with a limit that no machine is too slow for."""
    limit = time.monotonic() + 60
    while not said() and time.monotonic() < limit:
        time.sleep(0.01)
    return said()


@pytest.fixture
def long_temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / ("very-" * 20 + "long")
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_each_brand_serves(server: LiveServer) -> None:
    with server.client() as client:
        client.set("name", "alice")
        assert client.get("name") == b"alice"


def test_each_protocol_is_spoken(servers: LiveServer) -> None:
    with servers.client() as client:
        client.hset("h", "field", "value")
        reply = client.connection_pool.get_connection()
        reply.send_command("HGETALL", "h")
        expected = {3: {b"field": b"value"}, 2: [b"field", b"value"]}
        assert reply.read_response() == expected[servers.protocol or 0]


def test_it_is_the_packaged_valkey() -> None:
    with EmbeddedServer() as server, redis.Redis.from_url(server.url) as client:
        assert client.info("server")["server_name"] == "valkey"


def test_those_at_hand_are_the_packaged_one_and_those_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_PACKAGES", {})  # some may be installed
    for name in ("redis-server", "valkey-server"):
        (tmp_path / name).touch(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    packaged = find_server()
    assert find_servers() == [packaged, tmp_path / "valkey-server", tmp_path / "redis-server"]
    monkeypatch.setenv("PATH", str(packaged.parent))
    assert find_servers() == [packaged]


def test_it_ends_though_we_do_not_hear_of_it() -> None:
    done = subprocess.run([sys.executable, "-c", DEAF], cwd=CHECKOUT, timeout=60)
    assert done.returncode == 0


def test_it_is_on_no_network_and_keeps_no_files() -> None:
    with EmbeddedServer() as server, redis.Redis.from_url(server.url) as client:
        kept = client.config_get("port", "save", "appendonly", "databases")
        assert kept == {"port": "0", "save": "", "appendonly": "no", "databases": "16"}


def test_its_directory_is_private() -> None:
    with EmbeddedServer() as server:
        mode = socket_of(server.url).parent.stat().st_mode
        assert stat.S_IMODE(mode) == 0o700


def test_it_has_as_many_databases_as_asked_for() -> None:
    with EmbeddedServer(databases=3) as server, redis.Redis.from_url(server.url) as client:
        client.select(2)
        with pytest.raises(redis.ResponseError):
            client.select(3)


def test_a_setting_of_several_lines_is_set_several_times() -> None:
    renamed = {"rename-command": 'KEYS ""\nFLUSHALL wipe'}
    with EmbeddedServer(config=renamed) as server, redis.Redis.from_url(server.url) as client:
        assert client.execute_command("wipe") == b"OK"
        with pytest.raises(redis.ResponseError, match="unknown command"):
            client.keys()


def test_a_server_with_a_password_starts_too(start_server: StartServer) -> None:
    server = start_server(requirepass="a-secret")
    with server.client(password="a-secret") as client:
        assert client.ping()
    with pytest.raises(redis.AuthenticationError), server.client() as stranger:
        stranger.ping()


@pytest.mark.long
def test_a_server_of_a_test_can_be_reached_by_port(start_server: StartServer) -> None:
    primary = start_server(tcp=True, user=["ann on >pw ~* +@all", "bob on nopass ~* +@read"])
    replica = start_server(replicaof=f"127.0.0.1 {primary.port}")
    with primary.client(username="ann", password="pw") as client, replica.client() as copy:
        client.set("name", "alice")
        assert comes_true(lambda: copy.get("name") == b"alice")


def test_a_saved_file_is_loaded_before_it_is_ready(
    start_server: StartServer, tmp_path: Path
) -> None:
    with start_server(dir=str(tmp_path)).client() as client:
        client.mset({f"key:{number}": "x" * 100 for number in range(50_000)})
        client.save()
    loading = {"dir": str(tmp_path), "dbfilename": "dump.rdb"}
    with EmbeddedServer(config=loading) as server, redis.Redis.from_url(server.url) as client:
        assert client.dbsize() == 50_000


def test_it_is_gone_when_the_context_ends() -> None:
    with EmbeddedServer() as server, redis.Redis.from_url(server.url) as client:
        server_id = client.info("server")["process_id"]
    assert not is_running(server_id)
    assert not socket_of(server.url).parent.exists()


def test_it_is_gone_when_the_context_ends_in_an_error() -> None:
    with pytest.raises(KeyboardInterrupt), EmbeddedServer() as server:
        raise KeyboardInterrupt
    assert comes_true(lambda: not socket_of(server.url).parent.exists())


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_is_gone_when_we_are_killed(how: signal.Signals) -> None:
    victim = subprocess.Popen(
        [sys.executable, "-c", VICTIM], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    )
    assert victim.stdout is not None
    url, server_id, child_id = victim.stdout.readline().split()
    assert is_running(int(server_id))
    victim.send_signal(how)
    victim.wait()
    assert comes_true(lambda: not is_running(int(server_id)))
    assert comes_true(lambda: not socket_of(url).parent.exists())
    os.kill(int(child_id), signal.SIGKILL)
    victim.stdout.close()


def test_its_path_is_short_where_the_temporary_folder_is_not(long_temp: Path) -> None:
    with EmbeddedServer() as server, redis.Redis.from_url(server.url) as client:
        assert len(os.fsencode(socket_of(server.url))) < 100
        assert client.ping()
    assert list(long_temp.iterdir()) == []


def test_a_server_that_ends_at_once_tells_why() -> None:
    with pytest.raises(ServerError, match="no-such-setting") as told:
        EmbeddedServer(config={"no-such-setting": "1"}).__enter__()
    assert "ended during its start" in str(told.value)


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="no-such-program"):
        EmbeddedServer(tmp_path / "no-such-program").__enter__()


def test_a_server_that_stays_silent_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mute = tmp_path / "mute"
    mute.write_text("#!/bin/sh\necho I am thinking >&2\nexec sleep 300\n")
    mute.chmod(0o700)
    monkeypatch.setattr(embedded, "_PATIENCE", 0.1)
    with pytest.raises(ServerError, match="did not answer") as told:
        EmbeddedServer(mute).__enter__()
    assert "I am thinking" in str(told.value)


def test_without_the_package_the_path_is_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_packaged_server", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    program = tmp_path / "redis-server"
    program.touch(mode=0o700)
    assert program == find_server()


def test_without_any_server_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_packaged_server", lambda: None)
    monkeypatch.setattr(embedded, "_PACKAGES", {})
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerError, match=r"no server to start: .* install redis-server"):
        EmbeddedServer().__enter__()
