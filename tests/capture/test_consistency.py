"""A snapshot is the database as it was at one moment, or says that it is not."""

from __future__ import annotations

import base64
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import given, settings

from gitbackup import Backup
from gitbackup.capture.consistency import ConsistencyLoop
from gitbackup.errors import GitbackupError
from gitbackup.format import codec
from gitbackup.live.server import staging_keys
from gitbackup.model.commits import Consistency
from gitbackup.model.keys import Entry, Key, Scope
from gitbackup.snapshot import file_format
from tests.databases import DATABASES, Database, databases
from tests.live_snapshot import ALL, Kept, live_files
from tests.servers import BRANDS, LiveServer, StartServer, in_turn
from tests.store.plain import git
from tests.writers import PAIR, SUM, balance, fill, held, writing

pytestmark = pytest.mark.few(12)

TRIES = 20  # commits, of which a slow machine may make some key by key
MANY = "for n = 0, {} do redis.call({}) end"
GROUP = (
    "XADD a:s 1-1 f v; XADD a:s 2-1 f v; XADD a:s 3-1 f v; XGROUP CREATE a:s g 0;"
    " XREADGROUP GROUP g one COUNT 2 STREAMS a:s >"
)
LARGE = ("EVAL", MANY.format(29_999, "'hset', 'a:large', n, 'v'"), 0)
LIBRARY = "#!lua name={0}\nredis.register_function('{0}', function() return {1} end)"

CHANGES: dict[str, Any] = {
    "MSET a:000 new z:099 new": "",
    "DEL a:000 z:099": "",
    "DEL a:000; RPUSH a:000 another type": "",
    "RENAME a:000 z:new": "",
    "RENAME z:099 a:000": "",
    "MOVE a:000 3": "",
    "COPY a:000 x DB 3 REPLACE": "",
    "SELECT 7; SET a:000 new": "",
    "PEXPIREAT a:000 4102444800123": "",
    "PERSIST a:000": "EXPIRE a:000 1000",
    "PEXPIREAT a:000 1": "",
    "FLUSHDB": "",
    "FLUSHDB ASYNC": "",
    "FLUSHDB; SET b 1": "",
    "SELECT 3; FLUSHDB": "",
    "FLUSHALL; SET b 1": "",
    "SWAPDB 0 3": "",
    "MULTI; SWAPDB 0 3; EXEC": "",
    "SWAPDB 0 3; SWAPDB 0 3": "",
    "CONFIG RESETSTAT; SWAPDB 0 3": "SWAPDB 3 0; SWAPDB 3 0",
    "RESTORE of a dump": "",
    "a script that swaps": "",
    "a script that writes to two": "",
    "a script that makes many": "",
    "a script that changes many": "",
    "a write to each large key": "",
    "RPUSH of a large list": "",
    "XADD a:s 4-1 f w": GROUP,
    "XDEL a:s 1-1": GROUP,
    "XREADGROUP GROUP g two COUNT 1 STREAMS a:s >": GROUP,
    "XREADGROUP GROUP g one COUNT 1 STREAMS a:s 0": GROUP,
    "XACK a:s g 1-1": GROUP,
    "XCLAIM a:s g two 0 1-1": GROUP,
    "XAUTOCLAIM a:s g two 0 0": GROUP,
    "XSETID a:s 9-1": GROUP,
    "XGROUP CREATE a:s new 0": GROUP,
    "XGROUP CREATECONSUMER a:s g three": GROUP,
    "XGROUP DELCONSUMER a:s g one": GROUP,
    "XGROUP SETID a:s g 1-1": GROUP,
    "XGROUP DESTROY a:s g": GROUP,
}
"""What somebody does while a database is read, and what it needs beforehand."""

SCRIPTS: dict[str, tuple[Any, ...]] = {
    "a script that swaps": ("EVAL", "redis.call('swapdb', 0, 3)", 0),
    "a script that writes to two": (
        "EVAL",
        "redis.call('set', 'a:000', 2) redis.call('select', 3) redis.call('set', 'x', 2)",
        0,
    ),
    "a script that makes many": ("EVAL", MANY.format(899, "'set', 'a:new' .. n, n"), 0),
    "a script that changes many": ("EVAL", MANY.format(99, "'append', 'a:0' .. n, 'x'"), 0),
    "a write to each large key": ("EVAL", MANY.format(99, "'hset', 'a:large', n * 7, 'w'"), 0),
    "RPUSH of a large list": ("EVAL", MANY.format(29_999, "'rpush', 'a:list', n"), 0),
}


