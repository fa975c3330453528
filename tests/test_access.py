"""Whoever may only read can commit; whoever may not is told what is missing, never a password."""

from __future__ import annotations

import os
import re
import signal
import string
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis

from gitbackup import Backup
from gitbackup.commit.commit import CommitResult
from gitbackup.errors import GitbackupError, PasswordNeeded, ServerError, UsageError
from gitbackup.live.connection.address import parse
from gitbackup.live.connection.connect import connect
from tests.servers import LiveServer, StartServer, every_brand
from tests.watching import watching

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
    assert [warning for warning in result.warnings if "no permission to WATCH" in warning]


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
    "command",
    ["SCAN", "TYPE", "HSCAN", "SSCAN", "LRANGE", "XINFO STREAM", "PEXPIRETIME", "SELECT"],
)
def test_a_command_that_a_commit_needs_is_named(
    valkey: LiveServer, tmp_path: Path, command: str
) -> None:
    with valkey.client() as client, valkey.client(db=1) as other:
        fill(client)
        other.set("k", "v")
    right = command.lower().replace(" ", "|")
    backup = backup_as(valkey, tmp_path, ["+@all", f"-{right}"])
    with pytest.raises(
        ServerError, match=rf"the user has no permission to run {command} .*\+{re.escape(right)}"
    ):
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
    with pytest.raises(
        ServerError, match=rf"the user has no permission to run {expiry.upper()} at"
    ):
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
    with pytest.raises(ServerError, match=r"theirs:1.*`Backup.init\(include=\[GLOB\]\)`"):
        Backup(tmp_path / "data", url_of(valkey, "ann", SECRET)).commit()


def limited(server: LiveServer, folder: Path, *rules: str) -> Backup:
    """A backup by a user who may do everything, to the keys of some patterns."""
    with server.client() as client:
        rights = ("resetkeys", *(rules or ("~mine:*",)), "+@all")
        client.execute_command("ACL", "SETUSER", "ann", "on", f">{SECRET}", *rights)
    return Backup(folder / "data", url_of(server, "ann", SECRET))


def test_who_may_use_some_keys_restores_just_those(server: LiveServer, tmp_path: Path) -> None:
    """What was there is saved as that of another server is, for HEAD cannot be what there is."""
    with server.client(decode_responses=True) as client:
        client.mset({"mine:1": "good", "theirs": "1"})
        good = Backup(tmp_path / "data", server.url).commit().commit
        client.mset({"mine:1": "bad", "mine:2": "new", "theirs": "2"})
        backup = limited(server, tmp_path)
        result = backup.restore("HEAD", lambda plan: True, patterns=["mine:*"])
        assert client.mget("mine:1", "mine:2", "theirs") == ["good", None, "2"]
    assert (result.whole, result.verified, result.recorded) == (True, 2, None)
    assert str(result.saved_on).startswith("saved/")
    assert backup.resolve("HEAD") == good
    assert [warning for warning in result.plan.warnings if "no permission to read all" in warning]
    assert backup.entry(str(result.saved), "mine:1")[1]["value"] == "bad"


def test_patterns_of_the_keys_that_a_user_may_use_widen_no_commit_s_scope(
    server: LiveServer, tmp_path: Path
) -> None:
    """What the commit does not cover is not deleted, though the patterns match it."""
    owner = Backup(tmp_path / "data", server.url)
    owner.init(include=["a:*"])
    with server.client(decode_responses=True) as client:
        client.mset({"a:mine": "good", "a:theirs": "1", "b:mine": "1"})
        owner.commit()
        client.mset({"a:mine": "bad", "a:new:mine": "1"})
        backup = limited(server, tmp_path, "~*mine")
        assert backup.restore("HEAD", lambda plan: True, patterns=["*mine"]).whole
        assert client.mget("a:mine", "a:new:mine", "b:mine") == ["good", None, "1"]


def test_who_may_use_some_keys_is_told_how_to_restore_those(
    server: LiveServer, tmp_path: Path
) -> None:
    with server.client(decode_responses=True) as client:
        client.mset({"mine:1": "good", "theirs": "1"})
        Backup(tmp_path / "data", server.url).commit()
        client.mset({"mine:1": "bad", "theirs": "2"})
        with pytest.raises(ServerError, match=r"no permission for the key 'theirs' .* globs"):
            limited(server, tmp_path).restore("HEAD", lambda plan: pytest.fail("asked"))
        assert client.mget("mine:1", "theirs") == ["bad", "2"]


