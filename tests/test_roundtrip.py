"""Commit, restore, commit again: the same tree, and the same database by the server's own word."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbackup import Backup
from gitbackup.plan.plan import Plan, Ttl
from gitbackup.restore.result import RestoreResult
from tests.databases import Database, databases, send
from tests.live_snapshot import files_of as files
from tests.servers import BRANDS, PROTOCOLS, LiveServer

Running = Callable[[str], LiveServer]
E2E = settings(max_examples=8)


@contextmanager
def backups(*servers: LiveServer) -> Iterator[list[Backup]]:
    """A data repository of its own for each server."""
    with tempfile.TemporaryDirectory() as folder:
        yield [Backup(Path(folder, str(at)), server.url) for at, server in enumerate(servers)]


def yes(plan: Plan) -> bool:
    return True


def tree(backup: Backup, commit: str | None = "HEAD") -> str:
    assert backup.repository
    assert commit
    return backup.repository.tree_id(commit)


def commit(backup: Backup) -> str:
    """The tree of a commit of the live database."""
    return tree(backup, backup.commit(allow_empty=True).commit)


def fill(server: LiveServer, database: Database, random: Random | None = None) -> None:
    """The server holds this database and nothing else."""
    with server.client() as client:
        empty(client)
        database.build(client, random)


def empty(client: redis.Redis) -> None:
    client.flushall()
    if int(client.info("server")["redis_version"].split(".")[0]) >= 7:
        client.function_flush()


def digests(server: LiveServer) -> dict[tuple[int, bytes], bytes]:
    """What the server's own DEBUG DIGEST-VALUE says of every key."""
    found = {}
    with server.client() as client:
        for db in range(16):
            send(client, [("SELECT", db)])
            for key in send(client, [("KEYS", "*")])[0]:
                (found[db, key],) = send(client, [("DEBUG DIGEST-VALUE", key)])[0]
        send(client, [("SELECT", 0)])
    return found


def restore(backup: Backup, commit_ish: str = "HEAD", **how: object) -> RestoreResult:
    result = backup.restore(commit_ish, yes, **how)
    assert [*result.busy, *result.refused, *result.differing] == []
    return result


@E2E
@given(data=st.data())
def test_commit_restore_commit_gives_the_same_tree(
    servers: LiveServer, data: st.DataObject
) -> None:
    database = data.draw(databases(servers.brand))
    fill(servers, database)
    with backups(servers, servers) as (first, second):
        before, known = commit(first), digests(servers)
        fill(servers, Database(()))
        restore(first)
        assert (commit(second), digests(servers)) == (before, known)


@pytest.mark.long
@given(data=st.data(), seed=st.integers())
def test_a_database_built_in_another_order_gives_the_same_files(
    server: LiveServer, data: st.DataObject, seed: int
) -> None:
    database = data.draw(databases(server.brand, common=True, max_keys=20))
    fill(server, database)
    expected = files(server)
    fill(server, database, Random(seed))
    assert files(server) == expected


@pytest.mark.long
@settings(max_examples=5)
@given(data=st.data())
def test_every_server_and_protocol_gives_the_same_tree(
    running: Running, data: st.DataObject
) -> None:
    database = data.draw(databases(common=True))
    servers = [replace(running(b), protocol=p) for b in BRANDS for p in PROTOCOLS]
    with backups(*servers) as every:
        for server in servers:
            fill(server, database)
        assert len({commit(backup) for backup in every}) == 1


@pytest.mark.long
@settings(max_examples=5)
@given(data=st.data())
def test_a_snapshot_of_one_brand_restores_into_the_others(
    running: Running, data: st.DataObject
) -> None:
    source, target = data.draw(st.permutations([running(brand) for brand in BRANDS]))[:2]
    database = data.draw(databases(common=True))
    fill(source, database)
    fill(target, data.draw(databases(target.brand)))
    with backups(source, target) as (one, other):
        expected = commit(one)
        restore(one, to=target.url)
        with target.client() as client:
            if not source.brand.startswith("redis6") and not target.brand.startswith("redis6"):
                assert client.function_list() == []
            elif not target.brand.startswith("redis6"):
                client.function_flush()  # which a Redis 6 cannot know of
        assert commit(other) == expected


@E2E
@given(data=st.data())
def test_a_restore_from_any_state_gives_exactly_the_commit_and_keeps_that_state(
    server: LiveServer, data: st.DataObject
) -> None:
    target, state = data.draw(databases(server.brand)), data.draw(databases(server.brand))
    with backups(server, server) as (backup, witness):
        fill(server, target)
        wanted = commit(backup)
        fill(server, state)
        lost = commit(witness)
        result = restore(backup)
        assert commit(witness) == wanted
        assert tree(backup) == wanted
        assert tree(backup, result.saved or "HEAD") == lost
        assert (result.saved is not None) == (lost != wanted)


