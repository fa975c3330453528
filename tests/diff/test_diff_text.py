"""How a diff reads: on a terminal, and to a program."""

from __future__ import annotations

from textwrap import dedent

import pytest

from gitbackup.format.names import escape
from gitbackup.model.changes import Action, KeyChange
from gitbackup.model.keys import FUNCTIONS, Key
from gitbackup.report.text.diff import DiffView, change_lines
from tests.diff.telling import SOON, entry, machine, text


def test_a_new_key_shows_its_type_its_expiry_and_its_value() -> None:
    after = entry("hash", {"createdAt": "2026-11-22", "name": "alice"}, expires_at=SOON)
    expected = """\
        A  claude:account:e82f  hash
             + expires: in 3 days (2027-01-15T08:00:00.123Z)
             + name: "alice"
             + createdAt: "2026-11-22"
        """
    assert dedent(expected) == text(None, after, "claude:account:e82f")


def test_a_removed_key_shows_what_goes() -> None:
    before = entry("hash", {"a": "1"}, field_expires_at={"a": SOON})
    expected = """\
        D  webhook_config:default  hash
             - 1 field expires
             - a: "1"
        """
    assert dedent(expected) == text(before, None, "webhook_config:default")


def test_a_change_inside_a_document_shows_the_path_and_both_values() -> None:
    before = entry("string", '{"limits": {"daily": 100}, "tags": ["a"]}', expires_at=SOON)
    after = entry("string", '{"limits": {"daily": 250}, "tags": ["b", "a"], "x y": null}')
    expected = """\
        M  claude_relay_config  string
             expires: in 3 days (2027-01-15T08:00:00.123Z) -> never
             limits.daily: 100 -> 250
             + tags[0]: "b"
             + "x y": null
        """
    assert dedent(expected) == text(before, after, "claude_relay_config")


def test_scores_are_shown_by_member() -> None:
    before = entry("zset", {"b16b": 3, "gone": 1, "top": 1})
    after = entry("zset", {"7f3a": 12.5, "b16b": 4.25, "top": "inf"})
    expected = """\
        M  cost_rank:today  zset
             + 7f3a: 12.5
             b16b: 3 -> 4.25
             - gone: 1
             top: 1 -> inf
        """
    assert dedent(expected) == text(before, after, "cost_rank:today")


def test_fields_that_hold_text_documents_and_bytes() -> None:
    before = entry("hash", {"a.b": '{"x": 1}', "bytes": "base64:/w==", "n": "1"})
    after = entry(
        "hash", {"a.b": '{"x": 2}', "bytes": "base64:/wD/", "n": "1"}, field_expires_at={"n": SOON}
    )
    expected = """\
        M  k:1  hash
             "a.b".x: 1 -> 2
             bytes: binary, 1 byte, sha256 a8100ae6aa19 -> 3 bytes, sha256 29a6a173e551
             n expires: never -> in 3 days (2027-01-15T08:00:00.123Z)
        """
    assert dedent(expected) == text(before, after)


def test_items_are_shown_by_position_and_members_by_name() -> None:
    before, after = entry("list", ["a", "b", '{"x": 1}']), entry("list", ["n", "a", '{"x": 2}'])
    expected = """\
        M  k:1  list
             + [0]: "n"
             - [1]: "b"
             - [2]: '{"x": 1}'
             + [2]: '{"x": 2}'
        """
    assert dedent(expected) == text(before, after)
    expected = """\
        M  k:1  set
             + ""
             - a
             + "two words"
        """
    assert dedent(expected) == text(entry("set", ["a"]), entry("set", ["", "two words"]))


def test_a_stream_shows_entries_and_the_progress_of_groups() -> None:
    before = entry("stream", {"entries": {"1-0": ["f", "v"]}, "groups": {"g": {"last_id": "0-0"}}})
    after = entry("stream", {"entries": {"2-0": ["f", "w"]}, "groups": {"g": {"last_id": "2-0"}}})
    expected = """\
        M  k:1  stream
             - 1-0: f: "v"
             + 2-0: f: "w"
             group g: has read on from 0-0 to 2-0
        """
    assert dedent(expected) == text(before, after)


def test_another_type_shows_what_goes_and_what_comes() -> None:
    expected = """\
        M  db3 k:1  string -> list
             - "1"
             + [0]: "1"
             expires: never -> in 3 days (2027-01-15T08:00:00.123Z)
        """
    after = entry("list", ["1"], expires_at=SOON)
    assert dedent(expected) == text(entry("string", "1"), after, db=3)


def test_source_is_compared_line_by_line() -> None:
    before, after = (entry("function", f"#!lua\na\n{line}\nc\nd") for line in ("b", "B\x1b"))
    expected = """\
        M  functions mylib  function
             value:
             @@ -2,3 +2,3 @@
               a
             - b
             + B\\x1b
               c
        """
    assert dedent(expected) == text(before, after, "mylib", FUNCTIONS)


def test_many_lines_that_differ_are_counted() -> None:
    before, after = (entry("string", "\n".join(char * 50)) for char in "ab")
    assert text(before, after).splitlines()[-1] == "     … 61 more lines"


def test_a_long_value_that_came_is_cut_to_a_preview() -> None:
    lines = text(None, entry("list", [str(i) for i in range(1_234)])).splitlines()
    assert lines[-2:] == ['     + [9]: "9"', "     + … 1,224 more items"]
    assert text(None, entry("set", list("abcdefghijk"))).endswith("+ … 1 more member\n")


