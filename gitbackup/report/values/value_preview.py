"""A value that came or went: its first lines, and how many more there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from gitbackup.format.names import escape, name, shown
from gitbackup.kinds import kind_of
from gitbackup.kinds.base import Form, Row
from gitbackup.model.amounts import counted
from gitbackup.model.keys import Entry
from gitbackup.report.values.short import expiry
from gitbackup.report.values.streams import fields

Named = Callable[[str], str]

PREVIEW = 10
"""Lines shown of a value that came or went."""


def entry_lines(
    entry: Entry | None, most: int | None, named: Named, now: datetime
) -> Iterator[str]:
    """A key that came or went: its expiry, then the first of its value."""
    if entry is None:
        return
    if "expires_at" in entry:
        yield f"expires: {expiry(entry['expires_at'], now)}"
    expiring = len(entry.get("field_expires_at", ()))
    if expiring:
        yield counted(expiring, "field expires", "fields expire")
    yield from preview(entry, most, named)


def preview(entry: Entry | None, most: int | None, named: Named) -> Iterator[str]:
    """The first lines of a value, all where `most` is None, and how many more there are.

    `named` tells a name in front of a value.
    """
    if entry is None:
        return
    found = kind_of(entry).rows(entry["value"])
    yield from (_line(row, named) for row in islice(found.rows, most))
    more = 0 if most is None else found.total - most
    if more > 0:
        yield f"… {counted(more, f'more {found.one}', f'more {found.many}')}"


def score(value: Any) -> str:
    """A score; the infinite ones are stored as text, and no text all the same."""
    return escape(value) if isinstance(value, str) else shown(value)


def _line(row: Row, named: Named) -> str:
    if row.label is None:
        return SHOWN[row.form](row.value)
    label = f"[{row.label}]" if isinstance(row.label, int) else named(row.label)
    return f"{label}: {SHOWN[row.form](row.value)}"


SHOWN: dict[Form, Callable[[Any], str]] = {
    Form.TEXT: shown,
    Form.NAME: name,
    Form.SCORE: score,
    Form.PAIRS: fields,
    Form.LINE: escape,
}