def send(client: redis.Redis, commands: str) -> None:
    """Commands on one connection, as a person would type them."""
    connection = client.connection_pool.get_connection()
    for command in filter(None, commands.split("; ")):
        words = SCRIPTS.get(command, command.split(" "))
        if command == "RESTORE of a dump":
            connection.send_command("DUMP", "z:000")
            words = ("RESTORE", "a:new", 0, connection.read_response(disable_decoding=True))
        connection.send_command(*words)
        connection.read_response()
    client.connection_pool.disconnect()


class Seen:
    """What was read of a server, while somebody did something: before the first file was given
    out, or after so many.
    """

    def __init__(
        self,
        server: LiveServer,
        during: Callable[[redis.Redis], object],
        scope: Scope = ALL,
        consistency: Consistency = Consistency.AUTO,
        times: int = 1,
        after: int = 0,
    ) -> None:
        self.live = live_files(server, scope, consistency)
        self._server = server
        self._during = during
        self._left = times
        self._still = after
        kept = Kept(self._taken)
        self.live.read(kept)
        self.files = kept.files

    def _taken(self, path: str) -> None:
        if not path.startswith("db"):
            return
        self._still -= 1
        if self._left and self._still < 0:
            self._left -= 1
            with self._server.client() as client:
                self._during(client)

    @property
    def entries(self) -> dict[Key, Entry]:
        files = file_format.decode_all(sorted(self.files.items()))
        return {key: entry for _, found in files for key, entry in found.items()}


def quiet(server: LiveServer, scope: Scope = ALL) -> Seen:
    """What is read where nobody does anything."""
    return Seen(server, lambda client: None, scope)


def crowd(client: redis.Redis) -> None:
    """Keys of two files."""
    client.mset({f"{space}:{number:03}": "v" for space in "az" for number in range(100)})


def agrees(seen: Seen, server: LiveServer, scope: Scope = ALL) -> None:
    """It is of one moment, and that is when all had been done: to the byte."""
    later = quiet(server, scope)
    assert (seen.live.at_once, seen.live.why) == (True, "")
    assert seen.entries == later.entries
    assert seen.files == later.files
    assert seen.live.keys == later.live.keys


@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize("change", CHANGES)
def test_what_is_done_while_it_is_read_is_seen(server: LiveServer, change: str, after: int) -> None:
    with server.client() as client, server.client(db=3) as other:
        crowd(client)
        other.mset({"x": "1", "y": "1"})
        if change == "a write to each large key":
            client.execute_command(*LARGE)
        send(client, CHANGES[change])
    agrees(Seen(server, lambda client: send(client, change), after=after), server)


@pytest.mark.parametrize("change", ["SET a:000 new", "SWAPDB 0 3", "FLUSHALL", "XACK a:s g 1-1"])
def test_without_tracking_it_is_not(server: LiveServer, change: str) -> None:
    """So the tests here can fail."""
    with server.client() as client:
        crowd(client)
        send(client, GROUP)
    once = Consistency.PER_KEY
    seen = Seen(server, lambda client: send(client, change), consistency=once, after=1)
    assert not seen.live.at_once
    assert seen.entries != quiet(server).entries


def test_a_change_in_another_database_than_is_read_changes_nothing(server: LiveServer) -> None:
    with server.client() as client:
        crowd(client)
    one = Scope((0,), (), ("z:*",), functions=False)
    seen = Seen(server, lambda c: send(c, "SELECT 3; SET a:000 new; SET z:000 new"), one)
    agrees(seen, server, one)


def test_a_large_key_that_changes_while_it_is_read_again_is_read_once_more(
    server: LiveServer,
) -> None:
    with server.client() as client:
        crowd(client)
        client.execute_command(*LARGE)
        before = client.hlen("a:large")
    seen = Seen(server, lambda client: send(client, "a write to each large key"), times=2)
    agrees(seen, server)
    assert len(seen.entries[Key(0, "a:large")]["value"]) > before - 1


def test_a_value_with_a_file_of_its_own_stays_while_its_place_is_parted(
    server: LiveServer,
) -> None:
    with server.client() as client:
        crowd(client)
        client.mset({"a:050": "x" * 1_500_000, "z:050": "x" * 1_500_000})
    agrees(Seen(server, lambda client: send(client, "a script that makes many")), server)


@pytest.mark.long
@settings(max_examples=15)
@given(databases())
def test_whatever_stands_beside_a_key_that_changes_is_as_it_was(
    valkey: LiveServer, database: Database
) -> None:
    """Its file is made again, of what was given out before."""
    valkey.reset()
    with valkey.client() as client:
        database.build(client)
    everywhere = "; ".join(f"SELECT {db}; SET user:new v; SET key:new v" for db in DATABASES)
    agrees(Seen(valkey, lambda client: send(client, everywhere)), valkey)


