"""Rows of one large value: its commit beside a copy of it by `redis-cli` that git is given."""

from __future__ import annotations

import random

from tests.bench import peers
from tests.bench.database import command
from tests.bench.measure import Run, in_turn, output, run
from tests.bench.report import Report
from tests.bench.stage import Stage, git, remove

SIZE = 100_000_000
KINDS = ("binary", "text")
COPIED = """
set -e
"$1" -s "$2" --no-raw get value > "$3/value"
git -C "$3" add value
"""


def one_value(stage: Stage, report: Report) -> None:
    """The value is random bytes, and then text."""
    cli = peers.redis_cli(report)
    for kind in KINDS if cli else ():
        _one_of_a_kind(stage, report, kind, str(cli))
    stage.spare.empty()


def _one_of_a_kind(stage: Stage, report: Report, kind: str, cli: str) -> None:
    chance = random.Random(1)
    value = chance.randbytes(SIZE) if kind == "binary" else b"The quick brown fox. " * (SIZE // 21)
    stage.spare.empty()
    stage.spare.send([command("SET", "value", value)])

    def copied() -> Run:
        folder = stage.new("copy")
        output("git", "init", "--quiet", folder)
        took = run("/bin/sh", "-c", COPIED, "sh", cli, stage.spare.socket, folder)
        remove(folder)
        return took

    def commit() -> Run:
        repository = stage.bare()
        took = stage.gitbackup("commit", "--repo", repository, "--url", stage.spare.url)
        git(repository, "rev-parse", "HEAD")
        remove(repository)
        return took

    runs = in_turn(stage.repeat, copied=copied, commit=commit)
    told, peer = f"commit of one {kind} value of 100 MB", "redis-cli --no-raw GET and git add"
    report.ratio(f"large-{kind}", f"{told} / {peer}", 0, runs, "commit/copied", 1.0)
    most = [each.together / SIZE for each in runs["commit"]]  # git's, too
    if all(most):
        what = f"memory of a {told} / the value"
        report.figure(f"large-{kind}-memory", what, 0, most, 3.0, "")
    report.times(0, runs, copied=f"{peer}, {kind}", commit=told)
