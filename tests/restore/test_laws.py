"""Three laws of every restore: nothing is lost, nothing is seen half done, nothing is left undone.

They hold at any moment and for any key, so each is tried many times, at random, seeded.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import redis

from gitbackup import Backup
from gitbackup.errors import Busy, GitbackupError
from gitbackup.format import codec
from gitbackup.kinds.base import each
from gitbackup.model.keys import Entry
from gitbackup.plan.plan import Plan
from gitbackup.snapshot import file_format
from tests.bystanders import DAY, LATER, Bystander, Write, entry_of, look, state, write
from tests.proxy import Proxy
from tests.servers import LiveServer


def yes(plan: Plan) -> bool:
    return True


def history(backup: Backup, limit: int | None = None) -> Iterator[tuple[str, Entry]]:
    """Every key's entry in each of the last commits; a file that many share is read once."""
    repository, seen = backup.repository, set()
    assert repository is not None
    for info in repository.log(limit=limit):
        for path, blob in repository.files(info.id).items():
            if path.startswith("db") and blob not in seen:
                seen.add(blob)
                for key, entry in file_format.decode_file(path, repository.read(blob)).items():
                    yield key.name, entry


# 1. Whatever a restore overwrites or deletes is in the history.

KEYS = [f"{name}:{number}" for name in ("a", "b", "c") for number in range(60)]