@pytest.mark.parametrize("active", [0, 1])
def test_what_expires_while_it_is_read_is_gone(server: LiveServer, active: int) -> None:
    """Whether the server has noticed, or will only when somebody asks for the key."""
    with server.client() as client:
        crowd(client)
        if server.brand != "redis7" or active:
            client.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", active)
        client.set("soon", "v", px=200)
        client.set("later", "v", ex=1_000)
    try:
        seen = Seen(server, lambda client: time.sleep(0.3))
    finally:
        with server.client() as client:
            client.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", 1)
    names = {key.name for key in seen.entries}
    assert ({"soon", "later"} & names, seen.live.keys[0]) == ({"later"}, 201)
    agrees(seen, server)


def test_fields_that_expire_while_they_are_read_are_gone(valkey: LiveServer) -> None:
    with valkey.client() as client:
        crowd(client)
        client.hset("hash", mapping={"soon": "v", "later": "v", "stays": "v"})
        client.hset("gone", mapping={"soon": "v"})
        for name in ("hash", "gone"):
            client.execute_command("HPEXPIRE", name, 200, "FIELDS", 1, "soon")
        client.execute_command("HPEXPIRE", "hash", 1_000_000, "FIELDS", 1, "later")
    seen = Seen(valkey, lambda client: time.sleep(0.3))
    assert seen.entries[Key(0, "hash")]["value"] == {"later": "v", "stays": "v"}
    assert seen.entries[Key(0, "hash")]["field_expires_at"].keys() == {"later"}
    assert Key(0, "gone") not in seen.entries
    agrees(seen, valkey)


def test_fields_that_are_to_expire_since_they_were_read_are_seen(valkey: LiveServer) -> None:
    with valkey.client() as client:
        crowd(client)
        client.hset("hash", mapping={"soon": "v", "stays": "v"})
    expire = "HPEXPIREAT hash 4102444800123 FIELDS 1 soon"
    agrees(Seen(valkey, lambda client: send(client, expire)), valkey)


def test_what_is_evicted_while_it_is_read_is_gone(start_server: StartServer) -> None:
    for brand in BRANDS:
        server = start_server(brand, maxmemory_policy="allkeys-random")
        with server.client() as client:
            crowd(client)
        seen = Seen(server, lambda c: send(c, "CONFIG SET maxmemory 1; CONFIG SET maxmemory 0"))
        with server.client() as client:
            assert client.dbsize() < 200
        agrees(seen, server)


@pytest.mark.parametrize("brand", in_turn(["valkey", "redis7"]))
def test_libraries_that_change_while_keys_are_read_are_seen(
    running: Callable[[str], LiveServer], brand: str
) -> None:
    server = running(brand)
    with server.client() as client:
        crowd(client)
        client.function_load(LIBRARY.format("one", 1))
        client.function_load(LIBRARY.format("two", 1))

    def change(client: redis.Redis) -> None:
        client.function_load(LIBRARY.format("one", 2), replace=True)
        client.function_load(LIBRARY.format("three", 1))
        client.function_delete("two")

    seen = Seen(server, change)
    assert sorted(path for path in seen.files if path.startswith("functions")) == [
        "functions/one.lua",
        "functions/three.lua",
    ]
    agrees(seen, server)


@pytest.mark.long
def test_search_indexes_that_change_while_keys_are_read_are_seen(stack: LiveServer) -> None:
    def run(*commands: str) -> None:
        with stack.client() as client:
            for command in commands:
                client.execute_command(*command.split())

    with stack.client() as client:
        crowd(client)
    run("FT.CREATE one SCHEMA a TEXT", "FT.CREATE two SCHEMA a TEXT")

    def change(client: redis.Redis) -> None:
        run("FT.ALTER one SCHEMA ADD b TAG", "FT.CREATE three SCHEMA c GEO", "FT.DROPINDEX two")

    seen = Seen(stack, change)
    assert [path for path in seen.files if path.startswith("search")] == [
        "search/one.index",
        "search/three.index",
    ]
    agrees(seen, stack)


def test_a_value_that_is_built_aside_meanwhile_is_no_part(server: LiveServer) -> None:
    name = "a:000:gitbackup-aside:0123456789abcdef"
    with server.client() as client:
        crowd(client)
    seen = Seen(server, lambda client: client.set(name, "v", ex=100))
    assert Key(0, name) not in seen.entries
    assert seen.live.left_over == ((0, name.encode()),)
    agrees(seen, server)


