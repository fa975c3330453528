"""What changed inside a value, of each type: exactly as a person and as a program are told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from textwrap import dedent, indent
from typing import Any

import pytest

from gitbackup.model.keys import Entry
from tests.diff.telling import LATER, SOON, entry, machine, text

PROSE = "The daily limit of this key is {} requests, and it is reset at {} by the scheduler."
DOCUMENT = {"limits": {"daily": 100, "gone": True}, "tags": ["a", "b"], "x y": 1}


def told(part: str, action: str, before: Any, after: Any, **more: Any) -> dict[str, Any]:
    """One change as a program gets it."""
    named = {"part": part, "action": action, "name": "", "path": []}
    return named | {"before": before, "after": after, "note": ""} | more


def inside(expected: str) -> str:
    """A block of lines as they stand below a key."""
    return indent(dedent(expected).strip("\n"), " " * 5) + "\n"


def lines(before: Entry | None, after: Entry | None, **how: Any) -> str:
    """What a person is told below the key."""
    return text(before, after, **how).partition("\n")[2]


def both(before: Entry, after: Entry, expected: str, *changes: Mapping[str, Any]) -> None:
    """Compares what a person and what a program are told."""
    assert inside(expected) == lines(before, after)
    assert list(changes) == machine(before, after)["changes"]


def ids(first: int, last: int) -> dict[str, list[str]]:
    return {f"{at}-0": ["n", str(at)] for at in range(first, last + 1)}


def stream(first: int, last: int, **state: Any) -> Entry:
    return entry("stream", {"entries": ids(first, last), **state})


def pending(consumer: str, deliveries: int) -> dict[str, Any]:
    return {"consumer": consumer, "delivered_at": SOON, "deliveries": deliveries}


def test_fields_of_a_hash() -> None:
    both(
        entry("hash", {"gone": "g", "name": "alice", "same": "1"}),
        entry("hash", {"name": "bob", "new": "", "same": "1"}),
        """
        - gone: "g"
        name: "alice" -> "bob"
        + new: ""
        """,
        told("field", "removed", "g", None, name="gone"),
        told("field", "changed", "alice", "bob", name="name"),
        told("field", "added", None, "", name="new"),
    )


def test_members_of_a_set() -> None:
    both(
        entry("set", ["a", "b"]),
        entry("set", ["b", "two words", "base64:/w=="]),
        """
        - a
        + base64:/w==: binary, 1 byte, sha256 a8100ae6aa19
        + "two words"
        """,
        told("member", "removed", "a", None, name="a"),
        told(
            "member",
            "added",
            None,
            "base64:/w==",
            name="base64:/w==",
            note="binary, 1 byte, sha256 a8100ae6aa19",
        ),
        told("member", "added", None, "two words", name="two words"),
    )


BOARD = entry("zset", {"ann": 10, "bob": 20, "cyd": 30}), entry("zset", {"ann": 40, "bob": 20})


def test_scores_of_a_sorted_set() -> None:
    both(
        *BOARD,
        """
        ann: 10 -> 40
        - cyd: 30
        """,
        told("score", "changed", 10, 40, name="ann"),
        told("score", "removed", 30, None, name="cyd"),
    )


def test_scores_with_their_ranks_where_they_are_asked_for() -> None:
    expected = """
        ann: 10 -> 40 (rank 3 -> 1)
        - cyd: 30 (rank 1)
    """
    assert inside(expected) == lines(*BOARD, rank=True)
    ranks = [change["rank"] for change in machine(*BOARD, rank=True)["changes"]]
    assert ranks == [{"before": 3, "after": 1}, {"before": 1, "after": None}]
    assert lines(entry("zset", {"a": 1, "b": 1}), entry("zset", {"a": 2, "b": 1}), rank=True) == (
        inside("a: 1 -> 2 (rank 2 -> 1)")
    )


def test_items_of_a_list_come_and_go() -> None:
    both(
        entry("list", ["a", "b", "c", "d"]),
        entry("list", ["new", "a", "c", "D"]),
        """
        + [0]: "new"
        - [1]: "b"
        [3]: "d" -> "D"
        """,
        told("item", "added", None, "new", name="0"),
        told("item", "removed", "b", None, name="1"),
        told("item", "changed", "d", "D", name="3"),
    )


def test_a_few_entries_of_a_stream_are_told_one_by_one() -> None:
    both(
        stream(1, 2),
        stream(2, 3),
        """
        - 1-0: n: "1"
        + 3-0: n: "3"
        """,
        told("entry", "removed", ["n", "1"], None, name="1-0"),
        told("entry", "added", None, ["n", "3"], name="3-0"),
    )


def test_many_entries_of_a_stream_are_summed_up() -> None:
    before, after = stream(1, 1200), stream(1100, 2000, entries_added=2000, max_deleted_id="7-0")
    expected = """
        - 1,099 entries trimmed: 1-0 to 1099-0
        + 800 entries appended: 1201-0 to 2000-0
        entries ever added: 1,200 -> 2,000
        highest deleted id: 0-0 -> 7-0
    """
    assert inside(expected) == lines(before, after)
    changes = machine(before, after)["changes"]
    assert len(changes) == 1_099 + 800 + 2
    assert changes[-1] == told("stream", "added", None, "7-0", name="max_deleted_id")


def test_entries_deleted_from_the_middle_of_a_stream_are_not_trimmed() -> None:
    middle = entry("stream", {"entries": {**ids(1, 1), **ids(19, 19)}})
    assert lines(stream(1, 19), middle) == inside("- 17 entries deleted: 2-0 to 18-0")
    assert lines(middle, stream(1, 19)) == inside("+ 17 entries added: 2-0 to 18-0")


def test_groups_of_a_stream_read_on() -> None:
    group = {"last_id": "2-0", "entries_read": 2, "consumers": ["a", "c"]}
    group |= {"pending": {"1-0": pending("a", 1), "2-0": pending("a", 1)}}
    later = {"last_id": "8-0", "entries_read": 8, "consumers": ["a", "b"]}
    later |= {"pending": {"2-0": pending("b", 2), "7-0": pending("b", 1), "8-0": pending("b", 1)}}
    before = stream(1, 8, groups={"jobs": group, "old": {"last_id": "0-0"}})
    after = stream(1, 8, groups={"jobs": later, "new": later, "old": {"last_id": "0-0"}})
    expected = """
        group jobs: has read on from 2-0 to 8-0, 6 entries
        group jobs: pending 2 -> 3 (2 delivered, 1 acknowledged, 1 delivered again)
        group jobs: consumer c removed
        group jobs: consumer b added
        + group new: has read to 8-0, 2 consumers, 3 pending
    """
    assert inside(expected) == lines(before, after)
    changes = machine(before, after)["changes"]
    changed = {"part": "stream", "name": "groups", "action": "changed"}
    assert [
        (change["path"], change["before"], change["after"])
        for change in changes
        if changed.items() <= change.items()
    ] == [
        (["jobs", "entries_read"], 2, 8),
        (["jobs", "last_id"], "2-0", "8-0"),
        (["jobs", "pending", "2-0", "consumer"], "a", "b"),
        (["jobs", "pending", "2-0", "deliveries"], 1, 2),
    ]


def test_a_group_of_a_stream_that_is_set_back_or_goes() -> None:
    before = stream(1, 3, groups={"a": {"last_id": "3-0"}, "b": {"last_id": "3-0"}})
    after = stream(1, 3, groups={"a": {"last_id": "0-0", "entries_read": 0}})
    both(
        before,
        after,
        """
        group a: was set back from 3-0 to 0-0
        - group b: has read to 3-0
        """,
        told("stream", "added", None, 0, name="groups", path=["a", "entries_read"]),
        told("stream", "changed", "3-0", "0-0", name="groups", path=["a", "last_id"]),
        told("stream", "removed", {"last_id": "3-0"}, None, name="groups", path=["b"]),
    )


def test_long_text_is_told_word_by_word() -> None:
    old, new = PROSE.format(100, "midnight"), PROSE.format(250, "noon")
    both(
        entry("string", old),
        entry("string", new),
        """
        value: The daily limit of this key is {-100-}{+250+} requests, and it is reset at"""
        " {-midnight-}{+noon+} by the scheduler.",
        told("value", "changed", old, new),
    )


def test_of_what_long_texts_have_in_common_the_surroundings_of_a_difference_are_told() -> None:
    many = "one two three four five six seven eight nine ten "
    before, after = entry("string", many * 9), entry("string", many * 4 + "and " + many * 5)
    expected = "value: …ix seven eight nine ten {+and +}one two three four five …"
    assert inside(expected) == lines(before, after)


def test_texts_that_have_little_in_common_stand_side_by_side() -> None:
    before, after = entry("string", "a" * 70), entry("string", "b" * 70)
    assert lines(before, after) == inside(f'value: "{"a" * 70}" -> "{"b" * 70}"')


def test_text_of_several_lines_is_told_line_by_line_and_inside_a_line_by_word() -> None:
    old = "first\nthe second line is rather a long one\nthird\n4\n5\n6\n7"
    new = "first\nthe second line is quite a long one\nthird\n4\n5\n6\nseven\n8"
    both(
        entry("hash", {"note": old}),
        entry("hash", {"note": new}),
        """
        note:
        @@ -1,3 +1,3 @@
          first
          the second line is {-rather-}{+quite+} a long one
          third
        @@ -6,2 +6,3 @@
          6
        - 7
        + seven
        + 8
        """,
        told("field", "changed", old, new, name="note"),
    )


def test_a_document_is_told_by_path() -> None:
    after = {"limits": {"daily": 250, "new": None}, "tags": ["b", "c"], "x y": 1}
    old, new = json.dumps(DOCUMENT), json.dumps(after)
    both(
        entry("string", old),
        entry("string", new),
        """
        limits.daily: 100 -> 250
        - limits.gone: true
        + limits.new: null
        - tags[0]: "a"
        + tags[1]: "c"
        """,
        told("value", "changed", old, new)
        | {
            "inside": [
                {"action": "changed", "path": ["limits", "daily"], "before": 100, "after": 250},
                {"action": "removed", "path": ["limits", "gone"], "before": True, "after": None},
                {"action": "added", "path": ["limits", "new"], "before": None, "after": None},
                {"action": "removed", "path": ["tags", 0], "before": "a", "after": None},
                {"action": "added", "path": ["tags", 1], "before": None, "after": "c"},
            ]
        },
    )


def test_bytes_are_told_by_their_number_and_hash() -> None:
    note = "binary, 1 byte, sha256 a8100ae6aa19 -> 3 bytes, sha256 29a6a173e551"
    both(
        entry("string", "base64:/w=="),
        entry("string", "base64:/wD/"),
        f"value: {note}",
        told("value", "changed", "base64:/w==", "base64:/wD/", note=note),
    )


def test_another_type_is_told_as_such() -> None:
    before, after = entry("string", "1"), entry("list", ["1"])
    expected = """\
        M  k:1  string -> list
             - "1"
             + [0]: "1"
        """
    assert dedent(expected) == text(before, after)
    told_all = machine(before, after)
    assert (told_all["type"], told_all["before"], told_all["after"]) == (
        {"before": "string", "after": "list"},
        before,
        after,
    )
    assert told_all["changes"] == [told("type", "changed", "string", "list")]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, SOON, "expires: never -> in 3 days (2027-01-15T08:00:00.123Z)"),
        (SOON, None, "expires: in 3 days (2027-01-15T08:00:00.123Z) -> never"),
        (SOON, LATER, "expires: in 1 year (2028-01-15T08:00:00.123Z, 1 year later)"),
        (
            SOON,
            "2027-01-15T08:00:42.000Z",
            "expires: in 3 days (2027-01-15T08:00:42.000Z, 41 seconds later)",
        ),
        (
            SOON,
            "2027-01-15T08:00:00.000Z",
            "expires: in 3 days (2027-01-15T08:00:00.000Z, 123 ms earlier)",
        ),
        (
            SOON,
            "2027-01-11T08:00:00.000Z",
            "expires: 1 day ago (2027-01-11T08:00:00.000Z, 4 days earlier)",
        ),
    ],
)
def test_an_expiry_is_told_as_a_person_says_it_and_to_the_millisecond(
    before: str | None, after: str | None, expected: str
) -> None:
    sides = [
        entry("string", "a") if moment is None else entry("string", "a", expires_at=moment)
        for moment in (before, after)
    ]
    action = "added" if before is None else "removed" if after is None else "changed"
    both(*sides, expected, told("expiry", action, before, after))


def test_the_expiry_of_a_field_is_told_by_the_field() -> None:
    both(
        entry("hash", {"a": "1"}, field_expires_at={"a": SOON}),
        entry("hash", {"a": "1"}, field_expires_at={"a": LATER}),
        "a expires: in 1 year (2028-01-15T08:00:00.123Z, 1 year later)",
        told("field-expiry", "changed", SOON, LATER, name="a"),
    )
