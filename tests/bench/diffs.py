"""Rows of `diff`: of a hundred changed keys beside git's, and how it grows with their number."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.bench.measure import Run, in_turn, output, run
from tests.bench.report import Report
from tests.bench.stage import Stage, git, remove

MOST = 100_000


def beside_git(stage: Stage, report: Report) -> None:
    """Two commits between which a hundred keys changed."""
    repository = stage.bare()
    stage.commit(repository)
    stage.change(stage.few)
    stage.commit(repository)
    a, b = (git(repository, "rev-parse", name) for name in ("HEAD~1", "HEAD"))
    runs = in_turn(
        stage.repeat,
        engine=lambda: engine(repository, a, b),
        stat=lambda: run("git", "-C", repository, "diff", "--stat", a, b),
        command=lambda: stage.gitbackup("diff", "--repo", repository, a, b),
    )
    remove(repository)
    keys, floor = stage.keys, "git diff --stat"
    engines, command = (
        f"diff of {stage.few} changed keys, {what}" for what in ("engine", "command")
    )
    report.ratio("diff", f"{engines} / {floor}", keys, runs, "engine/stat", 3)
    report.ratio("diff-command", f"{command} / {floor}", keys, runs, "command/stat")
    report.times(keys, runs, engine=engines, stat=floor, command=command)


def by_number(stage: Stage, report: Report) -> None:
    """What a changed key takes among many, and among a hundredth of them or so."""
    many = min(MOST, stage.keys // 10)
    few = max(min(1_000, many // 10), 1)
    repository = stage.bare()
    stage.commit(repository)
    for number in (few, many):
        stage.change(number)
        stage.commit(repository)
    a, b, c = (git(repository, "rev-parse", name) for name in ("HEAD~2", "HEAD~1", "HEAD"))
    runs = in_turn(
        stage.repeat,
        few=lambda: engine(repository, a, b),
        many=lambda: engine(repository, b, c),
    )
    remove(repository)
    pairs = zip(runs["many"], runs["few"], strict=True)
    turns = [(m.seconds / many) / (f.seconds / few) for m, f in pairs]
    what = f"diff: a changed key of {many:,} / one of {few:,}, engine"
    report.figure("linear", what, stage.keys, turns, 1.5, "")
    told = {
        "few": f"diff of {few:,} changed keys, engine",
        "many": f"diff of {many:,} changed keys, engine",
    }
    report.times(stage.keys, runs, **told)


def engine(repository: Path, a: str, b: str) -> Run:
    """The work of the command, without its start."""
    worker = (sys.executable, "-m", "tests.bench.engine")
    return Run(float(output(*worker, repository, a, b)))