def test_databases_that_are_emptied_each_time_are_read_key_by_key(server: LiveServer) -> None:
    with server.client() as client:
        crowd(client)

    def emptied(client: redis.Redis) -> None:
        client.flushdb()
        crowd(client)

    seen = Seen(server, emptied, times=99)
    assert (seen.live.at_once, seen.live.keys) == (False, {0: 200})
    assert seen.live.why == "databases were flushed or swapped during every read"


def cut_off(client: redis.Redis) -> None:
    """The server drops whoever tracks."""
    for one in client.client_list():
        if "t" in one["flags"]:
            client.client_kill_filter(_id=one["id"])


def test_a_tracker_that_the_server_drops_is_missed(server: LiveServer, tmp_path: Path) -> None:
    with server.client() as client:
        crowd(client)
    seen = Seen(server, cut_off, times=99)
    assert (seen.live.at_once, seen.live.changed, seen.live.keys) == (False, None, {0: 200})
    assert seen.live.why.startswith("lost the server at")


def test_a_tracker_that_the_server_drops_once_makes_all_be_read_again(server: LiveServer) -> None:
    with server.client() as client:
        crowd(client)
    seen = Seen(server, cut_off)
    assert (seen.live.at_once, seen.live.why, seen.live.keys) == (True, "", {0: 200})


