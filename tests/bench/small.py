"""Rows of a small database: commands beside a plain script, which takes about as long to start."""

from __future__ import annotations

from tests.bench import peers
from tests.bench.measure import Run, in_turn
from tests.bench.report import Report
from tests.bench.stage import Stage, remove

GOALS = {"commit": 1.2, "status": 1.05, "diff": 1.05, "restore": 1.5, "undo": 1.8}
MOST = 10_000
"""Keys beyond which it is no small database."""


def beside_script(stage: Stage, report: Report) -> None:
    """Each command, a person's first ones; a few keys differ where that matters."""
    if stage.keys > MOST:
        report.leave_out(f"over {MOST:,} keys: no rows of a small database")
        return
    repository = stage.new("tree")
    stage.commit(repository)
    to = ("--repo", repository, "--url", stage.live.url)

    def restore() -> Run:
        stage.change(stage.few // 10)
        return stage.gitbackup("restore", "HEAD", "--yes", *to)

    stage.change(stage.few // 10)
    runs = in_turn(
        stage.repeat,
        script=lambda: peers.plain_script(stage),
        commit=lambda: stage.commit(stage.new("tree")),
        status=lambda: stage.gitbackup("status", *to),
        diff=lambda: stage.gitbackup("diff", *to),
        restore=restore,
        undo=lambda: stage.gitbackup("undo", "--yes", *to),
    )
    remove(repository)
    script = "a plain redis-py script and git"
    for name, goal in GOALS.items():
        what = f"{name} of a small database / {script}"
        report.ratio(f"small-{name}", what, stage.keys, runs, f"{name}/script", goal)
    told = {name: f"{name} of a small database" for name in GOALS}
    report.times(stage.keys, runs, script=script, **told)
