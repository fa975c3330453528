"""The benchmark: what it measures on, and that it runs. How fast anything is, no test asks."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import redis

from gitbackup import Backup
from tests.bench import __main__ as bench
from tests.bench import database, plot, rows, table
from tests.bench.measure import Run, Unable, in_turn, surroundings
from tests.bench.pinger import percentile, with_those_due
from tests.bench.report import Report
from tests.bench.servers import Address
from tests.servers import LiveServer, redis_cli

KEYS = 1_000
DIGEST = "b91d93e9ad003bc07ee4ad51dfc032c62fcf5a2c11f561fa45796d6edfb329fd"
"""Of the database of so many keys."""

EXPECTED = {
    *("first-bare", "first-tree", "first-script", "changed", "growth", "growth-gc"),
    *("diff", "diff-command", "linear", "restore", "restore-some", "help", "log"),
    *("memory-commit", "memory-commit-key", "memory-restore", "memory-restore-key"),
    *("cluster-commit", "cluster-restore"),
    *("latency-commit", "latency-rdb", "latency-busy"),
    *("small-commit", "small-status", "small-diff", "small-restore", "small-undo"),
    *("large-binary", "large-text"),
}

OPTIONAL = {
    *("first-dump", "memory-commit-together", "memory-restore-together"),
    *("large-binary-memory", "large-text-memory"),
}
"""Rows that not every machine can have."""


@pytest.fixture
def filled(valkey: LiveServer) -> redis.Redis:
    """A server with the made-up database."""
    address_of(valkey).send(database.commands(KEYS))
    return valkey.client(decode_responses=True)


def address_of(server: LiveServer) -> Address:
    return Address(Path(server.address.removeprefix("unix://")), 0)


def test_the_database_is_the_same_everywhere_and_each_time() -> None:
    assert hashlib.sha256(b"".join(database.commands(KEYS))).hexdigest() == DIGEST


@pytest.mark.parametrize("keys", [100, 101, 119, 400])
def test_the_database_has_as_many_keys_as_are_asked_for(valkey: LiveServer, keys: int) -> None:
    address_of(valkey).send(database.commands(keys))
    assert valkey.client().dbsize() == keys


def test_the_database_has_the_shape_of_the_real_one(filled: redis.Redis) -> None:
    """Four of ten keys are counters of usage that expire, and there is something of each type."""
    keys = list(filled.scan_iter())
    types = {key: filled.type(key) for key in keys}
    usage = [k for k in keys if k.startswith("usage:") and types[k] == "hash"]
    assert 0.38 < len(usage) / KEYS < 0.42
    assert min(filled.pexpiretime(key) for key in usage) >= database.FAR
    shares = {kind: round(n / KEYS, 2) for kind, n in Counter(types.values()).items()}
    assert shares.pop("stream") == 0.0
    assert shares == {"hash": 0.48, "string": 0.4, "list": 0.05, "set": 0.05, "zset": 0.03}
    assert filled.xlen("billing:events") == KEYS // 10


def test_changes_change_as_many_keys_as_they_say(
    filled: redis.Redis, valkey: LiveServer, tmp_path: Path
) -> None:
    """And again the next time."""
    backup = Backup(tmp_path / "data", valkey.url)
    backup.commit()
    for turn in range(3):
        address_of(valkey).send(database.changes(KEYS, 100, turn))
        counts = backup.commit().summary.counts
        assert (counts.added, counts.changed, counts.removed) == (0, 100, 0)


@pytest.mark.long
def test_a_whole_run_has_every_row(tmp_path: Path) -> None:
    redis_cli()
    file = tmp_path / "bench.json"
    words = ("--keys", "500", "--repeat", "1", "--json", str(file), "--folder", str(tmp_path))
    command = [sys.executable, "-m", "tests.bench", *words]
    done = subprocess.run(command, env=surroundings(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(file.read_text("utf-8"))
    assert told["schema"] == "gitbackup.bench/1"
    names = {row["name"] for row in told["rows"]}
    assert names - OPTIONAL == EXPECTED
    for row in told["rows"] + told["taken"]:
        assert f"| {row['what']} " in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--keys", "many"], "no number of keys: 'many'"),
        (["--keys", "10k,5"], "at least 100 keys, not 5"),
        (["--rows", "first,fastest"], "no rows: 'fastest'; there are first, others,"),
        (["--repeat", "0"], "no number of turns: '0'"),
    ],
)
def test_what_cannot_be_measured_is_said_in_a_sentence(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        bench.options(words)
    assert said in capsys.readouterr().err


def test_sizes_may_be_written_short() -> None:
    assert bench.options(["--keys", "1M,2k,300"]).keys == [300, 2_000, 1_000_000]


def test_the_picture_is_drawn_or_what_it_needs_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "growth.png"
    if plot.is_possible():
        report = Report()
        for keys in (10, 100):
            report.times(keys, {"bare": [Run(0.5, 2_000_000)]}, bare="first commit")
        plot.draw(report, picture)
        assert picture.read_bytes().startswith(b"\x89PNG")
    else:
        with pytest.raises(SystemExit):
            bench.options(["--plot", str(picture)])
        assert plot.MISSING in capsys.readouterr().err


def test_a_ratio_is_that_of_the_medians() -> None:
    """And its turns are those of each turn."""
    report = Report()
    runs = {"ours": [Run(2), Run(4), Run(9)], "theirs": [Run(1), Run(4), Run(3)]}
    report.ratio("name", "ours / theirs", 500, runs, "ours/theirs", goal=1.3)
    (row,) = report.rows
    assert (row.figure, row.turns, row.reached) == (4 / 3, (2, 1, 3), False)


def test_there_is_no_row_beside_one_who_is_absent() -> None:
    report = Report()
    report.ratio("name", "ours / theirs", 500, {"ours": [Run(2)]}, "ours/theirs")
    assert report.rows == []


def test_turns_go_round() -> None:
    """Who is unable in one is left out."""
    order: list[str] = []

    def take(name: str) -> Run:
        order.append(name)
        if name == "b":
            raise Unable
        return Run(len(order))

    runs = in_turn(2, a=lambda: take("a"), b=lambda: take("b"), c=lambda: take("c"))
    assert "".join(order) == "abcabc"
    assert runs == {"a": [Run(1), Run(4)], "c": [Run(3), Run(6)]}


def test_memory_by_key_is_compared_across_sizes() -> None:
    report = Report()
    for keys, size in ((100, 400), (1_000, 500)):
        report.figure("memory-commit-key", "memory", keys, [size], None, "bytes")
    rows.across(report)
    assert (report.rows[-1].keys, report.rows[-1].figure) == (1_000, 1.25)


def test_time_by_key_is_compared_across_sizes() -> None:
    report = Report()
    for keys, taken in ((100, 2.0), (1_000, 5.0)):
        report.times(keys, {"bare": [Run(taken)]}, bare="first commit")
    rows.across(report)
    assert (report.rows[-1].keys, report.rows[-1].figure) == (1_000, 0.25)


def test_a_ping_that_had_to_wait_for_another_counts() -> None:
    """One of 3.5 ms kept three more waiting, of which the server knew nothing."""
    waits = with_those_due([0.0002, 0.0035])
    assert [round(wait, 4) for wait in waits] == [0.0002, 0.0035, 0.0025, 0.0015, 0.0005]
    assert percentile([*map(float, range(200))], 0.99) == 198


def test_the_table_tells_what_was_reached_and_what_was_left_out() -> None:
    report = Report()
    for name, goal in (("kept", 3.0), ("missed", 2.0), ("told", None)):
        report.figure(name, name, 10_000, [2.4, 2.5, 2.8], goal, "ms")
    report.leave_out("nobody to compare with")
    shown = table.tables(report, {"cores": "2 cores"})
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in shown if line[:1] == "|"]
    assert cells[2:5] == [
        ["kept", "10,000", "3.00 ms", "2.50 ms", "2.40 to 2.80", "yes"],
        ["missed", "10,000", "2.00 ms", "2.50 ms", "2.40 to 2.80", "NO"],
        ["told", "10,000", "", "2.50 ms", "2.40 to 2.80", ""],
    ]
    assert "nobody to compare with" in shown
