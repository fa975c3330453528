"""`log` as a page: the commits, each with what it changed; the keys are folded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from types import MappingProxyType
from typing import NamedTuple

from gitbackup.errors import Damaged
from gitbackup.format import unprintable
from gitbackup.format.names import escape, name
from gitbackup.model import amounts
from gitbackup.model.changes import Counts, KeyChange
from gitbackup.model.commits import CommitInfo
from gitbackup.model.file_groups import count_by_prefix
from gitbackup.model.keys import Key, Space
from gitbackup.report.html.frame import (
    MOST_TEXT,
    SIGNS,
    SideTitle,
    Titled,
    Tools,
    counted,
    framed,
    label,
    order,
    safe,
    title_of,
    toolbar,
)
from gitbackup.report.text.sentences import reason

MOST_COMMITS = 2_000
"""Commits on one page."""

MOST_KEYS = 100
"""Keys of one namespace in one commit."""

FEW = 12
"""Keys of a namespace that are in sight as soon as their commit is."""


class LoggedCommit(NamedTuple):
    """A commit, the keys that it changed or why they cannot be read, and how many quiet ones;
    `labels` stand beside keys."""

    info: CommitInfo
    changes: Sequence[KeyChange] | Damaged
    hidden: Counts = Counts()
    labels: Mapping[Key, str] = MappingProxyType({})


def log_page(title: SideTitle, created: datetime, commits: Iterable[LoggedCommit]) -> Iterator[str]:
    """Yield a page of commits, newest first, a piece at a time; they are read when needed."""
    tools = Tools("commits", "Key", "Message", actions=False)
    return framed(
        Titled("gitbackup log", title.name, title.markup), created, tools, _body(commits, tools)
    )


def _body(commits: Iterable[LoggedCommit], tools: Tools) -> Iterator[str]:
    yield f"</header>\n{toolbar(tools)}<main>\n"
    size, day = 0, None
    for shown, commit in enumerate(commits):
        info = commit.info
        if shown == MOST_COMMITS or size >= MOST_TEXT:
            yield (
                f'<p class="cut" role="note">This page shows the last {shown:,} commits; there'
                " are older ones. Name a commit to begin with another.</p>\n"
            )
            break
        if info.date.date() != day:
            yield "</section>\n" if day else ""
            day = info.date.date()
            yield f'<section class="group"><h2>{day:%A}, {day.day} {day:%B %Y}</h2>\n'
        piece = "".join(_commit(commit))
        yield piece
        size += len(piece)
    yield "</section>\n" if day else "<p>There are no commits.</p>\n"
    yield "</main>\n"


def _commit(commit: LoggedCommit) -> Iterator[str]:
    info, changes, hidden, labels = commit
    if info.counts:
        counts = counted(info.counts)
    else:
        what = "made with plain git" if info.counts is None else "nothing"
        counts = f'<span class="counts">{what}</span>'
    yield (
        f'<details class="item commit"><summary><code class="id">{safe(info.short_id)}</code>'
        f'<span class="subject">{safe(escape(info.subject))}</span>{counts}'
        f'<time datetime="{info.date.isoformat()}">{info.date:%H:%M}</time></summary>'
    )
    note = f"Note: {info.note}".splitlines() if info.note else []
    lines = [safe(escape(line)) for line in (*reason(info), *note)]
    if lines:
        yield f'<p class="why">{"<br>".join(lines)}</p>'
    if isinstance(changes, Damaged):
        why = safe(unprintable.escaped(str(changes)))
        yield f'<p class="cut" role="note">cannot be read: {why}</p>'
        changes = []
    ordered = sorted(changes, key=order)
    by_space = count_by_prefix(ordered)
    for space, inside in groupby(ordered, lambda change: change.key.space):
        yield from _space(space, by_space[space], [*inside], labels)
    if hidden:
        yield f'<p class="hidden">Quiet keys, not shown: {hidden}.</p>'
    facts = {"Commit": info.id, "Author": info.author, **info.trailers}
    yield '<details class="facts"><summary>Details</summary><dl>'
    for title, fact in facts.items():
        yield f"<div><dt>{safe(escape(title))}</dt><dd>{safe(escape(fact))}</dd></div>"
    yield "</dl></details></details>\n"


def _space(
    space: Space, counts: Counts, changes: Sequence[KeyChange], labels: Mapping[Key, str]
) -> Iterator[str]:
    """Yield one namespace of a commit; its keys are folded if they are many."""
    opened = " open" if len(changes) <= FEW else ""
    place = "" if space.place == "db0" else f'<span class="place">{safe(space.place)}</span>'
    title = f"{place}{title_of(space)}{counted(counts)}"
    yield f'<details class="keys"{opened}><summary>{title}</summary>'
    shown = (_key(change, labels.get(change.key, "")) for change in changes[:MOST_KEYS])
    yield f"<ul>{''.join(shown)}</ul>"
    if len(changes) > MOST_KEYS:
        more = amounts.counted(len(changes) - MOST_KEYS, "more key")
        yield f'<p class="cut">and {more}</p>'
    yield "</details>"


def _key(change: KeyChange, called: str) -> str:
    action = change.action.value
    sign = f'<b title="{action}">{SIGNS[action]}</b>'
    return (
        f'<li class="{action}">{sign}<code class="name">{safe(name(change.key.name))}</code>'
        f"{label(called)}</li>"
    )
