"""A diff as text for a person: what a server's owner reads before a restore.

Nothing of the data reaches the terminal raw. One key is a headline and indented lines:
`+` came, `-` went, no sign for what changed from one value to another.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

from gitbackup.model import Action, Entry, KeyChange, Part, ValueChange
from gitbackup.redact import NOTE
from gitbackup.report.machine import to_json
from gitbackup.report.paint import Style, paint
from gitbackup.report.shown import dotted, escape, instant, name, shown, shown_pair

__all__ = ["change_lines", "escape", "to_json"]

PREVIEW = 10
"""Lines shown of a value that came or went."""

MOST_LINES = 40
"""Lines shown of the difference between two texts of several lines."""

LONGEST_TEXT = 2_000
"""Lines of a text that is compared line by line."""

LETTERS = {Action.ADDED: "A", Action.CHANGED: "M", Action.REMOVED: "D"}
SIGNS = {Action.ADDED: "+ ", Action.CHANGED: "", Action.REMOVED: "- "}
STYLES = {
    Action.ADDED: Style.ADDED,
    Action.CHANGED: Style.CHANGED,
    Action.REMOVED: Style.REMOVED,
}
COLOURS = {"+": Style.ADDED, "-": Style.REMOVED, "@@": Style.CHANGED}
EXPIRIES = (Part.EXPIRY, Part.FIELD_EXPIRY)
INDENT = " " * 5


def change_lines(
    change: KeyChange, before: Entry | None, after: Entry | None, values: Sequence[ValueChange]
) -> Iterator[str]:
    """One key's diff, a line at a time: what happened to it, then what changed inside."""
    yield f"{_headline(change)}  {_type(before, after)}".rstrip()
    if change.action is Action.CHANGED:
        lines = _changed_lines(before, after, values)
    else:
        entry = after if change.action is Action.ADDED else before
        lines = _entry_lines(entry, SIGNS[change.action])
    yield from (INDENT + _painted(line) for line in lines)


def _headline(change: KeyChange) -> str:
    letter = paint(STYLES[change.action], LETTERS[change.action])
    return f"{letter}  {paint(Style.HEADING, _key(change))}"


def _painted(line: str) -> str:
    """A line in the colour of its sign."""
    style = COLOURS.get(line.partition(" ")[0])
    return paint(style, line) if style else line


def _key(change: KeyChange) -> str:
    shown_name = name(change.key.name)
    return shown_name if change.key.db == 0 else f"{change.key.place} {shown_name}"


def _type(before: Entry | None, after: Entry | None) -> str:
    """The key's type, or both where it changed."""
    types = dict.fromkeys(escape(entry["type"]) for entry in (before, after) if entry)
    return " -> ".join(types)


def _changed_lines(
    before: Entry | None, after: Entry | None, values: Iterable[ValueChange]
) -> Iterator[str]:
    for value in values:
        if value.part is Part.TYPE:
            yield from _preview(before, "- ")
            yield from _preview(after, "+ ")
        else:
            yield from _value_lines(value)


def _value_lines(value: ValueChange) -> Iterator[str]:
    """The lines of one difference; a text of several lines is compared line by line."""
    if value.note in ("", NOTE) and not value.path and _several_lines(value):
        yield f"{_what(value)}:"
        yield from _text_lines(value.before, value.after)
    elif value.part is Part.MEMBER:
        note = f": {value.note}" if value.note not in ("", NOTE) else ""
        yield SIGNS[value.action] + name(value.name) + note
    else:
        sign = "" if value.part in EXPIRIES else SIGNS[value.action]
        yield f"{sign}{_what(value)}: {_how(value)}"


def _what(value: ValueChange) -> str:
    """What differs: a field, a position, a path into a document."""
    if value.part is Part.EXPIRY:
        return "expires"
    if value.part is Part.FIELD_EXPIRY:
        return f"{name(value.name)} expires"
    first = f"[{value.name}]" if value.part is Part.ITEM else value.name
    if value.path:
        return dotted(first, value.path)
    if value.part is Part.VALUE:
        return "value"
    return first if value.part is Part.ITEM else name(first)