SMALL = {0: {"a:1": "one", "b:1": "one"}, 3: {"a:1": "one"}}
CHANGED = {0: {"a:1": "two", "a:2": "new", "b:1": "two", "b:2": "new"}, 3: {"a:1": "two"}}


def put(server: LiveServer, keys: dict[int, dict[str, str]]) -> None:
    with server.client() as client:
        client.flushall()
        for db, some in keys.items():
            send(client, [("SELECT", db), *(("SET", *pair) for pair in some.items())])
        send(client, [("SELECT", 0)])


def held(server: LiveServer) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = {}
    for db in (0, 3):
        with server.client(db=db, decode_responses=True) as client:
            found[db] = {key: client.get(key) for key in sorted(client.keys())}
    return found


NARROWED = [
    ({}, None, SMALL),
    ({"patterns": ["a:*"]}, None, {0: {**SMALL[0], "b:1": "two", "b:2": "new"}, 3: SMALL[3]}),
    ({"delete": False}, None, {0: {**CHANGED[0], **SMALL[0]}, 3: SMALL[3]}),
    ({}, [3], {0: CHANGED[0], 3: SMALL[3]}),
    ({"patterns": ["b:*"]}, [0], {0: {**CHANGED[0], "b:1": "one"}, 3: CHANGED[3]}),
]


@pytest.mark.few(1)
@pytest.mark.parametrize(("how", "databases", "expected"), NARROWED)
def test_a_restore_is_narrowed_as_asked(
    server: LiveServer,
    tmp_path: Path,
    how: dict[str, object],
    databases: list[int] | None,
    expected: dict[int, dict[str, str]],
) -> None:
    put(server, SMALL)
    Backup(tmp_path / "data", server.url).commit()
    put(server, CHANGED)
    if how.get("patterns") == ["b:*"]:
        expected[0].pop("b:2", None)
    restore(Backup(tmp_path / "data", server.url, databases=databases), **how)
    assert held(server) == {db: dict(sorted(keys.items())) for db, keys in expected.items()}


def test_keys_outside_the_scope_of_the_commit_stay(server: LiveServer, tmp_path: Path) -> None:
    put(server, SMALL)
    backup = Backup(tmp_path / "data", server.url)
    backup.init(include=["a:*"])
    backup.commit()
    put(server, CHANGED)
    restore(backup)
    expected = {0: {"a:1": "one", "b:1": "two", "b:2": "new"}, 3: {"a:1": "one"}}
    assert held(server) == expected


HOUR = 3_600_000


@pytest.mark.parametrize("ttl", Ttl)
def test_expiries_follow_the_policy(server: LiveServer, tmp_path: Path, ttl: Ttl) -> None:
    with server.client() as client:
        now = int(client.time()[0]) * 1000
        client.set("k", "v", pxat=now + HOUR + 123)
        backup = Backup(tmp_path / "data", server.url)
        backup.commit()
        client.flushall()
        restore(backup, ttl=ttl)
        left, exact = client.pttl("k"), now + HOUR + 123
        if ttl is Ttl.NONE:
            assert left == -1
        elif ttl is Ttl.REMAINING:
            assert HOUR - 60_000 < left <= HOUR + 123
        else:
            assert abs(int(client.time()[0]) * 1000 + left - exact) <= 1_000


def test_an_expiry_of_the_kept_instant_is_kept_to_the_millisecond(
    valkey: LiveServer, tmp_path: Path
) -> None:
    with valkey.client() as client:
        client.set("k", "v", pxat=4_102_444_800_123)
        backup = Backup(tmp_path / "data", valkey.url)
        backup.commit()
        client.persist("k")
        restore(backup)
        assert client.pexpiretime("k") == 4_102_444_800_123
        restore(backup, "HEAD~1", ttl=Ttl.NONE)
        assert client.pexpiretime("k") == -1


def test_no_expiry_is_restored_where_none_is_wanted_even_in_a_field(
    valkey: LiveServer, tmp_path: Path
) -> None:
    with valkey.client() as client:
        client.hset("h", mapping={"a": "1", "b": "2"})
        client.hpexpireat("h", 4_102_444_800_123, "a")
        backup = Backup(tmp_path / "data", valkey.url)
        backup.commit()
        restore(backup, ttl=Ttl.NONE)
        assert client.hpexpiretime("h", "a", "b") == [-1, -1]
        assert client.hgetall("h") == {b"a": b"1", b"b": b"2"}
