"""RDB files and bundles that were changed anywhere: refused in one sentence, or right; never more.

Each change is made by a number, so that a failure names what to try again. The variable MUTATIONS
is how many are tried of each.
"""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path
from random import Random

import pytest

from gitbackup.format.crc64 import crc64
from tests.cli.user import User
from tests.databases import library
from tests.store.plain import git, run_git

pytestmark = pytest.mark.few(4)

seeds = pytest.mark.parametrize("seed", range(int(os.environ.get("MUTATIONS", "40"))))
REFUSALS = {1, 2, 12, 13}
NUMBERS = [b"\x00", b"\xff", b"\x80\xff\xff\xff\xff", b"\x81" + b"\xff" * 8, b"\xc3\x01\xff"]


def mutated(data: bytes, random: Random, start: int = 0) -> bytes:
    """One to three bytes flipped, or a piece cut out, doubled, moved or overwritten."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 3)):
        at = random.randrange(start, len(changed))
        length = random.choice([1, 2, 4, 8, 64, 512])
        match random.randrange(6):
            case 0:
                changed[at] ^= 1 << random.randrange(8)
            case 1:
                changed[at] = random.randrange(256)
            case 2:
                del changed[at : at + length]
            case 3:
                changed[at:at] = changed[at : at + length]
            case 4:
                number = random.choice(NUMBERS)
                changed[at : at + len(number)] = number
            case 5:
                changed[at : at + length] = random.randbytes(length)
        if len(changed) <= start:
            return bytes(changed)
    return bytes(changed)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What is made once, by name."""
    return {}


def rdb_of(user: User, kept: dict[str, bytes]) -> bytes:
    """An RDB file with every type, compressed and not, with expiries and a library."""
    if "rdb" not in kept:
        client = user.redis
        client.mset({f"text:{n}": "abc" * n for n in range(20)})
        client.hset("hash", mapping={f"f{n}": n for n in range(700)})
        client.rpush("list", *("x" * n for n in range(200)))
        client.sadd("set", *range(50), "one")
        client.zadd("zset", {f"m{n}": n / 3 for n in range(200)})
        client.xadd("stream", {"f": "v"})
        client.xgroup_create("stream", "group")
        client.set("later", "x", ex=100_000)
        client.function_load(library("mylib"))
        user.says("rdb", "save", str(Path.cwd() / "saved"))
        (file,) = Path("saved").glob("dump-*.rdb")
        kept["rdb"] = file.read_bytes()
    return kept["rdb"]


@seeds
def test_a_changed_rdb_file(seed: int, user: User, kept: dict[str, bytes]) -> None:
    random = Random(seed)
    data = mutated(rdb_of(user, kept), random, start=random.choice([0, 9]))
    file = Path("changed.rdb")
    file.write_bytes(data)
    if random.random() < 0.7 and len(data) > 8:  # as somebody does who wants it to be loaded
        with file.open("rb") as stream:
            data = data[:-8] + struct.pack("<Q", crc64(stream, len(data) - 8))
        file.write_bytes(data)

    verified = user.run("rdb", "verify", str(file))
    committed = user.run("commit", "--rdb", str(file), "-m", "changed")

    assert {verified.code, committed.code} <= REFUSALS | {0, 3}
    for done in (verified, committed):
        assert (done.code in (0, 3)) or done.err.count("\n") == 1, done
    if committed.code == 0:
        assert user.run("show", "HEAD").code == 0
        assert git(user.repo, "fsck", "--strict") == ""
    assert user.run("rdb", "list", str(Path.cwd())).code == 0


def bundle_of(user: User, kept: dict[str, bytes]) -> bytes:
    """A bundle of ten commits, a note, a branch and a tag."""
    if "bundle" not in kept:
        for n in range(10):
            user.redis.mset({f"key:{i}": f"{n} {i}" for i in range(n, 40)})
            user.says("commit", "-m", f"number {n}")
        user.says("verify")
        git(user.repo, "tag", "old", "HEAD~3")
        git(user.repo, "branch", "side", "HEAD~2")
        Path("cloud").mkdir()
        user.run("push", "cloud")
        (file,) = Path("cloud").glob("*.bundle")
        kept["bundle"] = file.read_bytes()
    return kept["bundle"]


@pytest.mark.long
@seeds
def test_a_changed_bundle(seed: int, user: User, kept: dict[str, bytes]) -> None:
    data = bundle_of(user, kept)
    good = Path("good.bundle")
    good.write_bytes(data)
    random = Random(seed)
    end = data.index(b"\n\n") if random.random() < 0.3 else len(data)
    changed = Path("changed.bundle")
    changed.write_bytes(mutated(data[:end], random) + data[end:])

    done = user.run("clone", str(changed), "new")

    assert done.code in {0, 1, 2, 10, 13}
    if done.code:
        assert (done.err.count("\n"), Path("new").exists()) == (1, False)
    else:
        assert run_git(Path("new"), "fsck", "--strict").returncode == 0
        assert user.run("log", "--repo", "new").code == 0
        shutil.rmtree("new")

    user.says("clone", str(good), "whole")
    head = git(Path("whole"), "rev-parse", "HEAD")
    pulled = user.run("pull", str(changed), "--repo", "whole")
    assert pulled.code in {0, 1, 2, 10, 13}
    assert git(Path("whole"), "rev-parse", "HEAD") == head
    assert run_git(Path("whole"), "fsck", "--strict").returncode == 0
    assert git(Path("whole"), "status", "--porcelain") == ""
