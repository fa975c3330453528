"""Entries picked from a file without reading the rest."""

from __future__ import annotations

import pytest

from gitbackup.format import codec
from gitbackup.history.selector import KeySelector, entry_of, first_key
from gitbackup.model.keys import Entry, Key
from gitbackup.snapshot import file_format

NAMES = [
    b"",
    b"user:1",
    b"user:10",
    b'user:1": {',
    b"user\\:1",
    b'"',
    b"\n",
    b"\xff\xfe",
    b"base64:user",
    "grün".encode(),
    "🐘".encode(),
]
PATH = "db0/_.json"


def entry(name: bytes) -> Entry:
    """An entry that holds what looks like another."""
    return {"type": "hash", "value": {"user:1": "1", codec.text(name): '\n  "user:1": {\n  }'}}


FILE = file_format.encode_stored({codec.text(name): entry(name) for name in NAMES})


@pytest.mark.parametrize("name", NAMES)
def test_a_key_is_picked_by_its_whole_name(name: bytes) -> None:
    picked = KeySelector.key(name, None).pick(PATH, FILE)

    key = Key(0, codec.text(name))
    assert {key: entry_of(PATH, key, found) for key, found in picked.items()} == {key: entry(name)}


@pytest.mark.parametrize("pattern", ["*", "u*", "user:1*", "\\*", "?", "g*", "nothing*", "b*"])
def test_keys_are_picked_by_a_pattern_as_they_are_read(pattern: str) -> None:
    wanted = KeySelector([pattern])

    picked = wanted.pick(PATH, FILE)
    found = {key: entry_of(PATH, key, each) for key, each in picked.items()}
    assert found == wanted.read(PATH, FILE)


def test_several_are_picked_together() -> None:
    wanted = KeySelector(["user:1", "g*", "user:10"])

    assert {key.name for key in wanted.pick(PATH, FILE)} == {"user:1", "user:10", "grün"}


def test_the_first_key_of_a_file_is_known() -> None:
    assert first_key(FILE) == codec.data(next(iter(codec.load(FILE))))
    assert first_key(file_format.encode_stored({"a": entry(b"a")})) == b"a"
    assert first_key(b"{}\n") is None
