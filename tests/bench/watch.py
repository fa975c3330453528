"""What a commit of a watch takes where ten keys have changed, by the size of the database.

    python -m tests.bench.watch [sizes of databases, 10000 and 1000000 unless told]

As a table: seconds for the first commit, then the median of some commits after which ten keys
have new values, and of some for which ten keys have come and ten gone; and memory, of ours and
of the server. The last line has the ratio of the largest database to the smallest.
"""

from __future__ import annotations

import itertools
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

import redis

from gitbackup import Backup
from gitbackup.commit.commit import CommitResult
from gitbackup.live.server.embedded import EmbeddedServer

COMMITS = 15
KEYS = 10
TOGETHER = 10_000
ROW = "{:>9}  {:5} {:>9} {:>12} {:>14} {:>9} {:>12}"


def name(number: int) -> str:
    """Sessions, accounts and their usage, as many applications have them."""
    return (f"session:{number:08x}", f"account:{number % 5_000}:{number}", f"usage:{number}")[
        number % 3
    ]


def fill(client: redis.Redis, keys: int) -> None:
    for start in range(0, keys, TOGETHER):
        numbers = range(start, min(start + TOGETHER, keys))
        client.mset({name(number): f"value {number}" for number in numbers})


def median(events: object, change: Callable[[], object], commits: int = COMMITS) -> float:
    """Seconds from the change to its commit."""
    took = []
    for _ in range(commits):
        change()
        began = time.perf_counter()
        result = next(event for event in events if isinstance(event, CommitResult))  # type: ignore[attr-defined]
        took.append(time.perf_counter() - began)
        counts = result.summary.counts
        assert counts.added + counts.changed == KEYS
        assert result.consistency == "point-in-time"
    return sorted(took)[len(took) // 2]


def line(keys: int, bare: bool) -> tuple[str, float, float]:
    """One line of the table, and its two medians."""
    chance, numbers = random.Random(keys), itertools.count(keys)
    with EmbeddedServer() as server, tempfile.TemporaryDirectory() as at:
        client = redis.Redis.from_url(server.url)
        fill(client, keys)
        memory = int(client.info("memory")["used_memory"])
        backup = Backup(Path(at) / "data", server.url)
        backup.init(bare=bare)
        began = time.perf_counter()
        events = backup.watch(Event(), quiet=0, max_wait=0)
        next(events)
        next(events)
        first = time.perf_counter() - began

        def values() -> None:
            some = chance.sample(range(keys), KEYS)
            client.mset({name(number): chance.random() for number in some})

        def names() -> None:
            with client.pipeline() as together:
                together.delete(*(name(number) for number in chance.sample(range(keys), KEYS)))
                together.mset({name(next(numbers)): "v" for _ in range(KEYS)})
                together.execute()

        changed, come = median(events, values), median(events, names)
        more = int(client.info("memory")["used_memory"]) - memory
    told = ROW.format(
        f"{keys:,}",
        "bare" if bare else "tree",
        f"{first:.1f} s",
        f"{changed * 1000:.0f} ms",
        f"{come * 1000:.0f} ms",
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB",
        f"{more / 1024:.0f} kB",
    )
    return told, changed, come


def main(words: list[str]) -> None:
    if len(words) == 2 and words[0] == "line":
        size, kind = words[1].split(",")
        told, changed, come = line(int(size), kind == "bare")
        print(told, changed, come, sep="|")
        return
    sizes = sorted(map(int, words)) or [10_000, 1_000_000]
    print(ROW.format("keys", "", "first", "10 changed", "10 come, gone", "ours", "the server's"))
    for kind in ("bare", "tree"):
        medians = []
        for keys in sizes:  # each in a process of its own, for memory's sake
            command = [sys.executable, "-m", "tests.bench.watch", "line", f"{keys},{kind}"]
            out = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
            told, *numbers = out.strip().split("|")
            medians.append([*map(float, numbers)])
            print(told, flush=True)
        ratios = [
            f"{last / first:.2f}" for first, last in zip(medians[0], medians[-1], strict=True)
        ]
        print(f"{kind}: {sizes[-1]:,} keys to {sizes[0]:,}: {' and '.join(ratios)}")


if __name__ == "__main__":
    main(sys.argv[1:])
