"""Every group of rows by the name that `--rows` knows it by, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from tests.bench import cluster, commits, diffs, latency, restores, starts
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
    "cluster": cluster.beside_one_server,
    "latency": latency.latency,
}
"""Those of each size."""

ONCE: dict[str, Group] = {"start": starts.start}
"""Those that have nothing to do with the size of the database."""

NAMES = (*GROUPS, *ONCE)


def across(report: Report) -> None:
    """Rows that compare sizes: memory by key must not grow with the number of keys."""
    for verb in ("commit", "restore"):
        of_a_key = [row for row in report.rows if row.name == f"memory-{verb}-key"]
        for small, large in pairwise(of_a_key):
            what = f"memory of {verb} by key / by key at {small.keys:,} keys"
            turns = [large.figure / small.figure]
            report.figure(f"memory-{verb}-growth", what, large.keys, turns, 1.0, "")