@pytest.mark.long
def test_every_value_that_a_restore_replaced_is_in_the_history(
    valkey: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer knows, for it asks in the same transaction, which of its values was replaced by
    itself; any other is there still, or it was a restore that replaced it."""
    monkeypatch.setattr("gitbackup.restore.restore.ROUNDS", 2)  # the writer never stops
    backup = Backup(tmp_path / "data", valkey.url)
    with valkey.client(decode_responses=True) as client:
        targets = [fill(client, backup, version) for version in ("one", "two")]
        with Bystander(write, valkey.url, KEYS, 1) as writer:
            for restore in range(30):
                Backup(backup.path, valkey.url).restore(targets[restore % 2], yes)
        backup.commit("what is there in the end")
    replaced = set(replaced_by_others(writer.told))
    known = {(key, codec.encode(entry)) for key, entry in history(backup)}
    assert len(replaced) > 100
    assert sorted(replaced - known) == []


def fill(client: redis.Redis, backup: Backup, version: str) -> str:
    with client.pipeline(transaction=False) as pipe:
        for number, key in enumerate(KEYS):
            if number % 60 == 0:  # is built aside
                pipe.delete(key)
                pipe.rpush(key, *[f"{version} {at}" for at in range(1_100)])
            elif number % 3 or version == "one":
                pipe.delete(key)
                pipe.hset(key, "version", version)
            else:
                pipe.delete(key)
        pipe.execute()
    commit = backup.commit(version).commit
    assert commit is not None
    return commit


def replaced_by_others(log: list[Write]) -> Iterator[tuple[str, bytes]]:
    """The writer's values that it did not replace itself; those that are there to the end too."""
    last: dict[str, int] = {}
    for key, number, replaced in log:
        if key in last and replaced != last[key]:
            yield from named(key, last[key])
        last[key] = number
    for key, number in last.items():
        yield from named(key, number)


def named(key: str, number: int) -> Iterator[tuple[str, bytes]]:
    if (entry := entry_of(number)) is not None:
        yield key, codec.encode(entry)


# 2. No client sees a key torn: missing, half built, without its expiry, or of another type.


@pytest.mark.long
def test_whoever_looks_on_sees_each_key_as_it_was_or_as_it_shall_be(
    server: LiveServer, tmp_path: Path
) -> None:
    backup = Backup(tmp_path / "data", server.url)
    with server.client(decode_responses=True) as client:
        sights: dict[str, set[object]] = {}
        commits = []
        for version in range(2):
            dress(client, version)
            commits.append(backup.commit(str(version)).commit or "")
            for key in client.scan_iter():
                sights.setdefault(key, set()).add(state(client, key))
        with Bystander(look, server.url, [*sights]) as onlooker:
            for at in range(10):
                assert Backup(backup.path, server.url).restore(commits[at % 2], yes).whole
    assert {key: seen - sights[key] for key, seen in onlooker.told.items()} == {
        key: set() for key in sights
    }
    assert onlooker.told == sights


def dress(client: redis.Redis, version: int) -> None:
    """Small values and large ones, each of another type and expiry in the other version."""
    with client.pipeline() as pipe:
        for size in (1, 1_100):
            items = [f"{version} {at}" for at in range(size)]
            puts = [
                lambda key, items=items: pipe.rpush(key, *items),
                lambda key, items=items: pipe.hset(key, mapping=dict.fromkeys(items, "x")),
                lambda key, items=items: pipe.zadd(key, dict.fromkeys(items, version)),
                lambda key, items=items: pipe.sadd(key, *items),
                lambda key, items=items: pipe.set(key, "".join(items)),
            ]
            for at in range(len(puts)):
                for shift in (0, 1):  # the same type, and another
                    key = f"{size}:{at}:{shift}"
                    pipe.delete(key)
                    puts[(at + version * shift) % len(puts)](key)
                    pipe.pexpireat(key, LATER + version * 1000 * DAY)
        pipe.execute()


# 3. The same words finish a restore that was killed or cut off, at whatever moment.

TRIALS = 40


class Accidents:
    """A database with one good commit, to which an accident happens again and again."""

    def __init__(self, server: LiveServer, folder: Path, bare: bool) -> None:
        self.server = server
        self.path = folder / "data"
        self.backup = Backup(self.path, server.url)
        self._client = server.client(decode_responses=True)
        self._put("good")
        self.backup.init(bare=bare)
        self.backup.commit("good")
        assert self.backup.repository is not None
        self._repository = self.backup.repository
        self._tree = self._repository.tree_id("HEAD")
        self._good = self._client.execute_command("DEBUG", "DIGEST")
        self._lost: set[tuple[str, bytes]] = set()

    def _put(self, word: str) -> None:
        with self._client.pipeline() as pipe:
            pipe.flushall()
            for number in range(8):
                pipe.set(f"text:{number}", word, pxat=LATER)
                pipe.hset(f"hash:{number % 4}", word, number)
            for large in ("large:1", "large:2", "large:3"):
                pipe.rpush(large, *[f"{word} {at}" for at in range(300)])
            pipe.sadd(f"only {word}", word)
            pipe.execute()

    def happen(self, number: int) -> None:
        self._put(f"bad {number}")
        self._lost = {
            (name, codec.encode(entry))
            for name, entry in (
                ("text:3", {"type": "string", "value": f"bad {number}",
                            "expires_at": codec.instant(LATER)}),
                ("hash:3", {"type": "hash", "value": {f"bad {number}": "7"}}),
                (f"only bad {number}", {"type": "set", "value": [f"bad {number}"]}),
            )
        }  # fmt: skip

    def restore(self, url: str | None = None) -> None:
        assert Backup(self.path, url or self.server.url).restore("HEAD", yes).whole

    def check(self) -> None:
        """The same words again; then all is as it was, and the accident is in the history."""
        try:
            self.restore()
        except Busy:  # git, which outlives the run that was killed, has moved HEAD just then
            self.restore()
        known = {(key, codec.encode(entry)) for key, entry in history(self.backup, limit=3)}
        assert self._client.execute_command("DEBUG", "DIGEST") == self._good
        assert self._repository.tree_id("HEAD") == self._tree
        assert self._lost - known == set()

    def check_files(self) -> None:
        """Nothing is left in the repository once another run has held it."""
        assert Backup(self.path, self.server.url).commit().commit is None
        assert [*self.path.rglob("tmp_gitbackup-*")] == []


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few keys take many transactions, and large ones a while to be built aside."""
    monkeypatch.setattr("gitbackup.restore.apply.BATCH_KEYS", 3)
    monkeypatch.setattr("gitbackup.restore.apply.NEW_KEYS", 3)
    monkeypatch.setattr("gitbackup.restore.planner.ONE_TRANSACTION", 3)
    monkeypatch.setattr("gitbackup.kinds.list.each", partial(each, most=10))
    monkeypatch.setattr("gitbackup.live.write.key_writer.SENT", 2)


@pytest.mark.long
@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("seed", range(2))
def test_a_restore_killed_at_any_instant_is_finished_by_the_next(
    valkey: LiveServer, tmp_path: Path, seed: int
) -> None:
    chance, accidents = random.Random(seed), Accidents(valkey, tmp_path, bare=False)
    accidents.happen(-1)
    began = time.monotonic()
    os.waitpid(forked(accidents), 0)
    whole = time.monotonic() - began
    for number in range(TRIALS):
        accidents.happen(number)
        child = forked(accidents)
        time.sleep(chance.random() * whole)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        accidents.check()
    accidents.check_files()


def forked(accidents: Accidents) -> int:
    """A process that restores: this one's child, which has loaded all already."""
    child = os.fork()
    if child == 0:
        try:
            accidents.restore()
        finally:
            os._exit(0)
    return child


@pytest.mark.long
@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("seed", range(2))
def test_a_restore_cut_off_at_any_byte_is_finished_by_the_next(
    valkey: LiveServer, tmp_path: Path, seed: int
) -> None:
    chance, accidents = random.Random(seed), Accidents(valkey, tmp_path, bare=True)
    with Proxy(valkey.address, tmp_path / "proxy") as proxy:
        accidents.happen(-1)
        accidents.restore(proxy.url)
        whole = proxy.passed
        for number in range(TRIALS):
            accidents.happen(number)
            proxy.allow(chance.randrange(whole))
            with suppress(GitbackupError):
                accidents.restore(proxy.url)
            accidents.check()
