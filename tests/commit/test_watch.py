"""A watch commits what changes, and HEAD is what the database holds."""

from __future__ import annotations

import random
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from gitbackup import Backup
from gitbackup.commit import watch as engine
from gitbackup.commit.commit import CommitResult
from gitbackup.commit.watch import Trouble, Watching
from gitbackup.errors import Busy, ServerError
from gitbackup.live.server.embedded import find_server
from tests.capture.test_consistency import GROUP, send
from tests.capture.test_reading import busy
from tests.servers import LiveServer
from tests.store.plain import git
from tests.watching import Turmoil, Watcher, attempt, eventually, follows, tree, watching
from tests.writers import SUM, balance, fill, writing

LIBRARY = "#!lua name=one\nredis.register_function('one', function() end)"


@pytest.fixture(autouse=True)
def curious(monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks more often at what the server does not tell."""
    monkeypatch.setattr(engine, "ASK", 0.05)
    monkeypatch.setattr(engine, "LONGEST_WAIT", 0.2)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2))
def test_after_ten_thousand_commands_of_every_kind_head_is_the_database(
    server: LiveServer, tmp_path: Path, seed: int
) -> None:
    """To the byte: its tree is that of a commit of all, again and again in between."""
    valkey, functions = server.brand == "valkey", server.brand != "redis6"
    turmoil = Turmoil(seed, valkey, functions)
    chance, done = random.Random(seed), 0
    with server.client() as client, watching(Backup(tmp_path / "data", server.url)) as watcher:
        while done < 1_700:
            done += attempt(client, turmoil.commands(chance.choice((3, 30, 300))))
            if chance.random() < 0.5:
                assert follows(watcher, tmp_path / "other", server.url)
        assert follows(watcher, tmp_path / "other", server.url)
    assert git(watcher.backup.path, "fsck", "--strict", "--no-dangling") == ""


@pytest.mark.long
def test_it_reads_what_has_changed_and_no_more(valkey: LiveServer, tmp_path: Path) -> None:
    with valkey.client() as client:
        client.mset({f"a:{number}": "1" for number in range(5_000)})
        with watching(Backup(tmp_path / "data", valkey.url), quiet=0.2) as watcher:
            client.config_resetstat()
            assert watcher.told(Watching, 2)  # for what it counts by begins anew
            before = client.info("commandstats")["cmdstat_getrange"]["calls"]
            with client.pipeline() as at_once:
                at_once.mset({f"a:{number}": "2" for number in range(10)})
                at_once.delete("a:4999")
                at_once.execute()
            counts = watcher.told(CommitResult, 2).summary.counts
            calls = client.info("commandstats")
            read = sum(
                calls.get(f"cmdstat_{by}", {"calls": 0})["calls"] for by in ("get", "getrange")
            )
            read -= before
            assert (counts.added, counts.changed, counts.removed) == (0, 10, 1)
            assert 10 <= read < 100


def test_a_database_that_is_emptied_is_committed_once_it_is_quiet(
    valkey: LiveServer, tmp_path: Path
) -> None:
    with valkey.client() as client:
        client.mset({"a": "1", "b": "1"})
        backup = Backup(tmp_path / "data", valkey.url)
        with watching(backup, quiet=0.2, max_wait=600) as watcher:
            client.flushall()
            assert watcher.told(CommitResult, 2).summary.counts.removed == 2


class Lasting:
    """A server that has its data again after it was killed."""

    def __init__(self, folder: Path) -> None:
        self.url = f"unix://{folder}/sock"
        settings = {"port": "0", "unixsocket": f"{folder}/sock", "dir": str(folder), "save": ""}
        settings |= {"appendonly": "yes", "appendfsync": "always", "logfile": "log"}
        self._command = [str(find_server())]
        for name, value in settings.items():
            self._command += [f"--{name}", value]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command)
        assert eventually(self._answers)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)

    def _answers(self) -> bool:
        with suppress(redis.RedisError), self.client() as client:
            return bool(client.ping())
        return False


@pytest.fixture
def lasting() -> Iterator[Lasting]:
    with tempfile.TemporaryDirectory(prefix="gitbackup-") as folder:
        server = Lasting(Path(folder))
        yield server
        server.kill()


def cut_off(client: redis.Redis) -> None:
    """The server drops everybody else."""
    client.client_kill_filter(_type="normal", skipme=True)


def commits(watcher: Watcher) -> int:
    """How many there are; the last may not have been told of yet."""
    return int(git(watcher.backup.path, "rev-list", "--count", "HEAD"))


@pytest.mark.long
def test_after_a_hundred_restarts_and_cuts_head_is_the_database(
    lasting: Lasting, tmp_path: Path
) -> None:
    turmoil, chance = Turmoil(1, field_expiry=True, functions=True), random.Random(1)
    with watching(Backup(tmp_path / "data", lasting.url)) as watcher:
        for number in range(100):
            with lasting.client() as client:
                attempt(client, turmoil.commands(chance.choice((1, 10, 50))))
                time.sleep(chance.choice((0.0, 0.05, 0.2)))
                if number % 2:
                    cut_off(client)
            if number % 2 == 0:
                lasting.kill()
                lasting.start()
        assert follows(watcher, tmp_path / "other", lasting.url)
        assert len([event for event in watcher.events if isinstance(event, Trouble)]) > 3
        assert len([event for event in watcher.events if isinstance(event, Watching)]) > 3
        before = commits(watcher)
        with lasting.client() as client:
            client.set("last", "1")
        assert follows(watcher, tmp_path / "other", lasting.url)
        assert commits(watcher) == before + 1
    assert git(watcher.backup.path, "fsck", "--strict", "--no-dangling") == ""


def test_a_server_that_is_not_there_at_first_is_an_error(lasting: Lasting, tmp_path: Path) -> None:
    lasting.kill()
    with (
        pytest.raises(ServerError, match="no server answers"),
        watching(Backup(tmp_path / "data", lasting.url)),
    ):
        pass


@pytest.mark.long
def test_one_that_only_stops_matching_keys_waits_for_those(
    valkey: LiveServer, tmp_path: Path
) -> None:
    """What a watch leaves out, because it does not count, is in its next commit."""
    backup = Backup(tmp_path / "data", valkey.url)
    backup.init(quiet=["noise:*"])
    with valkey.client() as client, watching(backup, match=["a:*", "noise:*"]) as watcher:
        client.mset({"b": "1", "noise:1": "1"})
        client.set("a:1", "1")
        client.delete("a:1")  # it looks, and finds nothing that counts
        time.sleep(1)
        assert len(watcher.commits()) == 1
        client.set("a:2", "1")
        assert follows(watcher, tmp_path / "other", valkey.url)
        assert [one.summary.counts.added for one in watcher.commits()] == [0, 3]


@pytest.mark.long
def test_what_changes_without_a_word_wakes_it_up(server: LiveServer, tmp_path: Path) -> None:
    """And what changes everything at once."""
    changes = ["SWAPDB 0 3", "SWAPDB 0 3", "CONFIG RESETSTAT", "XACK a:s g 1-1", "FLUSHDB"]
    changes += ["FLUSHALL; SET a 1", "SELECT 7; SET new 1", "SELECT 7; FLUSHDB"]
    if server.brand != "redis6":
        changes += ["FUNCTION LOAD " + LIBRARY, "FUNCTION FLUSH"]
    with server.client() as client, server.client(db=3) as other:
        client.mset({"a": "1", "b": "1"})
        other.set("x", "1")
        send(client, GROUP)
        with watching(Backup(tmp_path / "data", server.url)) as watcher:
            for change in changes:
                if change.startswith("FUNCTION"):
                    client.execute_command(*change.split(" ", 2))
                else:
                    send(client, change)
                assert follows(watcher, tmp_path / "other", server.url), change


@pytest.mark.long
@pytest.mark.parametrize("active", [0, 1])
def test_keys_that_expire_are_changes(valkey: LiveServer, tmp_path: Path, active: int) -> None:
    """Whether the server has noticed, or will only when somebody asks for them."""
    with valkey.client() as client:
        client.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", active)
        client.mset({f"stays:{number}": "1" for number in range(200)})
        client.set("soon", "1")
        client.hset("hash", mapping={"soon": "1", "stays": "1"})
    reader = Backup(tmp_path / "data", valkey.url)  # a thread has its own
    try:
        with (
            valkey.client() as client,
            watching(Backup(tmp_path / "data", valkey.url)) as watcher,
        ):
            watcher.told(CommitResult)
            client.pexpire("soon", 1_000)
            # on a slow machine it has expired before the watch has seen that it will
            assert eventually(lambda: watcher.commits()[-1].subject == "soon removed")
            client.execute_command("HPEXPIRE", "hash", 1_000, "FIELDS", 1, "soon")
            assert eventually(lambda: reader.entry("HEAD", "hash")[1]["value"] == {"stays": "1"})
            assert eventually(lambda: watcher.commits()[-1].subject == "hash changed")
        assert follows(watcher, tmp_path / "other", valkey.url)
    finally:
        with valkey.client() as client:
            client.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", 1)


def test_head_may_move_meanwhile(valkey: LiveServer, tmp_path: Path) -> None:
    """By a person's git, on or back."""
    backup = Backup(tmp_path / "data", valkey.url)
    with valkey.client() as client, watching(backup) as watcher:
        client.mset({f"a:{number}": "1" for number in range(200)})
        assert follows(watcher, tmp_path / "other", valkey.url)
        git(backup.path, "rm", "--quiet", "-r", "db0/a")
        git(backup.path, "commit", "--quiet", "-m", "by hand")
        client.set("b", "1")
        assert follows(watcher, tmp_path / "other", valkey.url)
        git(backup.path, "reset", "--quiet", "--hard", "HEAD~2")
        client.set("b", "2")
        assert follows(watcher, tmp_path / "other", valkey.url)
    assert git(backup.path, "fsck", "--strict", "--no-dangling") == ""


def test_edits_of_a_person_in_the_work_tree_are_waited_for(
    valkey: LiveServer, tmp_path: Path
) -> None:
    backup = Backup(tmp_path / "data", valkey.url)
    with valkey.client() as client, watching(backup) as watcher:
        client.set("a", "1")
        assert follows(watcher, tmp_path / "other", valkey.url)
        file = backup.path / "db0" / "_.json"
        content = file.read_text()
        file.write_text("mine\n")
        client.set("a", "2")
        assert "has uncommitted changes" in watcher.told(Trouble).sentence
        client.set("b", "1")
        file.write_text(content)
        assert follows(watcher, tmp_path / "other", valkey.url)


def test_it_waits_while_a_restore_runs(valkey: LiveServer, tmp_path: Path) -> None:
    backup = Backup(tmp_path / "data", valkey.url)
    with valkey.client() as client, watching(backup) as watcher:
        assert backup.repository is not None
        with backup.repository.beside("restoring"):
            client.set("a", "1")
            time.sleep(1)
            assert len(watcher.commits()) == 1
        assert watcher.told(CommitResult, 2).subject == "a added"


def test_its_first_commit_waits_while_a_restore_runs(
    valkey: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of a restore is no state to keep."""
    monkeypatch.setattr(engine, "SILENT_WAIT", 0)
    backup = Backup(tmp_path / "data", valkey.url)
    head = backup.commit().commit
    assert backup.repository is not None
    with valkey.client() as client:
        client.set("a", "1")
        with backup.repository.beside("restoring"):
            watcher = Watcher(backup, quiet=0.02)
            assert "restoring in" in watcher.told(Trouble).sentence
            assert backup.resolve("HEAD") == head
        assert watcher.told(CommitResult).subject == "a added"
        watcher.end()


@pytest.mark.long
def test_many_commits_leave_few_packs(valkey: LiveServer, tmp_path: Path) -> None:
    backup = Backup(tmp_path / "data", valkey.url)
    backup.init(bare=True)
    with valkey.client() as client, watching(backup, quiet=0, max_wait=0) as watcher:
        for number in range(70):
            client.set("a", number)
            wanted = number + 2
            assert eventually(lambda wanted=wanted: len(watcher.commits()) >= wanted)  # type: ignore[misc]
    assert len([*(backup.path / "objects" / "pack").glob("*.pack")]) < 40
    assert git(backup.path, "fsck", "--strict", "--no-dangling") == ""


@pytest.mark.long
def test_where_writers_leave_no_room_it_commits_key_by_key_and_says_so(
    valkey: LiveServer, tmp_path: Path
) -> None:
    """And is the database all the same, once they are done."""
    with valkey.client() as client:
        client.mset({f"stream:{number}": "1" for number in range(3)})
        for number in range(600):
            client.xadd(f"s:{number}", {"f": "v"})
            client.xgroup_create(f"s:{number}", "g", "0")
        with watching(Backup(tmp_path / "data", valkey.url)) as watcher:
            client.xreadgroup("g", "me", {"s:5": ">"}, count=1)
            assert follows(watcher, tmp_path / "other", valkey.url)
            assert watcher.commits()[-1].consistency.startswith("per-key")


@pytest.mark.long
def test_it_names_what_was_written_to_each_time_that_it_was_read(
    valkey: LiveServer, tmp_path: Path
) -> None:
    """A value that is read in pieces, where there is no moment for all."""
    with valkey.client() as client:
        client.rpush("large", *range(50_000))
        for number in range(600):
            client.xadd(f"s:{number}", {"f": "v"})
            client.xgroup_create(f"s:{number}", "g", "0")
        with watching(Backup(tmp_path / "data", valkey.url)) as watcher:
            with busy(valkey, lambda pipe, turn: pipe.lset("large", turn % 50_000, "new")):
                client.xreadgroup("g", "me", {"s:5": ">"}, count=1)
                assert eventually(lambda: any(map(_is_torn, watcher.commits())))
            assert follows(watcher, tmp_path / "other", valkey.url)


def _is_torn(result: CommitResult) -> bool:
    return any(
        warning.startswith("key large changed during every read") for warning in result.warnings
    )


@pytest.mark.long
def test_no_money_is_made_or_lost_in_what_a_watch_commits(
    valkey: LiveServer, tmp_path: Path
) -> None:
    """Transfers go on all the time: so it commits as often as it may wait."""
    fill(valkey)
    with watching(Backup(tmp_path / "data", valkey.url), max_wait=0.1) as watcher:
        with writing(valkey, "bank", 500):
            watcher.told(CommitResult, 6)
        assert follows(watcher, tmp_path / "other", valkey.url)
        made = {one.commit: one.consistency for one in watcher.commits() if one.commit}
        exact = [commit for commit, said in made.items() if said == "point-in-time"]
        assert {balance(watcher.backup, commit) for commit in exact} == {SUM}
        assert balance(watcher.backup) == SUM


def test_two_watches_of_one_repository(valkey: LiveServer, tmp_path: Path) -> None:
    backup = Backup(tmp_path / "data", valkey.url)
    second = watching(Backup(tmp_path / "data", valkey.url))
    with watching(backup), pytest.raises(Busy, match=r"is watching in .* already"), second:
        pass
    with watching(Backup(tmp_path / "data", valkey.url)) as watcher:
        assert tree(watcher.backup) == tree(backup)
