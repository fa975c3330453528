"""Laws that hold for any two entries of a key."""

from __future__ import annotations

import base64
import json
import re
from copy import deepcopy
from random import Random
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from gitbackup.diff.values import diff_entries
from gitbackup.format.exact import same
from gitbackup.model.changes import Action, KeyChange, Part
from gitbackup.model.keys import Entry, Key
from gitbackup.redact import Redaction
from gitbackup.report.json.diff import to_json
from gitbackup.report.text.diff import DiffView, change_lines
from tests.laws import tried

NAMES = st.sampled_from(
    ["a", "b", "c", "__d", "a.b", "", "x y", "\x1b[31m", "é\u202e", "base64:/w=="]
)
NUMBERS = (
    st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0, 1, -0.0])
)
LEAVES = st.none() | st.booleans() | NUMBERS | st.sampled_from(["", "x", "x\ny", "1", "\ud800"])


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4)


DOCUMENTS = st.recursive(LEAVES, containers, max_leaves=12)
JSON_TEXTS = st.builds(
    lambda document, indent: json.dumps(document, indent=indent),
    containers(DOCUMENTS),
    st.sampled_from([None, 2]),
)
BINARY = st.binary(max_size=9).map(lambda data: "base64:" + base64.b64encode(data).decode())
TEXTS = NAMES | st.text(st.characters(codec="utf-8"), max_size=9) | JSON_TEXTS | BINARY
INSTANTS = st.sampled_from(["2027-01-15T08:00:00.123Z", "2028-01-15T08:00:00.123Z", 10**15])
SCORES = NUMBERS | st.sampled_from(["inf", "-inf"])
IDS = st.builds(lambda ms, seq: f"{ms}-{seq}", st.integers(0, 12), st.integers(0, 2))
PENDING = st.fixed_dictionaries(
    {"consumer": NAMES, "delivered_at": INSTANTS, "deliveries": st.integers(1, 3)}
)
GROUPS = st.fixed_dictionaries(
    {"last_id": IDS},
    optional={
        "entries_read": st.integers(0, 3),
        "consumers": st.sets(NAMES, min_size=1).map(sorted),
        "pending": st.dictionaries(IDS, PENDING, min_size=1, max_size=3),
    },
)
STREAMS = st.fixed_dictionaries(
    {"entries": st.dictionaries(IDS, st.lists(NAMES, min_size=2, max_size=4), max_size=4)},
    optional={
        "last_id": IDS,
        "entries_added": st.integers(0, 9),
        "max_deleted_id": IDS,
        "groups": st.dictionaries(NAMES, GROUPS, min_size=1, max_size=2),
    },
)
VALUES = {
    "string": TEXTS,
    "hash": st.dictionaries(NAMES, TEXTS, max_size=5),
    "list": st.lists(TEXTS, max_size=8),
    "set": st.sets(NAMES | BINARY, max_size=6).map(sorted),
    "zset": st.dictionaries(NAMES, SCORES, max_size=5),
    "stream": STREAMS,
    "function": st.text(st.sampled_from("ab\n"), max_size=9),
    "vectorset": BINARY.map(lambda text: {"dump": text.removeprefix("base64:")}),
}


def entries(kind: str) -> st.SearchStrategy[Any]:
    optional: dict[str, st.SearchStrategy[Any]] = {"expires_at": INSTANTS}
    if kind == "hash":
        optional["field_expires_at"] = st.dictionaries(NAMES, INSTANTS, min_size=1, max_size=3)
    required = {"type": st.just(kind), "value": VALUES[kind]}
    return st.fixed_dictionaries(required, optional=optional)


KINDS = st.sampled_from(sorted(VALUES))
PAIRS = KINDS.flatmap(lambda kind: st.tuples(entries(kind), entries(kind)))


def edited(random: Random, document: Any) -> Any:
    """A document much like another, as an application would have changed it."""
    if random.random() < 0.08:
        return random.choice([0, 1.0, True, None, [1], {"a": -0.0}])
    if isinstance(document, list):
        items = [edited(random, item) for item in document if random.random() > 0.12]
        if random.random() < 0.3:
            items.insert(random.randint(0, len(items)), random.choice([0, [], {"n": 1}]))
        return items
    if isinstance(document, dict):
        return {name: edited(random, item) for name, item in document.items()}
    return document


def alike(kind: str, document: Any, random: Random) -> tuple[Entry, Entry]:
    sides = [document, edited(random, document)]
    if kind == "list":
        sides = [[json.dumps(item) for item in side] for side in sides if isinstance(side, list)]
        sides = [sides[0], sides[-1]]
    else:
        sides = [json.dumps(side) for side in sides]
    before, after = ({"type": kind, "value": side} for side in sides)
    return before, after  # type: ignore[return-value]


ALIKE = st.builds(
    alike,
    st.sampled_from(["string", "list"]),
    st.lists(DOCUMENTS, min_size=2, max_size=8),
    st.randoms(use_true_random=False),
)
MIXED = st.tuples(KINDS.flatmap(entries), KINDS.flatmap(entries))


@tried(500)
@given(PAIRS | ALIKE | MIXED)
def test_there_is_a_difference_only_where_entries_differ(pair: tuple[Entry, Entry]) -> None:
    before, after = pair
    assert (diff_entries(before, after) == []) == same(before, after)


@tried(200)
@given(KINDS.flatmap(entries))
def test_an_entry_does_not_differ_from_its_copy(entry: Entry) -> None:
    assert diff_entries(entry, deepcopy(entry)) == []


