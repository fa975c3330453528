"""`diff` as a page: every key that differs, by database and namespace, with what changed inside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby

from gitbackup.diff.labels import NO_LABELS, Labels
from gitbackup.format.names import escape, name
from gitbackup.model import amounts
from gitbackup.model.changes import Counts, KeyChange, ValueChange
from gitbackup.model.file_groups import count_by_prefix
from gitbackup.model.keys import Entry, Space
from gitbackup.report.html.frame import (
    MOST_TEXT,
    SIGNS,
    SideTitle,
    Titled,
    Tools,
    bar,
    counted,
    framed,
    label,
    safe,
    title_of,
    toolbar,
)
from gitbackup.report.html.inside import inside
from gitbackup.report.html.rows import rows

MOST_KEYS = 20_000
"""Keys on one page."""

OPEN = 400
"""Keys that are in sight at first; the namespaces of the others are folded."""

LISTED = 12
"""Namespaces in the overview before the others fold."""

Item = tuple[KeyChange, Entry | None, Entry | None, Sequence[ValueChange]]


def diff_page(
    sides: tuple[SideTitle, SideTitle],
    created: datetime,
    changes: Sequence[KeyChange],
    items: Iterable[Item],
    hidden: Counts = Counts(),  # noqa: B008  frozen
    labels: Labels = NO_LABELS,
) -> Iterator[str]:
    """Yield a page of `changes`, a piece at a time; `items` has each of them whole.

    Both are in `order`. `hidden` counts the quiet keys, which are in neither. `labels` stand beside
    the names of keys.
    """
    before, after = sides
    heading = f'{before.markup} <span class="to" aria-label="to">→</span> {after.markup}'
    titled = Titled("gitbackup diff", f"{before.name} → {after.name}", heading)
    counts = count_by_prefix(changes)
    tools = Tools("keys", "Key", "Value", actions=True)
    return framed(titled, created, tools, _body(changes, counts, items, tools, hidden, labels))


def _body(
    changes: Sequence[KeyChange],
    counts: dict[Space, Counts],
    items: Iterable[Item],
    tools: Tools,
    hidden: Counts,
    labels: Labels,
) -> Iterator[str]:
    total = sum(counts.values(), Counts())
    yield f'<p class="total">{counted(total) if changes else "Nothing differs."}</p>\n'
    if hidden:
        yield f'<p class="hidden">Quiet keys, not shown: {hidden}.</p>\n'
    if len(counts) > 1:
        yield from _overview(counts)
    yield "</header>\n"
    if changes:
        yield toolbar(tools)
    yield "<main>\n"
    yield from _places(changes, counts, items, labels)
    yield "</main>\n"


def _overview(counts: dict[Space, Counts]) -> Iterator[str]:
    """Yield the namespaces with their counts, each a link to its keys."""
    most = max(each.total for each in counts.values())
    several = len({space.place for space in counts}) > 1
    lines = [
        f'<li><a href="#s{at}">'
        + (f'<span class="place">{safe(space.place)}</span> ' if several else "")
        + f"{title_of(space)}</a>"
        f"{bar(each, most)}{counted(each)}</li>\n"
        for at, (space, each) in enumerate(counts.items())
    ]
    yield f'<nav class="spaces" aria-label="Key prefixes"><ul>\n{"".join(lines[:LISTED])}</ul>\n'
    if rest := lines[LISTED:]:
        more = amounts.counted(len(rest), "more prefix", "more prefixes")
        yield f"<details><summary>{more}</summary><ul>\n{''.join(rest)}"
        yield "</ul></details>\n"
    yield "</nav>\n"


def _places(
    changes: Sequence[KeyChange],
    counts: dict[Space, Counts],
    items: Iterable[Item],
    labels: Labels,
) -> Iterator[str]:
    """Yield the keys, by database and namespace; the database has a title if there are several."""
    several = len({space.place for space in counts}) > 1
    page = _Page(counts, labels)
    for place, in_it in groupby(items, lambda item: item[0].key.place):
        if several:
            place_counts = sum((n for space, n in counts.items() if space.place == place), Counts())
            yield f'<details class="group place" open><summary><h2>{safe(place)}</h2>'
            yield f"{counted(place_counts)}</summary>\n"
        yield from page.spaces(in_it)
        if several:
            yield "</details>\n"
        if page.full:  # before groupby reads on
            break
    left = len(changes) - page.shown
    if left:
        yield (
            f'<p class="cut" role="note">This page shows {page.shown:,} of {len(changes):,} keys.'
            f" The other {left:,} are counted above; a key pattern or <code>--db</code> shows"
            " fewer at a time.</p>\n"
        )


class _Page:
    """The keys of a page, as many as there is room for."""

    def __init__(self, counts: dict[Space, Counts], labels: Labels) -> None:
        self.shown = self._text = 0
        self._labels = labels
        self._counts = counts
        self._numbers = {space: at for at, space in enumerate(counts)}

    @property
    def full(self) -> bool:
        return self.shown >= MOST_KEYS or self._text >= MOST_TEXT

    def spaces(self, items: Iterable[Item]) -> Iterator[str]:
        for space, in_it in groupby(items, lambda item: item[0].key.space):
            each = self._counts[space]
            opened = " open" if not self.shown or self.shown + each.total <= OPEN else ""
            yield (
                f'<details class="group space" id="s{self._numbers[space]}"{opened}><summary>'
                f"<h3>{title_of(space)}</h3>{counted(each)}</summary>\n"
            )
            yield from self._keys(in_it)
            yield "</details>\n"
            if self.full:
                return

    def _keys(self, items: Iterable[Item]) -> Iterator[str]:
        for item in items:
            piece = "".join(_key(*item, self._labels))
            yield piece
            self.shown += 1
            self._text += len(piece)
            if self.full:
                return


def _key(
    change: KeyChange,
    before: Entry | None,
    after: Entry | None,
    values: Sequence[ValueChange],
    labels: Labels,
) -> Iterator[str]:
    action = change.action.value
    types = " → ".join(dict.fromkeys(escape(entry["type"]) for entry in (before, after) if entry))
    yield (
        f'<details class="item {action}" open><summary><b title="{action}">{SIGNS[action]}</b>'
        f'<code class="name">{safe(name(change.key.name))}</code>'
        f"{label(labels.of(change.key, after, before))}"
        f"<small>{safe(types)}</small></summary><dl>"
    )
    yield from inside(rows(change, before, after, values))
    yield "</dl></details>\n"
