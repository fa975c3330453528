"""Types that only some servers know, on such a server: written, read, restored and verified."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbackup import Backup
from gitbackup.kinds import CORE, KINDS, canonical, is_opaque, normal_entry
from gitbackup.live.connection.address import parse
from gitbackup.live.connection.connect import Server, connect
from gitbackup.live.read import alone_read
from gitbackup.live.write.key_writer import KeyWrite, KeyWriter
from gitbackup.model.commits import Verdict
from gitbackup.plan.plan import Plan
from tests.kinds.examples import EXAMPLES
from tests.kinds.test_contract import KEY, begun, entry_of, read, same, write
from tests.servers import PROTOCOLS, LiveServer, modules, old_ssl_at_hand, program
from tests.store.plain import git

pytestmark = pytest.mark.long

TYPES = [name for name, some in EXAMPLES.items() if some.brand]
CASES = [(name, at) for name in TYPES for at in range(len(EXAMPLES[name].values))]
Running = Callable[[str], LiveServer]


@pytest.fixture(params=PROTOCOLS)
def server_of(request: pytest.FixtureRequest, running: Running) -> Running:
    """Gives the server that knows a type, over each protocol in turn."""
    return lambda name: replace(running(EXAMPLES[name].brand), protocol=request.param)


def engine_of(server: LiveServer) -> Server:
    return connect(parse(server.url))


def yes(plan: Plan) -> bool:
    return True


@pytest.mark.parametrize("name", sorted(KINDS.keys() - CORE))
def test_no_value_of_such_a_type_can_be_taken_for_a_dump(name: str) -> None:
    assert EXAMPLES[name].brand
    for value in EXAMPLES[name].values:
        assert not is_opaque(entry_of(name, value))
    assert is_opaque(entry_of(name, {"dump": "AAAA"}))
    assert normal_entry(entry_of(name, {"dump": "AAAA"}))["value"] == {"dump": "AAAA"}


@pytest.mark.parametrize(("name", "at"), CASES)
def test_what_is_written_reads_back_equal_and_a_plain_client_sees_it(
    server_of: Running, name: str, at: int
) -> None:
    some, server = EXAMPLES[name], server_of(name)
    value = some.values[at]
    assert write(engine_of(server), entry_of(name, value)).refused == []
    assert same(read(engine_of(server)), entry_of(name, value))
    with server.client() as client:
        assert some.seen(client, KEY) == some.value_of(value)


@settings(max_examples=20)
@given(data=st.data())
@pytest.mark.parametrize("name", TYPES)
def test_any_value_reads_back_equal(running: Running, name: str, data: st.DataObject) -> None:
    engine = engine_of(running(EXAMPLES[name].brand))
    entry = entry_of(name, data.draw(EXAMPLES[name].strategy))
    if data.draw(st.booleans()):
        entry["expires_at"] = "2100-01-01T00:00:00.001Z"
    assert write(engine, entry).refused == []
    assert same(read(engine), normal_entry(entry))


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("there", [False, True])
def test_a_key_that_has_vanished_or_become_another_type(
    server_of: Running, name: str, there: bool
) -> None:
    server = server_of(name)
    with server.client() as client:
        client.delete(KEY)
        if there:
            client.set(KEY, "text")
    engine = engine_of(server)
    wire = engine.dial()
    outcome = begun(wire, engine, name)
    found = alone_read.whole(wire, KEY, engine.abilities).entry
    wire.close()
    assert outcome is None or not isinstance(outcome, dict)
    assert (found and canonical(found)) == ({"type": "string", "value": "text"} if there else None)


@pytest.fixture
def backup_of(running: Running, tmp_path: Path) -> Callable[[str], tuple[Backup, LiveServer]]:
    """Gives a data repository, and a server that has each example of a type under `key:N`."""

    def give(name: str) -> tuple[Backup, LiveServer]:
        some = EXAMPLES[name]
        server = running(some.brand)
        steps = [
            KeyWrite(b"key:%d" % at, None, entry_of(name, value))
            for at, value in enumerate(some.values)
        ]
        with KeyWriter(engine_of(server)) as writer:
            assert writer.apply(0, steps).refused == []
        return Backup(tmp_path / "data", server.url), server

    return give


def seen(client: redis.Redis, name: str) -> list[Any]:
    """What a plain client, and DEBUG, see of the keys."""
    some = EXAMPLES[name]
    keys = [b"key:%d" % at for at in range(len(some.values))]
    digests = client.execute_command("DEBUG", "DIGEST-VALUE", *keys)
    return [*(some.seen(client, key) for key in keys), *digests]


@pytest.mark.parametrize("name", TYPES)
def test_committed_emptied_and_restored_it_is_the_same_and_a_restart_changes_nothing(
    backup_of: Callable[[str], tuple[Backup, LiveServer]], name: str
) -> None:
    backup, server = backup_of(name)
    good = str(backup.commit("filled").commit)
    with server.client() as client:
        held = seen(client, name)
        client.execute_command("DEBUG", "RELOAD")
        assert backup.commit("restarted").commit is None
        client.flushall()
        result = backup.restore(good, yes)
        assert (result.whole, result.accepted) == (True, [])
        assert seen(client, name) == held
    assert backup.commit("again").commit is None
    assert git(backup.path, "rev-parse", "HEAD^{tree}") == git(
        backup.path, "rev-parse", f"{good}^{{tree}}"
    )


@pytest.mark.parametrize("name", TYPES)
def test_it_is_verified_by_a_server_with_its_module(
    backup_of: Callable[[str], tuple[Backup, LiveServer]], name: str
) -> None:
    backup, server = backup_of(name)
    backup.commit("filled")
    with old_ssl_at_hand():
        (proof,) = backup.verify(server=program(server.brand), modules=modules(server.brand)).proofs
    assert (proof.verdict, proof.findings, proof.untried) == (Verdict.PASSED, [], [])
