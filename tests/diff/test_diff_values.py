"""What changed inside one key."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from gitbackup.diff.documents import TOO_MANY
from gitbackup.diff.values import diff_entries
from gitbackup.model.changes import Action, Part, ValueChange
from gitbackup.model.keys import Entry

ADDED, CHANGED, REMOVED = Action.ADDED, Action.CHANGED, Action.REMOVED
SOON, LATER = "2027-01-15T08:00:00.123Z", "2028-01-15T08:00:00.123Z"


def entry(kind: str, value: Any, **more: Any) -> Entry:
    return {"type": kind, "value": value, **more}  # type: ignore[typeddict-item]


def diff(kind: str, before: Any, after: Any) -> list[ValueChange]:
    return diff_entries(entry(kind, before), entry(kind, after))


def texts(before: Any, after: Any) -> list[ValueChange]:
    return diff("string", json.dumps(before), json.dumps(after))


def test_equal_entries_have_no_changes() -> None:
    assert diff("hash", {"a": "1", "b": "2"}, {"b": "2", "a": "1"}) == []


def test_another_type_is_one_change_and_the_expiry() -> None:
    actual = diff_entries(entry("string", "1", expires_at=SOON), entry("list", ["1"]))
    expected = [
        ValueChange(Part.TYPE, CHANGED, before="string", after="list"),
        ValueChange(Part.EXPIRY, REMOVED, before=SOON),
    ]
    assert expected == actual


def test_expiry_of_the_key_comes_first_and_of_a_field_behind_the_field() -> None:
    before = entry("hash", {"a": "1", "b": "1"}, field_expires_at={"a": SOON})
    after = entry("hash", {"a": "2", "b": "2"}, expires_at=SOON, field_expires_at={"a": LATER})
    expected = [
        ValueChange(Part.EXPIRY, ADDED, after=SOON),
        ValueChange(Part.FIELD, CHANGED, "a", before="1", after="2"),
        ValueChange(Part.FIELD_EXPIRY, CHANGED, "a", before=SOON, after=LATER),
        ValueChange(Part.FIELD, CHANGED, "b", before="1", after="2"),
    ]
    assert expected == diff_entries(before, after)


def test_a_text_is_changed_as_a_whole() -> None:
    expected = [ValueChange(Part.VALUE, CHANGED, before="a", after="b")]
    assert expected == diff("string", "a", "b")


def test_a_document_held_as_text_is_compared_inside() -> None:
    before = '{"limits": {"daily": 100, "gone": null}, "same": [1]}'
    after = '{"same": [1], "limits": {"new": null, "daily": 250}}'
    expected = [
        ValueChange(Part.VALUE, CHANGED, path=("limits", "daily"), before=100, after=250),
        ValueChange(Part.VALUE, REMOVED, path=("limits", "gone"), before=None),
        ValueChange(Part.VALUE, ADDED, path=("limits", "new"), after=None),
    ]
    assert expected == diff("string", before, after)


@pytest.mark.parametrize(
    ("before", "after"), [(1, True), (1, 1.0), (1.0, True), (0.0, -0.0), (0, False), (1, "1")]
)
def test_values_that_only_python_holds_equal_differ_in_a_document(before: Any, after: Any) -> None:
    inside = ValueChange(Part.VALUE, CHANGED, path=("a", 1), before=before, after=after)
    assert repr([inside]) == repr(texts({"a": [0, before]}, {"a": [0, after]}))


def test_large_integers_are_compared_exactly() -> None:
    big = 12345678901234567890123
    expected = [ValueChange(Part.VALUE, CHANGED, path=("n",), before=big, after=big + 1)]
    assert expected == texts({"n": big}, {"n": big + 1})


def test_a_number_too_precise_for_a_double_is_left_in_its_text() -> None:
    before, after = '{"n": 0.1000000000000000000001}', '{"n": 0.1000000000000000000002}'
    note = "contains a number too precise to compare inside"
    expected = [ValueChange(Part.VALUE, CHANGED, before=before, after=after, note=note)]
    assert expected == diff("string", before, after)


def test_another_way_to_write_a_document_is_told_as_that() -> None:
    note = "same document, written differently"
    before, after = '{"a": 1, "b": 1.0}', '{"b":1.00,"a":1}'
    expected = [ValueChange(Part.VALUE, CHANGED, before=before, after=after, note=note)]
    assert expected == diff("string", before, after)


def test_a_name_given_twice_is_not_hidden() -> None:
    note = "has a duplicate member, so it is not compared inside"
    before, after = '{"a": 1, "a": 2}', '{"a": 2}'
    expected = [ValueChange(Part.VALUE, CHANGED, before=before, after=after, note=note)]
    assert expected == diff("string", before, after)


def test_names_that_begin_with_underscores_are_names() -> None:
    expected = [ValueChange(Part.VALUE, CHANGED, path=("__v",), before=1, after=2)]
    assert expected == texts({"__v": 1}, {"__v": 2})


def test_an_object_put_in_front_of_a_list_of_objects_is_one_addition() -> None:
    before = {"users": [{"id": 1}, {"id": 2}]}
    after = {"users": [{"id": 0}, {"id": 1}, {"id": 2}]}
    expected = [ValueChange(Part.VALUE, ADDED, path=("users", 0), after={"id": 0})]
    assert expected == texts(before, after)


def test_a_path_of_something_removed_counts_in_the_document_before() -> None:
    before = [{"x": 1, "gone": 1}, "tail", "last"]
    after = ["new", "more", {"x": 1}, "tail", "last"]
    assert [(c.action, c.path) for c in texts(before, after)] == [
        (REMOVED, (0,)),
        (ADDED, (0,)),
        (ADDED, (1,)),
        (ADDED, (2,)),
    ]
    before = ["a", {"x": 1, "gone": 1}]
    after = ["new", "a", {"x": 1}]
    assert [(c.action, c.path) for c in texts(before, after)] == [
        (ADDED, (0,)),
        (REMOVED, (1, "gone")),
    ]


def test_an_object_that_became_an_array_is_changed_as_a_whole() -> None:
    expected = [ValueChange(Part.VALUE, CHANGED, before='{"a": 1}', after="[1]")]
    assert expected == diff("string", '{"a": 1}', "[1]")


def test_fields_are_told_by_name_and_documents_in_fields_inside() -> None:
    before = {"a": "1", "d": '{"x": 1}', "gone": "g"}
    after = {"a": "2", "d": '{"x": 2}', "new": "n"}
    expected = [
        ValueChange(Part.FIELD, CHANGED, "a", before="1", after="2"),
        ValueChange(Part.FIELD, CHANGED, "d", ("x",), 1, 2),
        ValueChange(Part.FIELD, REMOVED, "gone", before="g"),
        ValueChange(Part.FIELD, ADDED, "new", after="n"),
    ]
    assert expected == diff("hash", before, after)


@pytest.mark.long
def test_ten_fields_of_a_million_are_found_directly() -> None:
    before = {f"f{i}": str(i) for i in range(1_000_000)}
    after = before | {f"f{i}": "x" for i in range(0, 1_000_000, 100_000)}
    assert len(diff("hash", before, after)) == 10


def test_members_of_a_set_come_and_go() -> None:
    expected = [
        ValueChange(Part.MEMBER, REMOVED, "a", before="a"),
        ValueChange(Part.MEMBER, ADDED, "c", after="c"),
    ]
    assert expected == diff("set", ["a", "b"], ["b", "c"])


def test_scores_are_told_by_member_and_exactly() -> None:
    expected = [
        ValueChange(Part.SCORE, REMOVED, "a", before=1),
        ValueChange(Part.SCORE, CHANGED, "b", before=3, after=4.25),
        ValueChange(Part.SCORE, ADDED, "c", after="inf"),
        ValueChange(Part.SCORE, CHANGED, "z", before=0, after=-0.0),
    ]
    actual = diff("zset", {"a": 1, "b": 3, "z": 0}, {"b": 4.25, "c": "inf", "z": -0.0})
    assert repr(expected) == repr(actual)


def test_an_item_put_in_front_of_a_list_is_one_addition() -> None:
    expected = [ValueChange(Part.ITEM, ADDED, "0", after="x")]
    assert expected == diff("list", ["a", "b"], ["x", "a", "b"])


def test_items_of_a_list_are_sorted_by_position_as_numbers() -> None:
    items = [str(i) for i in range(20)]
    expected = [
        ValueChange(Part.ITEM, CHANGED, "2", before="2", after="two"),
        ValueChange(Part.ITEM, REMOVED, "11", before="11"),
    ]
    assert expected == diff("list", items, [*items[:2], "two", *items[3:11], *items[12:]])


def test_a_replaced_item_that_is_a_document_is_compared_inside() -> None:
    before, after = ["gone", "a", '{"x": 1}'], ["a", '{"x": 2}']
    expected = [
        ValueChange(Part.ITEM, REMOVED, "0", before="gone"),
        ValueChange(Part.ITEM, CHANGED, "1", ("x",), 1, 2),
    ]
    assert expected == diff("list", before, after)


def test_what_went_from_a_position_is_told_before_what_changed_inside_the_item_there() -> None:
    before = ["a", '{"x": 1}', "b", "gone", "c"]
    after = ["new", "more", "a", '{"y": 1}', "b", "c"]
    expected = [
        ValueChange(Part.ITEM, ADDED, "0", after="new"),
        ValueChange(Part.ITEM, ADDED, "1", after="more"),
        ValueChange(Part.ITEM, REMOVED, "3", before="gone"),
        ValueChange(Part.ITEM, REMOVED, "3", ("x",), before=1),
        ValueChange(Part.ITEM, ADDED, "3", ("y",), after=1),
    ]
    assert expected == diff("list", before, after)


def test_a_list_of_a_hundred_thousand_new_items_is_summed_up_at_once() -> None:
    before, after = [f"a{i}" for i in range(100_000)], [f"b{i}" for i in range(99_999)]
    note = "too large to compare inside: 100,000 -> 99,999 items"
    start = time.thread_time()  # of no other process
    assert diff("list", before, after) == [
        ValueChange(Part.VALUE, CHANGED, before=before, after=after, note=note)
    ]
    assert time.thread_time() - start < 30


def test_a_large_document_is_summed_up_at_once() -> None:
    before, after = (json.dumps({"k": char * 12_300_000}) for char in "ab")
    start = time.thread_time()  # of no other process
    [change] = diff("string", before, after)
    assert change.note == "too large to compare inside: 12.3 MB"
    assert (change.before, change.after) == (before, after)
    assert time.thread_time() - start < 30


def test_a_document_that_changed_all_over_is_summed_up() -> None:
    before, after = ({f"k{i}": i + add for i in range(50_000)} for add in (0, 1))
    assert [change.note for change in texts(before, after)] == [TOO_MANY]
    before_list, after_list = (list(range(at, at + 50_000)) for at in (0, 50_000))
    assert [change.note for change in texts(before_list, after_list)] == [TOO_MANY]


@pytest.mark.long
@pytest.mark.parametrize("depth", [100, 300, 600, 900, 5_000, 100_000])
@pytest.mark.parametrize(("start", "end"), [("[", "]"), ('{"a":', "}")])
def test_a_document_nested_very_deep_is_never_an_error(depth: int, start: str, end: str) -> None:
    before, after = (start * depth + core + end * depth for core in "12")
    assert len(diff("string", before, after)) == 1


@pytest.mark.parametrize("text", ["{", "[NaN]", "[1,]", '{"a": 1} x', "[" + "9" * 5_000 + "]"])
def test_what_only_looks_like_a_document_is_a_text(text: str) -> None:
    expected = [ValueChange(Part.VALUE, CHANGED, before=text, after="[1]")]
    assert expected == diff("string", text, "[1]")


def test_binary_values_are_told_by_their_size() -> None:
    [change] = diff("string", "base64:/w==", "base64:/wD/")
    assert change.note == "binary, 1 byte, sha256 a8100ae6aa19 -> 3 bytes, sha256 29a6a173e551"
    [change] = diff("hash", {"f": "text"}, {"f": "base64:/w=="})
    assert change.note == "text, 4 bytes -> binary, 1 byte, sha256 a8100ae6aa19"
    [change] = diff("vectorset", {"dump": "AAAA"}, {"dump": "AAAAAAAA"})
    assert change.note == "binary, 3 bytes, sha256 709e80c88487 -> 6 bytes, sha256 b0f66adc8364"
    assert (change.before, change.after) == ({"dump": "AAAA"}, {"dump": "AAAAAAAA"})


def test_a_function_library_is_changed_as_a_whole() -> None:
    expected = [ValueChange(Part.VALUE, CHANGED, before="#!lua\na", after="#!lua\nb")]
    assert expected == diff("function", "#!lua\na", "#!lua\nb")


def test_stream_entries_are_told_by_id_in_the_order_of_ids() -> None:
    before = {"entries": {"9-0": ["f", "1"], "9-1": ["f", "1"]}}
    after = {"entries": {"9-1": ["f", "2"], "10-0": ["f", "1"]}}
    expected = [
        ValueChange(Part.STREAM_ENTRY, REMOVED, "9-0", before=["f", "1"]),
        ValueChange(Part.STREAM_ENTRY, CHANGED, "9-1", before=["f", "1"], after=["f", "2"]),
        ValueChange(Part.STREAM_ENTRY, ADDED, "10-0", after=["f", "1"]),
    ]
    assert expected == diff("stream", before, after)


def test_a_streams_state_is_told_by_path() -> None:
    pending = {"consumer": "a", "delivered_at": SOON, "deliveries": 1}
    group = {"last_id": "1-0", "consumers": ["a", "b"], "pending": {"1-0": pending}}
    moved = {
        "last_id": "2-0",
        "consumers": ["a", "c"],
        "pending": {"1-0": pending | {"deliveries": 2}},
    }
    before = {"entries": {}, "entries_added": 3, "groups": {"g": group}}
    after = {"entries": {}, "last_id": "2-0", "groups": {"g": moved, "h": {"last_id": "0-0"}}}
    state = Part.STREAM_STATE
    expected = [
        ValueChange(state, REMOVED, "entries_added", before=3),
        ValueChange(state, REMOVED, "groups", ("g", "consumers", "b"), before="b"),
        ValueChange(state, ADDED, "groups", ("g", "consumers", "c"), after="c"),
        ValueChange(state, CHANGED, "groups", ("g", "last_id"), "1-0", "2-0"),
        ValueChange(state, CHANGED, "groups", ("g", "pending", "1-0", "deliveries"), 1, 2),
        ValueChange(state, ADDED, "groups", ("h",), after={"last_id": "0-0"}),
        ValueChange(state, ADDED, "last_id", after="2-0"),
    ]
    assert expected == diff("stream", before, after)


def test_a_set_that_a_person_wrote_out_of_order_is_told() -> None:
    note = "same value, written differently"
    expected = [ValueChange(Part.VALUE, CHANGED, before=["a", "b"], after=["b", "a"], note=note)]
    assert expected == diff("set", ["a", "b"], ["b", "a"])
