"""Entries picked from a file without reading the rest."""

from __future__ import annotations

import pytest

from gitbackup.format import codec
from gitbackup.history.selector import KeySelector, ends_of, entry_of
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


def test_a_file_begins_and_ends_with_a_key() -> None:
    names = [codec.data(name) for name in codec.load(FILE)]

    assert ends_of(FILE) == (names[0], names[-1])
    assert ends_of(file_format.encode_stored({"a": entry(b"a")})) == (b"a", b"a")
    assert ends_of(b"{}\n") == (b"", b"")


def test_the_folders_of_such_keys_are_known_where_the_databases_are() -> None:
    assert KeySelector(["a"], [3, 0, 3]).places == ["db0", "db3"]
    assert KeySelector(["a"], [-1]).places == ["functions"]
    assert KeySelector(["a"]).places is None
