"""Two versions of a file tell which keys differ, and what is wrong with either."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gitbackup.diff.keys import KeyDiffer
from gitbackup.errors import Damaged
from gitbackup.format import codec
from gitbackup.model.keys import Entry
from gitbackup.snapshot import file_format
from gitbackup.snapshot.compare import compare
from tests.laws import tried

PATH = "db0/a.json"
TEXTS = st.sampled_from(
    ["", "x", "y", '"', "\n", "é", "base64:/w==", "base64:eA==", '  },\n  "k": {']
)
NAMES = st.sampled_from([*(f"k:{number:02d}" for number in range(24)), "", 'k"', "base64:azowMQ=="])
MOMENTS = st.sampled_from(["2027-01-15T08:00:00.123Z", "2027-02-29T08:00:00.000Z", "soon"])
SCORES = st.sampled_from([0, 1, 1.0, -0.0, 0.5, 1e-5, 1e22, "inf", "no"])
ENTRIES: st.SearchStrategy[Any] = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("string"), "value": TEXTS}, optional={"expires_at": MOMENTS}
    ),
    st.fixed_dictionaries(
        {"type": st.just("hash"), "value": st.dictionaries(TEXTS, TEXTS, max_size=3)}
    ),
    st.fixed_dictionaries({"type": st.just("set"), "value": st.lists(TEXTS, max_size=3)}),
    st.fixed_dictionaries({"type": st.just("zset"), "value": st.dictionaries(TEXTS, SCORES)}),
    st.sampled_from([{}, [], 5, {"type": "stream", "value": {"a": {"type": "string"}}}]),
)
GOOD = st.sampled_from("xyz").map(lambda value: {"type": "string", "value": value})
CHANGES = st.dictionaries(NAMES, GOOD | ENTRIES | st.none(), max_size=2)
EDITS = st.lists(
    st.tuples(
        st.integers(0, 3_000),
        st.integers(0, 40),
        st.sampled_from(
            [b"", b"\n", b"  },\n", b"\n  },\n", b"}", b"{", b'"', b",", b" ", b"\xff", b"\\u0062"]
        ),
    ),
    max_size=2,
)


class Files:
    """A snapshot of one file, in no repository."""

    def __init__(self, content: bytes) -> None:
        self.files = {PATH: f"id of {codec.loose(content)}"}

    def read(self, path: str) -> bytes:
        return codec.raw(self.files[path].removeprefix("id of "))


def file(entries: Mapping[str, Any]) -> bytes:
    return codec.encode(entries)


def edited(content: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for at, length, instead in edits:
        at %= len(content) + 1
        content = content[:at] + instead + content[at + length :]
    return content


def told(before: bytes, after: bytes) -> Any:
    """What the command compares: the keys that differ with their entries, or what is wrong."""
    try:
        return [repr(each) for each in compare(Files(before), Files(after)).pairs()]
    except Damaged as error:
        return str(error)


def exactly(before: bytes, after: bytes) -> Any:
    """The same, with both files read whole."""
    found = KeyDiffer()
    try:
        old, new = (file_format.decode_file(PATH, content) for content in (before, after))
    except Damaged as error:
        return str(error)
    if before != after:
        found.file(PATH, old, PATH, new)
    entry = [(each, old.get(each.key), new.get(each.key)) for each in found.changes()]
    return [repr(each) for each in entry]


def many(**more: Any) -> dict[str, Any]:
    """Good entries, all of which a file may hold."""
    return {f"k:{at:02d}": {"type": "string", "value": "v"} for at in range(20)} | more


@pytest.mark.long
@tried(400)
@given(st.dictionaries(NAMES, GOOD, max_size=20) | st.just(many()), CHANGES, CHANGES, EDITS, EDITS)
@example(many(), {}, {"k:07": None}, [], [])
@example(many(), {}, {"k:30": {"type": "string", "value": "v"}}, [], [])
def test_two_files_differ_as_they_do_when_they_are_read_whole(
    entries: dict[str, Any],
    both: dict[str, Any],
    changes: dict[str, Any],
    twice: list[tuple[int, int, bytes]],
    once: list[tuple[int, int, bytes]],
) -> None:
    """Whatever both hold, whatever came and went, and whatever a person wrote into them."""
    before = {name: entry for name, entry in {**entries, **both}.items() if entry is not None}
    after = {name: entry for name, entry in {**before, **changes}.items() if entry is not None}
    was, now = edited(file(before), twice), edited(edited(file(after), twice), once)
    if was != now:
        assert told(was, now) == exactly(was, now)
        assert told(now, was) == exactly(now, was)


@pytest.mark.parametrize(
    "damage",
    [
        ('"k:03"', '"k:04"'),  # twice in one file
        ('"value": "v"', '"value": 5'),
        ('"type": "string"', '"type": "hash"'),
        ('"v"', '"base64:%"'),
        ("{", "["),
    ],
)
def test_damage_of_what_is_the_same_on_both_sides_is_told(damage: tuple[str, str]) -> None:
    """And by its line in the whole file, on whatever side it is."""
    good, other = file(many()), file(many(**{"k:15": {"type": "string", "value": "w"}}))
    what, by = (word.encode() for word in damage)
    worse = [content.replace(what, by, 1) for content in (good, other)]
    for was, now in (worse, (good, worse[0]), (good, worse[1]), (worse[0], other)):
        assert isinstance(told(was, now), str)
        assert told(was, now) == exactly(was, now)


def test_a_key_that_a_part_has_and_the_rest_has_too_is_damage() -> None:
    entry: Entry = {"type": "string", "value": "w"}
    good = file(many())
    lines = file({"k:02": entry})[2:-3] + b",\n"
    at = good.index(b'  "k:15"')
    twice = good[:at] + lines + good[at:]
    assert told(good, twice) == exactly(good, twice)
    assert "duplicate name 'k:02'" in told(good, twice)


def test_a_comma_after_the_last_entry_is_damage() -> None:
    good = file(many())
    cut = good[: good.index(b'  "k:19"')] + b"}\n"
    assert told(good, cut) == exactly(good, cut)
    assert "not valid JSON" in told(good, cut)


def test_a_file_that_is_written_otherwise_means_the_same() -> None:
    other = json.dumps(many()).encode()
    assert told(file(many()), other) == []
    assert told(other, file(many())) == []


class Folder:
    """A snapshot of files in no repository, each with its keys and their values."""

    def __init__(self, values: Mapping[str, Mapping[str, str]]) -> None:
        self._contents = {
            path: file({name: {"type": "string", "value": text} for name, text in held.items()})
            for path, held in values.items()
        }
        self.files = {path: f"id of {codec.loose(each)}" for path, each in self._contents.items()}

    def read(self, path: str) -> bytes:
        return self._contents[path]


SNAPSHOTS = st.dictionaries(
    st.sampled_from([f"k:{number}" for number in range(9)]),
    st.tuples(st.sampled_from(["db0/a.json", "db0/b.json", "db0/c.json", "db3/a.json"]), GOOD),
)


@tried(300)
@given(SNAPSHOTS, SNAPSHOTS)
def test_snapshots_differ_by_their_keys_whatever_file_each_is_in(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    """Files come and go as a whole, and keys move from one file to another."""
    sides = [
        {(int(path[2]), name): (path, entry["value"]) for name, (path, entry) in snapshot.items()}
        for snapshot in (before, after)
    ]
    folders = []
    for side in sides:
        held: dict[str, dict[str, str]] = {}
        for (_, name), (path, text) in side.items():
            held.setdefault(path, {})[name] = text
        folders.append(Folder(held))
    old, new = sides
    expected = []
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key), new.get(key)
        if (was and was[1]) != (now and now[1]):
            action = "added" if was is None else "removed" if now is None else "changed"
            expected.append((key, action, was and was[0], now and now[0]))
    found = compare(*folders)
    told = [
        ((each.key.db, each.key.name), each.action.value, each.before, each.after)
        for each in found.changes
    ]
    assert told == expected
    values = [(was and was["value"], now and now["value"]) for _, was, now in found.pairs()]
    assert values == [
        (old[key][1] if key in old else None, new[key][1] if key in new else None)
        for key, *_ in expected
    ]
