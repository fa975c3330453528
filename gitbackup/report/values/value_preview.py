"""The first lines of a value that was added or removed, and how many more there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from gitbackup.diff.parts import parts_of
from gitbackup.format.names import escape, name, shown
from gitbackup.kinds import kind_of
from gitbackup.kinds.base import Form, PartOf
from gitbackup.model.amounts import counted
from gitbackup.model.changes import Part
from gitbackup.model.keys import Entry
from gitbackup.report.values.short import dotted, expiry
from gitbackup.report.values.streams import fields
from gitbackup.report.words import ENGLISH, Words

Named = Callable[[str], str]

NAMED = (Part.FIELD, Part.VALUE)
TELLING = ("name", "title", "label", "email", "status", "state", "enabled", "limits")
"""Names of fields that tell most of what a value is."""

EMPTY: tuple[Any, ...] = ("", None, [], {})
MANY = 1_000
"""Fields of a hash of which nobody could tell which tell most."""


PREVIEW = 10
"""Lines shown of a value that was added or removed."""


def entry_lines(
    entry: Entry | None, most: int | None, named: Named, now: datetime, stored: bool = False
) -> Iterator[str]:
    """Yield a key that was added or removed: its expiry, then the first of its value."""
    if entry is None:
        return
    if "expires_at" in entry:
        yield f"expires: {expiry(entry['expires_at'], now)}"
    expiring = len(entry.get("field_expires_at", ()))
    if expiring:
        yield counted(expiring, "field expires", "fields expire")
    yield from preview(entry, most, named, stored)


def preview(
    entry: Entry | None, most: int | None, named: Named, stored: bool = False
) -> Iterator[str]:
    """Yield the first lines of a value, with `most` None all, and how many more there are.

    `named` returns a name as it stands in front of a value. What tells most comes first and what is
    empty is counted, unless the value is to be shown as it is `stored`.
    """
    if entry is None:
        return
    if not stored and (told := telling(entry)):
        yield from _first(told, entry, most, named)
        return
    value = kind_of(entry).rows(entry["value"])
    for row in islice(value.rows, most):
        text = SHOWN[row.form](row.value)
        if row.label is None:
            yield text
        else:
            label = f"[{row.label}]" if isinstance(row.label, int) else named(row.label)
            yield f"{label}: {text}"
    more = 0 if most is None else value.total - most
    if more > 0:
        yield f"… {counted(more, f'more {value.one}', f'more {value.many}')}"


def telling(entry: Entry) -> list[PartOf]:
    """Return the parts of a hash or a JSON document that are not empty, the telling ones first;
    none of a value of another kind."""
    kind = kind_of(entry)
    if not kind.documents or (kind.elements(entry["value"]) or 0) > MANY:
        return []
    parts = [part for part in parts_of(entry) if part.part in NAMED]
    if any(part.part is Part.VALUE and not part.path for part in parts):  # no document
        return []
    return sorted((part for part in parts if part.value not in EMPTY), key=_rank)


def _rank(part: PartOf) -> int:
    name = str(part.name if part.part is Part.FIELD else part.path[0]).lower()
    return TELLING.index(name) if name in TELLING else len(TELLING)


def _first(told: Sequence[PartOf], entry: Entry, most: int | None, named: Named) -> Iterator[str]:
    """Yield the first of these parts, and how many more, and how many empty ones, there are."""
    for part in told[:most]:
        yield f"{titled(part, named)}: {shown(part.value)}"
    if left := left_out(0 if most is None else len(told) - most, entry):
        yield left


def titled(part: PartOf, named: Named) -> str:
    """Return what a part of a value is called."""
    return dotted(part.name, part.path) if part.path else named(part.name)


def left_out(more: int, entry: Entry, words: Words = ENGLISH) -> str:
    """Return that so many more fields, and the empty ones, are not shown; empty if all are."""
    whole = (part for part in parts_of(entry) if part.part is Part.FIELD and not part.path)
    empty = sum(part.value == "" for part in whole)
    rest = list[str]()
    if more > 0:
        rest.append(words.count("%(num)s more field", "%(num)s more fields", more, num=f"{more:,}"))
    if empty:
        rest.append(words.say("%(num)s empty", num=f"{empty:,}"))
    return words.say("… %(rest)s", rest=words.say(", ").join(rest)) if rest else ""


def score(value: Any) -> str:
    """Return a score; infinite ones are stored as text, but are not quoted."""
    return escape(value) if isinstance(value, str) else shown(value)


SHOWN: dict[Form, Callable[[Any], str]] = {
    Form.TEXT: shown,
    Form.NAME: name,
    Form.SCORE: score,
    Form.PAIRS: fields,
    Form.LINE: escape,
}
