"""Every group of rows by the name that `--rows` knows it by, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from tests.bench import cluster, commits, diffs, large, latency, restores, small, starts
from tests.bench.measure import seconds
from tests.bench.report import Report
from tests.bench.stage import Stage

Group = Callable[[Stage, Report], None]

GROUPS: dict[str, Group] = {
    "first": commits.first_commit,
    "others": commits.against_others,
    "changed": commits.changed,
    "diff": diffs.beside_git,
    "linear": diffs.by_number,
    "restore": restores.everything,
    "restore-some": restores.some,
    "small": small.beside_script,
    "cluster": cluster.beside_one_server,
    "latency": latency.latency,
}
"""Those of each size."""

ONCE: dict[str, Group] = {"start": starts.start, "large": large.one_value}
"""Those that have nothing to do with the size of the database."""

NAMES = (*GROUPS, *ONCE)


def across(report: Report) -> None:
    """Rows that compare sizes: memory and time by key must not grow with the number of keys."""
    for verb in ("commit", "restore"):
        of_a_key = [row for row in report.rows if row.name == f"memory-{verb}-key"]
        for less, more in pairwise(of_a_key):
            what = f"memory of {verb} by key / by key at {less.keys:,} keys"
            turns = [more.figure / less.figure]
            report.figure(f"memory-{verb}-growth", what, more.keys, turns, 1.0, "")
    for name in ("bare", "tree", "restore"):
        taken = [each for each in report.taken if each.name == name]
        for small_one, large_one in pairwise(taken):
            if small_one.what != large_one.what:  # that of a small database is another
                continue
            what = f"{large_one.what}: time by key / by key at {small_one.keys:,} keys"
            turns = [
                seconds(large_one.runs)
                / large_one.keys
                / (seconds(small_one.runs) / small_one.keys)
            ]
            report.figure(f"time-{name}-growth", what, large_one.keys, turns, 1.0, "")
