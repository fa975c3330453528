"""One key's diff as rows: what each is about, what was there, and what is there now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from gitbackup.format.names import escape, name, shown
from gitbackup.kinds import base as kinds
from gitbackup.kinds import kind_of
from gitbackup.model.changes import Action, KeyChange, Part, ValueChange
from gitbackup.model.keys import Entry
from gitbackup.model.list_edits import Edit, edits
from gitbackup.report.text.diff import what
from gitbackup.report.values.short import instant, skippable, skipped_note
from gitbackup.report.values.text_diff import several_lines
from gitbackup.report.values.value_preview import left_out, score, telling, titled

MOST_ROWS = 100
"""Rows of one key."""

LONGEST = 1_000
"""Characters shown of one value."""

CONTEXT = 40
"""Characters shown of what two long texts have in common before they differ."""

AROUND = 2
"""Lines shown before and after a difference."""

EXPIRIES = (Part.EXPIRY, Part.FIELD_EXPIRY)


class Row(NamedTuple):
    """`before` and `after` are None where there is nothing on that side.

    A row of a text of several lines has `lines`, as `diff -u` does; a row of a value that
    cannot be shown has a `note`.
    """

    what: str = ""
    before: str | None = None
    after: str | None = None
    lines: Sequence[str] = ()
    note: str = ""


def rows(
    change: KeyChange, before: Entry | None, after: Entry | None, values: Sequence[ValueChange]
) -> Iterator[Row]:
    """Yield the rows of one key, and last how many more there are."""
    if change.action is Action.CHANGED:
        yield from _bounded(_changed(before, after, values), len(values), "differences")
    else:
        entry, action = (after, change.action) if after else (before, Action.REMOVED)
        yield from _entry(entry, action)


def _bounded(every: Iterator[Row], total: int, many: str) -> Iterator[Row]:
    yield from islice(every, MOST_ROWS)
    if total > MOST_ROWS:
        yield Row(note=f"… {total - MOST_ROWS:,} more {many}")


def _changed(
    before: Entry | None, after: Entry | None, values: Sequence[ValueChange]
) -> Iterator[Row]:
    for value in values:
        if value.part is Part.TYPE:
            yield from _entry(before, Action.REMOVED)
            yield from _entry(after, Action.ADDED)
        else:
            yield _row(value)


def _row(value: ValueChange) -> Row:
    title = "" if value.part is Part.VALUE and not value.path else what(value)
    if value.note:
        action = "" if value.action is Action.CHANGED else f"{value.action.value}: "
        return Row(title, note=f"{action}{value.note}")
    if lines := _text_lines(value):
        return Row(title, lines=lines)
    expiry = value.part in EXPIRIES
    show = SHOWN_PARTS.get(value.part, _text)
    if value.action is Action.CHANGED and show is _text:
        return Row(title, *_pair(value.before, value.after))
    return Row(
        "" if value.part is Part.MEMBER else title,
        show(value.before) if value.action is not Action.ADDED or expiry else None,
        show(value.after) if value.action is not Action.REMOVED or expiry else None,
    )


def _text(value: Any) -> str:
    return shown(value, LONGEST)


def _pair(before: Any, after: Any) -> tuple[str, str]:
    """Return two values that differ; long texts from where they do."""
    skipped = skippable(before, after, LONGEST, CONTEXT)
    if not skipped:
        return _text(before), _text(after)
    note = skipped_note(skipped)
    return note + _text(before[skipped:]), note + _text(after[skipped:])


def _text_lines(value: ValueChange) -> list[str]:
    """Return the lines of two texts that differ, as `diff -u` has them; none if all do."""
    if value.action is not Action.CHANGED or not several_lines(value.before, value.after):
        return []
    old, new = value.before.split("\n"), value.after.split("\n")
    lines = [*islice(_hunks(old, new, edits(old, new) or ()), MOST_ROWS + 1)]
    return [*lines[:MOST_ROWS], "…"] if len(lines) > MOST_ROWS else lines


def _hunks(old: Sequence[str], new: Sequence[str], blocks: Sequence[Edit]) -> Iterator[str]:
    """Yield each block of lines with what stands around it, each line once."""
    done = 0
    for at, block in enumerate(blocks):
        start = max(done, block.before_start - AROUND)
        if start > done or not at:
            yield f"@ line {start + 1:,}"
        yield from _signed(" ", old[start : block.before_start])
        yield from _signed("-", old[block.before_start : block.before_end])
        yield from _signed("+", new[block.after_start : block.after_end])
        following = blocks[at + 1].before_start if at + 1 < len(blocks) else len(old)
        done = min(block.before_end + AROUND, following)
        yield from _signed(" ", old[block.before_end : done])


def _signed(sign: str, lines: Sequence[str]) -> Iterator[str]:
    return (sign + escape(line, LONGEST) for line in lines)


def _entry(entry: Entry | None, action: Action) -> Iterator[Row]:
    """Yield the rows of an entry that came or went: its expiry, then the first of its value, what
    tells most at the beginning."""
    if entry is None:
        return
    expiries = {"expires": entry["expires_at"]} if "expires_at" in entry else {}
    fields = entry.get("field_expires_at", {})
    expiries |= {f"{name(field)} expires": fields[field] for field in islice(fields, MOST_ROWS)}
    for title, moment in expiries.items():
        yield _one_sided(title, instant(moment), action)
    if parts := telling(entry):
        for part in parts[:MOST_ROWS]:
            yield _one_sided(titled(part, name), _text(part.value), action)
        if left := left_out(len(parts) - MOST_ROWS, entry):
            yield Row(note=left)
        return
    value = kind_of(entry).rows(entry["value"])
    yield from _bounded((_value_row(row, action) for row in value.rows), value.total, value.many)


def _value_row(row: kinds.Row, action: Action) -> Row:
    label = f"[{row.label}]" if isinstance(row.label, int) else name(row.label or "")
    title = "" if row.label is None else label
    return _one_sided(title, SHOWN_FORMS[row.form](row.value), action)


def _one_sided(title: str, text: str, action: Action) -> Row:
    return Row(title, None, text) if action is Action.ADDED else Row(title, text, None)


SHOWN_PARTS: dict[Part, Callable[[Any], str]] = {
    Part.EXPIRY: instant,
    Part.FIELD_EXPIRY: instant,
    Part.SCORE: score,
    Part.MEMBER: name,
}

SHOWN_FORMS: dict[kinds.Form, Callable[[Any], str]] = {
    kinds.Form.TEXT: _text,
    kinds.Form.NAME: name,
    kinds.Form.SCORE: score,
    kinds.Form.PAIRS: _text,
    kinds.Form.LINE: partial(escape, limit=LONGEST),
}
