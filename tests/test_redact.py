"""What is not for every eye: it is masked, and still seen to have changed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbackup.diff.values import diff_entries
from gitbackup.model.changes import Action, KeyChange, Part, ValueChange
from gitbackup.model.keys import MASK, Entry, Key
from gitbackup.redact import NOTE, Redaction
from gitbackup.report.json.diff import to_json
from gitbackup.report.text.diff import DiffView, change_lines
from tests.laws import tried

SOON = "2027-01-15T08:00:00.123Z"
KEY = Key(0, "account:1")
STREAM = {"entries": {"1-0": ["user", "eu", "token", "s3cret"]}, "last_id": "9-0"}


def entry(kind: str, value: Any, **more: Any) -> Entry:
    return {"type": kind, "value": value, **more}  # type: ignore[typeddict-item]


def masked(kind: str, value: Any, *globs: str) -> Any:
    return Redaction(globs).entry(KEY, entry(kind, value))["value"]


def changes(kind: str, before: Any, after: Any, *globs: str) -> list[ValueChange]:
    return [*Redaction(globs).values(KEY, diff_entries(entry(kind, before), entry(kind, after)))]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("string", "s3cret", "***"),
        ("string", '{"a": 1}', "***"),
        ("hash", {"a": "s3cret", "b": ""}, {"a": "***", "b": "***"}),
        ("list", ["s3cret", "x"], ["***", "***"]),
        ("set", ["s3cret", "x"], ["***", "***"]),
        ("zset", {"s3cret": 1, "x": 2}, {"***1": "***", "***2": "***"}),
        (
            "stream",
            STREAM,
            {"entries": {"1-0": ["user", "***", "token", "***"]}, "last_id": "9-0"},
        ),
        ("vectorset", {"dump": "AAAA"}, "***"),
        ("function", "#!lua\nreturn 's3cret'", "***"),
    ],
)
def test_of_a_key_that_matches_no_value_is_left(kind: str, value: Any, expected: Any) -> None:
    assert expected == masked(kind, value, "account:*")


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("hash", {"name": "eu", "token": "s3cret"}, {"name": "eu", "token": "***"}),
        ("hash", {"name": "eu", "apiToken": "s3cret"}, {"name": "eu", "apiToken": "***"}),
        ("zset", {"eu": 1, "token": 2}, {"eu": 1, "token": "***"}),
        ("stream", STREAM, STREAM | {"entries": {"1-0": ["user", "eu", "token", "***"]}}),
        ("list", ["token", '{"token": "s3cret"}'], ["token", '{"token": "***"}']),
        ("set", ['{"token": "s3cret"}', "x"], ['{"token": "***"}', "x"]),
        (
            "zset",
            {'{"token":"a"}': 1, '{"token":"b"}': 2},
            {'{"token":"***"}': 1, '{"token":"***"} 1': 2},
        ),
        ("json", {"a": [{"token": {"b": 1}}], "n": 1}, {"a": [{"token": "***"}], "n": 1}),
    ],
)
def test_of_a_field_or_a_member_of_a_document_that_matches_its_value_goes(
    kind: str, value: Any, expected: Any
) -> None:
    assert expected == masked(kind, value, "*token")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"token": "s3cret", "n": 1.00}', '{"token": "***", "n": 1.00}'),
        ('{"token" :\n {"a": ["s3cret"]} }', '{"token" :\n "***" }'),
        ('{"a": "\\"", "token": 42}', '{"a": "\\"", "token": "***"}'),
        ('{"\\u0074oken": null}', '{"\\u0074oken": "***"}'),
        ('{"token": 1, "token": 2}', '{"token": "***", "token": "***"}'),
        ('{"token": {"token": 1}, "b": 2}', '{"token": "***", "b": 2}'),
        ('12:00 it"s in {"token": "s3cret"}', '12:00 it"s in {"token": "***"}'),
        ('{"token": s3cret, "b": 2}', '{"token": "***"'),
        ('{"token": "s3cret', '{"token": "***"'),
        (json.dumps({"in": '{"token": "s3cret", "b": 1}'}), '{"in": "{\\"token\\": "***"'),
        ('{"token": ' + "[" * 100_000, '{"token": "***"'),
        ('\\"token": s3cret', '\\"token": "***"'),
        ('{"b": "token"}', '{"b": "token"}'),
        ("token", "token"),
    ],
)
def test_a_document_keeps_all_but_what_is_masked(text: str, expected: str) -> None:
    assert expected == masked("string", text, "token")


@pytest.mark.parametrize("text", ['"' * 200_000, "\\" * 200_000, '\\"a' * 100_000, '"a" ' * 50_000])
def test_a_hostile_text_is_as_fast_to_mask_as_any(text: str) -> None:
    assert text == masked("string", text, "token")


def test_a_field_that_matches_is_seen_to_have_changed() -> None:
    before = {"came": "", "gone": "abc", "name": "a", "token": "short"}
    after = {"came2": "x", "name": "b", "token": "a much longer one"}
    expected = [
        ValueChange(Part.FIELD, Action.REMOVED, "came", (), MASK, None, NOTE),
        ValueChange(Part.FIELD, Action.ADDED, "came2", (), None, MASK, NOTE),
        ValueChange(Part.FIELD, Action.REMOVED, "gone", (), MASK, None, NOTE),
        ValueChange(Part.FIELD, Action.CHANGED, "name", (), "a", "b"),
        ValueChange(Part.FIELD, Action.CHANGED, "token", (), MASK, MASK, NOTE),
    ]
    assert expected == changes("hash", before, after, "token", "came*", "gone")


def test_bytes_that_are_masked_tell_no_length() -> None:
    expected = [ValueChange(Part.VALUE, Action.CHANGED, "", (), MASK, MASK, NOTE)]
    assert expected == changes("string", "base64:/w==", "base64:/wD/", "account:*")


def test_a_document_that_is_masked_tells_no_path_below_the_mask() -> None:
    before = {"keys": [{"token": {"a": 1, "b": 2}}], "n": 1}
    after = {"keys": [{"token": {"a": 2, "c": 2}}], "n": 2}
    texts = json.dumps(before), json.dumps(after)
    path = ("keys", 0, "token")
    expected = [
        ValueChange(Part.VALUE, Action.CHANGED, "", path, MASK, MASK, NOTE),
        ValueChange(Part.VALUE, Action.CHANGED, "", ("n",), 1, 2),
    ]
    assert expected == changes("string", *texts, "token")
    whole = [ValueChange(Part.VALUE, Action.CHANGED, "", (), MASK, MASK, NOTE)]
    assert whole == changes("string", *texts, "account:1")


def test_members_that_are_masked_are_still_counted() -> None:
    gone = ValueChange(Part.MEMBER, Action.REMOVED, MASK, (), MASK, None, NOTE)
    came = ValueChange(Part.MEMBER, Action.ADDED, MASK, (), None, MASK, NOTE)
    assert changes("set", ["a", "b"], ["b", "c", "d"], "account:*") == [gone, came, came]
    score = ValueChange(Part.SCORE, Action.CHANGED, MASK, (), MASK, MASK, NOTE)
    assert changes("zset", {"a": 1}, {"a": 2}, "account:*") == [score]


def test_a_member_that_holds_a_document_is_masked_in_its_name_too() -> None:
    text = '{"token": "***"}'
    expected = [ValueChange(Part.MEMBER, Action.ADDED, text, (), None, text, NOTE)]
    assert expected == changes("set", [], ['{"token": "s3cret"}'], "token")


def test_values_that_differ_under_the_mask_alone_are_masked_whole() -> None:
    before, after = '{"token": "a",}', '{"token": "b",}'
    expected = [ValueChange(Part.VALUE, Action.CHANGED, "", (), MASK, MASK, NOTE)]
    assert expected == changes("string", before, after, "token")


def test_expiries_types_and_a_streams_state_are_told() -> None:
    before, after = entry("string", "a", expires_at=SOON), entry("list", ["a"])
    told = diff_entries(before, after)
    assert told == [*Redaction(["account:*"]).values(KEY, told)]
    groups = {"g": {"last_id": "1-0"}}
    state = ValueChange(Part.STREAM_STATE, Action.ADDED, "groups", (), None, groups)
    assert changes("stream", STREAM, STREAM | {"groups": groups}, "account:*") == [state]


def test_without_a_glob_nothing_is_masked() -> None:
    whole = entry("hash", {"token": "s3cret"})
    assert whole is Redaction().entry(KEY, whole)
    assert not Redaction()


SECRETS = st.text(st.characters(codec="utf-8"), min_size=6).map(lambda text: f"s3cr3t{text}s3cr3t")
OTHERS = st.sampled_from(["", "a", "s", '"', "token", '{"a": 1}', "x\ny"])


def holding(kind: str, secret: str, other: str) -> Entry:
    """A value of that type with a secret under the name `token`, however deep."""
    document = json.dumps({"a": [{"api-Token": {"b": secret}}], other: other, "token": secret})
    values = {
        "string": document,
        "hash": {"doc": document, "my_token": secret, "other": other},
        "list": [other, document],
        "set": [document],
        "zset": {document: 1},
        "stream": {"entries": {"1-0": ["token", secret, "doc", document, "o", other]}},
    }
    return entry(kind, values[kind])


@tried(300)
@given(
    st.sampled_from(["string", "hash", "list", "set", "zset", "stream"]),
    st.tuples(SECRETS, SECRETS),
    st.tuples(OTHERS, OTHERS),
)
def test_no_secret_is_told(kind: str, secrets: tuple[str, str], others: tuple[str, str]) -> None:
    redaction = Redaction(["*token*"])
    pair = [holding(kind, *each) for each in zip(secrets, others, strict=True)]
    before, after = (redaction.entry(KEY, side) for side in pair)
    values = redaction.values(KEY, diff_entries(*pair))
    change = KeyChange(KEY, Action.CHANGED, "f", "f")
    told = [json.dumps(to_json(change, before, after, values)), json.dumps([before, after])]
    for each in (change, KeyChange(KEY, Action.ADDED, None, "f")):
        told += change_lines(each, before, after, values, DiffView(full=True, rank=True))
    assert "s3cr3t" not in "\n".join(told)
