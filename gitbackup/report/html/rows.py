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
from gitbackup.report.words import ENGLISH, Words

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
    """`before` and `after` are None if there is nothing on that side.

    A row of a text of several lines has `lines`, as `diff -u` does; a row of a value that
    cannot be shown has a `note`.
    """

    what: str = ""
    before: str | None = None
    after: str | None = None
    lines: Sequence[str] = ()
    note: str = ""


def rows(
    change: KeyChange,
    before: Entry | None,
    after: Entry | None,
    values: Sequence[ValueChange],
    words: Words = ENGLISH,
) -> Iterator[Row]:
    """Yield the rows of one key, and last how many more there are."""
    if change.action is Action.CHANGED:
        changed = _changed(before, after, values, words)
        yield from _bounded(changed, len(values), words.say("differences"), words)
    else:
        entry, action = (after, change.action) if after else (before, Action.REMOVED)
        yield from _entry(entry, action, words)


def _bounded(every: Iterator[Row], total: int, many: str, words: Words) -> Iterator[Row]:
    yield from islice(every, MOST_ROWS)
    if total > MOST_ROWS:
        number = f"{total - MOST_ROWS:,}"
        yield Row(note=words.say("… %(number)s more %(things)s", number=number, things=many))


def _changed(
    before: Entry | None, after: Entry | None, values: Sequence[ValueChange], words: Words
) -> Iterator[Row]:
    for value in values:
        if value.part is Part.TYPE:
            yield from _entry(before, Action.REMOVED, words)
            yield from _entry(after, Action.ADDED, words)
        else:
            yield _row(value, words)


def _row(value: ValueChange, words: Words) -> Row:
    title = "" if value.part is Part.VALUE and not value.path else what(value, words)
    if value.note:
        note = words.told(value.note)
        if value.action is not Action.CHANGED:
            action = words.say(value.action.value)
            note = words.say("%(action)s: %(note)s", action=action, note=note)
        return Row(title, note=note)
    if lines := _text_lines(value, words):
        return Row(title, lines=lines)
    expiry = value.part in EXPIRIES
    show = partial(instant, words=words) if expiry else SHOWN_PARTS.get(value.part, _text)
    if value.action is Action.CHANGED and show is _text:
        return Row(title, *_pair(value.before, value.after, words))
    return Row(
        "" if value.part is Part.MEMBER else title,
        show(value.before) if value.action is not Action.ADDED or expiry else None,
        show(value.after) if value.action is not Action.REMOVED or expiry else None,
    )


def _text(value: Any) -> str:
    return shown(value, LONGEST)


def _pair(before: Any, after: Any, words: Words) -> tuple[str, str]:
    """Return two values that differ; long texts from where they do."""
    skipped = skippable(before, after, LONGEST, CONTEXT)
    if not skipped:
        return _text(before), _text(after)
    note = skipped_note(skipped, words)
    return note + _text(before[skipped:]), note + _text(after[skipped:])


def _text_lines(value: ValueChange, words: Words) -> list[str]:
    """Return the lines of two texts that differ, as `diff -u` has them; none if all do."""
    if value.action is not Action.CHANGED or not several_lines(value.before, value.after):
        return []
    old, new = value.before.split("\n"), value.after.split("\n")
    hunks = _hunks(old, new, edits(old, new) or (), words)
    lines = [*islice(hunks, MOST_ROWS + 1)]
    return [*lines[:MOST_ROWS], "…"] if len(lines) > MOST_ROWS else lines


def _hunks(
    old: Sequence[str], new: Sequence[str], blocks: Sequence[Edit], words: Words
) -> Iterator[str]:
    """Yield each block of lines with what stands around it, each line once."""
    done = 0
    for at, block in enumerate(blocks):
        start = max(done, block.before_start - AROUND)
        if start > done or not at:
            yield words.say("@ line %(number)s", number=f"{start + 1:,}")
        yield from _signed(" ", old[start : block.before_start])
        yield from _signed("-", old[block.before_start : block.before_end])
        yield from _signed("+", new[block.after_start : block.after_end])
        following = blocks[at + 1].before_start if at + 1 < len(blocks) else len(old)
        done = min(block.before_end + AROUND, following)
        yield from _signed(" ", old[block.before_end : done])


def _signed(sign: str, lines: Sequence[str]) -> Iterator[str]:
    return (sign + escape(line, LONGEST) for line in lines)


def _entry(entry: Entry | None, action: Action, words: Words) -> Iterator[Row]:
    """Yield the rows of an entry that came or went: its expiry, then the first of its value, what
    tells most at the beginning."""
    if entry is None:
        return
    if "expires_at" in entry:
        yield _one_sided(words.say("expires"), instant(entry["expires_at"], words), action)
    fields = entry.get("field_expires_at", {})
    for field in islice(fields, MOST_ROWS):
        title = words.say("%(name)s expires", name=name(field))
        yield _one_sided(title, instant(fields[field], words), action)
    if parts := telling(entry):
        for part in parts[:MOST_ROWS]:
            yield _one_sided(titled(part, name), _text(part.value), action)
        if left := left_out(len(parts) - MOST_ROWS, entry, words):
            yield Row(note=left)
        return
    value = kind_of(entry).rows(entry["value"])
    shown_rows = (_value_row(row, action) for row in value.rows)
    yield from _bounded(shown_rows, value.total, words.told(value.many), words)


def _value_row(row: kinds.Row, action: Action) -> Row:
    label = f"[{row.label}]" if isinstance(row.label, int) else name(row.label or "")
    title = "" if row.label is None else label
    return _one_sided(title, SHOWN_FORMS[row.form](row.value), action)


def _one_sided(title: str, text: str, action: Action) -> Row:
    return Row(title, None, text) if action is Action.ADDED else Row(title, text, None)


SHOWN_PARTS: dict[Part, Callable[[Any], str]] = {
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
