"""Values built aside: those that expire within the hour are ours, all other keys somebody's own."""

from __future__ import annotations

from pathlib import Path

from gitbackup import Backup
from gitbackup.live.connection.address import parse
from gitbackup.live.connection.connect import connect
from gitbackup.live.server import staging_keys
from gitbackup.restore import apply
from tests.servers import LiveServer

HOUR = 3_600_000


def test_a_fresh_name_looks_like_ours_and_no_two_are_alike() -> None:
    names = {staging_keys.name_for(b"a") for _ in range(100)}
    assert (len(names), all(map(staging_keys.is_ours, names))) == (100, True)
    assert all(len(name) == len(b"a:gitbackup-aside:") + 16 for name in names)


def test_only_what_expires_within_the_hour_is_ours(server: LiveServer) -> None:
    ours, own, long, gone = (staging_keys.name_for(b"a") for _ in range(4))
    with server.client() as client:
        client.set(ours, "", px=HOUR)
        client.set(own, "")
        client.set(long, "", px=HOUR + 60_000)
        client.set("plain", "", px=HOUR)
    wire = connect(parse(server.url)).dial()
    assert staging_keys.still_ours(wire, [own, ours, b"plain", long, gone]) == [ours]
    wire.close()


def test_a_key_of_somebody_s_own_that_is_named_so_is_kept_and_restored(
    server: LiveServer, tmp_path: Path
) -> None:
    own = staging_keys.name_for(b"a")
    backup = Backup(tmp_path / "data", server.url)
    with server.client() as client:
        client.mset({own: "1", "b": "1"})
        assert backup.commit().keys == 2
        client.mset({own: "2", "b": "2"})
        assert backup.restore("HEAD", lambda plan: True).whole
        assert client.mget(own, "b") == [b"1", b"1"]


def test_a_sweep_leaves_what_has_become_somebody_s_own(valkey: LiveServer) -> None:
    ours, own = staging_keys.name_for(b"a"), staging_keys.name_for(b"a")
    with valkey.client() as client, valkey.client(db=3) as other:
        client.set(ours, "", px=HOUR)
        client.set(own, "")
        other.set(ours, "", px=HOUR)
        apply.sweep(connect(parse(valkey.url)), [(0, ours), (0, own), (3, ours)])
        assert (client.keys(), other.keys()) == ([own], [])


def test_what_is_built_aside_is_known_as_ours_at_every_moment(
    valkey: LiveServer, tmp_path: Path
) -> None:
    backup = Backup(tmp_path / "data", valkey.url)
    with valkey.client() as client, valkey.client() as onlooker:
        client.rpush("k", *range(25_000))
        backup.commit()
        client.delete("k")
        with onlooker.monitor() as monitor:
            assert backup.restore("HEAD", lambda plan: True).whole
            client.echo("over")
            told = iter(lambda: str(monitor.next_command()["command"]), "ECHO over")
            words = [command.split(" ")[0] for command in told if aside_or_transaction(command)]
    first = words.index("RPUSH")
    assert words[first - 1 : first + 3] == ["MULTI", "RPUSH", "PEXPIRE", "EXEC"]


def aside_or_transaction(command: str) -> bool:
    return "gitbackup-aside" in command or command in ("MULTI", "EXEC")
