"""Other clients of a server, each a process of its own: one that writes, one that looks on."""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import redis

from gitbackup.format import codec
from gitbackup.model.keys import Entry

FORK = multiprocessing.get_context("fork")
LATER = 4_102_444_800_000
DAY = 86_400  # seconds
TYPES = ("string", "hash", "list", "set", "zset")


class Bystander(AbstractContextManager["Bystander"]):
    """Runs `work(url, stopped)` beside the test, and has in `told` what that returns."""

    def __init__(self, work: Callable[..., Any], url: str, *rest: Any) -> None:
        self.told: Any = None
        self._ours, theirs = FORK.Pipe()
        self._process = FORK.Process(target=_work, args=(theirs, work, url, *rest))

    def __enter__(self) -> Bystander:
        self._process.start()
        assert self._ours.recv() == "ready"
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.send("stop")
        self.told = self._ours.recv()
        self._process.join()


def _work(theirs: Connection, work: Callable[..., Any], url: str, *rest: Any) -> None:
    client = redis.Redis.from_url(url, decode_responses=True)
    client.ping()
    theirs.send("ready")
    theirs.send(work(client, theirs.poll, *rest))


class Write(NamedTuple):
    """The writer's nth value went to a key; `replaced` is which of its values was there, if any."""

    key: str
    number: int
    replaced: int | None


def entry_of(number: int) -> Entry | None:
    """The writer's nth value as a snapshot stores it. Every seventh is that the key goes."""
    if number % 7 == 0:
        return None
    type_, text = TYPES[number % 5], str(number)
    values = {"string": text, "hash": {"n": text}, "zset": {text: 1}}
    entry: Entry = {"type": type_, "value": values.get(type_, [text])}
    if number % 3 == 0:
        entry["expires_at"] = codec.instant(LATER + number)
    return entry


def write(
    client: redis.Redis, stopped: Callable[[], bool], keys: Sequence[str], seed: int
) -> list[Write]:
    """Writes to random keys, as fast as it can; each write tells what it replaced."""
    chance, log, number = random.Random(seed), [], 0
    while not stopped():
        number += 1
        key = chance.choice(keys)
        with client.pipeline() as pipe:
            pipe.get(key).hget(key, "n").lindex(key, 0).srandmember(key).zrange(key, 0, 0)
            pipe.delete(key)
            _put(pipe, key, number)
            replies = pipe.execute(raise_on_error=False)
        log.append(Write(key, number, _number(replies[:5])))
    return log


def _put(pipe: Any, key: str, number: int) -> None:
    entry = entry_of(number)
    if entry is None:
        return
    put = {
        "string": lambda: pipe.set(key, number),
        "hash": lambda: pipe.hset(key, "n", number),
        "list": lambda: pipe.rpush(key, number),
        "set": lambda: pipe.sadd(key, number),
        "zset": lambda: pipe.zadd(key, {str(number): 1}),
    }
    put[entry["type"]]()
    if "expires_at" in entry:
        pipe.pexpireat(key, LATER + number)


def _number(replies: Sequence[Any]) -> int | None:
    """The number in the one reply that has one; errors are of the types that the key has not."""
    texts = [reply[0] if isinstance(reply, list) and reply else reply for reply in replies]
    found = [int(text) for text in texts if isinstance(text, str) and text.isdecimal()]
    return found[0] if found else None


State = tuple[str, int, str]


def look(
    client: redis.Redis, stopped: Callable[[], bool], keys: Sequence[str]
) -> dict[str, set[State]]:
    """Looks at the keys all the time: each state that each was seen in, whole, at one moment."""
    seen: dict[str, set[State]] = {key: set() for key in keys}
    while not stopped():
        for key in keys:
            seen[key].add(state(client, key))
    return seen


def state(client: redis.Redis, key: str) -> State:
    """A key's type, the day on which it expires, and the server's own digest of its value."""
    with client.pipeline() as pipe:
        pipe.type(key).pttl(key).time().execute_command("DEBUG", "DIGEST-VALUE", key)
        type_, left, (now, _), (digest,) = pipe.execute()
    return type_, round(now / DAY + left / DAY / 1000), digest
