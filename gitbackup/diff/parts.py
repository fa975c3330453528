"""The parts of an entry, and which of them it has from the entry that was there before.

A part is what a person would ask about: a field, a member and its score, an item, a path into
a JSON document, an expiry. A stream's entries are one part, for they never change.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Any

from gitbackup.diff.documents import LARGEST_DOCUMENT
from gitbackup.format.exact import canonical
from gitbackup.kinds import kind_of
from gitbackup.kinds.base import PartOf
from gitbackup.model.changes import Part
from gitbackup.model.keys import Entry
from gitbackup.model.list_edits import Edit, edits

Path = tuple[str | int, ...]


def parts_of(entry: Entry) -> Iterator[PartOf]:
    """Yield the parts of an entry, in order; its expiry, where it has one, first."""
    yield from _expiry(entry)
    yield from kind_of(entry).parts(entry["value"], _text)
    yield from _field_expiries(entry)


def survivors(before: Entry, after: Entry, sought: Collection[int]) -> Mapping[int, int]:
    """Return the parts of an entry, of those at the positions that are sought, that are as they
    were, by position, and where they were.

    Items of a list are found again wherever others came and went around them.
    """
    first_old, first_new = _first_item(before), _first_item(after)
    if first_old is not None and first_new is not None:
        found = _same_items(before, after, {at - first_new for at in sought if at >= first_new})
        items = {first_new + here: first_old + there for here, there in found}
        return items | _same_named(before, after, [at for at in sought if at < first_new])
    return _same_named(before, after, sought)


def _same_named(before: Entry, after: Entry, sought: Collection[int]) -> dict[int, int]:
    """Return the sought parts, but for items of lists, that are as they were."""
    if not sought:
        return {}
    new = islice(enumerate(parts_of(after)), max(sought) + 1)
    wanted = {_named(part): (at, part.value) for at, part in new if at in sought}
    found = {}
    for there, part in enumerate(parts_of(before)):
        if not wanted:
            break
        here, value = wanted.pop(_named(part), (None, None))
        if here is not None and canonical(value) == canonical(part.value):
            found[here] = there
    return found


def _named(part: PartOf) -> tuple[Part, str, Path]:
    return part[:3]


def _first_item(entry: Entry) -> int | None:
    """Return where among the parts the items of a list begin; None of any other value."""
    first = islice(enumerate(parts_of(entry)), 2)
    return next((at for at, part in first if part.part is Part.ITEM), None)


def _expiry(entry: Entry) -> Iterator[PartOf]:
    if "expires_at" in entry:
        yield PartOf(Part.EXPIRY, "", (), entry["expires_at"])


def _field_expiries(entry: Entry) -> Iterator[PartOf]:
    for name, moment in entry.get("field_expires_at", {}).items():
        yield PartOf(Part.FIELD_EXPIRY, name, (), moment)


def _text(part: Part, name: str, text: str) -> Iterator[PartOf]:
    """Yield a text as one part, or by paths if it holds a JSON document."""
    document = _document(text)
    if document:
        yield from (PartOf(part, name, path, leaf) for path, leaf in _leaves(document, ()))
    else:
        yield PartOf(part, name, (), text)


def _document(text: str) -> Any:
    """Return the object or array that a text holds; None if it holds none, or one too large to
    compare."""
    if text.lstrip(" \t\r\n")[:1] not in ("{", "[") or len(text) > LARGEST_DOCUMENT:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yield the leaves of a document, by path; an empty object or array is a leaf, too."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for step, item in inner:
        if isinstance(item, dict | list) and item:
            yield from _leaves(item, (*path, step))
        else:
            yield (*path, step), item


def _same_items(before: Entry, after: Entry, sought: Collection[int]) -> Iterator[tuple[int, int]]:
    """Yield the sought items of a list that are in both, by their places after and before."""
    blocks = edits(before["value"], after["value"]) if sought else None
    if blocks is None:  # or too different to tell
        return
    starts = [block.after_start for block in blocks]
    for here in sought:
        at = bisect_right(starts, here)
        last = blocks[at - 1] if at else Edit(0, 0, 0, 0)
        if here >= last.after_end:
            yield here, last.before_end + here - last.after_end
