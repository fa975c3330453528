"""Another client, which asks a thousand times a second; prints its 99th percentile, in ms.

    python -m tests.bench.pinger SOCKET

It says that it has begun, and goes on until SIGTERM. A ping that is due while the last one
waits for its reply waits too, and counts so.
"""

from __future__ import annotations

import signal
import socket
import sys
import time

EACH = 0.001  # seconds
PING, PONG = b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"


def waits(path: str) -> list[float]:
    """How long each took, in seconds."""
    over: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: over.append(number))
    took: list[float] = []
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(path)
        print("begun", flush=True)
        due = time.perf_counter()
        while not over:
            due = max(due + EACH, time.perf_counter())
            time.sleep(max(due - time.perf_counter(), 0))
            began = time.perf_counter()
            line.sendall(PING)
            assert line.recv(64) == PONG
            took.append(time.perf_counter() - began)
    return took


def with_those_due(took: list[float]) -> list[float]:
    """And those that were to be sent meanwhile, which waited for the rest of that time."""
    return [wait - n * EACH for wait in took for n in range(int(wait / EACH) + 1)]


def percentile(waits: list[float], share: float) -> float:
    return sorted(waits)[min(int(len(waits) * share), len(waits) - 1)]


if __name__ == "__main__":
    print(percentile(with_those_due(waits(sys.argv[1])), 0.99) * 1_000)
