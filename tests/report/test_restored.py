"""What a restore did, in words: in English and, on the pages, in any other language."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from gitbackup.model.changes import Action
from gitbackup.model.keys import Key
from gitbackup.plan.plan import Clock, Plan, PlannedKey, RestoreOptions, Revert
from gitbackup.report.text.restored import outcome, undone
from gitbackup.restore.result import RestoreResult, Why
from gitbackup.ui.words.language import Language

COMMIT = "931e661" + 33 * "0"
A, B = Key(0, "a"), Key(3, "b")
STEPS = [PlannedKey(A, Action.CHANGED, "string"), PlannedKey(B, Action.CHANGED, "string")]
PLAN = Plan(COMMIT, "Valkey 9 standalone at localhost:6379", RestoreOptions(), Clock(0, 0), STEPS)
DONE = RestoreResult(PLAN, applied=True, done=STEPS)
REVERTED = replace(DONE, plan=replace(PLAN, how=RestoreOptions(revert=Revert())))

OUTCOMES = [
    (DONE, ["verified: 2 keys equal commit 931e661"]),
    (replace(DONE, done=STEPS[:1]), ["verified: 1 key equals commit 931e661"]),
    (REVERTED, ["verified: 2 keys are as planned"]),
    (
        replace(DONE, plan=replace(PLAN, keys=[])),
        ["already done: the database equals commit 931e661"],
    ),
    (
        replace(REVERTED, plan=replace(REVERTED.plan, keys=[])),
        ["already done: commit 931e661 is reverted"],
    ),
    (
        replace(DONE, accepted=[A], later=[B]),
        [
            "verified: 1 key equals commit 931e661",
            "not compared: a; the server accepted the dump but returns another one",
            "clients have written to db3 b since then",
        ],
    ),
]

UNDONE = [
    (DONE, []),
    (
        replace(DONE, refused=[(A, "OOM")], busy=[B]),
        [
            "restored, except for some keys: the server refused a (OOM);"
            " clients keep writing to db3 b: stop them, and run the same command again"
        ],
    ),
    (
        replace(REVERTED, differing=[A, B], why={A: Why.DELETED, B: Why.WRITTEN}),
        [
            "reverted, except for some keys: a client deleted a after the restore;"
            " a client wrote to db3 b after the restore"
        ],
    ),
    (
        replace(DONE, differing=[A, B], why={A: Why.UNHELD}),
        [
            "restored, except for some keys: db3 b has a different value: a client wrote to it, or"
            " the server cannot hold the value; this server cannot hold all of a, and stored a"
            " different value"
        ],
    ),
    (
        replace(DONE, differing=[A], why={A: Why.EVICTED}, gone=[B], evicted=2),
        [
            "restored, except for some keys: a, db3 b are gone: the server evicted 2 keys during"
            " the restore to free memory; raise its maxmemory and restore again"
        ],
    ),
    (
        replace(DONE, gone=[B], evicted=None),
        [
            "restored, except for some keys: db3 b is gone: the server evicted keys to free memory,"
            " or a client deleted them (grant +info to know which); raise its maxmemory and restore"
            " again"
        ],
    ),
    (
        replace(DONE, plan=replace(PLAN, unsupported=[A]), unrecorded="the disk is full"),
        [
            "restored, except for types that the server does not know: a",
            "the current state was not committed (the disk is full): run the same command again",
        ],
    ),
    (
        replace(DONE, unrecorded="lost the server", recorded=COMMIT),
        ["the current state was not read again (lost the server): run the same command again"],
    ),
]


@pytest.mark.parametrize(("result", "expected"), OUTCOMES)
def test_what_was_verified_is_said(result: RestoreResult, expected: list[str]) -> None:
    assert [*outcome(result)] == expected


@pytest.mark.parametrize(("result", "expected"), UNDONE)
def test_what_is_left_undone_is_said(result: RestoreResult, expected: list[str]) -> None:
    assert [*undone(result)] == expected


def test_damaged_files_that_were_left_out_are_said() -> None:
    assert [*undone(DONE, ["db0/a.json is damaged"])] == [
        "restored, except for the damaged files: db0/a.json is damaged"
    ]


@pytest.mark.parametrize("result", [result for result, _ in [*OUTCOMES, *UNDONE]])
def test_all_of_it_is_said_in_chinese_with_the_same_keys(result: RestoreResult) -> None:
    chinese = Language.every()["zh-CN"]
    for say in (outcome, undone):
        for english, told in zip(say(result), say(result, words=chinese), strict=True):
            assert re.search(r"[\u4e00-\u9fff]", told)
            for part in ("db3 b", "931e661", "OOM", "the disk is full"):
                assert (part in told) is (part in english)
