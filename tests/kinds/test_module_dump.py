"""Dumps of modules taken apart, and vector sets as a server makes and keeps them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import redis

from gitbackup import Backup
from gitbackup.kinds import module_dump
from gitbackup.kinds.module_dump import DOUBLE, TEXT, UNSIGNED, Item, ModuleDump
from gitbackup.plan.plan import Plan
from tests.servers import LiveServer
from tests.store.plain import git

ITEMS = [
    *(Item(UNSIGNED, number) for number in (0, 63, 64, 2**14 - 1, 2**14, 2**32, 2**64 - 1)),
    Item(TEXT, b""),
    Item(TEXT, bytes(range(256)) * 100),
    Item(DOUBLE, -0.1),
]


def yes(plan: Plan) -> bool:
    return True


def test_what_is_put_together_is_taken_apart_again() -> None:
    dump = module_dump.written(ModuleDump(2**63 + 5, ITEMS), 12)
    assert module_dump.read(dump) == ModuleDump(2**63 + 5, ITEMS)
    assert dump[-10:-8] == b"\x0c\0"


def test_what_is_no_module_s_dump_or_cut_off_is_refused() -> None:
    dump = module_dump.written(ModuleDump(5, ITEMS), 12)
    for end in range(len(dump)):
        if end < 60 or end > len(dump) - 60:
            with pytest.raises(ValueError, match=r"."):
                module_dump.read(dump[:end])
    with pytest.raises(ValueError, match="not a module's"):
        module_dump.read(b"\0" + dump[1:])


def test_compressed_text_is_as_it_was() -> None:
    lzf = bytes([2]) + b"abc" + bytes([7 << 5, 20 - 7 - 2, 2]) + bytes([0]) + b"!"
    content = bytes([7, 5, TEXT, 0xC3, len(lzf), 24]) + lzf + b"\0" + b"\x0c\0" + b"checksum"
    found = module_dump.read(content)
    assert found.items == [Item(TEXT, (b"abc" * 8)[:23] + b"!")]


def grow(client: redis.Redis, key: str, quantization: str, *options: str) -> None:
    """Makes a vector set of some hundred elements, some of them removed again."""
    chance = random.Random(17)
    for number in range(300):
        vector = [str(chance.gauss(0, 1)) for _ in range(6)]
        words = [*options, "VALUES", "6", *vector, f"e{number}", quantization]
        client.execute_command("VADD", key, *words, "SETATTR", f'{{"n": {number}}}')
    for number in range(0, 300, 5):
        client.execute_command("VREM", key, f"e{number}")


def told(client: redis.Redis, key: str) -> list[object]:
    names = sorted(client.execute_command("VRANDMEMBER", key, "1000"))
    asked = [("VEMB", "RAW"), ("VEMB",), ("VGETATTR",)]
    links = [client.execute_command("VLINKS", key, name, "WITHSCORES") for name in names]
    return [
        [client.execute_command(word, key, name, *more) for name in names for word, *more in asked],
        [[sorted(level.items()) if isinstance(level, dict) else level for level in each]
         for each in links],
        client.execute_command("DEBUG", "DIGEST-VALUE", key),
    ]  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("quantization", ["Q8", "NOQUANT", "BIN"])
@pytest.mark.parametrize("reduced", [False, True])
def test_a_vector_set_comes_back_to_the_last_bit(
    falkordb: LiveServer, tmp_path: Path, quantization: str, reduced: bool
) -> None:
    backup = Backup(tmp_path / "data", falkordb.url)
    with falkordb.client(protocol=3) as client:
        client.response_callbacks.clear()
        grow(client, "words", quantization, *(("REDUCE", "4") if reduced else ()))
        good = str(backup.commit("grown").commit)
        client.execute_command("DEBUG", "RELOAD")
        assert backup.commit("restarted").commit is None
        held = told(client, "words")
        client.execute_command("FLUSHALL")
        assert backup.restore(good, yes).whole
        assert told(client, "words") == held
        assert backup.commit("restored").commit is None
        client.execute_command("VSETATTR", "words", "e1", '{"n": 2}')
        client.execute_command("VREM", "words", "e2")
    (changed,) = backup.diff()
    assert [(one.name, str(one.action)) for one in changed.values] == [
        ("e1", "changed"),
        ("e2", "removed"),
    ]
    stored = json.loads(git(backup.path, "show", "HEAD:db0/_.json"))["words"]
    assert stored["value"]["elements"]["e1"]["attributes"] == '{"n": 1}'
