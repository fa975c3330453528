"""What changed inside one key, part by part.

The changes of a text that holds a JSON document carry a path into it (see documents). An
item of a list goes by its position after, a removed one by its position before.
"""

from __future__ import annotations

from typing import Any

from gitbackup.diff.documents import (
    LARGEST_DOCUMENT,
    Comparison,
    compare_texts,
    looks_like_json,
)
from gitbackup.format.exact import same
from gitbackup.kinds import is_opaque, kind_of
from gitbackup.kinds.comparing import binary_note, by_name, changed, leaf
from gitbackup.model.changes import ABSENT, Action, Part, ValueChange
from gitbackup.model.keys import Entry

MOST_COMPARED = 5_000_000
"""Characters of documents that are compared inside, in one key; the others are told whole."""

OTHER_FORM = "stored as a dump on one side, and by its content on the other"
"""Said of a value that a gitbackup of another version stored, and that cannot be compared."""

ONE_COMPARISON = 2_000
"""Characters that a comparison counts for besides its own: so long takes a small one."""


def diff_entries(before: Entry, after: Entry) -> list[ValueChange]:
    """Return what differs between two entries of one key; empty only where they are exactly
    equal."""
    expiry = leaf(
        Part.EXPIRY, "", before.get("expires_at", ABSENT), after.get("expires_at", ABSENT)
    )
    if before["type"] != after["type"]:
        kind = ValueChange(Part.TYPE, Action.CHANGED, before=before["type"], after=after["type"])
        return [kind, *expiry]
    if is_opaque(before) != is_opaque(after):
        return [*expiry, changed(Part.VALUE, "", before["value"], after["value"], OTHER_FORM)]
    inside = kind_of(before).diff(before["value"], after["value"], _Texts())
    changes = [*expiry, *inside]
    changes = _with_field_expiry(changes, before, after)
    return changes or _written_differently(before, after)


def _with_field_expiry(
    changes: list[ValueChange], before: Entry, after: Entry
) -> list[ValueChange]:
    """Add the changed expiries of single fields, each after the other changes of its field."""
    old, new = before.get("field_expires_at", {}), after.get("field_expires_at", {})
    expiries = by_name(Part.FIELD_EXPIRY, old, new, leaf)
    return sorted(changes + expiries, key=lambda change: change.name) if expiries else changes


def _written_differently(before: Entry, after: Entry) -> list[ValueChange]:
    """Return one change of the whole value, for entries that mean the same but are not written
    alike, as when a person wrote them; none if they are equal."""
    if same(before, after):
        return []
    note = "same value, written differently"
    return [changed(Part.VALUE, "", before["value"], after["value"], note)]


class _Texts:
    """Compares texts: inside where both are JSON documents, until that is enough for one key."""

    def __init__(self) -> None:
        self._left = MOST_COMPARED

    def __call__(self, part: Part, name: str, before: Any, after: Any) -> list[ValueChange]:
        if before is ABSENT or after is ABSENT:
            return leaf(part, name, before, after, binary_note(before, after))
        if before == after:
            return []
        note = binary_note(before, after)
        if self._left <= 0 or not (looks_like_json(before) and looks_like_json(after)):
            return [changed(part, name, before, after, note)]
        self._left -= ONE_COMPARISON + min(max(len(before), len(after)), LARGEST_DOCUMENT)
        return _inside(part, name, before, after, compare_texts(before, after), note)


def _inside(
    part: Part, name: str, before: Any, after: Any, found: Comparison, note: str = ""
) -> list[ValueChange]:
    if not found.changes:
        return [changed(part, name, before, after, found.note or note)]
    return [
        ValueChange(part, action, name, path, old, new) for action, path, old, new in found.changes
    ]