def test_a_scope_of_the_keys_that_a_user_may_use_is_committed_restored_and_undone(
    server: LiveServer, tmp_path: Path
) -> None:
    backup = limited(server, tmp_path)
    backup.init(include=["mine:*"])
    with server.client(decode_responses=True) as client:
        client.mset({"mine:1": "good", "theirs": "1"})
        assert backup.commit().keys == 1
        client.mset({"mine:1": "bad", "mine:2": "new"})
        result = backup.restore("HEAD", lambda plan: True)
        assert (result.whole, result.recorded) == (True, backup.resolve("HEAD"))
        assert client.mget("mine:1", "mine:2", "theirs") == ["good", None, "1"]
        assert backup.undo(lambda plan: True).whole
        assert client.mget("mine:1", "mine:2") == ["bad", "new"]


@pytest.mark.few(1)
def test_a_diff_of_the_keys_that_a_user_may_use_reads_just_those(
    server: LiveServer, tmp_path: Path
) -> None:
    owner = Backup(tmp_path / "data", server.url)
    owner.init(exclude=["mine:secret"])
    with server.client() as client:
        client.mset({"mine:1": "1", "mine:2": "2", "theirs": "1"})
        owner.commit()
        client.mset({"mine:1": "other", "mine:3": "3", "mine:secret": "1", "theirs": "2"})
        client.delete("mine:2")
    backup = limited(server, tmp_path)
    found = backup.diff("HEAD", patterns=["mine:*"])
    assert [(change.action.value, change.key.name) for change in found.changes] == [
        ("changed", "mine:1"),
        ("removed", "mine:2"),
        ("added", "mine:3"),
    ]
    assert len([*found]) == 3
    with pytest.raises(ServerError, match="no permission for the key 'theirs'"):
        backup.diff("HEAD")


def test_keys_that_a_user_may_read_and_not_write_are_named_before_anything_is_written(
    valkey: LiveServer, tmp_path: Path
) -> None:
    keys = [f"{whose}:{number:03}" for whose in ("mine", "theirs") for number in range(400)]
    with valkey.client(decode_responses=True) as client:
        client.mset(dict.fromkeys(keys, "good"))
        backup = limited(valkey, tmp_path, "%R~*", "%W~mine:*")
        backup.commit()
        client.delete(*keys)
        said = (
            "no permission to write the keys 'theirs:000', 'theirs:001', 'theirs:002' and"
            " 397 more at"
        )
        with pytest.raises(ServerError, match=said):
            backup.restore("HEAD", lambda plan: pytest.fail("asked"))
        assert client.dbsize() == 0
        assert backup.restore("HEAD", lambda plan: True, patterns=["mine:*"]).whole
        assert client.dbsize() == 400


@pytest.mark.few(1)
@pytest.mark.parametrize(
    "denied",
    [
        ("discard", "unwatch"),
        ("exists", "ping", "echo", "memory", "time", "info", "client", "function", "wait"),
        ("hdel", "zrem", "srem", "lset", "del", "flushall", "script", "object", "config"),
    ],
)
def test_a_restore_works_without(
    server: LiveServer, tmp_path: Path, denied: tuple[str, ...]
) -> None:
    """None of these is needed, nor asked for."""
    with server.client() as client:
        needed = {"time", "function"} if server.brand.startswith("redis6") else set()
        known = [name for name in denied if name not in needed]
        backup = backup_as(server, tmp_path, ["+@all", *(f"-{name}" for name in known)])
        for size in (10, 400):
            client.flushall()
            fill(client)
            client.mset({f"k:{number}": "v" for number in range(size)})
            backup.commit()
            digest = client.execute_command("DEBUG", "DIGEST")
            client.flushall()
            client.set("new", "v")
            assert backup.restore("HEAD", lambda plan: True).whole
            assert client.execute_command("DEBUG", "DIGEST") == digest


