"""One key's diff as rows: what each is about, what was there, and what is there now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from gitbackup.format.names import escape, name, shown
from gitbackup.kinds import base as kinds
from gitbackup.kinds import kind_of
from gitbackup.model.changes import Action, KeyChange, Part, ValueChange
from gitbackup.model.keys import Entry
from gitbackup.model.list_edits import Edit, edits
from gitbackup.report.style.escape import instant, shared
from gitbackup.report.text.diff import what
from gitbackup.report.values.line_diff import several_lines
from gitbackup.report.values.value_preview import score

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
    """The rows of one key, and at last how many more there are."""
    if change.action is Action.CHANGED:
        yield from _bounded(_changed(before, after, values), len(values), "differences")
    else:
        entry, action = (after, change.action) if after else (before, Action.REMOVED)
        yield from _entry(entry, action)


def _bounded(found: Iterator[Row], total: int, many: str) -> Iterator[Row]:
    yield from islice(found, MOST_ROWS)
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
    told = "" if value.part is Part.VALUE and not value.path else what(value)
    if value.note:
        return Row(told, note=f"{_came_or_went(value)}{value.note}")
    if lines := _text_lines(value):
        return Row(told, lines=lines)
    show = _shown(value.part)
    if value.action is Action.CHANGED and show is _text:
        return Row(told, *_pair(value.before, value.after))
    expiry = value.part in EXPIRIES
    return Row(
        "" if value.part is Part.MEMBER else told,
        show(value.before) if value.action is not Action.ADDED or expiry else None,
        show(value.after) if value.action is not Action.REMOVED or expiry else None,
    )


def _came_or_went(value: ValueChange) -> str:
    return "" if value.action is Action.CHANGED else f"{value.action.value}: "


def _shown(part: Part) -> Callable[[Any], str]:
    if part in EXPIRIES:
        return instant
    if part is Part.SCORE:
        return score
    return name if part is Part.MEMBER else _text


def _text(value: Any) -> str:
    return shown(value, LONGEST)


def _pair(before: Any, after: Any) -> tuple[str, str]:
    """Two values that differ; of long texts the part where they begin to."""
    skipped = 0
    if (
        isinstance(before, str)
        and isinstance(after, str)
        and max(len(before), len(after)) > LONGEST
    ):
        skipped = max(0, shared(before, after) - CONTEXT)
    if not skipped:
        return _text(before), _text(after)
    same = f"(after {skipped:,} same characters) "
    return same + _text(before[skipped:]), same + _text(after[skipped:])


def _text_lines(value: ValueChange) -> list[str]:
    """The lines of two texts that differ, as `diff -u` has them; none where they do all over."""
    if value.action is not Action.CHANGED or not several_lines(value.before, value.after):
        return []
    old, new = value.before.split("\n"), value.after.split("\n")
    lines = [*islice(_hunks(old, new, edits(old, new) or ()), MOST_ROWS + 1)]
    return [*lines[:MOST_ROWS], "…"] if len(lines) > MOST_ROWS else lines


def _hunks(old: Sequence[str], new: Sequence[str], blocks: Sequence[Edit]) -> Iterator[str]:
    """Each block of lines with what stands around it; a line is said once."""
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
    """The rows of an entry that came or went whole: its expiry, then the first of its value."""
    if entry is None:
        return
    expiries = {"expires": entry["expires_at"]} if "expires_at" in entry else {}
    fields = entry.get("field_expires_at", {})
    expiries |= {f"{name(field)} expires": fields[field] for field in islice(fields, MOST_ROWS)}
    for told, moment in expiries.items():
        yield _one_sided(told, instant(moment), action)
    found = kind_of(entry["type"]).rows(entry["value"])
    cells = (_one_sided(*_cells(row), action) for row in found.rows)
    yield from _bounded(cells, found.total, found.many)


def _one_sided(what_: str, text: str, action: Action) -> Row:
    return Row(what_, None, text) if action is Action.ADDED else Row(what_, text, None)


def _cells(row: kinds.Row) -> tuple[str, str]:
    """What a row of a preview is about, and what it shows."""
    label = f"[{row.label}]" if isinstance(row.label, int) else name(row.label or "")
    return "" if row.label is None else label, SHOWN[row.form](row.value)


def _source_line(line: str) -> str:
    return escape(line, LONGEST)


SHOWN: dict[kinds.Form, Callable[[Any], str]] = {
    kinds.Form.TEXT: _text,
    kinds.Form.NAME: name,
    kinds.Form.SCORE: score,
    kinds.Form.PAIRS: _text,
    kinds.Form.LINE: _source_line,
}
