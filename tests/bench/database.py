"""A made-up database in the shape of a real one: a relay that sells access to language models.

Written as commands (RESP), the same bytes for the same number of keys. Of 100 keys 40 are usage
hashes with an expiry, 20 sessions holding JSON, 20 float counters, 5 API keys of 44 fields, 5
lists of JSON, 5 sets, and 5 are accounts or sorted sets. One stream has a tenth as many entries
as there are keys; a few indexes name every API key.

Whatever belongs to a user follows from the user's number, so that `changes` can tell commands
that change so many keys without making the whole database up again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from random import Random

from tests.bench import people
from tests.bench.people import MODELS, User

FAR = 4_102_444_800_000
"""The year 2100 in milliseconds: no key expires while we measure."""

OF_A_USER = 20
"""Keys."""

LEAST = 100
MOST_ENTRIES = 100_000
TOGETHER = 1_000  # pairs of a large hash, members, or entries in a command
COUNTS = (
    *("allTokens", "cacheCreateTokens", "cacheReadTokens", "ephemeral1hTokens"),
    *("ephemeral5mTokens", "inputTokens", "outputTokens", "requests"),
)
MONTH = "2026-11"

Words = tuple[str | int, ...]


def command(*words: str | bytes | int) -> bytes:
    """One command as a client sends it."""
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(p), p) for p in parts)


def write(path: Path, keys: int) -> None:
    """The whole database as one file of commands."""
    with path.open("wb", buffering=1 << 20) as file:
        file.writelines(commands(keys))


def commands(keys: int) -> Iterator[bytes]:
    """What makes a database of so many keys, at least a hundred, in an empty server."""
    yield from _indexes(keys)
    left = keys - len(SINGLE)
    for number in range(-(-left // OF_A_USER)):
        yield from _of_user(User(number))[: left - number * OF_A_USER]


def users(keys: int) -> int:
    """How many there are that have all their keys."""
    return (keys - len(SINGLE)) // OF_A_USER


def changes(keys: int, count: int, turn: int) -> Iterator[bytes]:
    """Commands that change `count` keys, others and otherwise each turn; at most a quarter."""
    chance = Random(turn)
    for place in chance.sample(range(users(keys) * len(CHANGES)), count):
        number, which = divmod(place, len(CHANGES))
        yield CHANGES[which](User(number), turn)


def _of_user(user: User) -> list[bytes]:
    """A user's keys; each with its expiry, where it has one, in one piece."""
    usage = [_expiring(_usage(user, key), key, user) for key in _usage_keys(user)]
    return [
        command("HSET", f"apikey:{user.id}", *people.api_key(user)),
        *usage,
        *(_session(user, n) for n in range(4)),
        *(_cost(user, key) for key in _cost_keys(user)),
        command("RPUSH", f"usage:records:{user.id}", *(_record(user, n) for n in range(3))),
        command("SADD", f"usage:models:index:{user.id}", *MODELS[: 1 + user.number % 3]),
        _last(user),
    ]


def _usage_keys(user: User) -> list[str]:
    first, second = user.day, user.day - 1
    model, other = user.model, MODELS[(user.number + 1) % 3]
    return [
        *(f"usage:daily:{user.id}:{MONTH}-{day:02}" for day in (first, second)),
        f"usage:hourly:{user.id}:{MONTH}-{first:02}:{user.number % 24:02}",
        f"usage:monthly:{user.id}:{MONTH}",
        *(f"usage:{user.id}:model:daily:{m}:{MONTH}-{first:02}" for m in (model, other)),
        f"usage:{user.id}:model:hourly:{model}:{MONTH}-{first:02}:{user.number % 24:02}",
        f"usage:{user.id}:model:monthly:{model}:{MONTH}",
    ]


def _usage(user: User, key: str) -> bytes:
    counts = (word for name in COUNTS for word in (name, user.below(100_000)))
    return command("HSET", key, *counts)


def _cost_keys(user: User) -> list[str]:
    day = f"{MONTH}-{user.day:02}"
    return [
        f"usage:cost:daily:{user.id}:{day}",
        f"usage:cost:hourly:{user.id}:{day}:{user.number % 24:02}",
        f"usage:cost:monthly:{user.id}:{MONTH}",
        f"usage:cost:total:{user.id}",
    ]


def _cost(user: User, key: str) -> bytes:
    """A sum of tenths of a cent, as floats add them up: 0.30000000000000004."""
    total = sum(user.below(90) / 10 for _ in range(3))
    told = command("SET", key, repr(total))
    return told if ":total:" in key else _expiring(told, key, user)


