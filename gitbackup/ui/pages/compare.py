"""What differs between two commits, or a commit and the database: all of it, a group, or a key."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from gitbackup import Backup
from gitbackup.history.entry import stored
from gitbackup.model.changes import Action, Counts, KeyChange, KeyDiff
from gitbackup.model.commits import CommitInfo
from gitbackup.model.keys import Entry, Key
from gitbackup.report.words import Words
from gitbackup.snapshot import file_format
from gitbackup.snapshot.compare import key_diff, masked
from gitbackup.store.objects.trees import EMPTY_TREE
from gitbackup.ui.site import Site
from gitbackup.ui.views.differences.asked import Asked
from gitbackup.ui.views.differences.groups import Group, Groups, counted
from gitbackup.ui.views.differences.pairs import Pair, repository_of
from gitbackup.ui.views.differences.shown import ShownKey, says, shown
from gitbackup.ui.views.entries import entry_in, labels_of, redaction_of
from gitbackup.ui.words.commands import glob_of, quoted

KEYS = 50
"""Keys of a group on one page."""

SHORT = 12
"""Characters of an id that a form has."""

OFFERED = 30
"""Commits that are offered for either side."""

LOOKED_AT_ONCE = 256
"""Changes that are taken from the groups at a time."""

AT_ONCE = 1.0
"""Seconds in which what differs inside keys is read for a list; those that are left have a page
of their own."""

PATIENCE = 3.0
"""Seconds for which a text is looked for before the page shows what was found so far."""


Read = Callable[[KeyChange], KeyDiff]
Show = Callable[[Sequence[KeyChange]], Sequence[ShownKey]]


class Place(NamedTuple):
    """A database on a page: how many of its keys differ, without quiet ones, and its groups."""

    name: str
    counts: Counts
    groups: list[ShownGroup]


class ShownGroup(NamedTuple):
    """A namespace on a page.

    `keys` are None if it is folded. `href` leads to all of them, `older` to those that come after,
    and `newer` to those before; empty if there are none.
    """

    group: Group
    href: str
    keys: Sequence[ShownKey] | None = None
    older: str = ""
    newer: str = ""


class Found(NamedTuple):
    """Keys in which a text was found, among so many `looked` at; `more` leads to the next."""

    keys: Sequence[ShownKey]
    looked: int
    of: int
    more: str


@dataclass(frozen=True)
class View:
    """What a page shows of a pair: its groups, one of them, or the keys in which a text is."""

    asked: Asked
    pair: Pair
    groups: Groups
    places: Sequence[Place] = ()
    found: Found | None = None

    @property
    def counts(self) -> Counts:
        return counted(self.groups.every)

    @property
    def hidden(self) -> Counts:
        return counted(self.groups.every, quiet=True)

    @property
    def spaces(self) -> list[tuple[str, str, Counts, str]]:
        """Return each namespace as `spaces` of parts.html takes it."""
        several = [group for group in self.groups.every if not group.quiet]
        return [
            (*group.space, group.counts, self.asked.of_group(group).href()) for group in several
        ]


def page(site: Site, request: Request) -> Response:
    """Return the page of two sides."""
    asked = Asked.of(request)
    backup = site.backup()
    nothing = len(asked.a) >= SHORT and EMPTY_TREE.startswith(asked.a)
    a = EMPTY_TREE if nothing else backup.resolve(asked.a)
    asked = asked.by(a=a, b=backup.resolve(asked.b) if asked.b else "")
    if asked.name:
        return _of_key(site, request, backup, asked)
    view = looked_at(site, request, backup, asked)
    return site.page(
        request,
        "compare.html",
        asked=asked,
        view=view,
        sides=[info_of(backup, side) for side in (asked.a, asked.b)],
        command=command(site, asked),
        path="/diff",
        newest=[*backup.log(limit=OFFERED)],
        clear=asked.whole().href(),
    )


def looked_at(site: Site, request: Request, backup: Backup, asked: Asked) -> View | None:
    """Return what a page shows; None if that takes longer than a reader likes to wait."""
    waits = "wait" in request.query_params
    if asked.reading:
        pair = site.pairs.reading(asked.reading)
        if pair is None:
            waits, asked = True, asked.by(reading="")
    if not asked.b and not asked.reading:
        pair = site.pairs.live(backup, asked.a) if waits else None
    elif asked.b:
        quick = waits or site.pairs.is_quick(backup, asked.a, asked.b)
        pair = site.pairs.of(backup, asked.a, asked.b, large=waits) if quick else None
    if pair is None:
        return None
    return view_of(backup, site.language(request), pair, asked.by(reading=pair.reading))


def view_of(backup: Backup, words: Words, pair: Pair, asked: Asked) -> View:
    """Return what a page shows of a pair."""
    groups = pair.narrowed(asked.filter)
    if asked.text:
        return View(asked, pair, groups, found=_found(backup, words, pair, groups, asked))
    if asked.space is not None:
        place, _, name = asked.space.partition("/")
        group = groups.find(place, name, asked.quiet)
        chosen = {group} if group else set()
        places = _places(backup, words, pair, Groups(chosen), asked, chosen)
    else:
        places = _places(backup, words, pair, groups, asked, groups.opened())
    return View(asked, pair, groups, [*places])


def _places(
    backup: Backup,
    words: Words,
    pair: Pair,
    groups: Groups,
    asked: Asked,
    opened: Set[Group],
) -> Iterator[Place]:
    read = _in_time(pair.reader(repository_of(backup)), time.monotonic() + AT_ONCE)
    labels = labels_of(backup)

    def show(changes: Sequence[KeyChange]) -> list[ShownKey]:
        return [*shown(map(read, changes), labels, asked, words)]

    for name, inside in groups.places():
        found = [_group(show, each, asked, each in opened) for each in inside]
        yield Place(name, counted(inside), found)


def _in_time(read: Read, until: float) -> Read:
    """Return a function that reads a change unless it is large or time is up; then it returns a
    diff without entries."""

    def some(change: KeyChange) -> KeyDiff:
        if time.monotonic() > until or file_format.is_of_large(change.before or change.after or ""):
            return KeyDiff(change, None, None, ())
        return read(change)

    return some


def _group(show: Show, group: Group, asked: Asked, opened: bool) -> ShownGroup:
    href = asked.of_group(group).href()
    if not opened:
        return ShownGroup(group, href)
    start, total = asked.start, group.counts.total
    keys = show(group.some(start, start + KEYS))
    older = asked.of_group(group, start + KEYS).href() if start + KEYS < total else ""
    newer = asked.of_group(group, max(start - KEYS, 0)).href() if start else ""
    return ShownGroup(group, href, keys, older, newer)


def _found(backup: Backup, words: Words, pair: Pair, groups: Groups, asked: Asked) -> Found:
    """Look for a text in what differs, from one key on, until a page is full or time is up."""
    wanted, until = asked.text.casefold(), time.monotonic() + PATIENCE
    at, total = asked.start, len(groups)
    found, read = list[KeyDiff](), pair.reader(repository_of(backup))
    changes = chain.from_iterable(
        groups.some(first, first + LOOKED_AT_ONCE) for first in range(at, total, LOOKED_AT_ONCE)
    )
    for change in changes:
        diff = read(change)
        at += 1
        if says(diff, wanted):
            found.append(diff)
        if len(found) == KEYS or time.monotonic() > until:
            break
    more = asked.by(start=at).href() if at < total else ""
    return Found([*shown(found, labels_of(backup), asked, words)], at, total, more)


def _of_key(site: Site, request: Request, backup: Backup, asked: Asked) -> Response:
    key = Key(asked.db or 0, stored(asked.name))
    diff = None
    before, after = _entries(site, backup, asked, key)
    if (before or after) and before != after:
        action = Action.CHANGED if before and after else Action.ADDED if after else Action.REMOVED
        whole = key_diff(KeyChange(key, action, None, None), before, after)
        seen, words = masked(whole, redaction_of(backup)), site.language(request)
        (diff,) = shown([seen], labels_of(backup), asked, words)
    return site.page(
        request,
        "compare_key.html",
        status=200 if before or after else 404,
        asked=asked,
        key=key,
        shown=diff,
        sides=[info_of(backup, side) for side in (asked.a, asked.b)],
        there=(before, after),
        command=command(site, asked, key),
    )


def _entries(
    site: Site, backup: Backup, asked: Asked, key: Key
) -> tuple[Entry | None, Entry | None]:
    """Return a key's entries on both sides."""
    before = None if asked.a == EMPTY_TREE else entry_in(backup, asked.a, key)
    if asked.b:
        return before, entry_in(backup, asked.b, key)
    pair = site.pairs.reading(asked.reading) or site.pairs.live(backup, asked.a)
    change = pair.groups.change(key)
    if change is None:
        return before, before
    return pair.entries(repository_of(backup))(change)


def info_of(backup: Backup, side: str) -> CommitInfo | None:
    """Return what is known of a side; None for the database and for nothing."""
    return repository_of(backup).commit_info(side) if side not in ("", EMPTY_TREE) else None


def command(site: Site, asked: Asked, key: Key | None = None) -> str:
    """Return the command that shows the same, to be pasted; empty if there is none."""
    if asked.a == EMPTY_TREE:
        return site.pasted(f"gitbackup show {asked.b[:12]}")
    words = ["gitbackup diff", *(side[:12] for side in (asked.a, asked.b) if side)]
    if key and key.db > 0:
        words.append(f"--db {key.db}")
    if key or asked.key:
        words += ["--", glob_of(key.name) if key else quoted(asked.filter.glob)]
    return site.pasted(" ".join(words))
