"""Whoever may only read can commit; whoever may not is told what is missing, never a password."""

from __future__ import annotations

import os
import signal
import string
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis

from gitbackup.backup import Backup
from gitbackup.errors import GitbackupError, PasswordNeeded, ServerError, UsageError
from gitbackup.live.address import parse
from gitbackup.live.connect import connect
from tests.servers import LiveServer, StartServer, every_brand

SECRET = "s3cr3t-w0rd"


def least(server: LiveServer) -> list[str]:
    """The rights that a commit of all databases needs; of database 0 alone, not even SELECT.

    No INFO, CLIENT, FUNCTION or WATCH. Redis before 7 tells an expiry only as the time that
    is left, so that one can be known exactly with TIME alone.
    """
    return ["+@read", "+select", *(["+time"] if server.brand.startswith("redis6") else [])]


def fill(client: redis.Redis) -> None:
    client.set("string", "v")
    client.hset("hash", mapping={"f": "v"})
    client.rpush("list", *range(12_000))
    client.sadd("set", "m")
    client.zadd("zset", {"m": 1.5})
    client.xadd("stream", {"f": "v"})
    client.set("soon", "v", pxat=4_102_444_800_123)


def url_of(server: LiveServer, user: str, password: str) -> str:
    scheme, _, place = server.url.partition("://")
    return f"{scheme}://{user}:{password}@{place}"


def backup_as(server: LiveServer, folder: Path, rules: list[str]) -> Backup:
    """A backup by a user who has these rights and no others."""
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "ann", "on", f">{SECRET}", "~*", *rules)
    return Backup(folder / "data", url_of(server, "ann", SECRET))


def test_the_right_to_read_is_enough_for_a_commit(servers: LiveServer, tmp_path: Path) -> None:
    with servers.client() as client, servers.client(db=3) as other:
        fill(client)
        other.set("k", "v")
    result = backup_as(servers, tmp_path, least(servers)).commit()
    assert result.keys == 8


def test_the_right_to_read_alone_is_enough_for_database_0(
    servers: LiveServer, tmp_path: Path
) -> None:
    with servers.client() as client:
        fill(client)
    backup_as(servers, tmp_path, [right for right in least(servers) if right != "+select"])
    url = url_of(servers, "ann", SECRET)
    assert Backup(tmp_path / "data", url, databases=[0]).commit().keys == 7


def test_who_may_not_watch_is_told_that_large_values_may_be_torn(
    server: LiveServer, tmp_path: Path
) -> None:
    with server.client() as client:
        fill(client)
    result = backup_as(server, tmp_path, least(server)).commit()
    assert [warning for warning in result.warnings if "may not WATCH" in warning]


@pytest.mark.parametrize(
    "denied",
    [
        *("-watch", "-multi", "-exec", "-info", "-time", "-client", "-client|no-touch", "-echo"),
        "-getrange",
    ],
)
def test_a_commit_works_without(valkey: LiveServer, tmp_path: Path, denied: str) -> None:
    with valkey.client() as client:
        fill(client)
    expected = Backup(tmp_path / "whole", valkey.url).commit().keys
    backup = backup_as(valkey, tmp_path, ["+@all", denied])
    assert backup.commit().keys == expected
    for name in ("stream", "list"):
        assert backup.entry("HEAD", name)[1]["type"] == name


@pytest.mark.parametrize(
    "command", ["SCAN", "TYPE", "HSCAN", "SSCAN", "LRANGE", "PEXPIRETIME", "SELECT"]
)
def test_a_command_that_a_commit_needs_is_named(
    valkey: LiveServer, tmp_path: Path, command: str
) -> None:
    with valkey.client() as client, valkey.client(db=1) as other:
        fill(client)
        other.set("k", "v")
    backup = backup_as(valkey, tmp_path, ["+@all", f"-{command.lower()}"])
    with pytest.raises(ServerError, match=rf"the user may not run {command} .*\+{command.lower()}"):
        backup.commit()
    assert not backup.repository or backup.repository.head() is None


