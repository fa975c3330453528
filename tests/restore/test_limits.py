"""What keeps a server from taking a restore is found before the first write, where it can be."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from gitbackup import Backup
from gitbackup.errors import ServerError
from gitbackup.plan.plan import Plan
from gitbackup.restore.result import Why
from tests.servers import LiveServer, StartServer

ROOM = 500_000


def yes(plan: Plan) -> bool:
    return True


def limit(client: redis.Redis, policy: str = "noeviction", room: int = ROOM) -> None:
    """From now on, the server takes half a megabyte more, or so many bytes."""
    client.config_set("maxmemory-policy", policy)
    client.config_set("maxmemory", int(client.info("memory")["used_memory"]) + room)


def commit_and_lose(client: redis.Redis, backup: Backup) -> str | None:
    """Commit 2 MB of values, which then go from the server; return the commit."""
    client.mset({f"k:{number}": "text " * 10_000 for number in range(40)})
    commit = backup.commit().commit
    client.execute_command("FLUSHALL", "SYNC")
    return commit


def test_memory_that_cannot_be_enough_is_found_before_anything_is_written(
    server: LiveServer, tmp_path: Path
) -> None:
    backup = Backup(tmp_path / "data", server.url)
    with server.client() as client:
        good = commit_and_lose(client, backup)
        client.set("mine", "1")
        limit(client)
        (warning,) = backup.restorer("HEAD").plan().warnings
        with pytest.raises(ServerError, match=r"needs at least 2.0 MB of memory, and .* left"):
            backup.restore("HEAD", lambda plan: pytest.fail("asked"))
        assert client.keys() == [b"mine"]
    assert warning.startswith(
        "the plan cannot be applied: the restore needs at least 2.0 MB of memory"
    )
    assert backup.resolve("HEAD") == good


def test_what_fits_in_the_place_of_what_goes_is_not_refused(
    server: LiveServer, tmp_path: Path
) -> None:
    backup = Backup(tmp_path / "data", server.url)
    with server.client() as client:
        client.mset({f"k:{number}": "text " * 10_000 for number in range(40)})
        backup.commit()
        client.mset({f"k:{number}": "other " * 8_000 for number in range(40)})
        limit(client)
        assert backup.restorer("HEAD").plan().warnings == []


def test_a_server_that_evicts_is_worth_a_warning(server: LiveServer, tmp_path: Path) -> None:
    backup = Backup(tmp_path / "data", server.url)
    with server.client() as client:
        commit_and_lose(client, backup)
        limit(client, "allkeys-lru")
        warnings = backup.restorer("HEAD").plan().warnings
    assert warnings == [
        "the server does not have enough memory for the restore, and will evict keys"
    ]


def test_a_server_that_would_evict_what_expires_and_has_none_is_full(
    server: LiveServer, tmp_path: Path
) -> None:
    backup = Backup(tmp_path / "data", server.url)
    with server.client() as client:
        commit_and_lose(client, backup)
        client.set("mine", "1")
        limit(client, "volatile-lru")
        with pytest.raises(ServerError, match=r"needs at least 2.0 MB of memory, and .* left"):
            backup.restore("HEAD", lambda plan: pytest.fail("asked"))
        client.set("soon", "1", ex=1_000)
        warnings = backup.restorer("HEAD").plan().warnings
    assert warnings == [
        "the server does not have enough memory for the restore, and will evict keys"
    ]


@pytest.mark.long
def test_keys_that_a_server_evicts_while_others_arrive_are_named(
    server: LiveServer, tmp_path: Path
) -> None:
    backup = Backup(tmp_path / "data", server.url)
    with server.client(decode_responses=True) as client:
        names = {f"k:{number:04}" for number in range(5_000)}
        client.mset(dict.fromkeys(names, "text " * 200))
        backup.commit()
        client.execute_command("FLUSHALL", "SYNC")
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("maxmemory", int(client.info("memory")["used_memory"]) + 4 * ROOM)
        result = backup.restore("HEAD", yes)
        left = {*client.keys()}
        client.config_set("maxmemory", 0)
    assert 0 < len(left) < len(names)
    assert {key.name for key in result.differing} <= names - left  # reading them may evict more
    assert len(result.differing) > 1_000
    assert {*result.why.values()} == {Why.EVICTED}
    assert (result.whole, result.recorded) == (False, backup.resolve("HEAD"))


@pytest.mark.long
@pytest.mark.parametrize(("size", "at_once", "steps"), [(30, 20, 20), (3_000, 1, 200)])
def test_a_server_that_runs_out_of_memory_half_way_is_restored_once_it_has_more(
    server: LiveServer,
    tmp_path: Path,
    size: int,
    at_once: int,
    steps: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Numbers take more memory than can be told; small values in bulk, and those built aside."""
    monkeypatch.setattr("gitbackup.restore.apply.BATCH_KEYS", at_once)
    monkeypatch.setattr("gitbackup.restore.apply.NEW_KEYS", at_once)
    monkeypatch.setattr("gitbackup.restore.planner.ONE_TRANSACTION", steps)
    backup = Backup(tmp_path / "data", server.url)
    with server.client() as client:
        for number in range(90_000 // size):
            client.hset(f"h:{number:05}", mapping={f"{field}": field for field in range(size)})
        backup.commit()
        digest = client.execute_command("DEBUG", "DIGEST")
        client.execute_command("FLUSHALL", "SYNC")
        client.set("precious", "1")
        limit(client, room=800_000)  # what the connections take comes off it
        with pytest.raises(ServerError) as cut_off:
            backup.restore("HEAD", yes)
        saved, since = backup.resolve("HEAD~1"), backup.resolve("HEAD")
        sentence = str(cut_off.value)
        assert client.dbsize() > 1
        assert client.keys("*gitbackup-aside*") == []
        client.config_set("maxmemory", 0)
        again = backup.restorer("HEAD")
        assert again.resumes
        assert again.run(yes).whole
        assert client.execute_command("DEBUG", "DIGEST") == digest
    assert sentence.startswith("the restore was interrupted: the server at ")
    assert sentence.endswith(
        "has reached its maxmemory and accepts no more data: raise maxmemory;"
        f" the previous state is commit {saved[:7]}; the current state is commit"
        f" {since[:7]} (HEAD);"
        " the same command finishes it"
    )


@pytest.mark.parametrize("right", ["-set", "-unlink", "-multi", "-watch", "-hset"])
def test_a_missing_right_is_found_before_anything_is_written(
    server: LiveServer, tmp_path: Path, right: str
) -> None:
    backup = Backup(tmp_path / "data", server.url)
    with server.client() as client:
        client.set("a", "1")
        client.hset("h", "f", "1")
        good = backup.commit().commit
        client.execute_command("FLUSHALL", "SYNC")
        client.set("junk", "1")
        client.acl_setuser("weak", enabled=True, nopass=True, keys=["*"], commands=["+@all", right])
        url = server.url.replace("unix://", "unix://weak:x@")
        with pytest.raises(ServerError, match=rf"no permission to run {right[1:].upper()} "):
            Backup(backup.path, url).restore("HEAD", lambda plan: pytest.fail("asked"))
        assert client.keys() == [b"junk"]
    assert backup.resolve("HEAD") == good


class Deadly:
    """Sees the first keys restored, and the server is no more."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._what = ""

    def start(self, what: str, total: int | None, unit: str = "keys") -> None:
        self._what = what

    def advance(self, keys: int) -> None:
        if self._what == "restoring":
            self._client.shutdown(nosave=True)

    def finish(self) -> None:
        pass


def test_a_server_that_dies_half_way_is_restored_when_it_is_back(
    start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes back with what it had written, or with nothing at all."""
    monkeypatch.setattr("gitbackup.restore.apply.BATCH_KEYS", 10)
    first, second = start_server(), start_server()
    backup = Backup(tmp_path / "data", first.url)
    with first.client() as client:
        client.mset({f"k:{number}": "good" for number in range(100)})
        backup.commit()
        client.mset({f"k:{number}": "bad" for number in range(100)})

        deadly = Backup(backup.path, first.url, progress=Deadly(client))
        with pytest.raises(ServerError, match="the restore was interrupted: lost the server at"):
            deadly.restore("HEAD", yes)
    with second.client() as client:
        again = Backup(backup.path, second.url).restorer("HEAD")
        assert again.resumes
        assert again.run(yes).whole
        assert client.mget("k:0", "k:99") == [b"good", b"good"]
