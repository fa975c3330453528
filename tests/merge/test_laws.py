"""Laws of every merge, over random histories of one key of any type."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given

from gitbackup.format import codec
from gitbackup.format.exact import canonical, same
from gitbackup.kinds import normal_entry
from gitbackup.merge.entries import merge_entries
from gitbackup.model.keys import Entry
from gitbackup.model.merging import MergeRule, Side
from tests.laws import tried
from tests.merge.histories import Three, histories

PLAIN = MergeRule()
RULES = [PLAIN, MergeRule(Side.OURS), MergeRule(Side.THEIRS)]


@pytest.mark.parametrize("rule", [*RULES, MergeRule(counters=True)], ids=str)
@tried(250)
@given(histories())
def test_the_last_change_taken_back_is_the_version_before_it(
    rule: MergeRule, versions: Three
) -> None:
    before, after, now = versions
    assert merge_entries(before, after, after, rule) == (before, [])
    assert merge_entries(after, after, now, rule) == (now, [])
    assert merge_entries(before, after, before, rule) == (before, [])


@pytest.mark.parametrize("rule", RULES, ids=str)
@tried(250)
@given(histories())
def test_a_merge_never_invents_a_value(rule: MergeRule, versions: Three) -> None:
    """Each text, number and expiry of the result is in one of the versions, at the same name."""
    merged = merge_entries(*versions, rule).entry
    known = {leaf for version in versions for leaf in leaves(version)}
    assert {*leaves(merged)} <= known


def leaves(entry: Entry | None) -> Iterator[tuple[str, bytes]]:
    """What an entry is made of: each leaf by the names that lead to it, whatever its position."""
    if entry is None:
        return
    value = entry["value"]
    if entry["type"] == "stream":
        value = {"entries": value["entries"], "groups": value.get("groups", {})}
    if entry["type"] == "set":
        value = dict.fromkeys(value)
    whole = {**entry, "value": value}
    for path, leaf in _walk(whole, ()):
        yield " ".join(path), canonical(leaf)


def _walk(item: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(item, str) and item[:1] in ("{", "["):
        item = json.loads(item)
    if isinstance(item, dict):
        for name, inner in item.items():
            yield from _walk(inner, (*path, name))
    elif isinstance(item, list):
        for inner in item:
            yield from _walk(inner, (*path, "[]"))
    else:
        yield path, item


@pytest.mark.parametrize("rule", [*RULES, MergeRule(counters=True)], ids=str)
@tried(250)
@given(histories())
def test_the_result_is_an_entry_that_a_snapshot_can_store(rule: MergeRule, versions: Three) -> None:
    merged = merge_entries(*versions, rule).entry
    if merged is not None:
        assert same(normal_entry(json.loads(codec.encode(merged))), merged)


@pytest.mark.parametrize("rule", RULES, ids=str)
@tried(250)
@given(histories())
def test_a_change_that_was_taken_back_is_not_taken_back_twice(
    rule: MergeRule, versions: Three
) -> None:
    """Of a list with equal items, nobody could tell which of them it was."""
    before, after, now = versions
    if any(
        "[" in str(version["value"]) and version["type"] != "set" for version in versions if version
    ):
        return
    once = merge_entries(before, after, now, rule)
    assert merge_entries(before, after, once.entry, rule).entry == once.entry


@tried(250)
@given(histories())
def test_each_clash_is_of_three_versions_and_a_side_leaves_none(versions: Three) -> None:
    merged = merge_entries(*versions, PLAIN)
    for clash in merged.clashes:
        told = [repr(version) for version in clash.versions]
        assert len({*told}) == 3
    for side in Side:
        assert merge_entries(*versions, MergeRule(side)).clashes == []
    assert merge_entries(*versions, MergeRule(Side.OURS)).entry == merged.entry


@tried(250)
@given(histories())
def test_what_the_commit_did_not_touch_is_as_it_is_now(versions: Three) -> None:
    before, after, now = versions
    merged = merge_entries(*versions, PLAIN).entry
    if not (before and after and now and merged):
        return
    if {before["type"], after["type"], now["type"]} not in ({"hash"}, {"zset"}):
        return
    untouched = {
        name
        for name in before["value"].keys() | after["value"].keys() | now["value"].keys()
        if same(before["value"].get(name), after["value"].get(name))
    }
    for name in untouched:
        assert merged["value"].get(name) == now["value"].get(name)
