"""Rows of commands that take no longer than their start."""

from __future__ import annotations

import sys

from tests.bench.measure import Run, in_turn, output, run
from tests.bench.report import Report
from tests.bench.stage import Stage, remove

COMMITS, TIMES = 10, 5
HISTORY = """
import sys
from gitbackup import Backup
backup = Backup(sys.argv[1], sys.argv[2])
for number in range(int(sys.argv[3])):
    backup.commit(f"number {number}", allow_empty=True)
"""
"""That many commits, in one process."""


def start(stage: Stage, report: Report) -> None:
    """`--help` and `log`, five times as often as other rows."""
    repository = stage.bare()
    output(sys.executable, "-c", HISTORY, repository, stage.live.url, str(COMMITS))
    tenth = ("log", "-n", "10")

    def python() -> Run:
        return run(sys.executable, "-c", "pass")

    def log() -> Run:
        return stage.gitbackup(*tenth, "--repo", repository)

    def both() -> Run:
        return Run(python().seconds + run("git", "-C", repository, *tenth).seconds)

    def helped() -> Run:
        return stage.gitbackup("--help")

    for warm_up in (log, helped):
        warm_up()
    contestants = {"python": python, "help": helped, "both": both, "log": log}
    runs = in_turn(stage.repeat * TIMES, **contestants)
    remove(repository)
    bare, git = "python -c pass", "git log -n 10"
    report.ratio("help", f"gitbackup --help / {bare}", 0, runs, "help/python", 5)
    report.ratio("log", f"gitbackup log -n 10 / {bare} and {git}", 0, runs, "log/both", 12)
    told = {"python": bare, "help": "gitbackup --help", "log": "gitbackup log -n 10"}
    report.times(0, runs, both=f"{bare} and {git}", **told)