@pytest.mark.parametrize(
    "denied",
    [
        ("set", "hset", "unlink", "exec"),
        ("watch", "exec", "xgroup|create", "xsetid", "rename"),
        ("multi", "watch"),
        ("pexpireat", "pexpire", "persist"),
    ],
)
def test_all_the_rights_that_a_restore_lacks_are_told_at_once(
    valkey: LiveServer, tmp_path: Path, denied: tuple[str, ...]
) -> None:
    with valkey.client(decode_responses=True) as client:
        fill(client)
        backup = backup_as(valkey, tmp_path, ["+@all", *(f"-{name}" for name in denied)])
        backup.commit()
        client.flushall()
        client.set("new", "v")
        with pytest.raises(ServerError) as refused:
            backup.restore("HEAD", lambda plan: pytest.fail("asked"))
        assert client.keys() == ["new"]
    assert {*str(refused.value).partition(" ACL SETUSER ... ")[2].split()} == {
        f"+{name}" for name in denied
    }


def test_what_reading_and_writing_lack_is_told_at_once(valkey: LiveServer, tmp_path: Path) -> None:
    with valkey.client(decode_responses=True) as client:
        fill(client)
        Backup(tmp_path / "data", valkey.url).commit()
        client.set("string", "other")
        backup = backup_as(valkey, tmp_path, ["+@all", "-get", "-hscan", "-set", "-exec"])
        with pytest.raises(ServerError, match=r"\+hscan .*\+set") as refused:
            backup.restore("HEAD", lambda plan: pytest.fail("asked"))
        assert client.get("string") == "other"
    assert {"+get", "+hscan", "+exec", "+set"} == {*str(refused.value).split(" ... ")[1].split()}


def test_a_right_that_only_other_values_take_is_not_asked_for(
    valkey: LiveServer, tmp_path: Path
) -> None:
    """Streams without groups take no XCLAIM, hashes whose fields do not expire no HPEXPIREAT."""
    denied = ["-xclaim", "-hpexpireat", "-xgroup|createconsumer"]
    with valkey.client(decode_responses=True) as client:
        fill(client)
        backup = backup_as(valkey, tmp_path, ["+@all", *denied])
        backup.commit()
        client.flushall()
        assert backup.restore("HEAD", lambda plan: True).whole
        client.xgroup_create("stream", "g", "0")
        client.xreadgroup("g", "me", {"stream": ">"})
        backup.commit()
        client.flushall()
        with pytest.raises(ServerError, match=r"\+xgroup\|createconsumer \+xclaim"):
            backup.restore("HEAD", lambda plan: pytest.fail("asked"))
        assert client.dbsize() == 0


def test_a_restore_without_rights_to_write_names_the_command_and_writes_nothing(
    server: LiveServer, tmp_path: Path
) -> None:
    with server.client() as client:
        fill(client)
        backup = backup_as(server, tmp_path, ["+@all", "-@write"])
        backup.commit()
        client.set("string", "other")
        with pytest.raises(ServerError, match=r"the user has no permission to run SET, .* \+set "):
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
    with pytest.raises(PasswordNeeded, match="requires a password: set REDISCLI_AUTH"):
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

        def start(self, what: str, total: int | None, unit: str = "keys") -> None:
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
    with pytest.raises(
        ServerError, match=r"no server answers at .*: start it, or name yours with `url`$"
    ):
        Backup(tmp_path / "data", "redis://127.0.0.1:1").commit()


def test_a_database_that_the_server_does_not_have_is_named(
    server: LiveServer, tmp_path: Path
) -> None:
    with pytest.raises(ServerError, match="has no database 99"):
        Backup(tmp_path / "data", server.url, databases=[99]).commit()


SERVERS = (Path(__file__).parent.parent / "docs" / "servers.md").read_text("utf-8")