def test_who_may_not_ask_for_expiries_of_small_values_is_told_so(
    server: LiveServer, tmp_path: Path
) -> None:
    """They are read in a way of their own, which hears of writes."""
    expiry = "pttl" if server.brand.startswith("redis6") else "pexpiretime"
    with server.client() as client:
        client.mset({"a": "1", "b": "2"})
    backup = backup_as(server, tmp_path, ["+@all", f"-{expiry}"])
    with pytest.raises(ServerError, match=rf"the user may not run {expiry.upper()} at"):
        backup.commit()


def test_who_may_not_list_functions_commits_a_scope_without_them(
    valkey: LiveServer, tmp_path: Path
) -> None:
    with valkey.client() as client:
        fill(client)
        client.function_load("#!lua name=l\nredis.register_function('f', function() end)")
    backup = backup_as(valkey, tmp_path, ["+@all", "-function"])
    result = backup.commit()
    manifest = (tmp_path / "data" / "gitbackup.json").read_text()
    assert (result.keys, '"functions": false' in manifest) == (7, True)
    assert not (tmp_path / "data" / "functions").exists()


def test_a_key_that_the_user_may_not_read_is_named(valkey: LiveServer, tmp_path: Path) -> None:
    with valkey.client() as client:
        client.mset({"mine:1": "v", "theirs:1": "v"})
    with valkey.client() as client:
        client.execute_command("ACL", "SETUSER", "ann", "on", f">{SECRET}", "~mine:*", "+@all")
    with pytest.raises(ServerError, match="theirs:1"):
        Backup(tmp_path / "data", url_of(valkey, "ann", SECRET)).commit()


def test_a_restore_without_rights_to_write_names_the_command_and_writes_nothing(
    server: LiveServer, tmp_path: Path
) -> None:
    with server.client() as client:
        fill(client)
        backup = backup_as(server, tmp_path, ["+@all", "-@write"])
        backup.commit()
        client.set("string", "other")
        with pytest.raises(ServerError, match=r"the user may not run \w+ "):
            backup.restore("HEAD", lambda plan: True)
        assert client.get("string") == b"other"


RENAMED = ["KEYS", "CONFIG", "DEBUG", "FLUSHALL", "FLUSHDB", "MONITOR", "SAVE", "SHUTDOWN"]


@every_brand
def test_commit_and_restore_work_where_dangerous_commands_are_renamed_away(
    start_server: StartServer, tmp_path: Path, brand: str
) -> None:
    server = start_server(brand, rename_command=[f'{name} ""' for name in RENAMED])
    backup = Backup(tmp_path / "data", server.url)
    with server.client() as client:
        fill(client)
        backup.commit()
        client.delete("string", "list")
        assert backup.restore("HEAD", lambda plan: True).whole
        assert (client.get("string"), client.llen("list")) == (b"v", 12_000)


