"""Many steps of a file are kept together, and are the steps that they stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gitbackup.model.changes import Action
from gitbackup.model.file_groups import listed
from gitbackup.model.keys import Key
from gitbackup.plan.differing import pairs
from gitbackup.plan.plan import Clock, FileSteps, NewKeys, Plan, PlannedKey, RestoreOptions

STEPS = st.dictionaries(
    st.tuples(st.sampled_from([0, 3]), st.sampled_from("abcdef")),
    st.tuples(
        st.sampled_from(["one", "two", ""]),  # the file, if steps of it are kept together
        st.sampled_from([*Action]),
        st.sampled_from(["string", "hash"]),
        st.sampled_from("xy"),  # what it holds
        st.integers(0, 2**40),
    ),
)


def planned(
    keys: Mapping[tuple[int, str], tuple[str, Action, str, str, int]], together: bool
) -> Plan:
    """A plan of these steps, those of a file that do the same kept together or each by itself."""
    few, files = list[PlannedKey](), dict[Any, list[PlannedKey]]()
    for key, (file, action, type_, holds, size) in sorted(keys.items()):
        before = None if action is Action.ADDED else file
        after = None if action is Action.REMOVED else file
        digest = "" if action is Action.ADDED else holds.encode().hex() * 16
        sizes = (size if before else 0, size if after else 0, size // 2)
        step = PlannedKey(Key(*key), action, type_, before, after, digest, *sizes)
        if file and together:
            files.setdefault((key[0], file, action), []).append(step)
        else:
            few.append(step)
    blocks = [FileSteps.of(steps) for steps in files.values()]
    return Plan("1" * 40, "a server", RestoreOptions(), Clock(0, 0), listed(few, blocks))


def told(plan: Plan) -> Sequence[Any]:
    sums = plan.counts, plan.growth, plan.namespaces, plan.goes, plan.comes, plan.adds
    samples = {(step.key.db, step.action, step.type) for step in plan.samples}
    return [*plan.keys], [*plan.steps], [*plan.steps_of({"hash"})], sums, samples


@given(STEPS)
def test_a_plan_of_steps_that_are_kept_together_is_that_of_each_step(keys: Any) -> None:
    assert told(planned(keys, together=False)) == told(planned(keys, together=True))


@given(STEPS, STEPS)
def test_two_plans_differ_by_the_same_steps_whether_or_not_these_are_kept_together(
    seen: Any, now: Any
) -> None:
    every = [*pairs(planned(seen, together=False), planned(now, together=False))]
    expected = [pair for pair in every if not pair.same]
    both = pairs(planned(seen, together=True), planned(now, together=True))
    assert [pair for pair in both if not pair.same] == expected
    keys = sorted(Key(*key) for key in seen.keys() | now.keys())
    assert [(pair.seen or pair.now).key for pair in every] == keys


def test_files_that_both_plans_create_in_bulk_are_no_difference() -> None:
    new = NewKeys(0, "file", ("a", "b"), ("string", "string"), 20)
    other = NewKeys(0, "other", ("c", "d"), ("string", "string"), 20)
    plans = [
        Plan("1" * 40, "a server", RestoreOptions(), Clock(0, 0), listed([], blocks))
        for blocks in ([new], [new, other])
    ]
    found = [*pairs(*plans)]
    assert [(pair.seen, pair.now and pair.now.key.name) for pair in found] == [
        (None, "c"),
        (None, "d"),
    ]
