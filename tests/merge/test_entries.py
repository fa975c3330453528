"""What becomes of each type, and what cannot be merged."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from gitbackup.merge.entries import LISTS_DIFFER, SEVERAL, WRITTEN_OTHERWISE, Merged, merge_entries
from gitbackup.model.changes import ABSENT, Part
from gitbackup.model.keys import Entry
from gitbackup.model.merging import Clash, MergeRule, Side, Versions

PLAIN = MergeRule()
COUNTERS = MergeRule(counters=True)
SOON, LATER, LAST = (f"204{year}-01-01T00:00:00.000Z" for year in range(3))


def entry(type_: str, value: Any, due: str | None = None, **fields: str) -> Entry | None:
    """An entry; None for no value."""
    if value is None:
        return None
    made: Entry = {"type": type_, "value": value}
    if due:
        made["expires_at"] = due
    if fields:
        made["field_expires_at"] = {**fields}
    return made


def merge(type_: str, values: Iterable[Any], rule: MergeRule) -> Merged:
    before, after, now = (entry(type_, value) for value in values)
    return merge_entries(before, after, now, rule)


def merged(type_: str, *values: Any, rule: MergeRule = PLAIN) -> Any:
    """The merged value of versions before, after and now, which has to leave no clash."""
    found = merge(type_, values, rule)
    assert found.clashes == []
    return found.entry and found.entry["value"]


def clashes(type_: str, *values: Any, rule: MergeRule = PLAIN) -> list[Clash]:
    return [*merge(type_, values, rule).clashes]


CASES = [
    # a deleted key comes back; what came since stays
    ("hash", {"name": "Li"}, None, None, {"name": "Li"}),
    ("hash", {"a": "1", "b": "2"}, {"b": "2"}, {"b": "3"}, {"a": "1", "b": "3"}),
    ("hash", {"a": "1"}, None, {"b": "2"}, {"a": "1", "b": "2"}),
    ("hash", None, {"a": "1"}, {"a": "1", "b": "2"}, {"b": "2"}),
    ("hash", {"a": "1"}, {"a": "1", "b": "2"}, None, None),
    ("set", ["a", "b"], ["b"], ["b", "c"], ["a", "b", "c"]),
    ("set", ["a"], None, ["b"], ["a", "b"]),
    ("set", ["a"], ["a", "b"], ["b", "c"], ["c"]),
    ("zset", {"a": 1, "b": 2}, {"b": 2}, {"b": 2.5, "c": 1}, {"a": 1, "b": 2.5, "c": 1}),
    ("zset", {"a": -0.0, "b": 1}, {"a": 0, "b": 1}, {"a": 0, "b": 2}, {"a": -0.0, "b": 2}),
    ("string", "old", "new", "new", "old"),
    ("string", "old", "old", "new", "new"),
    # lists: by what came, went and was replaced
    ("list", ["a", "b", "c"], ["a", "c"], ["a", "c", "d"], ["a", "b", "c", "d"]),
    ("list", ["a", "b"], ["x", "a", "b"], ["y", "x", "a", "b"], ["y", "a", "b"]),
    ("list", ["a", "x"], ["a"], ["a", "y"], ["a", "x", "y"]),
    ("list", ["x", "a"], ["a"], ["y", "a"], ["y", "x", "a"]),
    ("list", ["a", "x"], ["a"], ["a", "x", "y"], ["a", "x", "y"]),
    ("list", ["a", "b", "c"], ["a", "B", "c"], ["A", "B", "C"], ["A", "b", "C"]),
    ("list", ["a"], ["a", "b"], ["b"], None),
    ("list", ["a", "b", "c", "d"], ["a", "d"], ["d"], ["b", "c", "d"]),
    # documents: by path
    ("ReJSON-RL", *({"document": each} for each in (
        {"a": 1, "l": [1, 2]}, {"a": 2, "l": [1, 2]}, {"a": 2, "l": [1, 2, 3], "n": None},
        {"a": 1, "l": [1, 2, 3], "n": None}
    ))),
    ("ReJSON-RL", *({"document": each} for each in (
        [{"id": 1, "n": "x"}, {"id": 2}], [{"id": 1, "n": "y"}, {"id": 2}],
        [{"id": 1, "n": "y", "m": 0}, {"id": 2}], [{"id": 1, "n": "x", "m": 0}, {"id": 2}],
    ))),
    ("string", '{"a":1,"b":1}', '{"a":2,"b":1}', '{"a":2,"b":1.50}', '{"a":1,"b":1.50}'),
    # streams: by id
    ("stream", *({"entries": each} for each in (
        {"1-0": ["f", "a"], "2-0": ["f", "b"]}, {"2-0": ["f", "b"]},
        {"2-0": ["f", "b"], "3-0": ["f", "c"]},
        {"1-0": ["f", "a"], "2-0": ["f", "b"], "3-0": ["f", "c"]},
    ))),
    ("stream",
        {"entries": {"1-0": ["f", "a"]}},
        {"entries": {"1-0": ["f", "a"], "2-0": ["f", "b"]}},
        {"entries": {"1-0": ["f", "a"], "2-0": ["f", "b"], "3-0": ["f", "c"]}, "entries_added": 4},
        {"entries": {"1-0": ["f", "a"], "3-0": ["f", "c"]}, "entries_added": 4,
         "max_deleted_id": "2-0"}),
    ("stream",
        {"entries": {}, "last_id": "0-0", "groups": {"g": {"last_id": "0-0"}}},
        {"entries": {"1-0": ["f", "a"]}},
        {"entries": {"1-0": ["f", "a"], "2-0": ["f", "b"]}, "groups": {"h": {"last_id": "2-0"}}},
        {"entries": {"2-0": ["f", "b"]},
         "groups": {"g": {"last_id": "0-0"}, "h": {"last_id": "2-0"}}}),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "before", "after", "now", "result"), CASES)
def test_what_the_commit_changed_goes_back_and_what_came_later_stays(
    type_: str, before: Any, after: Any, now: Any, result: Any
) -> None:
    assert merged(type_, before, after, now) == result


CLASHES = [
    ("string", "a", "b", "c", Clash(Part.VALUE, "", (), Versions("a", "b", "c"))),
    ("string", "a", "b", None, Clash(Part.VALUE, "", (), Versions("a", "b", ABSENT))),
    ("hash", {"f": "a"}, {"f": "b"}, {"f": "c"},
     Clash(Part.FIELD, "f", (), Versions("a", "b", "c"))),
    ("hash", {"f": "a", "g": "1"}, {"f": "b", "g": "1"}, {"g": "2"},
     Clash(Part.FIELD, "f", (), Versions("a", "b", ABSENT))),
    ("hash", {"f": '{"x":[1,2]}'}, {"f": '{"x":[1,3]}'}, {"f": '{"x":[1,4]}'},
     Clash(Part.FIELD, "f", ("x", 1), Versions(2, 3, 4))),
    ("zset", {"m": 1}, {"m": 2}, {"m": 3}, Clash(Part.SCORE, "m", (), Versions(1, 2, 3))),
    ("list", ["a", "b"], ["a", "x"], ["a", "y"],
     Clash(Part.ITEM, "1", (), Versions("b", "x", "y"))),
    ("list", ["a"], None, ["b"],
     Clash(Part.ITEM, "0", (), Versions(["a"], [], ["b"]), SEVERAL)),
    ("list", ["a", "q", "b"], ["a", "b"], ["a", "r", "b"],
     Clash(Part.ITEM, "1", (), Versions(["q"], [], ["r"]), SEVERAL)),
    ("vectorset", {"dump": "AA=="}, {"dump": "BA=="}, {"dump": "CA=="},
     Clash(Part.VALUE, "", (), Versions({"dump": "AA=="}, {"dump": "BA=="}, {"dump": "CA=="}))),
    ("ReJSON-RL", {"document": {"a": 1}}, {"document": {"a": 1.0}}, {"document": {"a": True}},
     Clash(Part.VALUE, "", ("a",), Versions(1, 1.0, True))),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "before", "after", "now", "clash"), CLASHES)
def test_what_changed_in_more_than_one_way_stays_as_it_is_and_is_named(
    type_: str, before: Any, after: Any, now: Any, clash: Clash
) -> None:
    found = merge(type_, (before, after, now), PLAIN)
    assert (found.entry, found.clashes) == (entry(type_, now), [clash])


def test_the_rest_of_a_key_with_a_clash_is_merged() -> None:
    before, after, now = {"f": "1", "g": "1"}, {"f": "2"}, {"f": "3", "h": "1"}
    found = merge("hash", (before, after, now), PLAIN)
    assert found.entry == entry("hash", {"f": "3", "g": "1", "h": "1"})
    assert [clash.name for clash in found.clashes] == ["f"]


@pytest.mark.parametrize(("side", "value"), [(Side.OURS, "c"), (Side.THEIRS, "a")])
def test_a_side_decides_what_cannot_be_merged(side: Side, value: str) -> None:
    rule = MergeRule(side)
    assert merged("string", "a", "b", "c", rule=rule) == value
    assert merged("hash", *({"f": each} for each in "abc"), rule=rule) == {"f": value}
    assert merged("list", *(["x", each, "y"] for each in "abc"), rule=rule) == ["x", value, "y"]
    documents = [json.dumps({"f": each, "n": 1.0}) for each in "abc"]
    assert merged("string", *documents, rule=rule) == json.dumps({"f": value, "n": 1.0})


COUNTED = [
    ("string", "100", "105", "200", "195"),
    ("string", "-1", "1", "0", "-2"),
    ("hash", {"n": "1"}, {"n": "3"}, {"n": "7"}, {"n": "5"}),
    ("zset", {"m": 1}, {"m": 3}, {"m": 7}, {"m": 5}),
    ("string", '{"n":1}', '{"n":3}', '{"n":7}', '{"n":5}'),
    ("ReJSON-RL", *({"document": {"n": each}} for each in (1, 3, 7, 5))),
    ("hash", {"m": "0"}, {"m": "0", "n": "3"}, {"m": "0", "n": "7"}, {"m": "0", "n": "4"}),
    ("zset", {"m": 5}, None, {"m": 2}, {"m": 7}),
    # agreed on already: no counter
    ("string", "100", "200", "100", "100"),
]


@pytest.mark.parametrize(("type_", "before", "after", "now", "result"), COUNTED)
def test_a_counter_gets_its_difference_taken_off(
    type_: str, before: Any, after: Any, now: Any, result: Any
) -> None:
    assert merged(type_, before, after, now, rule=COUNTERS) == result


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        ("string", ["0.5", "1.5", "2.5"]),
        ("string", ["01", "2", "3"]),
        ("string", ["x", "2", "3"]),
        ("string", [None, "x", "3"]),
        ("string", ["1", "2", None]),
        ("string", [str(2**63 - 1), "0", "5"]),
        ("zset", [{"m": 1}, {"m": 2.5}, {"m": 3}]),
        ("zset", [{"m": 2**53 - 1}, {"m": 1}, {"m": 5}]),
        ("ReJSON-RL", [{"document": {"n": each}} for each in (1, True, 5)]),
    ],
)
def test_what_is_no_whole_number_or_gets_too_large_is_no_counter(
    type_: str, values: list[Any]
) -> None:
    assert len(clashes(type_, *values, rule=COUNTERS)) == 1


def test_an_expiry_is_a_value_of_its_own() -> None:
    def due(*expiries: str | None, rule: MergeRule = PLAIN) -> Any:
        before, after, now = (
            entry("string", each, due) for each, due in zip("abb", expiries, strict=True)
        )
        found = merge_entries(before, after, now, rule)
        assert found.entry
        assert found.entry["value"] == "a"
        return found.entry.get("expires_at"), [clash.versions for clash in found.clashes]

    assert due(SOON, LATER, LATER) == (SOON, [])
    assert due(None, LATER, LATER) == (None, [])
    assert due(SOON, None, None) == (SOON, [])
    assert due(SOON, SOON, LATER) == (LATER, [])
    assert due(SOON, LATER, LAST) == (LAST, [(SOON, LATER, LAST)])
    assert due(SOON, LATER, None) == (None, [(SOON, LATER, None)])
    assert due(SOON, LATER, LAST, rule=MergeRule(Side.THEIRS)) == (SOON, [])


def test_a_key_made_anew_since_gets_no_expiry_of_the_deleted_one() -> None:
    before, now = entry("hash", {"a": "1"}, SOON), entry("hash", {"b": "1"})
    found = merge_entries(before, None, now, PLAIN)
    assert found.entry == entry("hash", {"a": "1", "b": "1"})
    assert [clash.versions for clash in found.clashes] == [(SOON, ABSENT, None)]


def test_the_expiry_of_a_field_goes_the_same_way() -> None:
    before = entry("hash", {"a": "1", "b": "1"}, a=SOON, b=SOON)
    after = entry("hash", {"b": "1"}, b=LATER)
    now = entry("hash", {"b": "1", "c": "1"}, b=LATER, c=LAST)
    found = merge_entries(before, after, now, PLAIN)
    assert found == (entry("hash", {"a": "1", "b": "1", "c": "1"}, a=SOON, b=SOON, c=LAST), [])


def test_a_key_of_another_type_is_taken_as_a_whole() -> None:
    before, after, now = entry("hash", {"a": "1"}), entry("hash", {"a": "2"}), entry("set", ["x"])
    found = merge_entries(before, after, now, PLAIN)
    assert found.entry == now
    assert [(clash.part, clash.note) for clash in found.clashes] == [
        (Part.TYPE, "hash -> hash -> set")
    ]
    assert merge_entries(before, after, now, MergeRule(Side.THEIRS)).entry == before


STYLES = [
    {"separators": (",", ":"), "ensure_ascii": False},
    {"separators": (",", ":")},
    {},
    {"indent": 2, "ensure_ascii": False},
    {"indent": 4},
    {"indent": "\t"},
]


@pytest.mark.parametrize("style", STYLES)
def test_a_document_is_written_as_its_owner_writes_it(style: dict[str, Any]) -> None:
    def document(limit: int, name: str) -> str:
        inner = [{"name": name, "empty": {}, "none": []}, None, True, "李\n\u2028/<"]
        return json.dumps({"z": limit, "a": inner}, **style) + "\n"

    versions = document(1, "old"), document(2, "old"), document(2, "new")
    assert merged("string", *versions) == document(1, "new")


@pytest.mark.parametrize("quoted", [r'"\/<"', r'"/\u003c"', r'"\u674e"', '"李"'])
def test_escapes_stay(quoted: str) -> None:
    """Of PHP, of Go, of Python."""
    versions = [f'{{"a":{a},"b":{b},"s":{quoted}}}' for a, b in ("11", "21", "22")]
    assert merged("string", *versions) == f'{{"a":1,"b":2,"s":{quoted}}}'


def test_numbers_stay_as_they_are_written() -> None:
    texts = [f'{{"a":{a},"b":1.10,"c":1e400}}' for a in ("1.0", "1.00")]
    assert merged("string", *texts, '{"a":1.00,"b":12345678901234567890.5,"c":1e400}') == (
        '{"a":1.0,"b":12345678901234567890.5,"c":1e400}'
    )


@pytest.mark.parametrize("odd", ['{"a" :%s,"b":%s}', '{"b":%s,"a":%s,"a":1}', '{"a":%s,"b":%s'])
def test_a_document_in_no_known_style_is_taken_as_a_whole(odd: str) -> None:
    versions = odd % (1, 1), odd % (2, 1), odd % (2, 2)
    (clash,) = clashes("string", *versions)
    assert clash.versions == versions
    assert clash.note == (WRITTEN_OTHERWISE if " :" in odd else "")


def test_a_clash_tells_numbers_as_a_document_for_a_program_can_have_them() -> None:
    texts = [f'{{"a":[{number}]}}' for number in ("1.10", "7", "1e400")]
    (clash,) = clashes("string", *texts)
    assert clash.versions == ("1.10", 7, "1e400")


def test_a_document_of_very_many_levels_is_taken_as_a_whole() -> None:
    versions = ["[" * 900 + digits + "]" * 900 for digits in ("1,1", "2,1", "2,2")]
    assert len(clashes("string", *versions)) == 1


def test_lists_that_have_little_in_common_are_taken_as_a_whole() -> None:
    versions = [[f"{name}{at}" if at % 2 else "x" for at in range(5000)] for name in "abc"]
    (clash,) = clashes("list", *versions)
    assert (clash.part, clash.name, clash.note) == (Part.VALUE, "", LISTS_DIFFER)
