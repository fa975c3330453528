"""What changed in the history, and where it is from, as lines of text for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from gitbackup.diff.labels import NO_LABELS, Labels
from gitbackup.format import unprintable
from gitbackup.format.names import escape, key_name, name, shown
from gitbackup.model.amounts import counted
from gitbackup.model.changes import Action, Counts, KeyDiff, Part, Summary
from gitbackup.model.commits import BlameLine, KeyLine
from gitbackup.model.keys import Entry, Key
from gitbackup.report.style import Style, fit, pad, paint, width
from gitbackup.report.text.diff import DiffView, beside, change_lines
from gitbackup.report.text.namespaces import stat_lines
from gitbackup.report.text.sentences import hidden_lines
from gitbackup.report.values.short import dotted, instant
from gitbackup.report.words import ENGLISH, Words

KEYS = 10
"""Keys of a commit that are shown, unless all are asked for."""

INSIDE = 2
"""Lines of what changed inside one of them."""

SUBJECT = 32
"""Columns of a commit's subject beside what it changed."""

INDENT = "    "


def what_changed(keys: Sequence[KeyDiff], labels: Labels = NO_LABELS) -> str:
    """Return a few words for the keys that a commit changed."""
    if len(keys) == 1:
        change = keys[0].change
        label = beside(labels.of(change.key, keys[0].after, keys[0].before))
        return f"{key_name(change.key)}{label} {change.action}"
    actions = [key.change.action for key in keys]
    return str(Counts(*(actions.count(action) for action in Action)))


def traced_lines(
    keys: Sequence[KeyDiff], damage: str, view: DiffView, whole: bool, left: int = 0
) -> Iterator[str]:
    """Yield what became of the keys asked for; the first of it, unless it is to be `whole`."""
    for key in keys if whole else keys[:KEYS]:
        lines = change_lines(key.change, key.before, key.after, key.values, view)
        yield from (INDENT + line for line in (lines if whole else _first(key, lines, len(keys))))
    if not whole and len(keys) > KEYS:
        yield f"{INDENT}and {counted(len(keys) - KEYS, 'more key')}"
    if left:
        what = counted(left, "key is", "keys are")
        yield f"{INDENT}{what} outside its scope: their older history is unknown"
    yield from damage_lines(damage)


def damage_lines(damage: str) -> Iterator[str]:
    """Yield what of a commit cannot be read, if anything."""
    if damage:
        yield f"{INDENT}cannot be read: {unprintable.escaped(damage)}"


def _first(key: KeyDiff, lines: Iterator[str], keys: int) -> Iterator[str]:
    """Yield a few lines of what changed in a key; of one of several that came or went, one."""
    yield next(lines)
    if key.change.action is not Action.CHANGED and keys > 1:
        return
    inside = list(islice(lines, INSIDE + 2))
    whole = len(inside) <= INSIDE + 1
    yield from inside if whole else inside[:INSIDE]
    if not whole:
        yield "     … more (-p shows it)"


def numbers_lines(summary: Summary, hidden: Counts, columns: int | None) -> Iterator[str]:
    """Yield what a commit changed, in numbers."""
    room = None if columns is None else max(columns - len(INDENT), 1)
    for line in chain(stat_lines(summary, room), hidden_lines(hidden)):
        yield INDENT + line


def blame_lines(
    key: Key, entry: Entry, lines: Sequence[BlameLine], label: str = ""
) -> Iterator[str]:
    """Yield a key, then each part of it behind the commit that it is from."""
    yield f"{paint(Style.HEADING, key_name(key))}{beside(label)}  {escape(entry['type'])}"
    wide = min(SUBJECT, max((width(escape(line.info.subject)) for line in lines), default=0))
    last = ""
    for line in lines:
        info = line.info
        about = f"{info.short_id}  {info.date:%Y-%m-%d}  {fit(escape(info.subject), wide)}"
        head = paint(Style.COMMIT if info.id != last else Style.FAINT, pad(about, wide + 21))
        last = info.id
        yield f"{head}  {': '.join(filter(None, blamed(line)))}"


def blamed(line: BlameLine, words: Words = ENGLISH) -> tuple[str, str]:
    """Return what a part is called as a diff names it, `limits.daily`, and what it holds; that is
    empty for a member of a set."""
    if line.part is Part.EXPIRY:
        return words.say("expires"), instant(line.value, words)
    if line.part is Part.FIELD_EXPIRY:
        return words.say("%(name)s expires", name=name(line.name)), instant(line.value, words)
    if line.part is Part.MEMBER:
        return name(line.name), ""
    if line.part is Part.STREAM_STATE:
        state = shown(line.value)
        if line.name == "entries":
            ids = line.value["ids"]
            state = f"{line.value['count']:,}, {' to '.join(ids)}" if ids else words.say("none")
        return dotted(line.name, line.path), state
    first = f"[{line.name}]" if line.part is Part.ITEM else line.name
    what = dotted(first, line.path) if line.path or line.part is Part.ITEM else name(first)
    what = words.say("value") if line.part is Part.VALUE and not line.path else what
    return what, shown(line.value)


def key_lines(lines: Iterable[KeyLine]) -> Iterator[str]:
    """Yield keys with their types, elements, bytes and expiries, each as it comes."""
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
            f"  {key_name(line.key)}{beside(line.label)}"
        )