def _session_key(user: User, n: int) -> str:
    return f"{'sticky_session' if n == 3 else 'session'}:{user.token(f'session{n}', 32)}"


def _session(user: User, n: int, turn: int = 0) -> bytes:
    key = _session_key(user, n)
    held = {
        "userId": user.id,
        "username": user.name,
        "createdAt": user.moment,
        "model": user.model,
        "requests": turn,
        "limits": {"daily": 250, "models": {"opus": 5, "sonnet": 50}},
    }
    return _expiring(command("SET", key, _json(held)), key, user)


def _record(user: User, n: int) -> str:
    cost = user.below(300) / 1_000
    tokens = {"inputTokens": user.below(2_000), "outputTokens": user.below(900)}
    return _json({"timestamp": user.moment, "n": n, "model": user.model, "cost": cost, **tokens})


def _last(user: User) -> bytes:
    """Every other user has an account, the others requests that run."""
    if user.number % 2:
        return command("HSET", f"claude:account:{user.account}", *people.account(user))
    leases = (word for n in range(3) for word in (FAR + n, f"req-{user.below(10_000)}-{n}"))
    return command("ZADD", f"concurrency:{user.id}", *leases)


def _expiring(told: bytes, key: str, user: User) -> bytes:
    return told + command("PEXPIREAT", key, FAR + user.number * 977 + len(key))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


CHANGES: tuple[Callable[[User, int], bytes], ...] = (
    lambda user, turn: command("HINCRBY", _usage_keys(user)[0], "requests", turn + 1),
    lambda user, turn: command("INCRBYFLOAT", f"usage:cost:total:{user.id}", f"0.{turn + 1}1"),
    lambda user, turn: command("HSET", f"apikey:{user.id}", "lastUsedAt", f"{user.moment}+{turn}"),
    lambda user, turn: command("RPUSH", f"usage:records:{user.id}", _record(user, turn + 3)),
    lambda user, turn: _session(user, 0, turn + 1),
)
"""What a request changes of a user's keys: a quarter of them, each in a way of its own."""


def _indexes(keys: int) -> Iterator[bytes]:
    """The keys that there is one of, whatever the size."""
    yield from _entries(keys)
    for verb, key, of_user in INDEXES:
        yield from _in_parts(verb, key, map(of_user, map(User, range(users(keys)))))
    for key, held in people.SETTINGS.items():
        yield command("SET", key, _json(held))
    admin = ("username", "cr_admin", "passwordHash", "$2b$10$abcdefghijklmnopqrstuv")
    yield command("HSET", "session:admin_credentials", *admin)


def _in_parts(verb: str, key: str, pairs: Iterator[Words]) -> Iterator[bytes]:
    while words := [word for pair in islice(pairs, TOGETHER) for word in pair]:
        yield command(verb, key, *words)


def _entries(keys: int) -> Iterator[bytes]:
    """The stream of what was billed."""
    for n in range(min(keys // 10, MOST_ENTRIES)):
        user = User(n % users(keys))
        yield command(
            "XADD", "billing:events", f"{1_795_331_417_871 + n}-0", "data", _event(user, n)
        )


def _event(user: User, n: int) -> str:
    tokens = {"inputTokens": n * 7 % 2_000, "outputTokens": n * 3 % 900, "cacheReadTokens": n % 50}
    return _json(
        {
            "eventId": f"1795331417871-{n:09x}",
            "eventType": "usage.recorded",
            "timestamp": user.moment,
            "version": "1.0",
            "apiKey": {"id": user.id, "name": None, "userId": None},
            "usage": {"model": user.model, **tokens},
            "cost": {"total": n % 1_000 / 1_000, "currency": "USD", "breakdown": tokens},
            "account": {"id": user.account, "type": "claude-official"},
            "context": {"isLongContext": False, "requestTimestamp": user.moment},
        }
    )


INDEXES: tuple[tuple[str, str, Callable[[User], Words]], ...] = (
    ("HSET", "apikey:hash_map", lambda user: (user.token("key", 64), user.id)),
    ("ZADD", "apikey:idx:name", lambda user: (0, f"{user.name}\0{user.id}")),
    ("ZADD", "apikey:idx:createdAt", lambda user: (1_795_331_417_776 + user.number, user.id)),
    ("ZADD", "cost_rank:all", lambda user: (repr(user.below(900) / 7), user.id)),
    ("SADD", "claude:account:index", lambda user: (user.account,) if user.number % 2 else ()),
)
"""Keys with something about every user."""

SINGLE = (
    *("billing:events", "session:admin_credentials", *people.SETTINGS),
    *(key for _, key, _ in INDEXES),
)
"""The keys that do not belong to one user."""
