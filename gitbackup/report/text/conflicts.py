"""What a revert could not merge, as lines of text for a person."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gitbackup.format.names import key_list, key_name, shown
from gitbackup.model.amounts import counted
from gitbackup.model.changes import ABSENT, Action, Part, ValueChange
from gitbackup.model.keys import Key
from gitbackup.model.merging import Clash, Conflict
from gitbackup.report.text.diff import what
from gitbackup.report.values.short import instant
from gitbackup.report.values.value_preview import score
from gitbackup.report.words import ENGLISH, Words

Named = Callable[[Key], str]

SHOWN = 20
"""Conflicts that are told at most, unless all are asked for."""

EXPIRIES = (Part.EXPIRY, Part.FIELD_EXPIRY)


def conflict_lines(
    conflicts: Sequence[Conflict], commit: str, every: bool = False, named: Named = key_name
) -> Iterator[str]:
    """Yield each conflict with its three versions, and how to decide it; no line for none.

    `named` returns a key as it is shown.
    """
    if not conflicts:
        return
    many = counted(len(conflicts), "conflict")
    yield f"  {many}: changed in {commit[:7]} and again since, left as they are now"
    told = conflicts if every else conflicts[:SHOWN]
    for key, clash in told:
        before, after, now = (version(clash.part, each) for each in clash.versions)
        where = f"{named(key)}  {part(clash)}"
        yield f"    {where}: {before} before, {after} after, {now} now"
    if len(conflicts) > len(told):
        yield f"    and {len(conflicts) - len(told):,} more; --full lists all"
    yield f"    --theirs takes the value from before {commit[:7]}, --ours keeps the present one;"
    yield f"    --counters takes off what {commit[:7]} added to a whole number"


def left(conflicts: Sequence[Conflict], named: Named = key_name) -> str:
    """Return which keys have conflicts, as part of a sentence; `named` as for the lines."""
    keys = key_list(dict.fromkeys(conflict.key for conflict in conflicts), named)
    return (
        f"not reverted: {counted(len(conflicts), 'conflict')} in {keys}; --theirs or --ours decides"
    )


def part(clash: Clash, words: Words = ENGLISH) -> str:
    """Return which part of a key it is that cannot be merged."""
    if clash.part is Part.TYPE:
        return words.say("value")
    named = what(ValueChange(clash.part, Action.CHANGED, clash.name, clash.path), words)
    return f"{named} ({words.told(clash.note)})" if clash.note else named


def version(part: Part, version: Any, words: Words = ENGLISH) -> str:
    """Return one version of such a part."""
    if version is ABSENT:
        return words.say("nothing")
    if part is Part.TYPE:
        return f"{version['type']} {shown(version['value'])}"
    if part in EXPIRIES:
        return instant(version, words)
    return score(version) if part is Part.SCORE else shown(version)