@tried(500)
@given(PAIRS | ALIKE | MIXED)
def test_the_machine_output_makes_the_entry_after_of_the_one_before(
    pair: tuple[Entry, Entry],
) -> None:
    before, after = pair
    change = KeyChange(Key(0, "k"), Action.CHANGED, "f", "f")
    told = to_json(change, before, after, diff_entries(before, after))
    told = json.loads(json.dumps(told))
    assert same(applied(before, told), after)
    for text in told["changes"]:
        if "inside" in text:
            document = apply_paths(json.loads(text["before"]), text["inside"])
            assert same(document, json.loads(text["after"]))


def hashes(before: dict[str, str], after: dict[str, str]) -> tuple[Entry, Entry]:
    return {"type": "hash", "value": before}, {"type": "hash", "value": after}


PAINTED = re.compile(r"\x1b\[\d+m([^\x1b]+)\x1b\[m")
"""What we paint, each piece from its colour to its end: an escape of the data is in none."""


@tried(300)
@given(PAIRS | ALIKE | MIXED)
@example(
    ({"type": "hash", "value": {"\x1b[1m": "{}"}}, {"type": "hash", "value": {"\x1b[1m": "[]"}})
)
@example(
    ({"type": "hash", "value": {"[\x1b": "{}"}}, {"type": "hash", "value": {"[\x1b": '{"a":1}'}})
)
def test_nothing_reaches_the_terminal_raw(pair: tuple[Entry, Entry]) -> None:
    before, after = pair
    changed = KeyChange(Key(0, "\x9b\n"), Action.CHANGED, "f", "f")
    added = KeyChange(Key(0, "\x1b"), Action.ADDED, None, "f")
    values = diff_entries(before, after)
    for view in (DiffView(), DiffView(40, full=True), DiffView(rank=True)):
        lines = [
            *change_lines(changed, before, after, values, view),
            *change_lines(added, None, after, [], view),
        ]
        assert [line for line in lines if not PAINTED.sub(r"\1", line).isprintable()] == []


@tried(200)
@given(PAIRS | ALIKE | MIXED, st.sampled_from(["k", "a", "*", "x"]))
def test_what_is_masked_is_told_all_the_same(pair: tuple[Entry, Entry], glob: str) -> None:
    redaction, change = Redaction([glob]), KeyChange(Key(0, "k"), Action.CHANGED, "f", "f")
    before, after = (redaction.entry(change.key, entry) for entry in pair)
    values = redaction.values(change.key, diff_entries(*pair))
    assert bool(values) == (not same(*pair))
    json.dumps(to_json(change, before, after, values, redacted=True))
    assert len([*change_lines(change, before, after, values)]) >= 1


def applied(before: Any, told: dict[str, Any]) -> Any:
    """What a program makes of the machine output, and of nothing else."""
    if "after" in told:
        return told["after"]
    entry = deepcopy(before)
    changes = told["changes"]
    for part, name in (("expiry", "expires_at"), ("field-expiry", "field_expires_at")):
        apply_expiries(entry, name, [change for change in changes if change["part"] == part])
    apply_items(entry["value"], [change for change in changes if change["part"] == "item"])
    inside = [change for change in changes if change["path"] and change["part"] == "value"]
    entry["value"] = apply_paths(entry["value"], inside)
    for change in changes:
        apply_one(entry, change)
    return entry


def apply_expiries(entry: Any, name: str, changes: list[dict[str, Any]]) -> None:
    for change in changes:
        field = change["part"] == "field-expiry"
        holder = entry.setdefault(name, {}) if field else entry
        put(
            holder,
            change["name"] if field else name,
            change["action"] == "removed",
            change["after"],
        )
    if entry.get(name) == {}:
        del entry[name]


def apply_items(items: Any, changes: list[dict[str, Any]]) -> None:
    told = [change | {"path": [int(change["name"])]} for change in changes]
    apply_paths(items, told)


def apply_paths(document: Any, changes: list[dict[str, Any]]) -> Any:
    def holder(path: list[Any]) -> Any:
        found = document
        for step in path[:-1]:
            found = found[step]
        return found

    for change in reversed([change for change in changes if change["action"] == "removed"]):
        del holder(change["path"])[change["path"][-1]]
    for change in (change for change in changes if change["action"] == "added"):
        path = change["path"]
        if isinstance(path[-1], int):
            holder(path).insert(path[-1], change["after"])
        else:
            holder(path)[path[-1]] = change["after"]
    for change in (change for change in changes if change["action"] == "changed"):
        holder(change["path"])[change["path"][-1]] = change["after"]
    return document


def apply_one(entry: Any, change: dict[str, Any]) -> None:
    part, name, after = Part(change["part"]), change["name"], change["after"]
    gone = change["action"] == "removed"
    if part is Part.VALUE and not change["path"]:
        entry["value"] = after
    elif part in (Part.FIELD, Part.SCORE):
        put(entry["value"], name, gone, after)
    elif part is Part.STREAM_ENTRY:
        put(entry["value"]["entries"], name, gone, after)
    elif part is Part.MEMBER:
        members = set(entry["value"]) - {name} if gone else {*entry["value"], name}
        entry["value"] = sorted(members)
    elif part is Part.STREAM_STATE:
        apply_state(entry["value"], [name, *change["path"]], gone, after)


def apply_state(holder: Any, path: list[str], gone: bool, after: Any) -> None:
    for step in path[:-1]:
        if step == "consumers":
            members = set(holder[step]) - {path[-1]} if gone else {*holder[step], after}
            holder[step] = sorted(members)
            return
        holder = holder[step]
    put(holder, path[-1], gone, after)


def put(holder: Any, name: str, gone: bool, after: Any) -> None:
    if gone:
        del holder[name]
    else:
        holder[name] = after
