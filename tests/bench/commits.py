"""Rows of `commit`: how long the first takes, and one after few keys changed; how history grows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.bench import peers
from tests.bench.measure import Run, folder_size, in_turn
from tests.bench.report import Report
from tests.bench.stage import Stage, git, remove

MEGABYTE, KILOBYTE = 1e6, 1e3
COMMITS = 5
"""Before a `git gc`."""


def first_commit(stage: Stage, report: Report) -> None:
    """The first commit, with and without a work tree; the floor is the server's own copy."""
    contestants = {"bare": lambda: _into_bare(stage), "tree": lambda: _into_tree(stage)}
    if cli := peers.redis_cli(report):
        contestants = {"rdb": lambda: peers.rdb(cli, stage), **contestants}
    runs = in_turn(stage.repeat, **contestants)
    keys, floor = stage.keys, "redis-cli --rdb"
    told = "first commit into a bare repository"
    report.ratio("first-bare", f"{told} / {floor}", keys, runs, "bare/rdb", 4.0)
    report.ratio("first-tree", f"first commit, work tree / {floor}", keys, runs, "tree/rdb", 5.0)
    report.times(keys, runs, rdb=floor, bare=told, tree="first commit with a work tree")
    memory("commit", stage, report, runs["bare"], 450)


def against_others(stage: Stage, report: Report) -> None:
    """The first commit, with a work tree as others have one, and what else could be done."""
    contestants = {
        "tree": lambda: _into_tree(stage),
        "script": lambda: peers.plain_script(stage),
    }
    if dump := peers.redis_dump(report):
        contestants["dump"] = lambda: peers.dumped(dump, stage, report)
    runs = in_turn(stage.repeat, **contestants)
    keys = stage.keys
    script, dumped = "a plain redis-py script and git", "npm's redis-dump and git"
    report.ratio("first-script", f"first commit / {script}", keys, runs, "tree/script", 0.25)
    report.ratio("first-dump", f"first commit / {dumped}", keys, runs, "tree/dump")
    report.times(keys, runs, script=script, dump=dumped)


def changed(stage: Stage, report: Report) -> None:
    """A commit after a hundred changed keys, by time and by room."""
    growths: list[float] = []
    repository = Path()

    def first() -> Run:
        nonlocal repository
        if repository.name:
            remove(repository)
        repository = stage.bare()
        return stage.commit(repository)

    def later() -> Run:
        stage.change(stage.few)
        before = folder_size(repository / "objects")
        took = stage.commit(repository)
        growths.append((folder_size(repository / "objects") - before) / MEGABYTE)
        return took

    runs = in_turn(stage.repeat, first=first, later=later)
    keys, told = stage.keys, f"commit after {stage.few} changed keys"
    report.ratio("changed", f"{told} / first commit", keys, runs, "later/first", 0.6)
    report.times(keys, runs, later=told)
    report.figure("growth", f"growth by a {told}, before gc", keys, growths, 1.5, "MB")
    packed = _growth_packed(stage, repository) / KILOBYTE
    report.figure("growth-gc", f"growth by a {told}, after git gc", keys, [packed], 60, "kB")


def memory(verb: str, stage: Stage, report: Report, runs: Sequence[Run], most: int) -> None:
    """The peak of a command's memory, and that by key; and with what the command runs."""
    keys, told = stage.keys, f"peak memory of {verb}"
    peaks = [run.peak / MEGABYTE for run in runs]
    report.figure(f"memory-{verb}", told, keys, peaks, most, "MB")
    each = [run.peak / keys for run in runs]
    report.figure(f"memory-{verb}-key", f"{told}, by key", keys, each, None, "bytes")
    together = [run.together / MEGABYTE for run in runs]
    if all(together):
        what = f"{told} and the git that it runs, at once"
        report.figure(f"memory-{verb}-together", what, keys, together, None, "MB")


def _into_bare(stage: Stage) -> Run:
    repository = stage.bare()
    took = stage.commit(repository)
    remove(repository)
    return took


def _into_tree(stage: Stage) -> Run:
    """The work tree stays until all is measured: ext4 passes over the inodes of files that were
    removed within minutes, one by one, so each turn would be slower than the one before."""
    return stage.commit(stage.new("tree"))


def _growth_packed(stage: Stage, repository: Path) -> float:
    """Bytes by one of some commits: at each `git gc`, files that were there take less, too."""
    git(repository, "gc", "--quiet")
    before = folder_size(repository / "objects")
    for _ in range(COMMITS):
        stage.change(stage.few)
        stage.commit(repository)
    git(repository, "gc", "--quiet")
    return (folder_size(repository / "objects") - before) / COMMITS
