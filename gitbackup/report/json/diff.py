"""A diff as JSON for a program, one object for each key.

Nothing is cut: A's entry, without what was removed, with what was added, and with what was
changed set, is B's entry exactly. Where a text holds a JSON document that was compared
inside, the change carries both texts whole, and under `inside` what changed in the
document. A path, or a list's position, of something removed counts in A; any other counts
in B. Where something is masked there is `redacted`, and none of that holds. Scores have the
`rank` of their member on either side where that is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from gitbackup.kinds import kind_of
from gitbackup.model.changes import Action, KeyChange, Part, ValueChange
from gitbackup.model.keys import Entry, key_object

SCHEMA = "gitbackup.diff/1"

Ranks = Mapping[str, int]
"""Where the members of a sorted set stand: 1 has the highest score."""


def ranks(entry: Entry | None) -> Ranks:
    """Return the rank of every member; members with one score are in the order of ZREVRANGE.

    There are none if a score is masked.
    """
    return kind_of(entry).ranks(entry["value"]) if entry else {}


def to_json(
    change: KeyChange,
    before: Entry | None,
    after: Entry | None,
    values: Sequence[ValueChange],
    redacted: bool = False,
    rank: bool = False,
    label: str = "",
) -> dict[str, Any]:
    """Return one key's diff, with both entries if the key or its type came or went.

    Documents may hold integers of any size and lone surrogates: write it with json, not orjson.
    """
    types = {"before": before and before["type"], "after": after and after["type"]}
    document: dict[str, Any] = {"schema": SCHEMA, **key_object(change.key)}
    document |= {"action": change.action.value, "type": types}
    if label:
        document |= {"label": label}
    if redacted:
        document |= {"redacted": True}
    if change.action is not Action.CHANGED or types["before"] != types["after"]:
        document |= {"before": before, "after": after}
    changes = list(_changes(before, after, values))
    if rank:
        old, new = ranks(before), ranks(after)
        for each in changes:
            if each["part"] == Part.SCORE:
                member = each["name"]
                each["rank"] = {"before": old.get(member), "after": new.get(member)}
    return document | {"changes": changes}


def _changes(
    before: Entry | None, after: Entry | None, values: Sequence[ValueChange]
) -> Iterator[dict[str, Any]]:
    """Yield the changes in their order, those inside one text gathered under it."""
    for (part, name, inside), group in groupby(values, lambda v: (v.part, v.name, bool(v.path))):
        gathered = list(group)
        texts = _texts(before, after, part, name, values) if inside else None
        if texts is None:
            yield from map(_change, gathered)
        else:
            whole = ValueChange(part, Action.CHANGED, name, (), *texts)
            members = ("action", "path", "before", "after")
            inside_it = [{name: _change(value)[name] for name in members} for value in gathered]
            yield _change(whole) | {"inside": inside_it}


def _change(value: ValueChange) -> dict[str, Any]:
    return {
        "part": value.part.value,
        "action": value.action.value,
        "name": value.name,
        "path": list(value.path),
        "before": value.before,
        "after": value.after,
        "note": value.note,
    }


def _texts(
    before: Entry | None, after: Entry | None, part: Part, name: str, values: Sequence[ValueChange]
) -> tuple[str, str] | None:
    """Return the two whole texts whose documents were compared inside; None if there are none."""
    if before is None or after is None:
        return None
    if part is Part.FIELD:
        return before["value"][name], after["value"][name]
    if part is Part.ITEM:
        return before["value"][_position_before(int(name), values)], after["value"][int(name)]
    return (before["value"], after["value"]) if part is Part.VALUE else None


def _position_before(position: int, values: Sequence[ValueChange]) -> int:
    """Return where an item was before items around it were added and removed."""
    items = [value for value in values if value.part is Part.ITEM and not value.path]
    position -= sum(v.action is Action.ADDED and int(v.name) < position for v in items)
    for value in items:  # sorted by position
        if value.action is Action.REMOVED and int(value.name) <= position:
            position += 1
    return position
