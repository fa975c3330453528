from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click
import pytest

from gitbackup.format.names import key_list
from gitbackup.model.amounts import age
from gitbackup.model.changes import Action, Counts
from gitbackup.model.commits import CommitInfo
from gitbackup.model.keys import Key
from gitbackup.plan.plan import Clock, Plan, PlannedKey, RestoreOptions
from gitbackup.report.text import sentences
from gitbackup.report.text.namespaces import namespace_lines
from gitbackup.report.text.plan import plan_lines

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "said"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=0.5), "just now"),
        (timedelta(seconds=1), "1 second ago"),
        (timedelta(seconds=59), "59 seconds ago"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(hours=23), "23 hours ago"),
        (timedelta(days=364), "364 days ago"),
        (timedelta(days=800), "2 years ago"),
    ],
)
def test_an_age_is_told_in_one_unit(since: timedelta, said: str) -> None:
    assert age(NOW - since, NOW) == said


def test_of_many_namespaces_those_with_the_most_changes_are_shown() -> None:
    spaces = {("db0", f"n{at:02}"): Counts(added=1 + (at == 29)) for at in range(30)}
    lines = [*namespace_lines(spaces)]
    assert (lines[0], lines[-2], lines[-1]) == (
        "  n00  1 added",
        "  n29  2 added",
        "  and 5 more prefixes",
    )
    assert len(lines) == 26


def test_a_long_name_does_not_push_the_numbers_out_of_sight() -> None:
    spaces = {("db0", "n" * 99): Counts(added=1), ("db3", "x"): Counts(removed=1)}
    assert [*namespace_lines(spaces)] == [
        f"  {'n' * 39}…  1 added",
        f"  db3 x{' ' * 35}  1 removed",
    ]


def a_plan(count: int) -> Plan:
    steps = [
        PlannedKey(Key(0, f"k{at:02}"), Action.ADDED, "string", None, "db0/_.json")
        for at in range(count)
    ]
    left = [Key(3, f"old {at}") for at in range(5)]
    return Plan("1" * 40, "Redis 7.0.15 at host", RestoreOptions(), Clock(0, 0), steps, left)


def test_a_long_plan_is_cut_unless_all_is_asked_for() -> None:
    lines = [*plan_lines(a_plan(1_042))]
    assert (lines[0], lines[1], lines[-2:]) == (
        "restore 1111111 into Redis 7.0.15 at host: create 1,042",
        "  create  string  k00",
        [
            "  and 1,002 more; --full lists all",
            (
                '  already expired, left out: 5 keys (db3 "old 0", db3 "old 1", db3 "old 2"'
                " and 2 more)"
            ),
        ],
    )
    assert len([*plan_lines(a_plan(1_042), every=True)]) == 1_044


def test_a_list_of_keys_in_a_sentence_is_cut() -> None:
    assert key_list(Key(0, f"k{at}") for at in range(12)) == (
        "k0, k1, k2, k3, k4, k5, k6, k7, k8, k9 and 2 more"
    )


def test_an_author_cannot_steer_the_terminal() -> None:
    info = CommitInfo("1" * 40, (), "\x1b[2Jme <me@example.org>", NOW, "by\x07 hand", "")
    assert [click.unstyle(line) for line in sentences.log_lines(info, NOW)] == [
        "1111111  2026-11-22 12:00 (just now)",
        "    by\\x07 hand",
        "    made with plain git by \\x1b[2Jme <me@example.org>",
    ]
