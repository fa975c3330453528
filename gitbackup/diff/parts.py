"""The parts of an entry, and which of them it has from the entry that was there before.

A part is what a person would ask about: a field, a member and its score, an item, a path into
a JSON document, an expiry. A stream's entries are one part, for they never change.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from gitbackup.diff.documents import LARGEST_DOCUMENT
from gitbackup.format.exact import canonical
from gitbackup.kinds import kind_of
from gitbackup.kinds.base import PartOf
from gitbackup.model.changes import Part
from gitbackup.model.keys import Entry
from gitbackup.model.list_edits import edits

Path = tuple[str | int, ...]


Parts: TypeAlias = list[PartOf]


def parts_of(entry: Entry) -> Parts:
    """Return the parts of an entry, in order; its expiry, where it has one, first."""
    values = kind_of(entry).parts(entry["value"], _text)
    return [*_expiry(entry), *values, *_field_expiries(entry)]


def survivors(before: Entry, after: Entry) -> Mapping[int, int]:
    """Return the parts of an entry that are as they were, by position, and where they were.

    Items of a list are found again wherever others came and went around them.
    """
    old, new = parts_of(before), parts_of(after)
    known = {_identity(part): at for at, part in enumerate(old) if part.part is not Part.ITEM}
    found = {at: known[i] for at, part in enumerate(new) if (i := _identity(part)) in known}
    if all(any(part.part is Part.ITEM for part in parts) for parts in (old, new)):
        found.update(_same_items(before, after, old, new))
    return found


def _identity(part: PartOf) -> tuple[Part, str, Path, bytes]:
    return part.part, part.name, part.path, canonical(part.value)


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


def _same_items(before: Entry, after: Entry, old: Parts, new: Parts) -> Iterator[tuple[int, int]]:
    """Yield the items of a list that are in both, by their places among the parts."""
    blocks = edits(before["value"], after["value"])
    first_old, first_new = (len(parts) - len(entry["value"]) for parts, entry in
                            ((old, before), (new, after)))  # fmt: skip
    if blocks is None:  # too different to tell
        return
    gone = {at for block in blocks for at in range(block.before_start, block.before_end)}
    came = {at for block in blocks for at in range(block.after_start, block.after_end)}
    stayed_old = (at for at in range(len(before["value"])) if at not in gone)
    stayed_new = (at for at in range(len(after["value"])) if at not in came)
    for there, here in zip(stayed_old, stayed_new, strict=True):
        yield first_new + here, first_old + there
