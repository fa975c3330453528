"""How often a commit is one point in time while clients write, as a table; run by hand.

    python -m tests.bench.moment [commits for each line, 100 unless told]

10,000 accounts, transfers between them in MULTI from three processes at 500 and 2,000 a second
and as many as they can. Whenever a commit says that it is one point in time, the sum must hold.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import redis

from gitbackup import Backup
from gitbackup.live.server.embedded import EmbeddedServer
from gitbackup.model.commits import Consistency
from tests.servers import BRANDS, LiveServer
from tests.writers import SUM, balance, fill, writing

RATES = (500, 2_000, 0)
HOW = (Consistency.PER_KEY, Consistency.AUTO, Consistency.PAUSE)
ROW = "{:8} {:>9} {:>10}  {:9} {:>13} {:>6} {:>10} {:>8}"


def transfers(client: redis.Redis) -> int:
    return int(client.info("commandstats").get("cmdstat_decrby", {}).get("calls", 0))


def line(server: LiveServer, folder: Path, rate: int, how: Consistency, commits: int) -> str:
    """One line of the table. Fails where a commit says what is not so."""
    backup = Backup(folder, server.url)
    exact = torn = 0
    took: list[float] = []
    with server.client() as client, writing(server, "bank", rate):
        began, before = time.perf_counter(), transfers(client)
        for _ in range(commits):
            start = time.perf_counter()
            said = backup.commit(allow_empty=True, consistency=how).consistency
            took.append(time.perf_counter() - start)
            exact += said == "point-in-time"
            holds = balance(backup) == SUM
            torn += not holds
            assert holds or said != "point-in-time"
        done = (transfers(client) - before) / (time.perf_counter() - began)
    middle, slowest = sorted(took)[len(took) // 2], max(took)
    share = f"{exact} of {commits}"
    rated = str(rate) if rate else "all"
    return ROW.format(
        server.brand, rated, f"{done:.0f}", how, share, torn, f"{middle:.2f} s", f"{slowest:.2f} s"
    )


def main(commits: int) -> None:
    print(
        ROW.format("server", "asked/s", "done/s", "how", "point-in-time", "torn", "median", "max")
    )
    for brand, program in BRANDS.items():
        for rate in RATES:
            for how in HOW:
                with EmbeddedServer(program(), {}) as embedded, tempfile.TemporaryDirectory() as at:
                    server = LiveServer(brand, embedded.url)
                    fill(server)
                    print(line(server, Path(at) / "data", rate, how, commits), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
