"""What changed in the history, and where it is from, as lines of text for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from gitbackup.format.names import escape, key_name, name, shown
from gitbackup.model.amounts import counted
from gitbackup.model.changes import Action, Counts, KeyDiff, Part, Summary
from gitbackup.model.commits import BlameLine, KeyLine
from gitbackup.model.keys import Entry, Key
from gitbackup.report.style.color import Style, paint
from gitbackup.report.style.columns import fit, pad, width
from gitbackup.report.style.escape import dotted, instant
from gitbackup.report.text.diff import DiffView, change_lines
from gitbackup.report.text.sentences import hidden_lines
from gitbackup.report.text.stat import stat_lines

KEYS = 10
"""Keys of a commit that are shown, unless all are asked for."""

INSIDE = 2
"""Lines of what changed inside one of them."""

SUBJECT = 32
"""Columns of a commit's subject beside what it changed."""

INDENT = "    "


def what_changed(keys: Sequence[KeyDiff]) -> str:
    """A few words for the keys that a commit changed."""
    if len(keys) == 1:
        change = keys[0].change
        return f"{key_name(change.key)} {change.action}"
    actions = [told.change.action for told in keys]
    return str(Counts(*(actions.count(action) for action in Action.__members__.values())))


def traced_lines(
    keys: Sequence[KeyDiff], damage: str, view: DiffView, whole: bool, left: int = 0
) -> Iterator[str]:
    """What became of the keys asked for; the first of it, unless it is to be `whole`."""
    for told in keys if whole else keys[:KEYS]:
        lines = change_lines(told.change, told.before, told.after, told.values, view)
        yield from (INDENT + line for line in (lines if whole else _first(told, lines, len(keys))))
    if not whole and len(keys) > KEYS:
        yield f"{INDENT}and {counted(len(keys) - KEYS, 'more key')}"
    if left:
        what = counted(left, "key is", "keys are")
        yield f"{INDENT}{what} outside its scope: their older history is unknown"
    if damage:
        yield f"{INDENT}cannot be read: {escape(damage)}"


def _first(told: KeyDiff, lines: Iterator[str], beside: int) -> Iterator[str]:
    """What a key changed in a few lines; what came or went only where no other key did."""
    yield next(lines)
    if told.change.action is not Action.CHANGED and beside > 1:
        return
    inside = list(islice(lines, INSIDE + 2))
    whole = len(inside) <= INSIDE + 1
    yield from inside if whole else inside[:INSIDE]
    if not whole:
        yield "     … more (-p shows it)"


def numbers_lines(summary: Summary, hidden: Counts, columns: int | None) -> Iterator[str]:
    """What a commit changed, in numbers."""
    room = None if columns is None else max(columns - len(INDENT), 1)
    for line in chain(stat_lines(summary, room), hidden_lines(hidden)):
        yield INDENT + line


def blame_lines(key: Key, entry: Entry, lines: Sequence[BlameLine]) -> Iterator[str]:
    """A key, then each part of it behind the commit that it is from."""
    yield f"{paint(Style.HEADING, key_name(key))}  {escape(entry['type'])}"
    wide = min(SUBJECT, max((width(escape(line.info.subject)) for line in lines), default=0))
    last = ""
    for line in lines:
        info = line.info
        about = f"{info.short_id}  {info.date:%Y-%m-%d}  {fit(escape(info.subject), wide)}"
        head = paint(Style.COMMIT if info.id != last else Style.FAINT, pad(about, wide + 21))
        last = info.id
        yield f"{head}  {_part(line)}"


def _part(line: BlameLine) -> str:
    """`limits.daily: 250`, as a diff names it."""
    if line.part is Part.EXPIRY:
        return f"expires: {_moment(line.value)}"
    if line.part is Part.FIELD_EXPIRY:
        return f"{name(line.name)} expires: {_moment(line.value)}"
    if line.part is Part.MEMBER:
        return name(line.name)
    if line.part is Part.STREAM_STATE:
        return f"{dotted(line.name, line.path)}: {_state(line)}"
    first = f"[{line.name}]" if line.part is Part.ITEM else line.name
    what = dotted(first, line.path) if line.path or line.part is Part.ITEM else name(first)
    what = "value" if line.part is Part.VALUE and not line.path else what
    return f"{what}: {shown(line.value)}"


def _moment(value: Any) -> str:
    return instant(value)


def _state(line: BlameLine) -> str:
    value: Any = line.value
    if line.name == "entries":
        count, ids = value["count"], value["ids"]
        return f"{count:,}, {' to '.join(ids)}" if ids else "none"
    return shown(value)


def key_lines(lines: Iterable[KeyLine]) -> Iterator[str]:
    """Keys with their types, elements, bytes and expiries, each as it comes."""
    first = True
    for line in lines:
        if first:
            heading = f"{'type':<8}{'elements':>9}{'bytes':>12}  {'expires':<24}  key"
            yield paint(Style.FAINT, heading)
            first = False
        elements = "-" if line.elements is None else f"{line.elements:,}"
        expires = "-" if line.expires_at is None else instant(line.expires_at)
        yield (
            f"{pad(escape(line.type), 8)}{elements:>9}{line.size:>12,}  {expires:<24}"
            f"  {key_name(line.key)}"
        )