def _how(value: ValueChange) -> str:
    """From what to what; a note where there is more to say than to show."""
    if value.note not in ("", NOTE):
        return value.note
    if value.part in EXPIRIES:
        return f"{instant(value.before)} -> {instant(value.after)}"
    show = _score if value.part is Part.SCORE else shown
    if value.action is Action.CHANGED:
        sides = value.before, value.after
        return " -> ".join(map(show, sides)) if show is _score else shown_pair(*sides)
    return show(value.after if value.action is Action.ADDED else value.before)


def _score(value: Any) -> str:
    """A score; the infinite ones are stored as text, and no text all the same."""
    return escape(value) if isinstance(value, str) else shown(value)


def _several_lines(value: ValueChange) -> bool:
    sides = value.before, value.after
    return value.action is Action.CHANGED and all(
        isinstance(side, str) and 0 < side.count("\n") <= LONGEST_TEXT for side in sides
    )


def _text_lines(before: str, after: str) -> Iterator[str]:
    """The lines of two texts that differ, as `diff -u` has them."""
    old, new = before.split("\n"), after.split("\n")
    lines = list(islice(difflib.unified_diff(old, new, n=1, lineterm=""), 2, None))
    yield from map(_text_line, lines[:MOST_LINES])
    if len(lines) > MOST_LINES:
        yield f"… {len(lines) - MOST_LINES:,} more lines"


def _text_line(line: str) -> str:
    return line if line.startswith("@") else f"{line[0]} {escape(line[1:])}".rstrip()


def _entry_lines(entry: Entry | None, sign: str) -> Iterator[str]:
    """A key that came or went: its expiry, then the first of its value."""
    if entry and "expires_at" in entry:
        yield f"{sign}expires: {instant(entry['expires_at'])}"
    fields = len(entry.get("field_expires_at", ())) if entry else 0
    if fields:
        yield f"{sign}{fields:,} {'field expires' if fields == 1 else 'fields expire'}"
    yield from _preview(entry, sign)


def _preview(entry: Entry | None, sign: str) -> Iterator[str]:
    """The first lines of a value, and how many more there are."""
    if entry is None:
        return
    preview = PREVIEWS.get(entry["type"], _of_one)(entry["value"])
    yield from (sign + line for line in islice(preview.lines, PREVIEW))
    more = preview.total - PREVIEW
    if more > 0:
        yield f"{sign}… {more:,} more {preview.one if more == 1 else preview.many}"


class _Preview(NamedTuple):
    """A value as lines, made only as they are asked for, and what one of them is called."""

    lines: Iterable[str]
    total: int = 1
    one: str = "line"
    many: str = "lines"


def _of_one(value: Any) -> _Preview:
    """A string or a document on one line; of data that only the server can read, the size."""
    if isinstance(value, dict) and value.keys() == {"dump"}:
        return _Preview([shown(f"base64:{value['dump']}")])
    return _Preview([shown(value)])


def _of_source(value: str) -> _Preview:
    lines = value.split("\n")
    return _Preview(map(escape, lines), len(lines))


def _of_hash(value: dict[str, str]) -> _Preview:
    lines = (f"{name(field)}: {shown(text)}" for field, text in value.items())
    return _Preview(lines, len(value), "field", "fields")


def _of_list(value: list[str]) -> _Preview:
    lines = (f"[{at}]: {shown(item)}" for at, item in enumerate(value))
    return _Preview(lines, len(value), "item", "items")


def _of_set(value: list[str]) -> _Preview:
    return _Preview(map(name, value), len(value), "member", "members")


def _of_zset(value: dict[str, Any]) -> _Preview:
    lines = (f"{name(member)}: {_score(score)}" for member, score in value.items())
    return _Preview(lines, len(value), "member", "members")


def _of_stream(value: dict[str, Any]) -> _Preview:
    entries, state = value.get("entries", {}), {k: v for k, v in value.items() if k != "entries"}
    lines = (f"{name(at)}: {shown(held)}" for at, held in chain(state.items(), entries.items()))
    return _Preview(lines, len(entries) + len(state), "entry", "entries")


PREVIEWS: dict[str, Callable[[Any], _Preview]] = {
    "hash": _of_hash,
    "list": _of_list,
    "set": _of_set,
    "zset": _of_zset,
    "stream": _of_stream,
    "function": _of_source,
}
"""How a value that came or went is shown; any other type on one line."""