def with_least_rights(server: LiveServer, verb: str, folder: Path, keys: str = "~*") -> Backup:
    """A user with just the rights that `check --rights` names for a verb; the page has them too."""
    whole = Backup(folder / "data", server.url).rights(verb)
    assert (whole.user, [*whole.lacking], whole.all_keys) == ("default", [], True)
    added = {"+time", "+client"} if server.brand.startswith("redis6") else {"+hpexpireat"}
    (told,) = (line for line in SERVERS.splitlines() if line.startswith(f"ACL SETUSER {verb} "))
    assert [word for word in told.split() if word not in ("+time", "+client|tracking")] == [
        word for word in whole.line.split() if word not in {*added, "+time", "+client|tracking"}
    ]
    line = whole.line.replace(">PASSWORD ~*", f">{SECRET} {keys}")
    with server.client() as client:
        client.execute_command(*line.split())
    backup = Backup(folder / "data", url_of(server, verb, SECRET))
    assert [*backup.rights(verb).lacking] == []
    return backup


def test_the_rights_that_the_page_names_are_enough(server: LiveServer, tmp_path: Path) -> None:
    with server.client() as client:
        fill(client)
        client.xgroup_create("stream", "g", "0")
        client.xreadgroup("g", "me", {"stream": ">"})
        client.zadd("zset", {"zero": -0.0})
        client.mset({f"k:{number}": "v" for number in range(400)})
        if server.brand == "valkey":
            client.execute_command("HPEXPIREAT", "hash", 4_102_444_800_123, "FIELDS", 1, "f")
        assert with_least_rights(server, "commit", tmp_path).commit().keys == 407
        digest = client.execute_command("DEBUG", "DIGEST")
        client.flushall()
        client.mset({"string": "other", "new": "v"})
        backup = with_least_rights(server, "restore", tmp_path)
        assert backup.restore("HEAD", lambda plan: True).whole
        assert client.execute_command("DEBUG", "DIGEST") == digest
        assert backup.undo(lambda plan: True).whole
        assert {*client.keys()} == {b"string", b"new"}


@pytest.mark.long
def test_the_same_rights_to_some_keys_are_enough_for_these(
    server: LiveServer, tmp_path: Path
) -> None:
    with server.client(decode_responses=True) as client:
        client.mset({"mine:1": "good", "theirs": "1"})
        client.rpush("mine:list", *range(12_000))
        Backup(tmp_path / "data", server.url).init(include=["mine:*"])
        commit = with_least_rights(server, "commit", tmp_path, "~mine:*")
        assert not commit.rights("commit").all_keys
        assert commit.commit().keys == 2
        client.delete("mine:list")
        client.mset({"mine:1": "bad", "mine:2": "new"})
        backup = with_least_rights(server, "restore", tmp_path, "~mine:*")
        assert backup.restore("HEAD", lambda plan: True).whole
        assert client.mget("mine:1", "mine:2", "theirs") == ["good", None, "1"]
        assert backup.undo(lambda plan: True).whole
        assert client.mget("mine:1", "mine:2") == ["bad", "new"]
        with watching(with_least_rights(server, "watch", tmp_path, "~mine:*")) as watcher:
            client.mset({"mine:1": "again", "theirs": "2"})
            assert watcher.told(CommitResult).summary.counts.changed == 1


@pytest.mark.parametrize("verb", ["commit", "restore", "watch"])
def test_the_rights_that_a_user_lacks_are_told_at_once(
    valkey: LiveServer, tmp_path: Path, verb: str
) -> None:
    lacks = {
        "commit": {"hscan", "time"},
        "restore": {"hscan", "time", "zrem", "rename", "exec"},
        "watch": {"hscan", "time", "exec", "client|tracking"},
    }
    denied = ["hscan", "zrem", "rename", "exec", "client|tracking"]
    backup = backup_as(valkey, tmp_path, ["+@all", *(f"-{name}" for name in denied)])
    lacking = {right.removeprefix("+") for right in backup.rights(verb).lacking}
    assert lacking == lacks[verb] - {"time"}
    with valkey.client() as client:
        assert client.dbsize() == 0


def test_the_rights_that_the_page_names_are_enough_to_watch(
    server: LiveServer, tmp_path: Path
) -> None:
    """A commit that is one point in time takes all that watching does."""
    with server.client() as client:
        fill(client)
    backup = with_least_rights(server, "watch", tmp_path)
    result = backup.commit()
    assert result.consistency == "point-in-time"
    with watching(backup) as watcher, server.client() as client:
        client.set("string", "other")
        assert watcher.told(CommitResult).summary.counts.changed == 1
