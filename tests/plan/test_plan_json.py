"""A plan as JSON, and back; what comes from outside is believed in nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gitbackup.errors import UsageError
from gitbackup.model.changes import Action
from gitbackup.model.keys import FUNCTIONS, Key
from gitbackup.model.merging import MergeRule, Side
from gitbackup.plan.plan import Clock, Plan, PlannedKey, RestoreOptions, Revert, Ttl
from gitbackup.plan.plan_json import plan_object, read_plan

PLAN = Plan(
    "1" * 40,
    "Redis 7.0.15 standalone at localhost:6379",
    RestoreOptions(
        ("user:*", "\udcff?", "base64:"), ((3, 5), (4, 4)), False, Ttl.REMAINING, "2" * 40
    ),
    Clock(1_795_331_417_871, 1_795_331_000_000),
    [
        PlannedKey(Key(FUNCTIONS, "zoo"), Action.REMOVED, "function", digest="a" * 32),
        PlannedKey(Key(4, "base64:/w=="), Action.CHANGED, "hash", digest="b" * 32),
        PlannedKey(Key(5, "user:👋"), Action.ADDED, "string"),
    ],
)


REVERT = Revert(MergeRule(Side.THEIRS, counters=True), ("user:*", "\udcff"), ("usage:*",))
REVERTS = replace(PLAN, how=RestoreOptions(revert=REVERT))


@pytest.mark.parametrize(
    "plan",
    [
        PLAN,
        REVERTS,
        replace(PLAN, how=RestoreOptions(revert=Revert())),
        replace(PLAN, nodes=("a" * 40, "b" * 40)),
    ],
)
def test_a_plan_is_read_as_it_was_written(plan: Plan) -> None:
    assert read_plan(json.dumps(plan_object(plan)).encode()) == plan


BROKEN: list[tuple[Callable[[Any], object], str]] = [
    (lambda plan: plan.pop("schema"), 'its "schema" is not "gitbackup.plan/1"'),
    (lambda plan: plan.update(schema="gitbackup.plan/2"), 'its "schema" is not "gitbackup.plan/1"'),
    (lambda plan: plan.update(commit="HEAD"), "a commit id is not valid"),
    (lambda plan: plan.update(commit=None), 'the member "commit" is missing'),
    (lambda plan: plan.update(keys={}), 'the member "keys" is missing or not valid'),
    (lambda plan: plan["keys"].append(3), 'what should contain "action" is not an object'),
    (lambda plan: plan["keys"].append(plan["keys"][0]), "it has a duplicate key"),
    (lambda plan: plan["keys"][0].update(action="eat"), "unexpected value 'eat'"),
    (lambda plan: plan["keys"][0].update(holds=None), 'the "holds" of a key is not a digest'),
    (lambda plan: plan["keys"][0].update(holds="x"), 'the "holds" of a key is not a digest'),
    (lambda plan: plan["keys"][0].update(db=-1), "the number of a database is not valid"),
    (lambda plan: plan["keys"][0].update(db=True), 'the member "db" is missing'),
    (lambda plan: plan["keys"][0].update(key="base64:?"), "the name of a key is not text"),
    (lambda plan: plan["how"].update(ttl="forever"), "unexpected value 'forever'"),
    (lambda plan: plan["how"].update(databases=[[1]]), 'its "databases" are not pairs of numbers'),
    (lambda plan: plan["how"].update(patterns=[1]), "a pattern is not text"),
    (lambda plan: plan.update(now="soon"), "'soon' is not an instant"),
    (lambda plan: plan["how"].update(revert=1), 'the member "revert" is missing or not valid'),
    (lambda plan: plan["how"].update(revert={"side": "mine"}), "unexpected value 'mine'"),
]


@pytest.mark.parametrize(("damage", "why"), BROKEN)
def test_what_is_no_plan_is_refused_in_one_sentence(
    damage: Callable[[Any], object], why: str
) -> None:
    plan = json.loads(json.dumps(plan_object(PLAN)))
    damage(plan)
    with pytest.raises(UsageError) as refused:
        read_plan(json.dumps(plan).encode())
    sentence = str(refused.value)
    assert sentence.startswith("not a plan made by `Backup.restorer()`: ")
    assert why in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe\xfd", b"[" * 100_000, b"NaN", b"[]", b"9" * 10_000]
)
def test_what_is_no_json_is_refused_in_one_sentence(content: bytes) -> None:
    with pytest.raises(UsageError, match=r"\Anot a plan made by [^\n]*\Z"):
        read_plan(content)
