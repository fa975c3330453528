"""What gitbackup is compared to, where it is present on the machine."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tests.bench.measure import Failed, Run, Unable, output, run
from tests.bench.report import Report
from tests.bench.stage import Stage, remove

DUMPED = """
set -e
folder=$1
shift
mkdir "$folder"
"$@" > "$folder/dump.json"
cd "$folder"
git init --quiet
git add .
git -c user.name=person -c user.email=a@example.org commit --quiet -m all
"""


def redis_cli(report: Report) -> str | None:
    """Redis's own client."""
    found = shutil.which("redis-cli")
    if found is None:
        report.leave_out("redis-cli is not on the PATH: no rows beside it")
    return found


def rdb(cli: str, stage: Stage) -> Run:
    """`redis-cli --rdb FILE`: the server's own copy, fetched. Nothing that reads all is faster."""
    file = stage.new("rdb")
    took = run(cli, "-s", stage.live.socket, "--rdb", file)
    file.unlink()
    return took


def pipe(cli: str, stage: Stage) -> Run:
    """`redis-cli --pipe`: the whole database as commands into an empty server."""
    stage.spare.empty()
    return run(cli, "-s", stage.spare.socket, "--pipe", stdin=stage.data)


def plain_script(stage: Stage) -> Run:
    """What a person would write."""
    folder = stage.new("script")
    took = run(sys.executable, "-m", "tests.bench.plain_script", stage.live.url, folder)
    remove(folder)
    return took


def redis_dump(report: Report) -> list[str] | None:
    """npm's, not the Ruby program of the same name: its first words."""
    found = shutil.which("redis-dump")
    if found and "node_modules" in Path(found).resolve().parts:
        return [found]
    npx = shutil.which("npx")
    if npx:
        words = [npx, "--no-install", "redis-dump"]
        try:
            output(*words, "--help")
        except Failed:
            pass
        else:
            return words
    report.leave_out("npm's redis-dump is not installed: no row beside it")
    return None


def dumped(words: list[str], stage: Stage, report: Report) -> Run:
    """Its JSON, committed. Raises Unable where it cannot cope with so many keys."""
    folder = stage.new("dump")
    dump = [*words, "-h", "127.0.0.1", "-p", str(stage.live.port), "--json"]
    try:
        took = run("/bin/sh", "-c", DUMPED, "sh", folder, *dump)
    except Failed as failed:
        report.leave_out(f"npm's redis-dump fails with {stage.keys:,} keys: no row beside it")
        raise Unable(str(failed)) from failed
    remove(folder)
    return took
