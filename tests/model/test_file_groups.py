"""Long lists of which most is told file by file are the lists that they stand for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gitbackup.diff.keys import FileKeys, KeyDiffer, subject
from gitbackup.model.changes import Action, Counts, KeyChange
from gitbackup.model.file_groups import (
    converted,
    count_by_namespace,
    count_by_prefix,
    merged,
    total,
    unordered,
)
from gitbackup.model.keys import Entry, Key
from gitbackup.snapshot.compare import summarise

NAMES = ["", "a", "a-b:1", "a:", "a:1", "a:2", "b", "b:1", "base64:/w==", "é:1", "z:1:2"]
TEXT: Entry = {"type": "string", "value": "x"}

databases = st.dictionaries(
    st.tuples(st.sampled_from([-1, 0, 3]), st.sampled_from(NAMES)),
    st.integers(0, 3),  # which file a key is in; 0 is for keys that stand by themselves
)


def told(keys: dict[tuple[int, str], int]) -> KeyDiffer:
    """What came, file by file, and what came key by key."""
    diff = KeyDiffer()
    single = {Key(*key): TEXT for key, file in keys.items() if file == 0}
    diff.file(None, {}, "single", single)
    for place in sorted({(db, file) for (db, _), file in keys.items() if file}):
        names = sorted(name for (db, name), file in keys.items() if (db, file) == place)
        diff.whole(FileKeys(Action.ADDED, f"f{place[1]}", place[0], names), dict)
    return diff


def plainly(keys: dict[tuple[int, str], int]) -> list[KeyChange]:
    return [
        KeyChange(Key(*key), Action.ADDED, None, f"f{keys[key]}" if keys[key] else "single")
        for key in sorted(keys)
    ]


@given(databases)
def test_what_came_in_whole_files_is_told_as_if_it_came_key_by_key(
    keys: dict[tuple[int, str], int],
) -> None:
    changes, expected = told(keys).changes(), plainly(keys)
    assert [*changes] == expected
    assert (len(changes), bool(changes)) == (len(expected), bool(expected))
    assert [[*changes[:count]] for count in range(5)] == [expected[:count] for count in range(5)]
    assert [*changes[1:3]] == expected[1:3]
    assert (total(changes), subject(changes)) == (total(expected), subject(expected))
    assert count_by_namespace(changes) == count_by_namespace(expected)
    assert summarise(changes) == summarise(expected)


@given(databases, databases, st.sets(st.sampled_from(NAMES)))
def test_of_two_lists_the_newer_items_stand_and_some_keys_are_left_out(
    old: dict[tuple[int, str], int], new: dict[tuple[int, str], int], left: set[str]
) -> None:
    keys = {Key(0, name) for name in left}
    items = {item.key: item for item in (*plainly(old), *plainly(new)) if item.key not in keys}
    found = merged(told(old).changes(), told(new).changes(), keys)
    assert [*found] == [items[key] for key in sorted(items)]


@given(databases)
def test_a_list_is_converted_and_told_in_no_order(keys: dict[tuple[int, str], int]) -> None:
    changes, expected = told(keys).changes(), plainly(keys)

    def removed(change: KeyChange) -> KeyChange:
        return KeyChange(change.key, Action.REMOVED, change.after, None)

    assert [*converted(changes, removed)] == [*map(removed, expected)]
    assert sorted(unordered(changes), key=lambda change: change.key) == expected


@given(databases)
def test_keys_are_counted_by_namespace_and_by_prefix(keys: dict[tuple[int, str], int]) -> None:
    changes = told(keys).changes()
    for found, name in (
        (count_by_namespace(changes), lambda key: key.namespace),
        (count_by_prefix(changes), lambda key: key.prefix),
    ):
        each = [(change.key.place, name(change.key)) for change in plainly(keys)]
        assert {space: Counts(added=each.count(space)) for space in each} == found
