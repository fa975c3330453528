"""The owner's plan, by the very commands of README.md, and each disaster, by those of
docs/recovery.md.

A block of commands is known there by the line before it, such as `<!-- owner: crash -->`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from tests.servers import free_port, program, redis_cli

HOUSE = Path(__file__).parents[1]
BLOCK = re.compile(r"^<!-- owner: ([^>]+) -->\n```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = (HOUSE / "README.md", HOUSE / "docs" / "recovery.md")
BLOCKS = {name: typed for page in PAGES for name, typed in BLOCK.findall(page.read_text("utf-8"))}
PLAN = ("once", "change", "week", "month")
PASSWORD = "correct horse"
CONFIG = f"""\
bind 127.0.0.1
port PORT
requirepass "{PASSWORD}"
daemonize yes
pidfile FOLDER/server.pid
dir redis-data
appendonly yes
appendfsync everysec
save 3600 1 300 100 60 10000
enable-debug-command yes
repl-diskless-sync-delay 0
"""


class Owner:
    """A person with a server of the application's recommended settings, in a folder."""

    def __init__(self, folder: Path, home: Path, brand: str) -> None:
        self.folder, self.home, self.port = folder, home, free_port()
        (folder / "redis-data").mkdir(parents=True)
        config = CONFIG.replace("PORT", str(self.port)).replace("FOLDER", str(folder))
        (folder / "redis.conf").write_text(config)
        (home / "Dropbox").mkdir(parents=True, exist_ok=True)
        self._tools = home / "bin"
        self._tools.mkdir(exist_ok=True)
        cli = f'{redis_cli()} -p {self.port} "$@"'
        ready = f"until {redis_cli()} -p {self.port} PING 2>&1 | grep -q PONG; do sleep 0.02; done"
        self._tool("redis-cli", f"exec {cli}")
        self._tool("redis-server", f'{program(brand)} "$@"\n{ready}')  # as a person would wait
        self._tool("gitbackup", f'exec {sys.executable} -m gitbackup "$@"')

    def _tool(self, name: str, script: str) -> None:
        (self._tools / name).write_text(f"#!/bin/sh -e\n{script}\n")
        (self._tools / name).chmod(0o755)

    @property
    def redis(self) -> redis.Redis:
        return redis.Redis(port=self.port, password=PASSWORD)

    def digest(self) -> object:
        """Of all that the database holds, by the server's own reckoning."""
        with self.redis as client:
            return client.execute_command("DEBUG", "DIGEST")

    def types(self, line: str) -> tuple[int, str]:
        """A line of a shell: its exit code, and what was said."""
        around = {
            **os.environ,
            "HOME": str(self.home),
            "PATH": f"{self._tools}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(HOUSE),
            "REDISCLI_AUTH": PASSWORD,
            "REDIS_URL": f"redis://127.0.0.1:{self.port}",
        }
        with (self.folder / "said").open("w+") as said:  # a pipe would be the server's too
            done = subprocess.run(
                ("sh", "-c", line),
                cwd=self.folder,
                env=around,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        return done.returncode, (self.folder / "said").read_text()

    def follows(self, block: str) -> str:
        """Types what a page has under that name; all that was said."""
        said = ""
        for line in BLOCKS[block].splitlines():
            code, told = self.types(line)
            assert code == 0 or line == "gitbackup check", (line, told)
            said += told
        return said

    def kill(self) -> None:
        """As `kill -9` does, and a loss of power."""
        with suppress(FileNotFoundError, ProcessLookupError):
            number = int((self.folder / "server.pid").read_text())
            os.kill(number, signal.SIGKILL)
            (self.folder / "server.pid").unlink()
            while self._answers():
                time.sleep(0.01)

    def _answers(self) -> bool:
        with suppress(redis.ConnectionError), self.redis as client:
            return bool(client.ping())
        return False


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Owner]:
    """Who followed the plan: all is committed, pushed, saved, and proved."""
    person = Owner(tmp_path / "work", tmp_path / "home", "valkey")
    try:
        person.types("redis-server redis.conf")
        _fill(person)
        for block in PLAN:
            person.follows(block)
        yield person
    finally:
        person.kill()


def _fill(person: Owner) -> None:
    with person.redis as client:
        client.hset("account:eu-1", mapping={"status": "active", "token": b"\xff\x00"})
        client.sadd("account:index", "eu-1", "us-1")
        client.hset("account:us-1", mapping={"status": "active"})
        client.set("config", '{"limits": {"daily": 100}}')
        client.zadd("cost_rank:all", {"eu-1": 0.30000000000000004, "us-1": 2})
        client.rpush("usage:records:eu-1", "one", "two")
        client.xadd("billing:events", {"cost": "1"}, id="1-0")
        client.xgroup_create("billing:events", "billing", "0")
        client.hset("usage:daily:eu-1", mapping={"requests": 17})
        client.pexpireat("usage:daily:eu-1", 4_102_444_800_000)
    with redis.Redis(port=person.port, password=PASSWORD, db=3) as client:
        client.set("elsewhere", "too")


