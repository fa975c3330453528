"""`diff --stat`: what changed in each namespace, with a bar, and how to silence what is noise."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from gitbackup.model.amounts import counted
from gitbackup.model.changes import Counts, Summary
from gitbackup.model.keys import FUNCTIONS, Key
from gitbackup.report.style.color import Style, paint
from gitbackup.report.style.columns import pad, width
from gitbackup.report.text.sentences import biggest, changed, size, titled

COLUMNS = 80
"""The width where there is no terminal, as git has it."""

LONGEST_BAR = 40
SHORTEST_BAR = 5
MANY = 50
"""Changed keys, from which on noise is worth a word."""

SPECIAL = re.compile(r"[*?\[\]\\]")

Space = tuple[str, str]


def stat_lines(
    summary: Summary, columns: int | None = None, full: bool = False, hint: str = ""
) -> Iterator[str]:
    """A line for each namespace, in columns, and the sum; `hint` tells how to see the rest."""
    if not summary.counts:
        return
    rows = [(titled(*space), counts) for space, counts in summary.namespaces.items()]
    shown = rows if full else biggest(rows)
    titles, told = (max(map(width, column)) for column in zip(*_columns(shown), strict=True))
    room = (columns or COLUMNS) - titles - told - 6
    scale = _Scale(max(size(counts) for _, counts in shown), room)
    for title, counts in shown:
        yield f"  {pad(title, titles)}  {pad(str(counts), told)}  {scale.bar(counts)}"
    if len(rows) > len(shown):
        rest = len(rows) - len(shown)
        yield f"  and {counted(rest, 'more prefix', 'more prefixes')}{hint}"
    yield changed(summary)


def _columns(rows: Sequence[tuple[str, Counts]]) -> list[tuple[str, str]]:
    return [(title, str(counts)) for title, counts in rows]


class _Scale:
    """How long the bars are: a sign for a key, or for so many that the longest fits."""

    def __init__(self, most: int, room: int) -> None:
        self._most = most
        self._room = min(LONGEST_BAR, max(SHORTEST_BAR, room))

    def bar(self, counts: Counts) -> str:
        parts = (
            (Style.ADDED, "+", counts.added),
            (Style.CHANGED, "~", counts.changed),
            (Style.REMOVED, "-", counts.removed),
        )
        return "".join(paint(style, sign * self._length(count)) for style, sign, count in parts)

    def _length(self, count: int) -> int:
        """What is there at all has a sign; the three parts share the room."""
        if self._most <= self._room or not count:
            return count
        return 1 + count * (self._room - 3) // self._most


def noise(summary: Summary) -> Space | None:
    """The namespace that most of many changes are in; None where there is none."""
    total = size(summary.counts)
    if total < MANY or len(summary.namespaces) < 2:
        return None
    space, counts = max(summary.namespaces.items(), key=lambda item: size(item[1]))
    known = space[0] != Key(FUNCTIONS, "").place and space[1] != "base64"
    return space if known and space[1].isprintable() and 2 * size(counts) > total else None


def silenced(space: Space) -> str:
    """The glob of a namespace's keys."""
    return SPECIAL.sub(r"\\\g<0>", space[1]) + ":*"


def noise_line(summary: Summary, space: Space, command: str) -> str:
    """That most changes are in one namespace, and the command that leaves them out."""
    counts = summary.namespaces[space]
    line = (
        f"{size(counts):,} of {size(summary.counts):,} are {titled(*space)}; to hide them:"
        f" {command}"
    )
    return paint(Style.FAINT, f"{line} (always: init --quiet)")
