"""What every kind keeps: written, it reads back equal; what no Redis could hold is refused.

A new type is a line in the registry, and fails here until it has examples.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbackup.format import codec
from gitbackup.kinds import KINDS, canonical, kind_named, normal_entry
from gitbackup.kinds.opaque import Opaque
from gitbackup.live.connection.address import parse
from gitbackup.live.connection.connect import Server, connect
from gitbackup.live.read import alone_read, bulk_read, expiry
from gitbackup.live.read.alone_read import RetryAlone
from gitbackup.live.read.key_reader import KeyReader
from gitbackup.live.write.key_writer import KeyWrite, KeyWriter, Outcome
from gitbackup.model.keys import Entry
from tests.kinds.examples import EVERYWHERE, EXAMPLES, LARGE, dump
from tests.servers import PROTOCOLS, LiveServer

KEY = b"a key \xff"
CASES = [(kind, at) for kind, some in EXAMPLES.items() for at in range(len(some.values))]
CASES_EVERYWHERE = [(kind, at) for kind, at in CASES if kind in EVERYWHERE]


@pytest.fixture
def engine(servers: LiveServer) -> Server:
    return connect(parse(servers.url))


def entry_of(kind: str, value: Any, **more: Any) -> Entry:
    return {"type": kind, "value": value, **more}  # type: ignore[typeddict-item]


def write(engine: Server, entry: Entry) -> Outcome:
    with KeyWriter(engine) as writer:
        return writer.apply(0, [KeyWrite(KEY, read(engine), entry)])


def read(engine: Server) -> Entry | None:
    with KeyReader(engine) as reader:
        ((_, entry),) = reader.entries(0, [KEY])
    return None if entry is None else canonical(entry)


def same(one: Any, other: Any) -> bool:
    """To the last bit: -0.0 is not 0."""
    return codec.encode(one) == codec.encode(other)


def test_every_kind_has_examples() -> None:
    assert set(EXAMPLES) == set(KINDS)
    for name, some in EXAMPLES.items():
        assert some.values, name
        assert some.refused, name


def test_every_kind_of_many_elements_has_an_example_of_several_pieces() -> None:
    for name in set(EVERYWHERE) - {"string"}:
        sizes = [len(value.get("entries", value) if isinstance(value, dict) else value)
                 for value in EXAMPLES[name].values]  # fmt: skip
        assert max(sizes) > 10_000, name


@pytest.mark.parametrize(("kind", "at"), CASES_EVERYWHERE)
def test_what_is_written_reads_back_equal_and_a_plain_client_sees_it(
    servers: LiveServer, engine: Server, kind: str, at: int
) -> None:
    some = EXAMPLES[kind]
    value = some.values[at]
    assert write(engine, entry_of(kind, value)).refused == []
    found = read(engine)
    assert same(found, entry_of(kind, KINDS[kind].canonicalize(value)))
    with servers.client() as client:
        assert some.seen(client, KEY) == some.value_of(value)


@settings(max_examples=15)
@given(data=st.data())
@pytest.mark.parametrize("kind", EVERYWHERE)
def test_any_value_reads_back_equal(engine: Server, kind: str, data: st.DataObject) -> None:
    entry = entry_of(kind, data.draw(EXAMPLES[kind].strategy))
    if data.draw(st.booleans()):
        entry["expires_at"] = "2100-01-01T00:00:00.001Z"
    if not same(read(engine), entry):
        assert write(engine, entry).refused == []
    assert same(read(engine), normal_entry(entry))


@pytest.mark.parametrize(("kind", "at"), CASES)
def test_the_canonical_form_is_its_own(kind: str, at: int) -> None:
    value = EXAMPLES[kind].values[at]
    normal = KINDS[kind].canonicalize(value)
    assert same(normal, value)
    assert same(KINDS[kind].canonicalize(normal), normal)


@given(data=st.data())
@pytest.mark.parametrize("kind", EXAMPLES)
def test_the_canonical_form_of_any_value_is_its_own(kind: str, data: st.DataObject) -> None:
    value = data.draw(EXAMPLES[kind].strategy)
    assert same(KINDS[kind].canonicalize(codec.load(codec.encode(value))), value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [(kind, value) for kind, some in EXAMPLES.items() for value in some.refused],
)
def test_what_does_not_fit_is_refused(kind: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        KINDS[kind].canonicalize(value)


@pytest.mark.parametrize(
    "value", [None, "", [], {}, {"dump": 1}, {"dump": "?"}, {"dump": "", "a": 1}]
)
def test_what_is_no_dump_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        kind_named("bloom").canonicalize(value)


def begun(wire: Any, engine: Server, type_: str) -> Entry | RetryAlone | None:
    """Asks for the key as a value of that type; the rest is settled by the caller."""
    asked = bulk_read.ask(KEY, type_, engine.abilities)
    replies = iter(wire.ask(list(asked.commands)))
    told = engine.abilities.pexpiretime
    moment = None if told else expiry.moments(wire, [KEY], engine.abilities)[0]
    return bulk_read.parse(wire, asked, replies, moment)


@pytest.mark.parametrize("kind", [*EVERYWHERE, "bloom"])
def test_a_key_that_has_vanished_is_none(engine: Server, kind: str) -> None:
    wire = engine.dial()
    outcome = begun(wire, engine, kind)
    found = (
        alone_read.whole(wire, KEY, engine.abilities).entry
        if outcome is RetryAlone.LATER
        else outcome
    )
    wire.close()
    assert found is None


@pytest.mark.parametrize("kind", [*EVERYWHERE, "bloom"])
def test_a_key_that_has_become_another_type_is_asked_again(engine: Server, kind: str) -> None:
    other = "list" if kind == "string" else "string"
    entry = entry_of(other, EXAMPLES[other].values[1])
    write(engine, entry)
    wire = engine.dial()
    assert begun(wire, engine, kind) is RetryAlone.LATER
    found = alone_read.whole(wire, KEY, engine.abilities).entry
    wire.close()
    assert found is not None
    assert canonical(found) == entry


def test_an_opaque_value_is_restored_from_its_dump(servers: LiveServer, engine: Server) -> None:
    with servers.client() as client:
        client.hset(KEY, mapping={"a": "1", b"\xff": "2"})
        payload = client.dump(KEY)
        assert payload
        wire = engine.dial()
        reading = Opaque("hash").read(KEY, engine.abilities)
        commands = next(reading)
        with pytest.raises(StopIteration) as read:
            reading.send(wire.ask(commands))
        assert read.value.value == {"type": "hash", "value": dump(payload)}
        client.delete(KEY)
        written = Opaque("hash").write(KEY, read.value.value, engine.abilities)
        assert wire.ask(list(written)) == ["OK"]
        assert client.hgetall(KEY) == {b"a": b"1", b"\xff": b"2"}
        wire.close()


def test_a_dump_that_the_server_cannot_load_is_a_refused_key(engine: Server) -> None:
    outcome = write(engine, entry_of("bloom", dump(b"no dump at all")))
    assert [step.key for step, _ in outcome.refused] == [KEY]
    assert read(engine) is None


def test_a_value_of_many_pieces_keeps_its_expiry(engine: Server) -> None:
    entry = entry_of("list", ["x"] * LARGE, expires_at="2100-01-01T00:00:00.001Z")
    write(engine, entry)
    assert read(engine) == entry


@pytest.mark.parametrize("size", [1, 600, LARGE])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_field_that_expires_reads_back(valkey: LiveServer, protocol: int, size: int) -> None:
    engine = connect(parse(replace(valkey, protocol=protocol).url))
    fields = {f"f{n}": str(n) for n in range(size)}
    last = f"f{size - 1}"
    expiries = {"f0": "2100-01-01T00:00:00.001Z", last: 253_402_300_800_000}
    entry = entry_of("hash", fields, field_expires_at=expiries)
    assert write(engine, entry).refused == []
    with valkey.client() as client:
        assert client.hpexpiretime(KEY, last) == [253_402_300_800_000]
    assert read(engine) == entry
