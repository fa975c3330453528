"""Which keys differ, told file by file."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gitbackup.diff.keys import MANY, KeyDiffer, subject
from gitbackup.errors import Damaged
from gitbackup.model.changes import Action, Counts, KeyChange
from gitbackup.model.file_groups import count_by_namespace, total
from gitbackup.model.keys import FUNCTIONS, Entry, Key

A, B, C = (Key(0, f"n:{name}") for name in "abc")


def text(value: str) -> Entry:
    return {"type": "string", "value": value}


def zset(score: object) -> Entry:
    return {"type": "zset", "value": {"m": score}}


def added(*names: str, db: int = 0) -> list[KeyChange]:
    return [KeyChange(Key(db, name), Action.ADDED, None, "f.json") for name in names]


def changed(*names: str, db: int = 0) -> list[KeyChange]:
    return [KeyChange(Key(db, name), Action.CHANGED, "f.json", "f.json") for name in names]


def test_a_key_that_is_equal_on_both_sides_is_no_change() -> None:
    diff = KeyDiffer()
    diff.file("f", {A: text("1")}, "f", {A: text("1")})
    assert diff.changes() == []


def test_keys_of_one_file_are_added_changed_and_removed() -> None:
    diff = KeyDiffer()
    diff.file("f", {A: text("1"), B: text("1")}, "f", {B: text("2"), C: text("3")})
    expected = [
        KeyChange(A, Action.REMOVED, "f", None),
        KeyChange(B, Action.CHANGED, "f", "f"),
        KeyChange(C, Action.ADDED, None, "f"),
    ]
    assert expected == diff.changes()


def test_a_key_that_moved_to_another_file_and_is_equal_is_no_change() -> None:
    diff = KeyDiffer()
    diff.file(None, {}, "n/a", {A: text("1")})
    diff.file("n", {A: text("1")}, None, {})
    assert diff.changes() == []


def test_the_order_of_an_objects_names_is_no_difference_when_a_key_moves() -> None:
    diff = KeyDiffer()
    diff.file("n", {A: {"type": "hash", "value": {"x": "1", "y": "2"}}}, None, {})
    diff.file(None, {}, "m", {A: {"value": {"y": "2", "x": "1"}, "type": "hash"}})
    assert diff.changes() == []


def test_a_key_that_moved_and_differs_is_changed_with_both_paths() -> None:
    diff = KeyDiffer()
    diff.file("n", {A: zset(1)}, "n", {})
    diff.file("m", {}, "m", {A: zset(1.0)})
    assert diff.changes() == [KeyChange(A, Action.CHANGED, "n", "m")]


@pytest.mark.parametrize(("before", "after"), [(1, 1.0), (1, True), (0.0, -0.0), (0, False)])
def test_numbers_that_only_python_holds_equal_are_a_change(before: object, after: object) -> None:
    diff = KeyDiffer()
    diff.file("f", {A: zset(before)}, "f", {A: zset(after)})
    assert diff.changes() == [KeyChange(A, Action.CHANGED, "f", "f")]


def test_numbers_beyond_64_bits_and_lone_surrogates_are_compared_exactly() -> None:
    diff = KeyDiffer()
    before: Entry = {"type": "future", "value": [10**30, "\ud800"]}
    after: Entry = {"type": "future", "value": [10**30 + 1, "\ud800"]}
    diff.file("f", {A: before}, None, {})
    diff.file(None, {}, "g", {A: after})
    assert diff.changes() == [KeyChange(A, Action.CHANGED, "f", "g")]


def test_functions_come_first_then_databases_by_number_then_names() -> None:
    keys = [Key(10, "a"), Key(2, "b"), Key(2, "a"), Key(FUNCTIONS, "z")]
    diff = KeyDiffer()
    diff.file(None, {}, "f", {key: text("1") for key in keys})
    assert [change.key for change in diff.changes()] == keys[::-1]


@pytest.mark.parametrize("equal", [True, False])
def test_a_key_in_two_files_of_one_side_is_damage_and_both_are_named(equal: bool) -> None:
    diff = KeyDiffer()
    diff.file(None, {}, "f", {A: text("1")})
    with pytest.raises(
        Damaged, match="key n:a is in two files, f and g: remove it from one of them"
    ):
        diff.file(None, {}, "g", {A: text("1" if equal else "2")})


def test_a_key_changed_in_one_file_and_added_in_another_is_damage() -> None:
    diff = KeyDiffer()
    diff.file("f", {A: text("1")}, "f", {A: text("2")})
    diff.file("g", {}, "g", {A: text("2")})
    with pytest.raises(Damaged, match="key n:a is in two files"):
        diff.changes()


def many(value: str, more: int = 0) -> dict[Key, Entry]:
    """So many keys that those of a file are told together when all of them change."""
    return {Key(0, f"n:{number:02}"): text(value) for number in range(MANY + more)}


def test_many_keys_that_changed_in_a_file_are_told_in_order_with_all_others() -> None:
    diff = KeyDiffer()
    before, after = many("1", 2), many("2", 2)
    del before[Key(0, "n:03")], after[Key(0, "n:05")]
    diff.file("f", before, "f", after)
    diff.file("g", {Key(0, "n:00x"): text("1")}, "g", {Key(0, "n:00x"): text("2")})
    alone = {
        "n:03": (Action.ADDED, None, "f"),
        "n:05": (Action.REMOVED, "f", None),
        "n:00x": (Action.CHANGED, "g", "g"),
    }
    together = dict.fromkeys((key.name for key in before), (Action.CHANGED, "f", "f"))
    expected = sorted((together | alone).items())
    assert [(each.key.name, each.action, each.before, each.after) for each in diff.changes()] == [
        (name, *told) for name, told in expected
    ]


@pytest.mark.parametrize("other", ["many", "changed", "removed", "added"])
def test_a_key_of_many_that_changed_is_in_no_other_file(other: str) -> None:
    name = Key(0, "n:07")
    one = {name: text("1")}
    before, after = {
        "many": (many("1"), many("2")),
        "changed": (one, {name: text("2")}),
        "removed": (one, {}),
        "added": ({}, one),
    }[other]
    with pytest.raises(Damaged, match=r"key n:0\d is in two files, f and g: remove it from one"):
        changes(("f", many("1"), many("2")), ("g", before, after))


def changes(*files: tuple[str, dict[Key, Entry], dict[Key, Entry]]) -> Sequence[KeyChange]:
    diff = KeyDiffer()
    for path, before, after in files:
        diff.file(path, before, path, after)
    return diff.changes()


def test_counts_are_kept_for_each_place_and_namespace_in_order() -> None:
    changes = [*added("a:1", "b"), *changed("a:2"), *added("x:1", db=10), *added("x:1", db=2)]
    expected = {
        ("db0", "a"): Counts(added=1, changed=1),
        ("db0", "b"): Counts(added=1),
        ("db2", "x"): Counts(added=1),
        ("db10", "x"): Counts(added=1),
    }
    assert list(expected.items()) == list(count_by_namespace(changes).items())
    assert total(changes) == Counts(added=4, changed=1)


def test_a_subject_tells_each_namespace() -> None:
    changes = [*added("apikey:1"), *changed(*(f"usage:{i}" for i in range(12)))]
    assert subject(changes) == "apikey: 1 added; usage: 12 changed"


def test_a_subject_names_a_single_key_that_has_no_namespace() -> None:
    changes = [*changed("claude_relay_config"), *added("x:1", db=3)]
    assert subject(changes) == "claude_relay_config changed; db3 x: 1 added"


def test_a_subject_of_additions_in_many_namespaces_counts_them() -> None:
    changes = added(*(f"namespace{i % 12}:{i}" for i in range(1164)))
    assert subject(changes) == "1,164 keys added in 12 namespaces"


def test_a_subject_keeps_the_biggest_namespaces_in_order_and_counts_the_others() -> None:
    names = [f"namespace{i}:{j}" for i in range(9) for j in range(i + 1)]
    expected = "namespace7: 8 changed; namespace8: 9 changed; and 7 more"
    assert expected == subject(changed(*names))


def test_a_subject_never_exceeds_one_line() -> None:
    name = "\x1b\n" + "n" * 400
    line = subject([*added(name), *changed(*(f"{name}{i}:x" for i in range(3)))])
    assert len(line) <= 72
    assert line.isprintable()


def test_a_subject_of_nothing_says_so() -> None:
    assert subject([]) == "nothing changed"


def test_a_subject_of_a_key_without_a_name_shows_quotes() -> None:
    assert subject(added("")) == '"" added'
