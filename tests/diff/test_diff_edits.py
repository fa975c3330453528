"""How one list becomes another."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbackup.model.list_edits import MOST_EDITS, Edit, edits

ITEMS = st.lists(st.sampled_from("abc"), max_size=12)


@given(ITEMS, ITEMS)
def test_the_edits_make_one_list_of_the_other(before: list[str], after: list[str]) -> None:
    made: list[str] = []
    done = 0
    for edit in edits(before, after) or []:
        made += before[done : edit.before_start]
        assert edit.after_start == len(made)
        made += after[edit.after_start : edit.after_end]
        done = edit.before_end
    assert made + before[done:] == after


def shortest(before: list[str], after: list[str]) -> int:
    """The fewest insertions and deletions, by the plain table."""
    row = list(range(len(after) + 1))
    for i, old in enumerate(before, 1):
        last, row[0] = row[:], i
        for j, new in enumerate(after, 1):
            row[j] = last[j - 1] if old == new else 1 + min(last[j], row[j - 1])
    return row[-1]


@given(ITEMS, ITEMS)
def test_there_is_no_shorter_way(before: list[str], after: list[str]) -> None:
    blocks = edits(before, after) or []
    told = sum(e.before_end - e.before_start + e.after_end - e.after_start for e in blocks)
    assert told == shortest(before, after)


def test_an_item_in_front_is_one_insertion() -> None:
    assert edits(["a", "b"], ["x", "a", "b"]) == [Edit(0, 0, 0, 1)]


def test_a_hundred_thousand_items_all_different_are_given_up_at_once() -> None:
    before, after = [f"a{i}" for i in range(100_000)], [f"b{i}" for i in range(100_000)]
    start = time.thread_time()  # of no other process
    assert edits(before, after) is None
    assert time.thread_time() - start < 30


@pytest.mark.long
def test_a_shuffled_list_and_one_that_repeats_itself_are_bounded() -> None:
    before = [str(i) for i in range(50_000)]
    shuffled = random.Random(1).sample(before, len(before))
    start = time.thread_time()  # of no other process
    assert edits(before, shuffled) is None
    assert edits(["a", "b"] * 100_000, ["b", "a", "a"] * 66_666) is None
    assert time.thread_time() - start < 90


def test_as_many_edits_as_allowed_are_told() -> None:
    half = MOST_EDITS // 2
    before, after = [f"a{i}" for i in range(half)], [f"b{i}" for i in range(half)]
    assert edits(before, after) == [Edit(0, half, 0, half)]
    assert edits([*before, "x"], [*after, "y"]) is None
