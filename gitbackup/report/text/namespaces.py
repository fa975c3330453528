"""How many keys changed in each namespace: in a list, with bars, as headings, and what is noise."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from gitbackup.format.names import escape
from gitbackup.model.amounts import counted
from gitbackup.model.changes import Counts, KeyChange, Summary
from gitbackup.model.keys import PLACES
from gitbackup.report.style import Style, fit, pad, paint, width

LONGEST = 40
"""Columns of a namespace's name."""

NAMESPACES = 25
"""Lines of namespaces at most, unless all are asked for."""

COLUMNS = 80
"""The width if there is no terminal, as git has it."""

LONGEST_BAR = 40
SHORTEST_BAR = 5
MANY = 50
"""Changed keys, from which on noise is worth a word."""

SPECIAL = re.compile(r"[*?\[\]\\]")

Namespace = tuple[str, str]
"""A place, such as `db0`, and a namespace in it."""

NOTHING: Mapping[Namespace, Sequence[str]] = MappingProxyType({})


def titled(place: str, space: str) -> str:
    """Return a namespace as a person reads it, with its place if that is not db0."""
    short = fit(escape(space), LONGEST) or '""'
    return short if place == "db0" else f"{place} {short}"


def biggest(namespaces: Mapping[Namespace, Counts]) -> Mapping[Namespace, Counts]:
    """Return the namespaces with the most changes, in their order."""
    ranked = sorted(namespaces, key=lambda space: -namespaces[space].total)
    chosen = {*ranked[:NAMESPACES]}
    return {space: counts for space, counts in namespaces.items() if space in chosen}


def changed(summary: Summary) -> str:
    """Return what changed, in numbers; libraries and search indexes, which are no keys, apart."""
    keys = Counts()
    others = dict.fromkeys(PLACES.values(), Counts())
    for (place, _), counts in summary.namespaces.items():
        if place in others:
            others[place] += counts
        else:
            keys += counts
    parts = [str(keys)] if keys else []
    parts += [f"{place} {counts}" for place, counts in others.items() if counts]
    return "; ".join(parts) or "none changed"


def namespace_lines(
    namespaces: Mapping[Namespace, Counts],
    text: Callable[[Counts], str] = str,
    full: bool = False,
    hint: str = "",
    called: Mapping[Namespace, Sequence[str]] = NOTHING,
) -> Iterator[str]:
    """Yield a line for each namespace, the names aligned; `hint` tells how to see the rest.

    `called` has the labels of some of the keys.
    """
    shown = namespaces if full else biggest(namespaces)
    rows = [
        (titled(*space), text(counts) + _called(called.get(space, ()), counts.total))
        for space, counts in shown.items()
    ]
    wide = max((width(title) for title, _ in rows), default=0)
    yield from (f"  {pad(title, wide)}  {line}" for title, line in rows)
    if len(namespaces) > len(shown):
        rest = len(namespaces) - len(shown)
        yield f"  and {counted(rest, 'more prefix', 'more prefixes')}{hint}"


def _called(labels: Sequence[str], keys: int) -> str:
    """Return labels of some of so many keys as they stand behind their number."""
    if not labels:
        return ""
    named = ", ".join(escape(label) for label in labels)
    return f"  ({named}, …)" if keys > len(labels) else f"  ({named})"


def stat_lines(
    summary: Summary, columns: int | None = None, full: bool = False, hint: str = ""
) -> Iterator[str]:
    """Yield a line with a bar for each namespace, and the sum."""
    if not summary.counts:
        return
    shown = summary.namespaces if full else biggest(summary.namespaces)
    numbers = max(len(str(counts)) for counts in shown.values())
    titles = max(width(titled(*space)) for space in shown)
    room = min(LONGEST_BAR, max(SHORTEST_BAR, (columns or COLUMNS) - titles - numbers - 6))
    most = max(counts.total for counts in shown.values())

    def length(count: int) -> int:
        """Return how many signs stand for so many keys: one at least; the three parts share."""
        return count if most <= room or not count else 1 + count * (room - 3) // most

    def text(counts: Counts) -> str:
        added = paint(Style.ADDED, "+" * length(counts.added))
        edited = paint(Style.CHANGED, "~" * length(counts.changed))
        removed = paint(Style.REMOVED, "-" * length(counts.removed))
        return f"{counts!s:<{numbers}}  {added}{edited}{removed}"

    yield from namespace_lines(summary.namespaces, text, full, hint)
    yield changed(summary)


def noise(summary: Summary) -> Namespace | None:
    """Return the namespace that most of many changes are in; None if there is none."""
    if summary.counts.total < MANY or len(summary.namespaces) < 2:
        return None
    space, counts = max(summary.namespaces.items(), key=lambda item: item[1].total)
    known = space[0] not in PLACES.values() and space[1] != "base64"
    most = 2 * counts.total > summary.counts.total
    return space if known and space[1].isprintable() and most else None


def silenced(space: Namespace) -> str:
    """Return the glob of a namespace's keys."""
    return SPECIAL.sub(r"\\\g<0>", space[1]) + ":*"


def noise_line(summary: Summary, space: Namespace, command: str) -> str:
    """Return that most changes are in one namespace, and the command that leaves them out."""
    count = summary.namespaces[space].total
    line = f"{count:,} of {summary.counts.total:,} are {titled(*space)}; to hide them: {command}"
    return paint(Style.FAINT, f"{line} (for good: see gitbackup suggest)")


def order(change: KeyChange) -> tuple[int, str, str]:
    """Return how the keys of a diff are sorted: by database, by namespace, by name."""
    return change.key.db, change.key.namespace, change.key.name


class Headings:
    """A heading wherever another namespace begins, unless there is only one.

    A key that is alone in its namespace needs none.
    """

    def __init__(self, summary: Summary) -> None:
        self._counts = summary.namespaces if len(summary.namespaces) > 1 else {}
        self._last: Namespace | None = None
        self._headed = False

    def above(self, change: KeyChange) -> Iterator[str]:
        """Yield the lines above a key, mostly none."""
        space = change.key.place, change.key.namespace
        if not self._counts or space == self._last:
            return
        counts = self._counts[space]
        alone = counts.total == 1
        if self._last is not None and (self._headed or not alone):
            yield ""
        if not alone:
            yield paint(Style.GROUP, f"{titled(*space)}: {counts}")
        self._last, self._headed = space, not alone
