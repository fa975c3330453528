"""How much room a year of daily commits takes, as a table; run by hand, it takes minutes.

    python -m tests.bench.year [keys, 1000 unless told] [days, 365 unless told]

A relay server's database, made up from a seed: API keys and accounts that a person edits now and
then, and for each key that was used on a day its counters (32 days), its totals, its latest 200
requests (a list) and sessions (7 days). Each day is a commit of all, and one without what traffic
leaves behind. Sizes are those of the `.git` folders, in MB.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import redis

from gitbackup import Backup
from gitbackup.live.server.embedded import EmbeddedServer
from tests.store.plain import git

FIRST = datetime(2040, 1, 1, tzinfo=UTC)  # in the future: what expires does so when we say so
KEYS_A_USER = 65  # once the first month is over
USED = 0.6  # of the API keys, on a day
REQUESTS, LATEST = 8, 200  # of a key on a day; how many of them are kept
MODELS = ("claude-opus-4", "claude-sonnet-4", "claude-haiku-4")
COUNTS = ("requests", "tokens", "inputTokens", "outputTokens", "cacheReadTokens", "allTokens")
NOISE = ("usage:*", "account_usage:*", "sticky_session:*", "session:*", "cost_rank:*")
LIMITS = {"daily": 250, "hourly": 10, "concurrency": 5}
Fields = dict[Any, Any]  # redis-py takes no dict of str
ROW = "{:32} {:>11} {:>9} {:>12} {:>9}"


class Relay:
    """A database that goes on for a day at a time."""

    def __init__(self, client: redis.Redis, keys: int) -> None:
        self._client = client
        self._random = random.Random(1)
        self._users = [self._uuid() for _ in range(max(keys // KEYS_A_USER, 1))]
        self._accounts = [self._uuid() for _ in range(len(self._users) // 5 + 1)]
        self._ends: dict[int, list[str]] = defaultdict(list)
        with client.pipeline(transaction=False) as pipe:
            for user in self._users:
                pipe.hset(f"apikey:{user}", mapping=self._api_key(user))
                pipe.hset("apikey:hash_map", self._token(32), user)
            for account in self._accounts:
                pipe.sadd("claude:account:index", account)
                pipe.hset(f"claude:account:{account}", mapping=self._account())
            pipe.execute()

    def _uuid(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def _token(self, length: int) -> str:
        return self._random.randbytes(length).hex()

    def _api_key(self, user: str) -> Fields:
        fields = {f"setting{n}": str(self._random.randrange(2)) for n in range(36)}
        return fields | {"id": user, "name": f"key {user[:4]}", "limits": json.dumps(LIMITS)}

    def _account(self) -> Fields:
        fields = {f"setting{n}": str(self._random.randrange(2)) for n in range(26)}
        return fields | {"accessToken": self._token(120), "refreshToken": self._token(120)}

    def live(self, day: int) -> None:
        """What happens on that day, the first being 0."""
        with self._client.pipeline(transaction=False) as pipe:
            for key in self._ends.pop(day, ()):
                pipe.delete(key)
            for user in self._users:
                if self._random.random() < USED:
                    self._use(pipe, user, day)
            for account in self._accounts:  # its tokens are made anew, as each day
                pipe.hset(f"claude:account:{account}", "accessToken", self._token(120))
            if day % 10 == 0:  # what a person does
                limits = LIMITS | {"daily": self._random.randrange(100, 500)}
                pipe.set("claude_relay_config", json.dumps(limits))
            if day % 7 == 0:
                user = self._random.choice(self._users)
                pipe.hset(f"apikey:{user}", "name", f"key {self._token(3)}")
            pipe.execute()

    def _use(self, pipe: redis.client.Pipeline, user: str, day: int) -> None:
        date = f"{FIRST + timedelta(days=day):%Y-%m-%d}"
        model, cost = self._random.choice(MODELS), self._random.random()
        counts: Fields = {name: self._random.randrange(100_000) for name in COUNTS}
        for key in (f"usage:daily:{user}:{date}", f"usage:{user}:model:daily:{model}:{date}"):
            pipe.hset(key, mapping=counts)
            self._expire(pipe, key, day, 32)
        pipe.set(f"usage:cost:daily:{user}:{date}", repr(cost))
        self._expire(pipe, f"usage:cost:daily:{user}:{date}", day, 32)
        for name, count in counts.items():
            pipe.hincrby(f"usage:{user}", name, count)
        pipe.incrbyfloat(f"usage:cost:total:{user}", cost)
        pipe.zincrby("cost_rank:all", cost, user)
        for n in range(REQUESTS):
            request = {"timestamp": f"{date}T10:00:0{n}.000Z", "model": model, **counts}
            pipe.rpush(f"usage:records:{user}", json.dumps(request | {"id": self._token(8)}))
        pipe.ltrim(f"usage:records:{user}", -LATEST, -1)
        pipe.hset(f"apikey:{user}", "lastUsedAt", f"{date}T10:00:00.{n:03}Z")
        session = f"session:{self._token(16)}"
        pipe.hset(session, mapping={"user": user, "createdAt": date})
        self._expire(pipe, session, day, 7)

    def _expire(self, pipe: redis.client.Pipeline, key: str, day: int, days: int) -> None:
        pipe.expireat(key, FIRST + timedelta(days=day + days))
        self._ends[day + days].append(key)


def megabytes(repository: Path) -> str:
    """Of the folder that git keeps everything in."""
    files = (repository / ".git").rglob("*")
    return f"{sum(file.stat().st_size for file in files if file.is_file()) / 1e6:,.1f}"


def row(told: str, repository: Path, commits: int) -> str:
    """One line of the table."""
    left = megabytes(repository)
    git(repository, "gc", "--quiet")
    collected = megabytes(repository)
    shallow = repository.with_name(f"{repository.name}-shallow")
    words = ("git", "clone", "--quiet", "--depth", "30", f"file://{repository}", str(shallow))
    subprocess.run(words, check=True)
    return ROW.format(told, left, collected, megabytes(shallow), commits)


def main(folder: Path, keys: int, days: int) -> None:
    with EmbeddedServer() as server, redis.Redis.from_url(server.url) as client:
        relay = Relay(client, keys)
        everything, edited = (Backup(folder / name, server.url) for name in ("all", "edited"))
        edited.init(exclude=NOISE)
        everything.init()
        for day in range(days):
            relay.live(day)
            for backup in (everything, edited):
                backup.commit(f"day {day}")
        found = client.dbsize()
    print(f"{found:,} keys, {days:,} days")
    print(ROW.format("MB of .git", "as it is", "git gc", "--depth 30", "commits"))
    for told, backup in (("everything", everything), ("without counters, sessions", edited)):
        commits = int(git(backup.path, "rev-list", "--count", "HEAD"))
        print(row(told, backup.path, commits))


if __name__ == "__main__":
    asked = [int(word) for word in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(temporary), *asked, *(1_000, 365)[len(asked) :])
