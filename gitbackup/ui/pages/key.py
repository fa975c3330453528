"""A key: its value in a commit, its history as a list and a chart, and where each part is from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import NamedTuple

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from gitbackup import Backup
from gitbackup.diff.part_named import field
from gitbackup.format import codec
from gitbackup.format.names import name
from gitbackup.history.blame import Window
from gitbackup.history.blame import blame as blame_of
from gitbackup.history.entry import size_of, stored
from gitbackup.history.key_log import CommitChanges
from gitbackup.history.selector import KeySelector
from gitbackup.kinds import kind_of
from gitbackup.kinds.base import Holds
from gitbackup.model.changes import Action, KeyDiff
from gitbackup.model.commits import BlameLine, CommitInfo
from gitbackup.model.keys import Entry, Key
from gitbackup.report.html.inside import inside
from gitbackup.report.html.rows import Row, rows
from gitbackup.report.text.history import blamed
from gitbackup.report.words import Words
from gitbackup.store.objects.trees import EMPTY_TREE
from gitbackup.ui.site import Site
from gitbackup.ui.views.differences.asked import LONGEST, Asked, number_in
from gitbackup.ui.views.differences.pairs import repository_of
from gitbackup.ui.views.entries import entry_in, labels_of, redaction_of
from gitbackup.ui.views.plot import Plot, plot
from gitbackup.ui.views.value import USUAL, WHOLE, expiry, shown_value
from gitbackup.ui.views.walk import PATIENCE, ends_of, walked
from gitbackup.ui.words.commands import glob_of, quoted
from gitbackup.ui.words.language import later

CHANGES = 100
"""Changes of one part of a history."""

ROWS = 6
"""Rows of one change in the list."""

PARTS = 500
"""Parts on a page, whose origin is shown."""

PLOTS = ((560, 180), (380, 180))
"""The size of a chart in pixels, on a wide page and on a narrow one."""

NUMBERS = 12
"""Fields that hold a number, of which a chart is offered."""

HOLDS = {
    Holds.FIELDS: later("Fields"),
    Holds.MEMBERS: later("Members"),
    Holds.RANKS: later("Members"),
    Holds.ENTRIES: later("Entries"),
}


class Asking(NamedTuple):
    """What a page of a key is asked for: the key, and the commit that has it."""

    backup: Backup
    key: Key
    commit: str

    @classmethod
    def of(cls, site: Site, request: Request) -> Asking:
        """Return what a request asks for. Raises UsageError for no key."""
        query, backup = request.query_params, site.backup()
        key = Key(number_in(query.get("db") or "0", "db"), stored(query.get("name", "")))
        return cls(backup, key, backup.resolve(query.get("at") or "HEAD"))

    @property
    def info(self) -> CommitInfo:
        return repository_of(self.backup).commit_info(self.commit)


def page(site: Site, request: Request) -> Response:
    """Return the page of a key."""
    return _page(site, request, unmasked=False)


def unmasked(site: Site, request: Request) -> Response:
    """Return the page of a key with all that is masked elsewhere, as somebody has asked for it."""
    return _page(site, request, unmasked=True)


def _page(site: Site, request: Request, *, unmasked: bool) -> Response:
    asking = Asking.of(site, request)
    whole, words = entry_in(asking.backup, asking.commit, asking.key), site.language(request)
    entry = whole and redaction_of(asking.backup).entry(asking.key, whole)
    redacted = entry != whole
    every = request.query_params.get("all") == "1"
    wanted = request.query_params.get("part", "")[:LONGEST]
    if unmasked:
        entry = whole
    return site.page(
        request,
        "key.html",
        status=200 if whole else 404,
        key=asking.key,
        at=asking.commit,
        info=asking.info,
        entry=entry,
        label=labels_of(asking.backup).of(asking.key, entry),
        value=entry and shown_value(entry, WHOLE if every else USUAL, wanted),
        elements=entry and kind_of(entry).elements(entry["value"]),
        elements_name=HOLDS.get(kind_of(entry).holds, later("Elements")) if entry else "",
        size=None if redacted or not whole else size_of(asking.key, whole),
        expires=entry and expiry(entry.get("expires_at"), words),
        field_expiries=[*_field_expiries(entry, words)] if entry else [],
        redacted=redacted,
        unmasked=unmasked,
        every=every,
        wanted=wanted,
        numbers=[*islice(_numeric_fields(entry), NUMBERS)] if entry else [],
        command=site.pasted(_command(asking, "show")),
    )


def _command(asking: Asking, verb: str) -> str:
    """Return the command that tells as much of a key: `show`, `log` or `blame`."""
    key, commit = asking.key, asking.commit[:12]
    words = ["gitbackup", verb] + ([f"--db {key.db}"] if key.db > 0 else [])
    if verb == "log":
        return " ".join([*words, commit, "--", glob_of(key.name)])
    named = [quoted(key.name), commit]
    return " ".join([*words, *(reversed(named) if verb == "show" else named)])


def _field_expiries(entry: Entry, words: Words) -> Iterator[tuple[str, datetime | str | None]]:
    expiries = entry.get("field_expires_at", {})
    for field_name in islice(expiries, USUAL.rows):
        yield name(field_name), expiry(expiries[field_name], words)


def _numeric_fields(entry: Entry) -> Iterator[str]:
    """Yield the fields of a hash that hold a number."""
    if kind_of(entry).holds is Holds.FIELDS and isinstance(entry["value"], dict):
        yield from (each for each, text in entry["value"].items() if number(text) is not None)


def number(text: object) -> float | None:
    """Return the number that a text is, as a chart draws it; None for any other."""
    if not isinstance(text, str) or len(text) > 40:
        return None
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return float(found) if found.is_finite() and abs(found.adjusted()) < 300 else None


class Change(NamedTuple):
    """What a commit changed of a key: its first rows, and how many more there are.

    `held` is the commit that has the version to bring back, empty if there is none.
    """

    info: CommitInfo
    action: Action
    rows: Markup
    more: bool
    href: str
    held: str
    size: int | None
    elements: int | None
    damage: str = ""


class Figures(NamedTuple):
    """What a version of a key measures, for charts; None where it has no such figure."""

    number: float | None
    elements: float | None
    size: float | None


class Version(NamedTuple):
    """A change of a key, and what the key measures since; None if that cannot be told."""

    change: Change
    figures: Figures | None


@dataclass(frozen=True)
class Chart:
    """A measure of a key along its history: plots for wide and narrow pages, and its figures."""

    title: str
    plots: Sequence[Plot]
    figures: Sequence[tuple[CommitInfo, float]]
    is_size: bool = False


def history(site: Site, request: Request) -> Response:
    """Return what became of a key, a part of its history at a time."""
    asking = Asking.of(site, request)
    repository, key = repository_of(asking.backup), asking.key
    selector = KeySelector.key(codec.data(key.name), [key.db])
    ends = ends_of(request.query_params.get("from", "")) or [asking.commit]
    chosen, words = request.query_params.get("field", ""), site.language(request)

    def show(found: CommitChanges) -> Version:
        diff = next(iter(found.keys), None)
        figures = _figures(key, diff, chosen) if diff else None
        return Version(_change(found, diff, key, words), figures)

    part = walked(repository, selector, redaction_of(asking.backup), ends, CHANGES, show)
    return site.page(
        request,
        "key_history.html",
        key=key,
        at=asking.commit,
        info=asking.info,
        changes=[version.change for version in part.found],
        charts=[*_charts(part.found, chosen)],
        field=chosen,
        looked=part.looked,
        ends=",".join(part.ends),
        first="from" not in request.query_params,
        command=site.pasted(_command(asking, "log")),
    )


def _change(found: CommitChanges, diff: KeyDiff | None, key: Key, words: Words) -> Change:
    info = found.info
    if diff is None:  # what it changed cannot be read, or is outside its scope
        return Change(info, Action.CHANGED, Markup(), False, "", "", None, None, found.damage)
    told = [*islice(_rows(diff, words), ROWS + 1)]
    parent = info.parents[0] if info.parents else EMPTY_TREE
    href = Asked(parent, info.id, db=key.db, name=key.name).href()
    after = diff.after
    return Change(
        info,
        diff.change.action,
        Markup("".join(inside(told[:ROWS]))),  # noqa: S704  what it is made of is escaped
        len(told) > ROWS,
        href,
        info.id if after else parent,
        None if after is None or diff.redacted else size_of(key, after),
        kind_of(after).elements(after["value"]) if after else None,
        found.damage,
    )


def _rows(diff: KeyDiff, words: Words) -> Iterator[Row]:
    return rows(diff.change, diff.before, diff.after, diff.values, words)


def _figures(key: Key, diff: KeyDiff, chosen: str) -> Figures:
    """Return what a version of a key measures; a field of it in place of its value, if chosen."""
    entry = diff.after
    if entry is None:
        return Figures(0.0, 0.0, 0.0)
    return Figures(
        _number_at(entry, chosen),
        None if chosen else kind_of(entry).elements(entry["value"]),
        None if diff.redacted else size_of(key, entry),
    )


def _charts(found: Sequence[Version], chosen: str) -> Iterator[Chart]:
    """Yield the charts of a key's history: of a number, of how many parts it has, of its size."""
    versions = [(each.change.info, each.figures) for each in found[::-1] if each.figures]
    versions.sort(key=lambda each: each[0].date)  # of one second, too, the oldest first

    def chart(
        title: str, of: Callable[[Figures], float | None], is_size: bool = False
    ) -> Iterator[Chart]:
        figures = [(info, of(each)) for info, each in versions]
        known = [(info, figure) for info, figure in figures if figure is not None]
        if len(known) < 2 or len(known) < len(figures) or min(each for _, each in known) < 0:
            return
        if len({figure for _, figure in known}) > 1:
            moments, amounts = [info.date for info, _ in known], [[each] for _, each in known]
            plots = [plot(moments, amounts, *size) for size in PLOTS]
            yield Chart(title, plots, known, is_size)

    yield from chart(chosen or later("Value"), lambda each: each.number)
    yield from chart(later("Elements"), lambda each: each.elements)
    yield from chart(later("Stored size"), lambda each: each.size, True)


