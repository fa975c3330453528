"""Types that are stored as dumps, on the servers that have them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import redis

from gitbackup import Backup
from gitbackup.kinds.stable_dumps import stable
from gitbackup.plan.plan import Plan
from tests.servers import LiveServer

pytestmark = pytest.mark.long


def yes(plan: Plan) -> bool:
    return True


def fill(client: redis.Redis) -> None:
    """Makes a key of each probabilistic type, and suggestions."""
    chance, ask = random.Random(17), client.execute_command
    ask("BF.RESERVE", "bloom", "0.01", "10")
    ask("CF.RESERVE", "cuckoo", "100")
    ask("CMS.INITBYDIM", "counts", "50", "4")
    ask("TOPK.RESERVE", "top", "5", "50", "4", "0.9")
    ask("TOPK.RESERVE", "top:few", "5", "50", "4", "0.9")
    ask("TOPK.ADD", "top:few", "alone")
    ask("TDIGEST.CREATE", "digest")
    for number in range(100):
        ask("BF.ADD", "bloom", number)
        ask("CF.ADD", "cuckoo", number)
        ask("CMS.INCRBY", "counts", number % 7, 1)
        ask("TOPK.ADD", "top", f"item {int(chance.expovariate(0.2))}")
        ask("TDIGEST.ADD", "digest", chance.random())
        words = ["suggestions", f"{chance.choice('abc')}{number}", chance.random()]
        ask("FT.SUGADD", *words, *(["PAYLOAD", f"p{number}"] if number % 2 else []))


def told(client: redis.Redis) -> list[Any]:
    """What the modules' own commands say."""
    asked = [
        *(("BF.EXISTS", "bloom", number) for number in range(150)),
        *(("CF.COUNT", "cuckoo", number) for number in range(150)),
        *(("CMS.QUERY", "counts", number) for number in range(10)),
        *((name, key) for name in ("BF.INFO", "CF.INFO") for key in ("bloom", "cuckoo")),
        *(("TOPK.LIST", key, "WITHCOUNT") for key in ("top", "top:few")),
        *(("TOPK.COUNT", "top", f"item {number}") for number in range(30)),
        ("TOPK.INFO", "top"),
        ("CMS.INFO", "counts"),
        ("TDIGEST.QUANTILE", "digest", *(place / 20 for place in range(21))),
        ("FT.SUGLEN", "suggestions"),
        *(("FT.SUGGET", "suggestions", word, "WITHSCORES", "WITHPAYLOADS", "MAX", "100")
          for word in "abc"),
    ]  # fmt: skip
    found = []
    for words in asked:
        try:
            found.append(client.execute_command(*words))
        except redis.ResponseError as error:
            found.append(str(error))
    return found


def test_a_restart_changes_nothing_and_a_restore_brings_all_back(
    stack: LiveServer, tmp_path: Path
) -> None:
    backup = Backup(tmp_path / "data", stack.url)
    with stack.client() as client:
        client.response_callbacks.clear()
        fill(client)
        held = told(client)
        good = str(backup.commit("filled").commit)
        for _ in range(2):
            client.execute_command("DEBUG", "RELOAD")
            assert backup.commit("restarted").commit is None
        client.execute_command("FLUSHALL")
        result = backup.restore(good, yes)
        assert (result.whole, result.accepted, result.verified) == (True, [], 7)
        assert told(client) == held
        assert backup.commit("restored").commit is None
        client.execute_command("TOPK.ADD", "top", "item 0")
        assert [str(one.change.key) for one in backup.diff()] == ["top"]


def test_time_series_come_back_and_it_is_said_that_their_rules_do_not(
    stack: LiveServer, tmp_path: Path
) -> None:
    backup = Backup(tmp_path / "data", stack.url)
    with stack.client() as client:
        ask = client.execute_command
        ask("TS.CREATE", "raw", "RETENTION", 10_000_000, "LABELS", "area", "eu")
        ask("TS.CREATE", "hourly")
        ask("TS.CREATERULE", "raw", "hourly", "AGGREGATION", "avg", 3_600_000)
        for time in range(1, 8_000_000, 100_000):
            ask("TS.ADD", "raw", time, time / 7)
        held = [ask("TS.RANGE", name, "-", "+") for name in ("raw", "hourly")]
        good = str(backup.commit("series").commit)
        client.execute_command("DEBUG", "RELOAD")
        assert backup.commit("restarted").commit is None
        client.flushall()
        plan = backup.restorer(good).plan()
        (told,) = plan.warnings
        assert told.startswith("compaction rules of time series are not restored: ")
        assert backup.restore(good, yes).whole
        assert [ask("TS.RANGE", name, "-", "+") for name in ("raw", "hourly")] == held
        assert backup.commit("restored").commit is None


def test_what_has_no_known_form_stays_as_it_is() -> None:
    for dump in (b"", b"\7", b"\7\x05\0" + bytes(10), b"text" * 10):
        assert stable("TopK-TYPE", dump) == dump
        assert stable("trietype0", dump) == dump


def test_a_graph_is_restored_and_what_proves_it_is_said(
    falkordb: LiveServer, tmp_path: Path
) -> None:
    """Its dump is another after each start: that the server took it is all that there is."""
    backup = Backup(tmp_path / "data", falkordb.url)
    question = ("GRAPH.QUERY", "graph", "MATCH (a)-[e]->(b) RETURN a.name, e.weight, b.name")
    with falkordb.client() as client:
        client.execute_command(
            "GRAPH.QUERY", "graph", "CREATE (:P {name:'a'})-[:K {weight: 1.5}]->(:P {name:'b'})"
        )
        held = client.execute_command(*question)[1]
        good = str(backup.commit("a graph").commit)
        client.execute_command("GRAPH.QUERY", "graph", "CREATE (:P {name:'c'})-[:K]->(:P)")
        result = backup.restore(good, yes)
        assert result.whole
        assert client.execute_command(*question)[1] == held
        assert backup.commit("restored").commit is None
        client.flushall()
        assert backup.restore(good, yes).whole
        assert client.execute_command(*question)[1] == held
