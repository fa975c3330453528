"""What was read again is what comes back, wherever it was kept meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gitbackup import kinds
from gitbackup.capture.reread_buffer import BufferedEntry, RereadBuffer
from gitbackup.format import codec
from gitbackup.model.keys import Entry
from gitbackup.snapshot import sources
from tests.kinds.examples import EXAMPLES

SOON, LATE = "2027-01-15T08:00:00.000Z", "2027-01-15T09:00:00.000Z"
ENTRIES = [
    {"type": kind, "value": value} for kind, some in EXAMPLES.items() for value in some.values
]


@pytest.fixture(params=[1, sources.IN_MEMORY], ids=["file", "memory"])
def again(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RereadBuffer]:
    monkeypatch.setattr(sources, "IN_MEMORY", request.param)
    with RereadBuffer() as made:
        yield made


def of(again: RereadBuffer, name: bytes) -> BufferedEntry:
    kept = again.kept[0, name]
    assert kept is not None
    return kept


@pytest.mark.few(1)
def test_every_entry_comes_back_as_it_is_stored(again: RereadBuffer) -> None:
    for number, entry in enumerate(ENTRIES):
        again.keep((0, b"%d" % number), entry)
    for number, entry in enumerate(ENTRIES):
        found = of(again, b"%d" % number).load()
        assert codec.encode(found) == codec.encode(kinds.canonical(entry))


def test_text_that_is_no_utf_8_is_stored_as_base64(again: RereadBuffer) -> None:
    again.keep((0, b"k"), {"type": "string", "value": codec.loose(b"\xff")})
    assert of(again, b"k").load() == {"type": "string", "value": "base64:/w=="}


def test_a_key_is_what_was_kept_last(again: RereadBuffer) -> None:
    for value in ("1", "2"):
        again.keep((0, b"k"), {"type": "string", "value": value})
    assert of(again, b"k").load()["value"] == "2"
    again.keep((0, b"k"), None)
    assert again.kept == {(0, b"k"): None}


def test_an_entry_without_an_expiry_lives(again: RereadBuffer) -> None:
    again.keep((0, b"k"), {"type": "string", "value": "v"})
    assert of(again, b"k").living(LATE) is not None


def test_an_entry_lives_up_to_its_instant(again: RereadBuffer) -> None:
    again.keep((0, b"k"), {"type": "string", "value": "v", "expires_at": SOON})
    load = of(again, b"k").living(SOON)
    assert load is not None
    assert load()["expires_at"] == SOON
    assert of(again, b"k").living(LATE) is None


def test_of_a_hash_those_fields_live_that_have_not_expired(again: RereadBuffer) -> None:
    entry: Entry = {
        "type": "hash",
        "value": {"a": "1", "b": "2"},
        "field_expires_at": {"a": SOON},
    }
    again.keep((0, b"k"), entry)
    load = of(again, b"k").living(LATE)
    assert load is not None
    assert load() == {"type": "hash", "value": {"b": "2"}}
