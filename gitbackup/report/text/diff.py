"""A diff as text for a person: what a server's owner reads before a restore.

Nothing of the data reaches the terminal raw. One key is a headline and indented lines:
`+` came, `-` went, no sign for what changed from one value to another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, islice

from gitbackup.diff.labels import NO_LABELS, Labels
from gitbackup.format.names import escape, key_name, name, shown
from gitbackup.model.changes import Action, KeyChange, Part, ValueChange
from gitbackup.model.keys import Entry, Masked
from gitbackup.redact import NOTE
from gitbackup.report.json.diff import Ranks, ranks
from gitbackup.report.style import Style, fit, paint, width
from gitbackup.report.values.short import ARROW, dotted, expiry_change, shown_pair
from gitbackup.report.values.streams import stream_lines
from gitbackup.report.values.text_diff import MOST_LINES, line_diff, several_lines, word_diff
from gitbackup.report.values.value_preview import PREVIEW, entry_lines, preview, score
from gitbackup.report.words import ENGLISH, Words

LONG = 60
"""Characters of a text from which on it is compared word by word."""

LETTERS = {Action.ADDED: "A", Action.CHANGED: "M", Action.REMOVED: "D"}
SIGNS = {Action.ADDED: "+ ", Action.CHANGED: "", Action.REMOVED: "- "}
STYLES = {
    Action.ADDED: Style.ADDED,
    Action.CHANGED: Style.CHANGED,
    Action.REMOVED: Style.REMOVED,
}
COLOURS = {"+": Style.ADDED, "-": Style.REMOVED}
EXPIRIES = (Part.EXPIRY, Part.FIELD_EXPIRY)
STREAM = (Part.STREAM_ENTRY, Part.STREAM_STATE)
INDENT = " " * 5


@dataclass(frozen=True, slots=True)
class DiffView:
    """How a diff is shown.

    `columns` is the width that lines are cut to, None for no limit; `now` is what expiries are
    counted from; `full` shows every line of large values; `rank` the ranks of the members of
    sorted sets. `labels` are shown beside the names of keys. Values that came or went are shown
    as they are `stored`, or else with what tells most first; by default if the view is `full`.
    """

    columns: int | None = None
    now: datetime | None = None
    full: bool = False
    rank: bool = False
    labels: Labels = NO_LABELS
    stored: bool | None = None

    @property
    def as_stored(self) -> bool:
        return self.full if self.stored is None else self.stored

    @property
    def moment(self) -> datetime:
        return self.now or datetime.now(UTC)

    @property
    def room(self) -> int | None:
        """The columns that an indented line has."""
        return None if self.columns is None else max(self.columns - len(INDENT), 1)

    def most(self, limit: int) -> int | None:
        return None if self.full else limit

    def title(self, text: str) -> str:
        """Return what stands before a value, cut to half of the line."""
        return text if self.room is None else fit(text, max(self.room // 2, 1))

    def named(self, text: str) -> str:
        """Return a name that stands before a value."""
        return self.title(name(text))


PLAIN = DiffView()


class UncutLine(str):
    """A line that is shown to its end, however wide."""

    __slots__ = ()


def change_lines(
    change: KeyChange,
    before: Entry | None,
    after: Entry | None,
    values: Sequence[ValueChange],
    view: DiffView = PLAIN,
) -> Iterator[str]:
    """Yield one key's diff: what happened to it, then what changed inside."""
    types = dict.fromkeys(escape(entry["type"]) for entry in (before, after) if entry)
    label = view.labels.of(change.key, after, before)
    yield fit(f"{headline(change)}{beside(label)}  {ARROW.join(types)}".rstrip(), view.columns)
    if change.action is Action.CHANGED:
        lines = _changed_lines(before, after, values, view)
    else:
        entry, sign = (after, "+ ") if change.action is Action.ADDED else (before, "- ")
        value_lines = entry_lines(
            entry, view.most(PREVIEW), view.named, view.moment, view.as_stored
        )
        lines = (sign + line for line in value_lines)
    for line in lines:
        if isinstance(line, UncutLine):
            yield INDENT + line
        else:
            style = COLOURS.get(line.partition(" ")[0])
            yield INDENT + fit(paint(style, line) if style else line, view.room)


def headline(change: KeyChange) -> str:
    """Return what happened to which key."""
    letter = paint(STYLES[change.action], LETTERS[change.action])
    return f"{letter}  {paint(Style.HEADING, key_name(change.key))}"


