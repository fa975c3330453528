"""Rows of a cluster: three primaries, on one machine, against one server with the same data."""

from __future__ import annotations

from pathlib import Path

from tests.bench.measure import Run, in_turn
from tests.bench.report import Report
from tests.bench.stage import Stage, git, remove
from tests.clusters import LiveCluster, running


def beside_one_server(stage: Stage, report: Report) -> None:
    """The first commit of all keys, and a restore of all into what is empty; both over TCP."""
    with running() as cluster:
        one, three = f"redis://127.0.0.1:{stage.spare.port}", cluster.url
        stage.spare.empty()
        stage.spare.send_file(stage.data)
        known = _committed(stage, one)
        _restored(stage, known, three)
        assert _tree(known) == _tree(_committed(stage, three))
        commits = in_turn(
            stage.repeat, cluster=lambda: _commit(stage, three), one=lambda: _commit(stage, one)
        )

        def into_cluster() -> Run:
            _empty(cluster)
            return _restored(stage, known, three)

        def into_one() -> Run:
            stage.spare.empty()
            return _restored(stage, known, one)

        restores = in_turn(stage.repeat, cluster=into_cluster, one=into_one)
    stage.spare.empty()
    keys = stage.keys
    told, other = "first commit of a cluster of three primaries", "of one server"
    report.ratio("cluster-commit", f"{told} / {other}", keys, commits, "cluster/one")
    report.times(keys, commits, cluster=told, one=f"first commit {other}, over TCP")
    told, other = "restore into an empty cluster of three primaries", "into one server"
    report.ratio("cluster-restore", f"{told} / {other}", keys, restores, "cluster/one")
    report.times(keys, restores, cluster=told, one=f"restore {other}, over TCP")


def _commit(stage: Stage, url: str) -> Run:
    repository = stage.bare()
    took = stage.gitbackup("commit", "--repo", repository, "--url", url)
    remove(repository)
    return took


def _committed(stage: Stage, url: str) -> Path:
    repository = stage.bare()
    stage.gitbackup("commit", "--repo", repository, "--url", url)
    return repository


def _restored(stage: Stage, repository: Path, url: str) -> Run:
    commit = git(repository, "rev-parse", "HEAD")
    return stage.gitbackup("restore", commit, "--yes", "--repo", repository, "--to", url)


def _tree(repository: Path) -> str:
    return git(repository, "rev-parse", "HEAD^{tree}")


def _empty(cluster: LiveCluster) -> None:
    for number in range(cluster.primaries):
        cluster.tell(number, "FLUSHALL")
