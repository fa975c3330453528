"""Rows of `restore`: of everything into an empty server, and of a hundred keys."""

from __future__ import annotations

from tests.bench import peers
from tests.bench.commits import memory
from tests.bench.measure import Run, in_turn
from tests.bench.report import Report
from tests.bench.stage import Stage, git, remove


def everything(stage: Stage, report: Report) -> None:
    """All keys into an empty server; the floor is the same data as plain commands."""
    repository = stage.bare()
    stage.spare.empty()
    stage.spare.send_file(stage.data)
    to = ("--repo", repository, "--url", stage.spare.url)
    stage.gitbackup("commit", *to)
    commit = git(repository, "rev-parse", "HEAD")

    def restore() -> Run:
        stage.spare.empty()
        return stage.gitbackup("restore", commit, "--yes", *to)

    contestants = {"restore": restore}
    if cli := peers.redis_cli(report):
        contestants = {"pipe": lambda: peers.pipe(cli, stage), **contestants}
    runs = in_turn(stage.repeat, **contestants)
    remove(repository)
    stage.spare.empty()
    keys, told, floor = stage.keys, "restore into an empty server", "redis-cli --pipe"
    report.ratio("restore", f"{told} / {floor}", keys, runs, "restore/pipe", 3.0)
    report.times(keys, runs, pipe=floor, restore=told)
    memory("restore", stage, report, runs["restore"], 600)


def some(stage: Stage, report: Report) -> None:
    """A hundred changed keys put back, and a commit that finds nothing changed."""
    repository = stage.bare()
    stage.commit(repository)
    to = ("--repo", repository, "--url", stage.live.url)

    def restore() -> Run:
        stage.change(stage.few)
        return stage.gitbackup("restore", "HEAD", "--yes", *to)

    runs = in_turn(stage.repeat, some=restore, nothing=lambda: stage.commit(repository))
    remove(repository)
    keys, told = stage.keys, f"restore of {stage.few} changed keys"
    nothing = "a commit of nothing"
    report.ratio("restore-some", f"{told} / {nothing}", keys, runs, "some/nothing", 1.2)
    report.times(keys, runs, some=told, nothing=nothing)
