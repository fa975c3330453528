"""What other clients of the server notice of a commit, and of what else keeps the machine busy."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable

from tests.bench import peers
from tests.bench.measure import surroundings
from tests.bench.report import Report
from tests.bench.stage import Stage, remove

SHORTEST = 0.3  # seconds for which it is looked at
BUSY = "while True: pass"


def latency(stage: Stage, report: Report) -> None:
    """The 99th percentile of a PING a millisecond: during a commit, above that of an idle server.

    Also while the server makes its own copy, and while every core computes and no client but
    the PING is there: a machine that is busy is slow without the server's doing.
    """
    cli = peers.redis_cli(report)
    turns = [_turn(stage, cli) for _ in range(stage.repeat)]
    what = "p99 of a PING during {}, above idle"
    told = {"commit": "a commit", "rdb": "redis-cli --rdb", "busy": "mere computing on all cores"}
    for name, words in told.items():
        if name in turns[0]:
            above = [turn[name] - turn["idle"] for turn in turns]
            goal = 5.0 if name == "commit" else None
            report.figure(f"latency-{name}", what.format(words), stage.keys, above, goal, "ms")


def _turn(stage: Stage, cli: str | None) -> dict[str, float]:
    """That percentile in each case, each looked at for as long as a commit takes."""
    repository = stage.bare()
    began = time.monotonic()
    waits = {"commit": pinged(stage, lambda: stage.commit(repository))}
    moment = max(time.monotonic() - began, SHORTEST)
    remove(repository)
    waits["idle"] = pinged(stage, lambda: time.sleep(moment))
    waits["busy"] = pinged(stage, lambda: busy(moment))
    if cli:
        waits["rdb"] = pinged(stage, lambda: copies(cli, stage, moment))
    return waits


def pinged(stage: Stage, work: Callable[[], object]) -> float:
    """That percentile in milliseconds, while some work is done."""
    words = (sys.executable, "-m", "tests.bench.pinger", str(stage.live.socket))
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=surroundings()) as pinger:
        assert pinger.stdout
        try:
            assert pinger.stdout.readline() == "begun\n"
            work()
        finally:
            pinger.terminate()
        return float(pinger.stdout.read())


def copies(cli: str, stage: Stage, moment: float) -> None:
    """One after the other for so long: a single one may be over at once."""
    end = time.monotonic() + moment
    while time.monotonic() < end:
        peers.rdb(cli, stage)


def busy(moment: float) -> None:
    """Every core at work for so many seconds."""
    words = (sys.executable, "-c", BUSY)
    workers = [subprocess.Popen(words) for _ in range(os.cpu_count() or 1)]
    time.sleep(moment)
    for worker in workers:
        worker.kill()
        worker.wait()
