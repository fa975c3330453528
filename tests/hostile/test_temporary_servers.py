"""Files of data that somebody made to harm the temporary server that loads them."""

from __future__ import annotations

import re
import struct
from io import BytesIO
from pathlib import Path

import pytest
import redis

from gitbackup.errors import ServerError
from gitbackup.format.crc64 import crc64
from gitbackup.live.server import embedded
from gitbackup.live.server.embedded import EmbeddedServer, find_server, find_servers
from tests.cli.user import User

COMMANDS = [
    ("rdb", "verify", "made"),
    ("commit", "--rdb", "made"),
    ("restore", "--rdb", "made", "--yes"),
]


def text(content: bytes) -> bytes:
    return bytes([len(content)]) + content


def rdb(*entries: bytes) -> bytes:
    """An RDB file without a checksum."""
    return b"REDIS0010\xfe\x00" + b"".join(entries) + b"\xff" + bytes(8)


LISTPACK = b"\xf0\xff\xff\xff\x7f"  # an element of gigabytes, where there are none
GOOD = b"\x00" + text(b"good") + text(b"a")
BAD = b"\x10" + text(b"bad") + text(struct.pack("<IH", 7 + len(LISTPACK), 2) + LISTPACK + b"\xff")
DECOY = b"\x01" + text(b"sanitize-dump-payload") + b"\x00"
"""An empty list, which a server leaves out, and names in its log."""


@pytest.mark.few(1)
@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize("entries", [[GOOD, BAD], [GOOD, DECOY, BAD]], ids=["plain", "decoy"])
def test_a_corrupt_value_is_not_loaded(
    entries: list[bytes], words: tuple[str, ...], user: User
) -> None:
    """A name in the file cannot make us believe that the server knows no checks."""
    Path("made").write_bytes(rdb(*entries))

    done = user.run(*words)

    assert (done.code, done.err.count("\n")) == (12, 1), done
    assert "integrity check failed" in done.err
    assert user.redis.dbsize() == 0


def test_of_servers_that_get_stuck_only_one_is_tried(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a script that never ends, in the commands of an append-only file."""
    monkeypatch.setattr(embedded, "_PATIENCE", 1.0)
    words = [b"EVAL", b"while true do end", b"0"]
    command = b"*3\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
    fact = b"\xfa" + text(b"aof-base") + b"\xc0\x01"
    Path("made").write_bytes(b"REDIS0010" + fact + b"\xff" + bytes(8) + command)

    done = user.run("rdb", "verify", "made")

    assert (done.code, done.err.count("\n")) == (12, 1), done
    # a busy machine's has not come to the script by then
    stuck = re.findall("did not (?:load more of its file|answer) within 1 seconds", done.err)
    assert len(stuck) == 1
    others = find_servers()[1:]
    assert all(str(other) in done.err for other in others)
    assert ("; not tried: " in done.err) == bool(others)


def test_what_is_good_of_such_a_file_is_loaded(user: User) -> None:
    Path("made").write_bytes(rdb(GOOD, DECOY))

    assert user.run("restore", "--rdb", "made", "--yes").code == 0
    assert user.redis.keys() == [b"good"]


@pytest.mark.parametrize("program", find_servers()[:3], ids=str)
def test_every_temporary_server_checks_what_a_client_sends(program: Path) -> None:
    """As a restore test does with a value that is stored as a dump."""
    payload = BAD[:1] + BAD[1 + len(text(b"bad")) :] + struct.pack("<H", 9)
    payload += struct.pack("<Q", crc64(BytesIO(payload), len(payload)))
    with EmbeddedServer(program) as server, redis.Redis.from_url(server.url) as client:
        with pytest.raises(redis.ResponseError, match="Bad data format"):
            client.restore("bad", 0, payload)
        assert client.config_get("port") | client.config_get("save") == {"port": "0", "save": ""}


def test_a_server_that_knows_no_checks_begins_without(tmp_path: Path) -> None:
    program = tmp_path / "old-server"
    program.write_text(
        "#!/bin/sh\n"
        'if grep -q sanitize "$1"; then printf \'\\n*** FATAL CONFIG FILE ERROR ***\\n'
        "Reading the configuration file, at line 5\\n"
        ">>> '\"'sanitize-dump-payload yes'\"'\\n"
        "Bad directive or wrong number of arguments\\n' >&2; exit 1; fi\n"
        f'exec {find_server()} "$@"\n'
    )
    program.chmod(0o700)
    with EmbeddedServer(program) as server:
        assert redis.Redis.from_url(server.url).ping()


@pytest.mark.parametrize("script", ["EVAL", "FUNCTION"])
def test_a_script_without_end_is_given_up(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_PATIENCE", 1.0)
    loop = b"while true do end"
    words = {
        "EVAL": [b"EVAL", loop, b"0"],
        "FUNCTION": [b"FUNCTION", b"LOAD", b"#!lua name=x\n" + loop],
    }[script]
    command = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)
    file = tmp_path / "dump.rdb"
    file.write_bytes(command)
    config = {"appendonly": "yes", "appendfilename": "dump.rdb"}
    with (
        pytest.raises(ServerError, match=r"did not (answer|load more)"),
        EmbeddedServer(find_server(), config, rdb=file),
    ):
        pass
