"""RDB files as files: their checksum, and what they tell of themselves."""

from __future__ import annotations

import io
import os
import shutil
import struct
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbackup.errors import Damaged, UsageError
from gitbackup.format import crc64
from gitbackup.live.rdb import rdb_file
from tests.servers import LiveServer, StartServer


def one_by_one(data: bytes) -> int:
    """The checksum bit by bit, as its definition has it."""
    reflected = int(f"{crc64.POLYNOMIAL:064b}"[::-1], 2)
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (reflected if crc & 1 else 0)
    return crc


def fast(data: bytes) -> int:
    return crc64.crc64(io.BytesIO(data), len(data))


@pytest.fixture
def dump(server: LiveServer, tmp_path: Path) -> Path:
    """The file that a server of each brand has saved."""
    with server.client() as client:
        client.mset({f"user:{number}": "x" * number for number in range(200)})
        client.save()
        saved = Path(client.config_get("dir")["dir"], "dump.rdb")
    return Path(shutil.copy(saved, tmp_path))


def test_the_checksum_is_that_of_the_catalogues() -> None:
    assert fast(b"123456789") == 0xE9C6D914C4B8D9CA


@given(st.binary(max_size=2000))
def test_the_checksum_is_that_of_its_definition(data: bytes) -> None:
    assert fast(data) == one_by_one(data)


@pytest.mark.parametrize("more", [-1, 0, 1, 63 * 16_384, 64 * 16_384 + 7])
def test_the_checksum_is_right_where_pieces_begin_and_end(more: int) -> None:
    """By a value that the definition gives in reasonable time: most of the bytes are zeros."""
    few = Random(more).randbytes(100)
    assert fast(bytes(16_384 + more) + few) == one_by_one(few)
    assert fast(few + bytes(20_000)) == one_by_one(few + bytes(20_000))


def test_a_stream_that_ends_early_has_no_checksum() -> None:
    with pytest.raises(EOFError):
        crc64.crc64(io.BytesIO(b"abc"), 4)


def test_a_file_tells_who_wrote_it_and_when(dump: Path, server: LiveServer) -> None:
    told = rdb_file.look(dump)
    with server.client() as client:
        info = client.info("server")
    brand = "Valkey" if server.brand == "valkey" else "Redis"
    version = info["valkey_version" if brand == "Valkey" else "redis_version"]
    assert (told.server, told.dated, told.size) == (
        f"{brand} {version}",
        True,
        dump.stat().st_size,
    )
    assert abs((datetime.now(UTC) - told.taken_at).total_seconds()) < 60
    assert told.version in (9, 10, 11, 80)
    assert rdb_file.check(dump) is True


def test_a_byte_that_changed_is_found_wherever_it_is(dump: Path) -> None:
    data = dump.read_bytes()
    for at in Random(1).sample(range(9, len(data)), 100):
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        dump.write_bytes(changed)
        with pytest.raises(Damaged):
            rdb_file.check(dump)


def test_a_file_that_was_cut_off_is_found_wherever_that_was(dump: Path) -> None:
    """But where a last byte happens to be what ends the data, its head alone looks whole."""
    data = dump.read_bytes()
    for length in (*range(30), *Random(2).sample(range(30, len(data)), 100), len(data) - 1):
        dump.write_bytes(data[:length])
        with pytest.raises(Damaged):
            rdb_file.check(dump)


def test_bytes_behind_the_end_are_found(dump: Path) -> None:
    with dump.open("ab") as file:
        file.write(b"\xff" + bytes(7) + b"\1")
    with pytest.raises(Damaged, match="its checksum is wrong"):
        rdb_file.check(dump)


def test_a_server_that_writes_no_checksum_is_told_apart(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(rdbchecksum="no", dir=str(tmp_path))
    with server.client() as client:
        client.set("a", 1)
        client.save()
    assert rdb_file.check(tmp_path / "dump.rdb") is False


def test_a_file_of_the_first_versions_has_no_checksum(tmp_path: Path) -> None:
    """Redis before 2.6; the file's own time is all that dates it."""
    old = tmp_path / "dump.rdb"
    old.write_bytes(b"REDIS0004\xfe\x00\x00\x01a\x011\xff")
    os.utime(old, (1_300_000_000, 1_300_000_000))
    told = rdb_file.look(old)
    assert (told.version, told.server, told.dated) == (4, "", False)
    assert told.taken_at == datetime.fromtimestamp(1_300_000_000, UTC)
    assert rdb_file.check(old) is False


@pytest.mark.parametrize(
    ("facts", "server"),
    [
        (b"\xfa\x09redis-ver\x057.4.1", "Redis 7.4.1"),
        (b"\xfa\x09redis-ver\x057.2.4\xfa\x0avalkey-ver\x058.0.0", "Valkey 8.0.0"),
        (b"\xfa\x01x\x80\x00\x00\x00\x00\xfa\x09redis-ver\x057.4.1", ""),  # a length of 32 bits
        (b"\xfa\x09redis-ver", ""),
        (b"\xfa", ""),
    ],
)
def test_facts_that_cannot_be_read_are_left_out(tmp_path: Path, facts: bytes, server: str) -> None:
    file = tmp_path / "dump.rdb"
    file.write_bytes(b"REDIS0011" + facts + b"\xff" + struct.pack("<Q", 1))
    assert rdb_file.look(file).server == server


@pytest.mark.parametrize("content", [b"", b"REDIS", b"ORC\0" * 99, b"REDIS00x1" + bytes(99)])
def test_another_sort_of_file_is_no_rdb_file(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "dump.rdb"
    file.write_bytes(content)
    with pytest.raises(Damaged, match="begins with neither REDIS nor VALKEY"):
        rdb_file.look(file)


def test_a_file_that_is_not_there_or_is_a_folder_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        rdb_file.check(tmp_path / "none.rdb")
    with pytest.raises(UsageError, match="is not a file"):
        rdb_file.check(tmp_path)
