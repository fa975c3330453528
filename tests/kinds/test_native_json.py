"""JSON documents: numbers to the last bit, and paths as in a string that holds JSON."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path

import pytest

from gitbackup import Backup
from gitbackup.kinds.native_json import NativeJson, spelled
from gitbackup.plan.plan import Plan
from tests.cli.user import User
from tests.rdb.test_verify import saved
from tests.servers import LiveServer, modules
from tests.store.plain import git

KIND = NativeJson()
ODD = [0.1, 1.0, -0.0, 1e16, 1e21, 1e-5, 1.5e-7, 5e-324, 1.7976931348623157e308, 2.0**53]
ODD += [100.28571428571429, 90.28571428571429, -61968839161.509636, 1e22, 1e23, 123456789.125]


def test_a_double_is_written_so_that_it_is_no_integer_and_reads_back() -> None:
    from gitbackup.format import codec

    told = {float(f"{n}e{e}") for n in (1, -1, 1.5, 9007199254740993) for e in range(-330, 290, 7)}
    for number in (*ODD, *told):
        stored = codec.encode(KIND.written({"document": number}))
        assert json.loads(stored)["document"] == number
        assert isinstance(json.loads(stored)["document"], float)
    assert codec.line(codec.double(1e16)) == b"10000000000000000.0"
    assert codec.line(codec.double(1e21)) == b"1e+21"


def yes(plan: Plan) -> bool:
    return True


@pytest.mark.long
def test_the_module_reads_each_double_as_it_is(stack: LiveServer) -> None:
    """Of those that it can hold: it does not read each from its shortest digits."""
    chance = random.Random(17)
    usual = [chance.gauss(0, 1) * 10 ** chance.randint(-9, 15) for _ in range(100)]
    any_ = [struct.unpack("d", chance.randbytes(8))[0] for _ in range(100)]
    numbers = [*ODD, *usual, *(number for number in any_ if -1e300 < number < 1e300)]
    with stack.client() as client:

        def held(digits: str) -> float:
            client.execute_command("JSON.SET", "n", ".", digits)
            return float(json.loads(client.execute_command("JSON.GET", "n")))

        ours = {held(repr(number)) for number in numbers}
        assert {number for number in ours if held(spelled(number)) != number} == set()
        assert any(held(repr(number)) != number for number in ours)


@pytest.mark.long
def test_a_change_is_told_and_blamed_by_path(
    stack: LiveServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", stack.url)
    user = User(stack, capfd.readouterr)
    user.redis.execute_command("JSON.SET", "doc", ".", '{"limits":{"daily":250,"x":1},"t":["a"]}')
    user.says("commit", "-m", "first")
    user.redis.execute_command("JSON.NUMINCRBY", "doc", "$.limits.daily", "50")
    assert "limits.daily: 250 -> 300" in user.says("diff")
    assert "'$.limits.daily'" not in user.says("status")
    user.says("commit", "-m", "second")
    told = user.says("blame", "doc")
    assert [line.split()[0] for line in told.splitlines() if "limits.daily" in line] == ["id2"]
    assert [line.split()[0] for line in told.splitlines() if "limits.x" in line] == ["id1"]
    assert user.says("show", "HEAD:doc", "--field", "limits.daily") == "300"
    stored = json.loads(git(user.repo, "show", "HEAD:db0/_.json"))["doc"]["value"]
    assert stored == {"document": {"limits": {"daily": 300, "x": 1}, "t": ["a"]}}


@pytest.mark.long
def test_a_server_without_the_module_is_told_before_anything_is_written(
    stack: LiveServer, valkey: LiveServer, tmp_path: Path
) -> None:
    with stack.client() as client:
        client.set("plain", "1")
        client.execute_command("JSON.SET", "doc", ".", "{}")
    backup = Backup(tmp_path / "data", stack.url)
    backup.commit("both")
    proof = backup.verify().proofs[0]
    assert (proof.findings, [each.key.name for each in proof.untried]) == ([], ["doc"])
    with pytest.raises(Exception, match=r"does not support ReJSON-RL .*`skip_unsupported`"):
        backup.restore("HEAD", yes, to=valkey.url)
    result = backup.restorer("HEAD", to=valkey.url, skip_unsupported=True).run(yes)
    assert (result.whole, [key.name for key in result.plan.unsupported]) == (True, ["doc"])
    with valkey.client() as client:
        assert client.keys() == [b"plain"]
        client.flushall()
    file, loads = saved(stack, tmp_path), modules("stack")
    refused = backup.rdb.plan(file, modules=loads, to=valkey.url)
    assert "does not support ReJSON-RL" in refused.refused
    left = backup.rdb.plan(file, modules=loads, to=valkey.url, skip_unsupported=True)
    assert ([key.name for key in left.unsupported], left.refused) == (["doc"], "")
