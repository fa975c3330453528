"""Entries to files and back: what stands in which file, and that reading is not picky."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbackup.errors import Damaged
from gitbackup.format import codec
from gitbackup.model.keys import FUNCTIONS, Entry, Key, Scope
from gitbackup.snapshot import file_format
from tests.databases import contents, names, scores

MEGABYTE = 1024 * 1024


def string(value: str) -> Entry:
    return {"type": "string", "value": value}


def texts() -> st.SearchStrategy[str]:
    return contents().map(codec.loose)


ENTRIES: st.SearchStrategy[Any] = st.one_of(
    texts().map(lambda value: {"type": "string", "value": value}),
    st.dictionaries(texts(), texts(), min_size=1).map(lambda v: {"type": "hash", "value": v}),
    st.lists(texts(), min_size=1).map(lambda v: {"type": "list", "value": v}),
    st.sets(texts(), min_size=1).map(lambda v: {"type": "set", "value": sorted(v)}),
    st.dictionaries(texts(), scores().map(codec.score), min_size=1).map(
        lambda v: {"type": "zset", "value": v}
    ),
)


def decoded(files: Iterable[tuple[str, bytes]]) -> dict[Key, Entry]:
    found: dict[Key, Entry] = {}
    for _, entries in file_format.decode_all(files):
        found |= entries
    return found


@given(st.dictionaries(names().map(codec.loose), ENTRIES))
def test_files_give_back_their_entries(entries: dict[str, Entry]) -> None:
    expected = {Key(3, name): entry for name, entry in file_format.canonical(entries).items()}
    assert decoded(file_format.encode_file("db3/a.json", entries)) == expected


@given(st.dictionaries(names().map(codec.loose), ENTRIES))
def test_our_own_files_are_read_alike_without_checks(entries: dict[str, Entry]) -> None:
    for path, content in file_format.encode_file("db3/a.json", entries):
        assert file_format.decode_own(path, content) == file_format.decode_file(path, content)


def test_an_entry_over_a_megabyte_has_a_file_of_its_own() -> None:
    entries = {"a:1": string("x"), "a:Big one": string("x" * MEGABYTE), "a:2": string("y")}
    files = file_format.encode_file("db0/a.json", entries)
    assert [path for path, _ in files] == [
        f"db0/Big-one~{sha256(b'a:Big one').hexdigest()[:32]}.json",
        "db0/a.json",
    ]
    assert decoded(files) == {Key(0, name): entry for name, entry in entries.items()}


def test_a_file_of_large_entries_only_is_not_written() -> None:
    files = file_format.encode_file("db0/_.json", {"big": string("x" * MEGABYTE)})
    assert [path for path, _ in files] == [f"db0/big~{sha256(b'big').hexdigest()[:32]}.json"]


def test_many_small_entries_over_a_megabyte_stay_together() -> None:
    entries = {f"a:{n}": string("x" * 10_000) for n in range(200)}
    assert [path for path, _ in file_format.encode_file("db0/a.json", entries)] == ["db0/a.json"]


SCOPES = [
    Scope(),
    Scope(databases=(0, 3)),
    Scope(include=("a*", "é"), exclude=("tmp:*",), functions=False),
    Scope((2**31 - 1,), (codec.loose(b"\xff*"), "base64:*"), (codec.loose(b"a\xfe"),)),
]


@pytest.mark.parametrize("scope", SCOPES)
def test_a_manifest_gives_back_its_scope(scope: Scope) -> None:
    assert file_format.read_manifest(file_format.manifest(scope)) == scope


def test_a_manifest_does_not_depend_on_the_order_of_what_it_covers() -> None:
    one, other = Scope((3, 0), ("b", "a", "a")), Scope((0, 3, 3), ("a", "b"))
    assert file_format.manifest(one) == file_format.manifest(other)


def test_patterns_are_under_the_text_rule() -> None:
    content = file_format.manifest(Scope(include=(codec.loose(b"\xff*"), "base64:*", "é*")))
    assert json.loads(content)["scope"]["include"] == ["base64:/yo=", "base64:YmFzZTY0Oio=", "é*"]


def test_a_manifest_of_a_newer_format_says_upgrade() -> None:
    content = file_format.manifest(Scope()).replace(b'"format": 1', b'"format": 2')
    with pytest.raises(Damaged, match=r"gitbackup.json: .* has format 2, .*; upgrade gitbackup"):
        file_format.read_manifest(content)


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"[]",
        b"1",
        b'{"format": 0, "scope": {}}',
        b'{"format": "1", "scope": {}}',
        b'{"format": 1}',
        b'{"format": 1, "scope": {"databases": "all"}}',
        b'{"format": 1, "scope": {"databases": "some", "include": [], "exclude": [],'
        b' "functions": true}}',
        b'{"format": 1, "scope": {"databases": "all", "include": [1], "exclude": [],'
        b' "functions": true}}',
        b'{"format": 1, "scope": {"databases": "all", "include": [], "exclude": [],'
        b' "functions": 1}}',
        b'{"format": true, "scope": {"databases": "all", "include": [], "exclude": [],'
        b' "functions": true}}',
        *(
            b'{"format": 1, "scope": {"databases": %s, "include": %s, "exclude": [],'
            b' "functions": true}}' % bad
            for bad in [
                (b'"all"', b'"a"'),
                (b'"all"', b'["base64:?"]'),
                (b'"all"', b"{}"),
                (b"[-1]", b"[]"),
                (b"[true]", b"[]"),
                (b"[1.5]", b"[]"),
                (b"[2147483648]", b"[]"),
                (b"{}", b"[]"),
            ]
        ),
    ],
)
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    with pytest.raises(Damaged, match=r"gitbackup.json: not a manifest such as"):
        file_format.read_manifest(content)


ENTRY: dict[str, Any] = {
    "h": {"type": "hash", "value": {"a": "1", "é": "x"}, "expires_at": "2027-01-15T08:00:00.000Z"},
    "l": {"type": "list", "value": ["b", "a"]},
    "s": {"type": "set", "value": ["a", "b"]},
    "z": {"type": "zset", "value": {"a": 1, "b": 0.5, "c": 1e21}},
    "x": {
        "type": "stream",
        "value": {
            "entries": {"9-0": ["f", "v"], "10-0": ["f", "v", "f", "w"]},
            "entries_added": 5,
            "groups": {
                "g": {
                    "consumers": ["c"],
                    "last_id": "9-0",
                    "pending": {
                        "9-0": {
                            "consumer": "c",
                            "delivered_at": "2027-01-15T08:00:00.000Z",
                            "deliveries": 1,
                        }
                    },
                }
            },
        },
    },
}


def b64(text: str) -> str:
    return "base64:" + base64.b64encode(text.encode()).decode()


def as_base64(value: Any) -> Any:
    if isinstance(value, str):
        return b64(value)
    if isinstance(value, dict):
        return {b64(name): as_base64(item) for name, item in value.items()}
    return [as_base64(item) for item in value] if isinstance(value, list) else value


def backwards(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: backwards(item) for name, item in reversed(value.items())}
    return value


BY_HAND = {
    "on one line": json.dumps(ENTRY),
    "in ASCII, widely indented": json.dumps(ENTRY, indent=9, ensure_ascii=True),
    "the other way round": json.dumps(backwards(ENTRY), indent=2, ensure_ascii=False),
    "with 1.0 for 1": json.dumps(ENTRY).replace('": 1,', '": 1.0,').replace(": 5,", ": 5.0,"),
    "with 1e0 for 1": json.dumps(ENTRY)
    .replace('"a": 1,', '"a": 1e0,')
    .replace("1e+21", "1" + "0" * 21),
    "with an instant of another zone": json.dumps(ENTRY).replace(
        "2027-01-15T08:00:00.000Z", "2027-01-15T10:00+02:00"
    ),
    "with CRLF": json.dumps(ENTRY, indent=2).replace("\n", "\r\n"),
    "with plain text as base64": json.dumps(
        ENTRY
        | {b64("h"): ENTRY["h"] | {"value": as_base64(ENTRY["h"]["value"])}}
        | {name: ENTRY[name] | {"value": as_base64(ENTRY[name]["value"])} for name in "lsz"}
    ).replace('"h":', '"h-away":', 1),
    "with a set in another order": json.dumps(ENTRY | {"s": {"type": "set", "value": ["b", "a"]}}),
}


@pytest.mark.parametrize("content", BY_HAND.values(), ids=BY_HAND)
def test_a_file_edited_by_hand_reads_the_same(content: str) -> None:
    path = "db0/a.json"
    expected = file_format.decode_file(path, codec.encode(ENTRY))
    found = file_format.decode_file(path, content.encode())
    found.pop(Key(0, "h-away"), None)
    assert found == expected
    assert codec.encode(found[Key(0, "z")]) == codec.encode(expected[Key(0, "z")])


@given(st.data())
def test_the_layout_does_not_matter_to_who_reads(data: st.DataObject) -> None:
    every = {f"k{n}": string(str(n)) for n in range(20)}
    paths = st.sampled_from(["db0/a.json", "db0/x/y/z.json", "db0/_.json", "db0/~.json"])
    files: dict[str, dict[str, Entry]] = {}
    for name, entry in every.items():
        files.setdefault(data.draw(paths), {})[name] = entry
    found = decoded((path, codec.encode(entries)) for path, entries in files.items())
    assert found == {Key(0, name): entry for name, entry in every.items()}


def test_other_files_hold_no_entries() -> None:
    for path in [
        "README.md",
        "db0/notes.txt",
        "db01/a.json",
        "dbx/a.json",
        "a.json",
        "gitbackup.json",
    ]:
        assert file_format.decode_file(path, b"not JSON") == {}


def test_the_same_key_in_two_files_is_told_with_both() -> None:
    content = codec.encode({"k": string("v")})
    with pytest.raises(Damaged, match=r"db0/b.json: key 'k' is also in db0/a.json"):
        decoded([("db0/a.json", content), ("db0/b.json", content)])


def test_the_same_key_in_two_databases_is_two_keys() -> None:
    content = codec.encode({"k": string("v")})
    found = decoded([("db0/a.json", content), ("db1/a.json", content)])
    assert list(found) == [Key(0, "k"), Key(1, "k")]


def test_the_same_key_twice_once_as_base64_is_refused() -> None:
    content = codec.encode({"k": string("1"), b64("k"): string("2")})
    with pytest.raises(Damaged, match=r"db0/a.json, line \d: key .*duplicate key"):
        file_format.decode_file("db0/a.json", content)


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        (1, "the entry is not an object"),
        ({}, "the type or the value is missing"),
        ({"type": "string"}, "the type or the value is missing"),
        ({"type": 1, "value": ""}, "the type or the value is missing"),
        (string("v") | {"ttl": 1}, "unknown member 'ttl'"),
        (string("v") | {"expires_at": "soon"}, "soon"),
        (string("v") | {"expires_at": None}, "None is not an instant"),
        (string("v") | {"field_expires_at": {"a": 1}}, "field_expires_at is not an object"),
        (string("base64:?"), "begins with base64: but is not valid base64"),
        (
            {"type": "hash", "value": {"a": "1"}, "field_expires_at": {"b": 1}},
            "'b', which does not exist",
        ),
        ({"type": "hash", "value": {"a": "1"}, "field_expires_at": {}}, "field_expires_at"),
        ({"type": "bloom", "value": "x"}, 'the value is not {"dump": ...}'),
    ],
)
def test_an_entry_that_does_not_fit_is_told_with_file_line_and_key(entry: Any, what: str) -> None:
    content = b'{\n"a": {"type": "string", "value": ""},\n"k": ' + codec.encode(entry) + b"}"
    with pytest.raises(Damaged, match=r"^db0/a.json, line 3: key 'k': ") as raised:
        file_format.decode_file("db0/a.json", content)
    assert what in str(raised.value)


def test_a_file_that_is_no_object_is_told() -> None:
    with pytest.raises(Damaged, match=r"db0/a.json, line 1: not an object"):
        file_format.decode_file("db0/a.json", b"[]")


def test_libraries_whose_names_differ_by_case_have_files_that_do_not() -> None:
    paths = {file_format.library_file(name, "LUA").lower() for name in ("mylib", "MyLib", "MYLIB")}
    assert len(paths) == 3
    assert file_format.library_file("mylib", "LUA") == "functions/mylib.lua"


@pytest.mark.parametrize("name", ["con", "nul", "com1", "x" * 300])
def test_a_library_whose_name_no_file_can_have_has_another(name: str) -> None:
    path = file_format.library_file(name, "LUA")
    assert path != f"functions/{name}.lua"
    assert len(path) < 100


@pytest.mark.parametrize(
    "header",
    [b"#!lua name=mylib", b"#!LUA  Name=mylib", b'#!lua name="mylib"', b"#!lua 'name=mylib'"],
)
def test_a_library_is_known_by_its_header(header: bytes) -> None:
    source = header + b"\nreturn '\xff'"
    expected = {Key(FUNCTIONS, "mylib"): {"type": "function", "value": codec.text(source)}}
    assert file_format.decode_file("functions/a.lua", source) == expected


def test_a_library_without_a_header_is_told() -> None:
    with pytest.raises(Damaged, match=r"functions/a.lua, line 1: does not begin like #!lua name="):
        file_format.decode_file("functions/a.lua", b"return 1")