def _number_at(entry: Entry, part: str) -> float | None:
    """Return the number that a part of an entry holds, or, without one, its whole value."""
    if not part:
        return number(kind_of(entry).document(entry["value"]))
    try:
        found = field(entry, part).value
    except LookupError:
        return 0.0
    return float(found) if isinstance(found, int | float) else number(found)


class Origin(NamedTuple):
    """A part of a key, what it holds in a few characters, and the commit that it is from; or, if
    that is not known yet, one that has it from another one before."""

    title: str
    text: str
    info: CommitInfo
    older: bool


def blame(site: Site, request: Request) -> Response:
    """Return which commit each part of a key is from, some parts at a time."""
    asking = Asking.of(site, request)
    words = site.language(request)
    start = max(number_in(request.query_params.get("start", "0"), "start"), 0)
    name, commit, db = asking.key.name, asking.commit, asking.key.db
    repository = repository_of(asking.backup)
    whole = blame_of(repository, commit, name, db, Window(start, PARTS, PATIENCE))
    found = whole.masked(redaction_of(asking.backup))
    return site.page(
        request,
        "key_blame.html",
        key=asking.key,
        at=commit,
        info=asking.info,
        parts=[
            *(_origin(line, words, older=False) for line in found.lines),
            *(_origin(line, words, older=True) for line in found.older),
        ],
        start=start,
        more=start + PARTS if found.more else None,
        warnings=found.warnings,
        command=site.pasted(_command(asking, "blame")),
    )


def _origin(line: BlameLine, words: Words, *, older: bool) -> Origin:
    return Origin(*blamed(line, words), line.info, older)