def test_where_there_is_no_moment_what_was_written_to_is_read_again(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was read in a way that needs it."""
    monkeypatch.setattr(
        ConsistencyLoop, "run", lambda self, pause, patience: self._tracker.barrier()
    )
    with server.client() as client:
        crowd(client)
    seen = Seen(server, lambda client: client.set("a:000", "new", px=10_000_000))
    assert (seen.live.at_once, seen.live.changed) == (False, 1)
    assert seen.files == quiet(server, ALL).files


def test_nor_is_a_value_that_is_built_aside_meanwhile_a_part_then(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes later than what was built aside when reading began."""
    monkeypatch.setattr(
        ConsistencyLoop, "run", lambda self, pause, patience: self._tracker.barrier()
    )
    name = "a:000:gitbackup-aside:0123456789abcdef"

    def build(client: redis.Redis) -> None:
        time.sleep(0.01)
        client.set(name, "half", ex=60 * staging_keys.MINUTES)

    with server.client() as client:
        crowd(client)
    seen = Seen(server, build)
    assert (seen.live.at_once, seen.live.left_over) == (False, ((0, name.encode()),))
    assert seen.files == quiet(server, ALL).files


@pytest.mark.few(1)
@pytest.mark.parametrize(
    "denied", ["client|tracking", "multi", "exec", "info", "ping", "time", "hello"]
)
def test_who_may_not_track_commits_key_by_key_and_is_told(
    server: LiveServer, tmp_path: Path, denied: str
) -> None:
    scheme, _, place = server.url.partition("://")
    if server.brand == "redis6":  # which takes away whole commands only
        denied = denied.partition("|")[0]
    with server.client() as client:
        crowd(client)
        client.execute_command("ACL", "SETUSER", "ann", "on", ">pw", "~*", "+@all", f"-{denied}")
    backup = Backup(tmp_path / "data", f"{scheme}://ann:pw@{place}")
    if denied == "hello":  # which is open to all
        assert backup.commit().consistency == "point-in-time"
        return
    with pytest.raises(
        GitbackupError, match=rf"cannot read .* at one point in time: .*\+{denied.split('|')[0]}"
    ):
        backup.commit(consistency=Consistency.STRICT)
    assert backup.repository is None or backup.repository.head() is None
    with server.client() as client:
        client.config_resetstat()
        result = backup.commit()
        assert client.info("commandstats")["cmdstat_scan"]["calls"] == 1  # not all of it twice
    assert result.consistency.startswith("per-key")
    (warning,) = [one for one in result.warnings if "not one point in time" in one]
    assert "ACL SETUSER" in warning


def test_every_protocol_gives_one_point_in_time(servers: LiveServer, tmp_path: Path) -> None:
    with servers.client() as client:
        crowd(client)
    before = time.time()
    backup = Backup(tmp_path / "data", servers.url)
    assert backup.commit().consistency == "point-in-time"
    (info,) = backup.log()
    taken_at = info.trailers["Taken-At"]
    assert info.trailers["Consistency"] == "point-in-time"
    assert abs(codec.milliseconds(taken_at) / 1000 - before) < 60


def test_a_commit_while_keys_change_holds_what_a_later_one_does(
    server: LiveServer, tmp_path: Path
) -> None:
    """Contents that were sent to git and are of no use are in no tree, nor is any file twice."""
    with server.client() as client, writing(server, "index", 500):
        backup = Backup(tmp_path / "data", server.url)
        for _ in range(3):
            crowd(client)
            backup.commit()
    assert git(backup.path, "fsck", "--strict", "--no-dangling") == ""
    backup.commit()
    assert backup.commit().commit is None


@pytest.mark.long
@pytest.mark.parametrize("rate", [500, 0])
def test_no_money_is_made_or_lost_in_a_commit_of_one_moment(
    server: LiveServer, tmp_path: Path, rate: int
) -> None:
    fill(server)
    backup = Backup(tmp_path / "data", server.url)
    how = Consistency.AUTO if rate else Consistency.PAUSE
    sums: list[int] = []
    with writing(server, "bank", rate, clients=2):
        for _ in range(TRIES):
            if backup.commit(consistency=how).consistency == "point-in-time":
                sums.append(balance(backup))
            if len(sums) == 2:
                break
    assert sums == [SUM] * 2


@pytest.mark.long
def test_read_key_by_key_money_is_made_and_lost(valkey: LiveServer, tmp_path: Path) -> None:
    """So the test above can fail."""
    fill(valkey)
    backup = Backup(tmp_path / "data", valkey.url)
    sums: set[int] = set()
    with writing(valkey, "bank", 2_000):
        while sums <= {SUM}:
            backup.commit(consistency=Consistency.PER_KEY)
            sums.add(balance(backup))


@pytest.mark.long
def test_an_item_and_its_entry_in_the_index_are_never_apart(
    server: LiveServer, tmp_path: Path
) -> None:
    backup = Backup(tmp_path / "data", server.url)
    counted: Counter[str] = Counter()
    with writing(server, "index", 1_000):
        for _ in range(3):
            said = backup.commit().consistency
            counted[said] += 1
            index = held(backup)["items:index"]["value"]
            items = {name for name in held(backup) if name.startswith("item:")}
            assert items == set(index) or said != "point-in-time"
    assert counted["point-in-time"] > 0


@pytest.mark.long
@pytest.mark.parametrize("rate", [20, 300])
def test_keys_of_modules_that_change_together_are_never_apart(
    stack: LiveServer, tmp_path: Path, rate: int
) -> None:
    """Bloom filters, sketches and time series are equal in pairs, and documents have one sum."""
    with stack.client() as client:
        crowd(client)
        for name in PAIR:
            client.execute_command("BF.RESERVE", f"bloom:{name}", 0.01, 10_000)
            client.execute_command("CMS.INITBYDIM", f"sketch:{name}", 500, 3)
            client.execute_command("TS.CREATE", f"series:{name}")
            client.execute_command("JSON.SET", f"document:{name}", ".", '{"n":0,"count":0}')
    backup = Backup(tmp_path / "data", stack.url)
    counted: Counter[str] = Counter()
    with writing(stack, "modules", rate, clients=1):
        for _ in range(TRIES):
            said = backup.commit().consistency
            counted[said] += 1
            if said == "point-in-time":
                _expect_pairs(stack, held(backup))
            if counted["point-in-time"] == 3:
                break
    assert counted["point-in-time"] > 0


def _expect_pairs(stack: LiveServer, entries: Mapping[str, Entry]) -> None:
    """Both keys of each pair hold the same, no money was made between the documents, and each has
    counted what is in the sketches."""
    documents = [entries[f"document:{name}"]["value"]["document"] for name in PAIR]
    assert sum(document["n"] for document in documents) == 0
    for space in ("bloom", "sketch"):
        one, other = (entries[f"{space}:{name}"]["value"] for name in PAIR)
        assert one == other
    one, other = (_of_dump(stack, entries[f"series:{name}"], "TS.RANGE", "-", "+") for name in PAIR)
    assert one == other
    for name, document in zip(PAIR, documents, strict=True):
        assert _of_dump(stack, entries[f"sketch:{name}"], "CMS.INFO")[b"count"] == document["count"]


def _of_dump(stack: LiveServer, entry: Entry, command: str, *words: str) -> Any:
    """What a command says of a key that holds this dump."""
    with stack.client() as client:
        client.restore("restored", 0, base64.b64decode(entry["value"]["dump"]), replace=True)
        told = client.execute_command(command, "restored", *words)
        client.delete("restored")
    return told


@pytest.mark.long
def test_writers_go_on_at_once_after_a_pause(server: LiveServer) -> None:
    fill(server)
    with writing(server, "bank", 0, clients=1):
        live = live_files(server, consistency=Consistency.PAUSE)
        live.read(Kept())
        with server.client(socket_timeout=30) as client:
            client.set("after", "1")
            assert client.get("after") == b"1"
