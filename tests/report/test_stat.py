"""`diff --stat`, and the headings of a diff: noise is seen at a glance."""

from __future__ import annotations

import click

from gitbackup.model.changes import Action, Counts, KeyChange, Summary
from gitbackup.model.keys import Key
from gitbackup.report.style import width
from gitbackup.report.text.namespaces import (
    Headings,
    noise,
    noise_line,
    order,
    silenced,
    stat_lines,
)


def summary(**spaces: Counts) -> Summary:
    return placed({("db0", name): counts for name, counts in spaces.items()})


def placed(spaces: dict[tuple[str, str], Counts]) -> Summary:
    each = spaces.values()
    total = Counts(
        sum(c.added for c in each), sum(c.changed for c in each), sum(c.removed for c in each)
    )
    return Summary(total, spaces, (), "")


def stat(found: Summary, columns: int | None = None, full: bool = False) -> list[str]:
    return [click.unstyle(line) for line in stat_lines(found, columns, full)]


def test_a_few_keys_have_a_sign_each() -> None:
    found = summary(apikey=Counts(2), config=Counts(0, 1), usage=Counts(3, 4, 1))
    assert stat(found) == [
        "  apikey  2 added                        ++",
        "  config  1 changed                      ~",
        "  usage   3 added, 4 changed, 1 removed  +++~~~~-",
        "5 added, 5 changed, 1 removed",
    ]


def test_many_keys_share_the_width_and_none_is_unseen() -> None:
    found = summary(a=Counts(1, 1, 1), b=Counts(900_000, 99_999, 1))
    assert stat(found, 70) == [
        "  a  1 added, 1 changed, 1 removed             +~-",
        "  b  900,000 added, 99,999 changed, 1 removed  +++++++++++++++++++~~-",
        "900,001 added, 100,000 changed, 2 removed",
    ]
    assert max(map(width, stat(found, 200))) <= 90


def test_bars_are_in_columns_whatever_the_names_are_written_in() -> None:
    found = placed({("db0", "漢字"): Counts(1), ("db3", "x"): Counts(0, 0, 1)})
    assert stat(found) == [
        "  漢字   1 added    +",
        "  db3 x  1 removed  -",
        "1 added, 1 removed",
    ]


def test_of_many_namespaces_the_rest_is_counted_unless_all_is_asked_for() -> None:
    found = summary(**{f"n{at:02}": Counts(1) for at in range(40)})
    assert stat(found)[-2:] == [
        "  and 15 more prefixes",
        "40 added",
    ]
    assert len(stat(found, full=True)) == 41


def test_the_namespace_that_most_of_many_changes_are_in_is_noise() -> None:
    found = summary(apikey=Counts(2), usage=Counts(90, 9))
    assert noise(found) == ("db0", "usage")
    assert click.unstyle(noise_line(found, ("db0", "usage"), "COMMAND")) == (
        "99 of 101 are usage; to hide them: COMMAND (for good: see gitbackup suggest)"
    )


def test_few_changes_or_one_namespace_or_no_majority_are_no_noise() -> None:
    assert noise(summary(a=Counts(1), b=Counts(30))) is None
    assert noise(summary(a=Counts(100))) is None
    assert noise(summary(a=Counts(100), b=Counts(0, 100))) is None
    assert noise(placed({("functions", "f"): Counts(100), ("db0", "a"): Counts(1)})) is None
    assert noise(placed({("db0", "\x1b[2J"): Counts(100), ("db0", "a"): Counts(1)})) is None


def test_a_namespace_that_is_a_glob_is_taken_by_the_letter() -> None:
    assert silenced(("db0", "usage")) == "usage:*"
    assert silenced(("db0", "a*[b]?\\")) == "a\\*\\[b\\]\\?\\\\:*"


def keys(*names: tuple[int, str]) -> list[KeyChange]:
    changes = [KeyChange(Key(db, name), Action.ADDED, None, "f") for db, name in names]
    return sorted(changes, key=order)


def headed(changes: list[KeyChange]) -> list[str]:
    """The names of the keys, and what stands above them."""
    spaces: dict[tuple[str, str], Counts] = {}
    for change in changes:
        space = change.key.place, change.key.namespace
        spaces[space] = Counts(spaces.get(space, Counts()).added + 1)
    headings, told = Headings(placed(spaces)), list[str]()
    for change in changes:
        told += [click.unstyle(line) for line in headings.above(change)]
        told.append(str(change.key))
    return told


def test_keys_are_told_by_database_and_namespace() -> None:
    changes = keys((0, "a:1"), (0, "a-b"), (0, "a:2"), (3, "a:1"), (3, "a:2"), (0, "z"), (0, "y"))
    assert headed(changes) == [
        "a: 2 added",
        "a:1",
        "a:2",
        "",
        "a-b",
        "y",
        "z",
        "",
        "db3 a: 2 added",
        "db3 a:1",
        "db3 a:2",
    ]


def test_one_namespace_needs_no_heading_and_nor_do_keys_that_are_alone() -> None:
    assert headed(keys((0, "a:1"), (0, "a:2"))) == ["a:1", "a:2"]
    assert headed(keys((0, "a:1"), (0, "b:2"))) == ["a:1", "b:2"]


def test_a_namespace_cannot_steer_the_terminal() -> None:
    found = placed({("db0", "\x1b[2J\n"): Counts(2), ("db0", "b"): Counts(1)})
    assert stat(found)[0] == "  \\x1b[2J\\n  2 added  ++"
    assert headed(keys((0, "\x1b:1"), (0, "\x1b:2"), (0, "b")))[0] == "\\x1b: 2 added"
