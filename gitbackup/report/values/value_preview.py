"""The first lines of a value that was added or removed, and how many more there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from gitbackup.format.names import escape, name, shown
from gitbackup.kinds import kind_of
from gitbackup.kinds.base import Form
from gitbackup.model.amounts import counted
from gitbackup.model.keys import Entry
from gitbackup.report.values.short import expiry
from gitbackup.report.values.streams import fields

Named = Callable[[str], str]

PREVIEW = 10
"""Lines shown of a value that was added or removed."""


def entry_lines(
    entry: Entry | None, most: int | None, named: Named, now: datetime
) -> Iterator[str]:
    """Yield a key that was added or removed: its expiry, then the first of its value."""
    if entry is None:
        return
    if "expires_at" in entry:
        yield f"expires: {expiry(entry['expires_at'], now)}"
    expiring = len(entry.get("field_expires_at", ()))
    if expiring:
        yield counted(expiring, "field expires", "fields expire")
    yield from preview(entry, most, named)


def preview(entry: Entry | None, most: int | None, named: Named) -> Iterator[str]:
    """Yield the first lines of a value, with `most` None all, and how many more there are.

    `named` returns a name as it stands in front of a value.
    """
    if entry is None:
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