def recovers(person: Owner, block: str, what_was_there: object) -> None:
    """Follows the block; then all is there again, and in HEAD."""
    person.follows(block)
    assert person.digest() == what_was_there
    code, said = person.types("gitbackup commit --dry-run")
    assert (code, said.partition(":")[0]) == (0, "nothing to commit")


def test_every_block_of_the_plan_is_played() -> None:
    """None is on a page that no test here follows."""
    tests = Path(__file__).read_text("utf-8")
    assert [name for name in BLOCKS if f'"{name}"' not in tests] == []


@pytest.mark.long
def test_the_plan_leaves_nothing_bad_to_be_told(owner: Owner) -> None:
    """All is green but for what is truly missing: a second server. Where the tests
    run in a container, its files may go with that."""
    code, said = owner.types("gitbackup check --json")
    verdicts = {risk["check"]: risk["verdict"] for risk in json.loads(said)["risks"]}
    files = verdicts.pop("files")
    assert {name: verdict for name, verdict in verdicts.items() if verdict != "ok"} == {
        "replicas": "warn"
    }
    assert (code, files) in ((0, "ok"), (0, "unknown"), (1, "bad"))
    assert {*verdicts} == {
        *("append-only", "fsync", "rewrite", "save-points", "last-save", "replicas", "memory"),
        *("access", "commit", "push", "rehearsal", "rdb", "secrets"),
    }


@pytest.mark.long
def test_one_account_deleted_by_mistake(owner: Owner) -> None:
    before = owner.digest()
    with owner.redis as client:
        client.delete("account:eu-1")
        client.srem("account:index", "eu-1")
    recovers(owner, "account deleted", before)


@pytest.mark.long
def test_a_wrong_flushall(owner: Owner) -> None:
    before = owner.digest()
    with owner.redis as client:
        client.flushall()
    recovers(owner, "flushall", before)


@pytest.mark.long
def test_a_crash_and_a_lost_append_only_file(owner: Owner) -> None:
    before = owner.digest()
    with owner.redis as client:
        client.save()
    owner.kill()
    shutil.rmtree(owner.folder / "redis-data" / "appendonlydir")
    recovers(owner, "crash", before)


@pytest.mark.long
def test_a_crash_after_a_save_that_is_younger_than_the_last_commit(owner: Owner) -> None:
    with owner.redis as client:
        client.set("config", "changed since")
        client.save()
    before = owner.digest()
    owner.kill()
    shutil.rmtree(owner.folder / "redis-data" / "appendonlydir")
    recovers(owner, "crash, younger file", before)


@pytest.mark.long
def test_the_data_directory_is_deleted(owner: Owner) -> None:
    """Also what was never committed comes back."""
    with owner.redis as client:
        client.set("config", "changed since")
    before = owner.digest()
    shutil.rmtree(owner.folder / "redis-data")
    recovers(owner, "directory deleted", before)


@pytest.mark.long
def test_the_history_is_lost(owner: Owner) -> None:
    """It goes on where it was, with what has changed since."""
    commits = owner.types("git -C data-git-backup rev-parse HEAD")
    with owner.redis as client:
        client.set("config", "changed since")
    before = owner.digest()
    shutil.rmtree(owner.folder / "data-git-backup")
    recovers(owner, "history lost", before)
    assert owner.types("git -C data-git-backup rev-parse HEAD~1") == commits


@pytest.mark.long
def test_the_history_is_lost_and_what_was_pushed_is_encrypted(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes back with the passphrase, and later commits are pushed without it."""
    monkeypatch.setenv("GITBACKUP_PASSPHRASE", "a horse")
    shutil.rmtree(owner.home / "Dropbox")
    (owner.home / "Dropbox").mkdir()
    owner.types("git -C data-git-backup remote remove origin")
    code, said = owner.types("gitbackup push ~/Dropbox --passphrase")
    assert code == 0, said
    before = owner.digest()
    shutil.rmtree(owner.folder / "data-git-backup")
    recovers(owner, "history lost, encrypted", before)
    monkeypatch.delenv("GITBACKUP_PASSPHRASE")
    with owner.redis as client:
        client.set("config", "changed since")
    code, said = owner.types("gitbackup commit")
    assert code == 0, said
    assert "pushed 1 commit to origin" in said


@pytest.mark.long
def test_the_machine_is_lost(owner: Owner, tmp_path: Path) -> None:
    """All that is left is what a cloud drive has of the folder; the rest is another machine's."""
    before = owner.digest()
    owner.kill()
    shutil.copytree(owner.home / "Dropbox", tmp_path / "new home" / "Dropbox")
    shutil.rmtree(owner.folder)
    shutil.rmtree(owner.home)
    other = Owner(tmp_path / "new", tmp_path / "new home", "valkey")
    try:
        recovers(other, "machine lost", before)
    finally:
        other.kill()


@pytest.mark.long
def test_only_an_rdb_file_is_left(owner: Owner) -> None:
    before = owner.digest()
    shutil.rmtree(owner.folder / "data-git-backup")
    shutil.rmtree(owner.home / "Dropbox")
    with owner.redis as client:
        client.flushall()
    recovers(owner, "only an RDB file", before)
