"""What a person would write instead of gitbackup: redis-py, json and git, a file per namespace.

python -m tests.bench.plain_script URL FOLDER
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import redis

TOGETHER = 1_000
Pipe = Any  # redis-py's own types know nothing of what replies hold


def read(pipe: Pipe, key: str, kind: str) -> None:
    """Asks for a key's value."""
    match kind:
        case "string":
            pipe.get(key)
        case "hash":
            pipe.hgetall(key)
        case "list":
            pipe.lrange(key, 0, -1)
        case "set":
            pipe.smembers(key)
        case "zset":
            pipe.zrange(key, 0, -1, withscores=True)
        case "stream":
            pipe.xrange(key)


def batch(pipe: Pipe, keys: list[str]) -> dict[str, dict[str, Any]]:
    """Keys, with their types, how long they have left, and their values."""
    for key in keys:
        pipe.type(key)
        pipe.pttl(key)
    told = pipe.execute()
    kinds, left = told[::2], told[1::2]
    for key, kind in zip(keys, kinds, strict=True):
        read(pipe, key, kind)
    values = (sorted(value) if isinstance(value, set) else value for value in pipe.execute())
    return {
        key: {"type": kind, "ttl": ttl, "value": value}
        for key, kind, ttl, value in zip(keys, kinds, left, values, strict=True)
    }


def main(url: str, folder: Path) -> None:
    client = redis.Redis.from_url(url, decode_responses=True, encoding_errors="backslashreplace")
    pipe = client.pipeline(transaction=False)
    keys = sorted(client.scan_iter(count=TOGETHER))
    files: dict[str, dict[str, Any]] = defaultdict(dict)
    for start in range(0, len(keys), TOGETHER):
        for key, held in batch(pipe, keys[start : start + TOGETHER]).items():
            files[key.partition(":")[0]][key] = held
    folder.mkdir()
    for name, held in files.items():
        text = json.dumps(held, indent=2, sort_keys=True, ensure_ascii=False)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    person = ("-c", "user.name=a person", "-c", "user.email=a@example.org")
    for words in (["init", "--quiet"], ["add", "."], [*person, "commit", "--quiet", "-m", "all"]):
        subprocess.run(["git", *words], cwd=folder, check=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
