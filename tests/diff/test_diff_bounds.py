"""However large a value is: what is done, kept and said of it has a bound."""

from __future__ import annotations

import json
import tracemalloc
from itertools import islice

import click
import pytest

from gitbackup.diff.values import MOST_COMPARED, ONE_COMPARISON, diff_entries
from gitbackup.model.keys import Entry, Key
from gitbackup.report.style import width
from gitbackup.report.text.diff import DiffView, change_lines
from tests.diff.telling import NOW, change, entry, text

MEGABYTE = 1_000_000


def numbered(count: int, value: str) -> Entry:
    return entry("hash", {f"f{at}": value for at in range(count)})


def test_a_hash_of_many_fields_that_changed_is_summed_up() -> None:
    before, after = numbered(100_000, "a"), numbered(99_990, "b")
    told = text(before, after).splitlines()
    assert len(told) == 42
    assert told[1] == '     f0: "a" -> "b"'
    assert told[-1] == ("     … 99,960 more: 99,950 changed, 10 removed (--full shows them)")


def test_all_is_told_where_it_is_asked_for() -> None:
    told = text(numbered(300, "a"), numbered(300, "b"), full=True).splitlines()
    assert len(told) == 301
    lines = "\n".join(str(at) for at in range(100))
    assert len(text(None, entry("list", lines.split()), full=True).splitlines()) == 101
    assert text(entry("string", "\n"), entry("string", lines), full=True).endswith("+ 99\n")


def test_documents_are_compared_inside_until_it_is_enough_for_one_key() -> None:
    count = 3_000
    before, after = (numbered(count, json.dumps({"a": value})) for value in (1, 2))
    values = diff_entries(before, after)
    inside = sum(1 for value in values if value.path)
    assert len(values) == count
    assert 0 < inside <= 1 + MOST_COMPARED // ONE_COMPARISON < count
    whole = [value for value in values if not value.path]
    assert {(value.before, value.after, value.note) for value in whole} == {
        ('{"a": 1}', '{"a": 2}', "")
    }


@pytest.mark.parametrize("kind", ["string", "hash", "list"])
def test_a_long_text_is_told_in_little_memory(kind: str) -> None:
    texts = "x" * 30 * MEGABYTE + "a", "x" * 30 * MEGABYTE + "b"
    made = {"string": lambda t: t, "hash": lambda t: {"f": t}, "list": lambda t: [t]}[kind]
    before, after = (entry(kind, made(each)) for each in texts)
    values = diff_entries(before, after)
    tracemalloc.start()
    lines = [*change_lines(change(before, after, Key(0, "k")), before, after, values)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(map(len, lines)) < 500
    assert peak < MEGABYTE


def test_a_long_text_of_many_lines_is_told_from_where_it_differs() -> None:
    before, after = (entry("string", "line\n" * MEGABYTE + end) for end in "ab")
    assert text(before, after).count("\n") == 2
    assert "after 4,999,976 same characters" in text(before, after)


def test_texts_of_a_thousand_lines_that_all_differ_are_cut() -> None:
    before, after = (
        entry("string", "\n".join(f"{word} {at}" for at in range(1_000))) for word in ("a", "b")
    )
    assert text(before, after).splitlines()[-1] == "     … 1,961 more lines"


def test_a_stream_of_many_entries_that_came_is_one_line() -> None:
    entries = {f"{at}-0": ["f", "v"] for at in range(1, 100_001)}
    before = entry("stream", {"entries": dict(islice(entries.items(), 1))})
    assert text(before, entry("stream", {"entries": entries})) == (
        "M  k:1  stream\n     + 99,999 entries appended: 2-0 to 100000-0\n"
    )


WIDE = {
    "a" * 70: ("x" * 90, "y" * 90),
    "cjk": ("漢字" * 40, "漢語" * 40),
    "emoji": ("👍" * 60, "👎" * 60),
    "numbers": ("1" * 90, "2"),
    "words": ("a b c d e f g h i j " * 9, "a B c D e F g H i J " * 9),
    "😀" * 50: ("1", "2"),
}


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    before, after = (
        entry("hash", {name: sides[at] for name, sides in WIDE.items()}) for at in (0, 1)
    )
    view = DiffView(columns, NOW)
    key = Key(0, "k" * 90)
    lines = [
        *change_lines(change(before, after, key), before, after, diff_entries(before, after), view),
        *change_lines(change(None, after, key), None, after, [], view),
    ]
    assert [line for line in lines if width(line) > columns] == []
    assert max(map(width, lines)) > columns - 3


def test_both_sides_of_a_change_are_seen_however_long_they_are() -> None:
    before, after = entry("hash", {"f": "a" * 90}), entry("hash", {"f": "b" * 90})
    assert text(before, after, columns=40).splitlines()[1] == (
        '     f: "aaaaaaaaaaaa… -> "bbbbbbbbbbbb…'
    )
    after = entry("hash", {"f": "b"})
    assert text(before, after, columns=40).splitlines()[1] == (
        '     f: "aaaaaaaaaaaaaaaaaaaaaaa… -> "b"'
    )


def test_off_a_terminal_no_value_is_cut_to_a_width() -> None:
    before, after = entry("hash", {"f": "a" * 150}), entry("hash", {"f": "b" * 150})
    assert f'f: "{"a" * 150}" -> "{"b" * 150}"' in text(before, after)


def test_colours_do_not_change_what_is_said() -> None:
    before, after = (
        entry("string", "one two " * 20),
        entry("string", "one 2 two " * 2 + "one two " * 18),
    )
    changed = change(before, after, Key(0, "k"))
    painted = [*change_lines(changed, before, after, diff_entries(before, after))]
    assert "\x1b[32m{+" in "".join(painted)
    assert "\x1b" not in click.unstyle("".join(painted))
