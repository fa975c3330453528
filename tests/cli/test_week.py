"""A week in the life of an owner: an API key is added, mislaid and brought back while traffic goes
on; a script removes most keys; the history is pushed encrypted, and a new machine is made of it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from tests.cli.test_encrypted_push import new_key
from tests.cli.test_restore_txt import commands, run
from tests.cli.user import User
from tests.meanwhile import meanwhile
from tests.servers import LiveServer, StartServer
from tests.store.plain import git

RANKS = tuple(f"cost_rank:{period}" for period in ("today", "7days", "30days", "all"))
MAP, INDEX = "apikey:hash_map", "apikey:idx:createdAt"
KEYS = range(30)
ALARMED, CONFLICTS = 4, 3  # exit codes


def add_api_key(client: redis.Redis, number: int) -> None:
    """As the application does it: the key, where it is looked up, listed, and ranked."""
    with client.pipeline() as pipe:
        pipe.hset(f"apikey:{number}", mapping={"name": f"用户{number}", "limits": '{"daily":100}'})
        pipe.hset(MAP, f"hash-{number}", number)
        pipe.zadd(INDEX, {str(number): number})
        for rank in RANKS:
            pipe.zadd(rank, {str(number): 0})
        pipe.execute()


def delete_api_key(client: redis.Redis, number: int) -> None:
    with client.pipeline() as pipe:
        pipe.delete(f"apikey:{number}")
        pipe.hdel(MAP, f"hash-{number}")
        for ranked in (INDEX, *RANKS):
            pipe.zrem(ranked, number)
        pipe.execute()


@contextmanager
def traffic(server: LiveServer) -> Iterator[None]:
    """Requests of one API key are counted, without pause."""

    def go_on(stop: threading.Event) -> None:
        with server.client() as client:
            while not stop.wait(0.002):
                with client.pipeline() as pipe:
                    pipe.hincrby("usage:1:total", "requests", 1)
                    pipe.incrby("requests", 1)
                    pipe.execute()

    with meanwhile(go_on):
        yield


def knows(client: redis.Redis, number: int) -> list[bool]:
    """Whether each place that an API key is in has it."""
    places = [client.zscore(place, number) is not None for place in (INDEX, *RANKS)]
    return [bool(client.exists(f"apikey:{number}")), client.hexists(MAP, f"hash-{number}"), *places]


@pytest.mark.long
def test_a_week(user: User, start_server: StartServer) -> None:
    one = user.redis
    for number in KEYS:
        add_api_key(one, number)
    one.set("config", '{"limits":{"daily":10}}')
    user.says("init", "--url", user.server.url, "--quiet", "usage:*")
    user.says("commit", "-m", "set up")

    with traffic(user.server):
        # an API key is added; an automatic commit came first, so the reason comes after
        add_api_key(one, 77)
        user.says("commit")
        assert "added a customer" in user.says("commit", "--amend", "-m", "added a customer")

        # it is mislaid, and traffic goes on before anybody sees it
        delete_api_key(one, 77)
        assert knows(one, 77) == [False] * 7
        user.says("commit", "-m", "cleaned up")
        mistake = git(user.repo, "rev-parse", "HEAD")
        one.zincrby("cost_rank:today", 0.25, "1")
        user.says("commit", "-m", "an hour of traffic")
        counted = int(one.get("requests") or 0)
        done = user.run("revert", mistake, "--yes")
        assert (done.code, knows(one, 77)) == (CONFLICTS, [True] * 7), done.out + done.err
        assert int(one.get("requests") or 0) >= counted
        assert one.zscore("cost_rank:today", "1") == 0.25

    # a script removes most of what there is: the commit is made, and everybody is told
    user.says("commit", "-m", "before the night")
    one.delete(*(f"apikey:{number}" for number in KEYS))
    done = user.run("commit", "-m", "nightly job")
    assert (done.code, "30" in done.err) == (ALARMED, True)
    assert "removed" in user.run("check", "--quick").out
    user.says("restore", "HEAD~1", "--yes")
    assert sum(map(one.exists, (f"apikey:{number}" for number in KEYS))) == len(KEYS)
    assert user.says("status").endswith("nothing changed since\n")

    # what leaves the machine is locked
    Path("cloud").mkdir()
    assert user.run("push", "cloud", "--encrypt-to", new_key("KEY.txt")).code == 0
    assert all(b"apikey" not in file.read_bytes() for file in Path("cloud").glob("*.age"))

    # the machine is lost: its history comes back from the folder and the key, with and without us
    told = Path("cloud/RESTORE.txt").read_text("utf-8")
    for number, lines in enumerate(commands(told)):
        machine, folder = start_server("valkey"), Path(f"new-{number}").absolute()
        shutil.copytree("cloud", folder)
        shutil.copy("KEY.txt", folder)
        for line in lines:
            if not line.startswith(("pip ", "pipx ")):
                run(folder, line, machine)
        with machine.client() as client:
            digests = [each.execute_command("DEBUG", "DIGEST") for each in (one, client)]
        assert digests[0] == digests[1]