def beside(label: str) -> str:
    """Return a key's label as it stands behind the name."""
    return f" ({escape(label)})" if label else ""


def _changed_lines(
    before: Entry | None, after: Entry | None, values: Sequence[ValueChange], view: DiffView
) -> Iterator[str]:
    """Yield what changed inside; of many changes the first, and how many more there are."""
    inside = _Inside(before, after, view)
    rest = (value for value in values if value.part not in STREAM)
    for value, times in _together(islice(rest, view.most(MOST_LINES))):
        lines = inside.lines(value)
        yield from lines if times == 1 else (f"{line} ({times} times)" for line in lines)
    if before and after and any(value.part in STREAM for value in values):
        yield from stream_lines(before, after, values)
    more = Counter(value.action for value in rest)
    if more:
        kinds = ", ".join(f"{more[action]:,} {action}" for action in Action if more[action])
        yield f"… {more.total():,} more: {kinds} (--full shows them)"


def _together(values: Iterable[ValueChange]) -> Iterator[tuple[ValueChange, int]]:
    """Yield each change; those that masks have made alike as one, and how many they are."""
    for _, alike in groupby(values, lambda v: v if isinstance(v.name, Masked) else id(v)):
        value, *others = alike
        yield value, 1 + len(others)


class _Inside:
    """The lines of the differences inside one key."""

    def __init__(self, before: Entry | None, after: Entry | None, view: DiffView) -> None:
        self._before, self._after, self._view = before, after, view
        self._ranks: tuple[Ranks, Ranks] = ({}, {})
        if view.rank:
            self._ranks = ranks(before), ranks(after)

    def lines(self, value: ValueChange) -> Iterator[str]:
        """Yield the lines of one difference; a text of several lines is compared line by line."""
        noted = value.note not in ("", NOTE)
        if value.part is Part.TYPE:
            how = self._view.most(PREVIEW), self._view.named, self._view.as_stored
            yield from ("- " + line for line in preview(self._before, *how))
            yield from ("+ " + line for line in preview(self._after, *how))
        elif value.part is Part.MEMBER:
            yield SIGNS[value.action] + name(value.name) + (f": {value.note}" if noted else "")
        else:
            text_lines = None
            is_edit = value.action is Action.CHANGED and not noted
            if is_edit and several_lines(value.before, value.after):
                text_lines = line_diff(value.before, value.after, self._view.most(MOST_LINES))
            if text_lines is None:
                yield self._line(value)
            else:
                yield f"{what(value)}:"
                yield from map(UncutLine, text_lines)

    def _line(self, value: ValueChange) -> str:
        title = self._view.title(what(value))
        if value.note not in ("", NOTE):
            return f"{SIGNS[value.action]}{title}: {value.note}"
        if value.part in EXPIRIES:
            return f"{title}: {expiry_change(value.before, value.after, self._view.moment)}"
        if value.action is not Action.CHANGED:
            side = value.after if value.action is Action.ADDED else value.before
            is_score = value.part is Part.SCORE
            text = score(side) + self._rank(value.name) if is_score else shown(side)
            return f"{SIGNS[value.action]}{title}: {text}"
        if value.part is Part.SCORE:
            scores = score(value.before), score(value.after)
            return f"{title}: {ARROW.join(scores)}{self._rank(value.name)}"
        if isinstance(value.before, str) and isinstance(value.after, str):
            longer = max(len(value.before), len(value.after))
            if longer > LONG and (words := word_diff(value.before, value.after)) is not None:
                return UncutLine(f"{title}: {words}")
        room = self._view.room
        left = None if room is None else room - width(title) - 2
        return f"{title}: {shown_pair(value.before, value.after, left)}"

    def _rank(self, member: str) -> str:
        known = [f"{ranks[member]:,}" for ranks in self._ranks if member in ranks]
        return f" (rank {ARROW.join(dict.fromkeys(known))})" if known else ""


def what(value: ValueChange, words: Words = ENGLISH) -> str:
    """Return what differs: a field, a position, a path into a document."""
    if value.part is Part.EXPIRY:
        return words.say("expires")
    if value.part is Part.FIELD_EXPIRY:
        return words.say("%(name)s expires", name=name(value.name))
    first = f"[{value.name}]" if value.part is Part.ITEM else value.name
    if value.path:
        return dotted(first, value.path)
    if value.part is Part.VALUE:
        return words.say("value")
    return first if value.part is Part.ITEM else name(first)