def test_no_password_where_one_is_wanted_says_how_to_give_one(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(requirepass=SECRET)
    with pytest.raises(PasswordNeeded, match="wants a password: set REDISCLI_AUTH"):
        Backup(tmp_path / "data", server.url).commit()
    assert not (tmp_path / "data" / ".git").exists()


def test_a_password_may_come_apart_from_the_url(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(requirepass=SECRET)
    assert Backup(tmp_path / "data", server.url, password=SECRET).commit().keys == 0


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_wrong_password_is_refused_and_not_repeated(
    start_server: StartServer, tmp_path: Path, protocol: int
) -> None:
    server = start_server(requirepass="another")
    url = url_of(server, "", SECRET) + f"?protocol={protocol}"
    backup = Backup(tmp_path / "data", url)
    with pytest.raises(ServerError, match="does not accept this user name and password") as raised:
        backup.commit()
    assert_silent(backup, parse(url), raised.value)


def assert_silent(*things: Any) -> None:
    """None of them tells the password, nor where it came from."""
    for thing in things:
        told = [str(thing), repr(thing)]
        if isinstance(thing, BaseException):
            told += traceback.format_exception(thing)
        assert SECRET not in "".join(told)


def test_nothing_tells_the_password(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(requirepass=SECRET)
    url = url_of(server, "", SECRET)
    backup = Backup(tmp_path / "data", url)
    backup.commit()
    assert_silent(
        backup, parse(url), backup.server, backup.status(), backup.commit(), connect(parse(url))
    )
    for file in (tmp_path / "data").rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes()


@pytest.mark.parametrize(
    "url",
    [
        f"redis://:{SECRET}@127.0.0.1:1",
        f"rediss://:{SECRET}@127.0.0.1:1",
        f"redis://:{SECRET}@no-such-host.invalid",
        f"unix://:{SECRET}@/no/such/socket",
        f"redis://:{SECRET}@127.0.0.1:1/x",
        f"redis://:{SECRET}@127.0.0.1:port",
        f"redis://:{SECRET}@127.0.0.1:1?nonsense=1",
        f"redis://:{SECRET}@127.0.0.1:1?socket_timeout=x",
        f"redis://:{SECRET}/x",
        f"http://:{SECRET}@127.0.0.1",
        f":{SECRET}@127.0.0.1",
        f"redis://:{SECRET}@127.0.0.1:1?protocol=9",
    ],
)
def test_no_error_about_a_url_tells_its_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(GitbackupError) as raised:
        Backup(tmp_path / "data", url).commit()
    assert isinstance(raised.value, ServerError | UsageError)
    assert_silent(raised.value)


PASSWORDS = [
    *(f"a{character}b" for character in string.punctuation if character != "%"),
    "a%b",
    "100%",
    "%zz",
    "@",
    "://@:/?#[]",
    "p@ss:w/rd?x=1#y",
    "pässwörd \U0001f511",
    " ",
]


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("form", [str, lambda password: quote(password, "")], ids=["raw", "quoted"])
def test_any_password_works_in_a_url(
    valkey: LiveServer, password: str, form: Callable[[str], str]
) -> None:
    with valkey.client() as client:
        client.execute_command(
            "ACL", "SETUSER", "ann", "reset", "on", f">{password}", "+@all", "~*"
        )
    server = connect(parse(url_of(valkey, "ann", form(password))))
    wire = server.dial()
    assert wire.call("ACL", "WHOAMI") == "ann"
    wire.close()


def test_a_password_with_a_percent_escape_is_read_as_in_any_url(valkey: LiveServer) -> None:
    with valkey.client() as client:
        client.execute_command("ACL", "SETUSER", "ann", "reset", "on", ">a b", "+@all", "~*")
    assert connect(parse(url_of(valkey, "ann", "a%20b"))).brand == "Valkey"


def test_a_server_that_dies_while_it_is_read_is_one_sentence(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server()
    with server.client() as client:
        fill(client)
        process = int(client.info("server")["process_id"])

    class Killer:
        """Progress that ends the server as soon as reading begins."""

        def start(self, label: str, total: int | None = None) -> None:
            os.kill(process, signal.SIGKILL)

        def advance(self, count: int) -> None: ...

        def finish(self) -> None: ...

    backup = Backup(tmp_path / "data", server.url, progress=Killer())
    with pytest.raises(ServerError, match=r"lost the server at|no server answers at"):
        backup.commit()
    assert backup.repository is None or backup.repository.head() is None


def test_a_server_that_dies_before_the_restore_leaves_the_repository_as_it_was(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server()
    with server.client() as client:
        fill(client)
        process = int(client.info("server")["process_id"])
        backup = Backup(tmp_path / "data", server.url)
        first = backup.commit().commit
        client.delete("string")

    def kill(plan: object) -> bool:
        os.kill(process, signal.SIGKILL)
        return True

    with pytest.raises(ServerError, match=r"lost the server at|no server answers at"):
        backup.restore("HEAD", kill)
    assert backup.resolve("HEAD") == first


def test_no_server_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"no server answers at .*--url or REDIS_URL.*demo"):
        Backup(tmp_path / "data", "redis://127.0.0.1:1").commit()


def test_a_node_of_a_cluster_is_refused(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server("redis7", tcp=True, cluster_enabled="yes")
    with pytest.raises(ServerError, match="is in cluster mode"):
        Backup(tmp_path / "data", server.url).commit()


def test_a_database_that_the_server_does_not_have_is_named(
    server: LiveServer, tmp_path: Path
) -> None:
    with pytest.raises(ServerError, match="has no database 99"):
        Backup(tmp_path / "data", server.url, databases=[99]).commit()
