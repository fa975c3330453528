"""Every group of rows by the name that `--rows` knows it by, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from tests.bench import cluster, commits, diffs, large, latency, restores, small, starts
from tests.bench.report import Report
from tests.bench.stage import Stage

Group = Callable[[Stage, Report], None]

GROUPS: dict[str, Group] = {
    "small": small.beside_script,
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

ONCE: dict[str, Group] = {"start": starts.start, "large": large.one_value}
"""Those that have nothing to do with the size of the database."""

NAMES = (*GROUPS, *ONCE)


def across(report: Report) -> None:
    """Rows that compare sizes: memory by key must not grow with the number of keys."""
    for verb in ("commit", "restore"):
        of_a_key = [row for row in report.rows if row.name == f"memory-{verb}-key"]
        for less, more in pairwise(of_a_key):
            what = f"memory of {verb} by key / by key at {less.keys:,} keys"
            turns = [more.figure / less.figure]
            report.figure(f"memory-{verb}-growth", what, more.keys, turns, 1.0, "")
