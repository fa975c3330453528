"""One key's diff as rows: what each is about, what was there, and what is there now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

from gitbackup.model.changes import Action, KeyChange, Part, ValueChange
from gitbackup.model.keys import Entry
from gitbackup.model.list_edits import Edit, edits
from gitbackup.report.style.escape import escape, instant, name, shared, shown
from gitbackup.report.text.diff import what
from gitbackup.report.values.line_diff import several_lines

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
        return _score
    return name if part is Part.MEMBER else _text


def _text(value: Any) -> str:
    return shown(value, LONGEST)


def _score(value: Any) -> str:
    """A score; the infinite ones are stored as text, and no text all the same."""
    return escape(value) if isinstance(value, str) else shown(value)


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
    found, total, many = ENTRIES.get(entry["type"], _of_one)(entry["value"])
    yield from _bounded((_one_sided(*pair, action) for pair in found), total, many)


def _one_sided(what_: str, text: str, action: Action) -> Row:
    return Row(what_, None, text) if action is Action.ADDED else Row(what_, text, None)


Entries = tuple[Iterator[tuple[str, str]], int, str]


def _of_one(value: Any) -> Entries:
    """A string or a document; of data that only the server can read, the size."""
    dump = isinstance(value, dict) and value.keys() == {"dump"}
    return iter([("", _text(f"base64:{value['dump']}" if dump else value))]), 1, ""


def _of_source(value: str) -> Entries:
    lines = value.split("\n")
    return (("", escape(line, LONGEST)) for line in lines), len(lines), "lines"


def _of_hash(value: dict[str, str]) -> Entries:
    return ((name(field), _text(text)) for field, text in value.items()), len(value), "fields"


def _of_list(value: list[str]) -> Entries:
    return ((f"[{at}]", _text(item)) for at, item in enumerate(value)), len(value), "items"


def _of_set(value: list[str]) -> Entries:
    return (("", name(member)) for member in value), len(value), "members"


def _of_zset(value: dict[str, Any]) -> Entries:
    found = ((name(member), _score(score)) for member, score in value.items())
    return found, len(value), "members"


def _of_stream(value: dict[str, Any]) -> Entries:
    entries, state = value.get("entries", {}), {k: v for k, v in value.items() if k != "entries"}
    both = chain(state.items(), entries.items())
    return ((name(at), _text(held)) for at, held in both), len(state) + len(entries), "entries"


ENTRIES: dict[str, Callable[[Any], Entries]] = {
    "hash": _of_hash,
    "list": _of_list,
    "set": _of_set,
    "zset": _of_zset,
    "stream": _of_stream,
    "function": _of_source,
}
"""A value that came or went: its rows, how many in all, and what they are called."""