def test_opaque_data_is_shown_by_its_size() -> None:
    assert text(None, entry("vectorset", {"dump": "AAAA"})) == (
        "A  k:1  vectorset\n     + binary, 3 bytes, sha256 709e80c88487\n"
    )


def test_long_texts_are_shown_from_where_they_differ() -> None:
    before, after = entry("string", "x" * 1_000 + "old"), entry("string", "x" * 1_000 + "new")
    same = "x" * 24
    expected = f"""\
        M  k:1  string
             value: (after 976 same characters) "{same}old" -> "{same}new"
        """
    assert dedent(expected) == text(before, after)


def test_a_note_stands_in_place_of_values() -> None:
    expected = """\
        M  k:1  string
             value: same document, written differently
        """
    assert dedent(expected) == text(entry("string", "[1]"), entry("string", "[ 1 ]"))


def test_an_expiry_past_the_year_9999_is_a_number() -> None:
    before, after = entry("string", "a", expires_at=SOON), entry("string", "a", expires_at=10**15)
    expected = """\
        M  k:1  string
             expires: in 31,652 years (1000000000000000 ms after 1970, 31,652 years later)
        """
    assert dedent(expected) == text(before, after)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("plain é 漢字 😀", "plain é 漢字 😀"),
        ("\x1b[31m\x07\x00\x7f", r"\x1b[31m\x07\x00\x7f"),
        ("\x9b\x85", r"\x9b\x85"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\u202egpj\u2066\u200f\u2028", r"\u202egpj\u2066\u200f\u2028"),
        ("\ud800\ufeff", r"\ud800\ufeff"),
        ("\\x1b", r"\\x1b"),
    ],
)
def test_what_a_terminal_would_act_on_is_escaped(raw: str, expected: str) -> None:
    assert expected == escape(raw)


def test_a_long_text_is_cut_in_the_middle_and_the_cut_is_counted() -> None:
    raw = "a" * 700 + "b" * 1_000
    expected = "a" * 14 + "… 1,680 more characters …" + "b" * 6
    assert expected == escape(raw, limit=20)


def test_quotes_in_a_text_cannot_end_it() -> None:
    before, after = entry("string", 'a" -> "b'), entry("string", "it's \"")
    expected = """\
        M  k:1  string
             value: 'a" -> "b' -> "it's \\""
        """
    assert dedent(expected) == text(before, after)


def test_a_key_that_came_is_whole_in_the_machine_output() -> None:
    after = entry("string", "x" * 10_000, expires_at=SOON)
    expected = {
        "schema": "gitbackup.diff/1",
        "db": 0,
        "key": "k:1",
        "action": "added",
        "type": {"before": None, "after": "string"},
        "before": None,
        "after": after,
        "changes": [],
    }
    assert expected == machine(None, after)


def test_a_library_of_functions_has_no_database() -> None:
    told = machine(entry("function", "a"), None, FUNCTIONS)
    assert (told["functions"], told["before"]) == (True, entry("function", "a"))
    assert "db" not in told


def test_a_changed_document_has_both_texts_and_what_changed_inside() -> None:
    before, after = entry("hash", {"f": '{"x": 1}'}), entry("hash", {"f": '{"x":2}'})
    expected = {
        "schema": "gitbackup.diff/1",
        "db": 2,
        "key": "k:1",
        "action": "changed",
        "type": {"before": "hash", "after": "hash"},
        "changes": [
            {
                "part": "field",
                "action": "changed",
                "name": "f",
                "path": [],
                "before": '{"x": 1}',
                "after": '{"x":2}',
                "note": "",
                "inside": [{"action": "changed", "path": ["x"], "before": 1, "after": 2}],
            }
        ],
    }
    assert expected == machine(before, after, db=2)


def test_a_field_of_a_new_hash_may_have_an_empty_name() -> None:
    assert text(None, entry("hash", {"": "a", "b": "c"})).splitlines()[1:] == [
        '     + "": "a"',
        '     + b: "c"',
    ]


def test_of_a_new_hash_the_telling_fields_come_first_and_empty_ones_are_counted() -> None:
    filler = {f"f{number:02}": "x" for number in range(10)}
    value = {"icon": "", "limits": '{"daily": 10, "note": ""}', "name": "李四", **filler}
    value |= {"owner": "", "status": "active"}
    lines = text(None, entry("hash", value)).splitlines()
    assert lines[1:6] == [
        '     + name: "李四"',
        '     + status: "active"',
        "     + limits.daily: 10",
        '     + f00: "x"',
        '     + f01: "x"',
    ]
    assert lines[-1] == "     + … 3 more fields, 2 empty"


def test_of_a_new_document_it_is_the_paths() -> None:
    value = '{"on": true, "title": "x", "list": [1, {"a": null}], "empty": {}}'
    lines = text(None, entry("string", value)).splitlines()
    assert lines[1:] == ['     + title: "x"', "     + on: true", "     + list[0]: 1"]


def test_all_of_it_is_arranged_in_the_same_way_unless_it_is_to_be_as_stored() -> None:
    """As `log -p` has it; `--full` shows what is stored."""
    made = entry("hash", {"a": "", "b": "x", "name": "n"} | {f"f{n:02}": "x" for n in range(12)})
    change = KeyChange(Key(0, "k"), Action.ADDED, None, "db0.json")
    lines = [*change_lines(change, None, made, [], DiffView(full=True, stored=False))]
    assert ('+ name: "n"' in lines[1], "+ … 1 empty" in lines[-1], len(lines)) == (True, True, 16)
    assert '+ a: ""' in [*change_lines(change, None, made, [], DiffView(full=True))][1]
