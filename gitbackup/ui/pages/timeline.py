"""The first page: the commits by day, and what has changed since the last one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby, islice
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gitbackup import Backup
from gitbackup.errors import Damaged, UsageError
from gitbackup.history.stat import CommitSummary
from gitbackup.model.changes import Counts, KeyChange
from gitbackup.model.commits import CommitInfo, Selection
from gitbackup.model.keys import Space
from gitbackup.report.text.namespaces import noise
from gitbackup.report.text.sentences import reason
from gitbackup.ui.pages.jobs.unfinished import standing
from gitbackup.ui.site import Site
from gitbackup.ui.views.badges import Badge, badges_of
from gitbackup.ui.views.differences.asked import Asked
from gitbackup.ui.views.live import Sight
from gitbackup.ui.views.summaries import is_summed_up
from gitbackup.ui.words.commands import quoted

COMMITS = 50
"""Commits on one page."""

SPACES = 3
"""Prefixes of a commit that are named; the others are counted."""

KEYS = 6
"""Keys of a commit that are named where keys were asked for."""

AT_FIRST = 0.25
"""Seconds that the first view may take to sum up commits and to look at the database."""

LATER = 5.0
"""Seconds that summing up the others may take at a time."""


T = TypeVar("T")


@dataclass(frozen=True)
class CommitFilter:
    """Which commits a reader asks for; what is empty narrows nothing.

    `message` and `key` are patterns as `gitbackup log` takes them. `since` and `until` are days.
    `at` is the commit to begin with, and `skip` how many of its history to leave out.
    """

    message: str = ""
    key: str = ""
    since: str = ""
    until: str = ""
    at: str = ""
    skip: int = 0

    @classmethod
    def of(cls, request: Request) -> CommitFilter:
        """Return the filter that a request's address tells."""
        told = request.query_params
        names = ("message", "key", "since", "until", "at")
        words = {name: told.get(name, "").strip() for name in names}
        skip = told.get("skip", "")
        return cls(**words, skip=int(skip) if re.fullmatch("[0-9]{1,8}", skip) else 0)

    @property
    def narrows(self) -> bool:
        """Return whether it leaves out any commit."""
        return bool(self.message or self.key or self.since or self.until)

    @property
    def first(self) -> bool:
        """Return whether it begins with HEAD, and leaves out none."""
        return not (self.narrows or self.at or self.skip)

    @property
    def selection(self) -> Selection:
        """Return the commits of one page, and one more if there are any. Raises UsageError for what
        is no day."""
        return Selection(
            (self.at or "HEAD",),
            limit=COMMITS + 1,
            since=f"{_day(self.since)} 00:00:00" if self.since else None,
            until=f"{_day(self.until)} 23:59:59" if self.until else None,
            grep=(self.message,) if self.message else (),
            skip=self.skip,
        )

    @property
    def command(self) -> str:
        """Return the command that lists the same."""
        words = ["gitbackup", "log"]
        words += ["--grep", self.message] if self.message else []
        words += ["--since", f"{self.since} 00:00:00"] if self.since else []
        words += ["--until", f"{self.until} 23:59:59"] if self.until else []
        words += ["--", self.key] if self.key else []
        return " ".join(map(quoted, words))

    def href(self, path: str = "/") -> str:
        """Return the address of this page, or of another one that takes the same."""
        told = {name: value for name, value in vars(self).items() if value}
        return f"{path}?{urlencode(told)}" if told else path


def _day(text: str) -> str:
    """Return a day as git takes it. Raises UsageError for what is no day."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise UsageError(f"{text!r} is no day: write it as 2026-12-01") from None


class Row(NamedTuple):
    """A commit in the list.

    `counts` has no quiet keys, which are `hidden`, once it is `summed` up; before, it is what the
    commit says of itself. `spaces` are the prefixes with the most changes, `more` how many others
    there are; where keys were asked for, `keys` are the first of them instead.
    """

    info: CommitInfo
    badges: Sequence[Badge]
    why: str
    counts: Counts
    spaces: Sequence[tuple[str, str, Counts]] = ()
    more: int = 0
    hidden: Counts = Counts()
    keys: Sequence[KeyChange] = ()
    damage: str = ""
    summed: bool = False

    @property
    def prefixes(self) -> int:
        """How many prefixes have changes."""
        return len(self.spaces) + self.more


def page(site: Site, request: Request) -> Response:
    """Return a page of commits, and what has changed in the database since HEAD."""
    backup, wanted = site.backup(), CommitFilter.of(request)
    problem, commits = "", Commits()
    try:
        commits = _commits(site, request, backup, wanted, AT_FIRST)
    except UsageError as error:
        problem = str(error)
    days = [(day, [*rows]) for day, rows in groupby(commits.rows, lambda row: row.info.date.date())]
    told = {"days": days, "wanted": wanted, "problem": problem, **commits._asdict()}
    told |= _of_live(site.live.sight(AT_FIRST, fresh=True))
    told["standing"] = standing(site, backup)
    return site.page(request, "timeline.html", status=400 if problem else 200, **told)


def summaries(site: Site, request: Request) -> Response:
    """Return the commits of a page again, with what could not be summed up at first."""
    commits = _commits(site, request, site.backup(), CommitFilter.of(request), LATER)
    return site.page(request, "summaries.html", rows=commits.rows)


def live(site: Site, request: Request) -> Response:
    """Return what has changed in the database since HEAD, as the first page shows it; nothing if
    the reader has `seen` it."""
    head = site.live.head() or ""
    sight = site.live.sight(look="look" in request.query_params)
    if request.query_params.get("seen") == f"{sight.version}-{head}":
        return HTMLResponse("")
    return site.page(request, "live.html", head=head, **_of_live(sight))


def _of_live(sight: Sight) -> dict[str, Any]:
    """Return what live.html shows."""
    status = sight.status
    ranked = _largest(status.prefixes) if status else []
    noisy = noise(status.summary) if status else None
    return {
        "sight": sight,
        "prefixes": [(*space, counts, _changes_of(*space)) for space, counts in ranked],
        "noise": status and noisy and (*noisy, status.summary.namespaces[noisy]),
    }


def _changes_of(place: str, name: str) -> str:
    """Return where it is shown what has changed in a prefix since HEAD."""
    return Asked(space=f"{place}/{name}").href()


def _largest(prefixes: Mapping[Space, Counts]) -> list[tuple[Space, Counts]]:
    """Return the prefixes with what changed, those with the most changes first."""
    return sorted(prefixes.items(), key=lambda item: -item[1].total)


class Commits(NamedTuple):
    """The rows of a page, the commit that HEAD is, and where the pages before and after are.

    `damage` is why the commits that come next cannot be read; empty if they can.
    """

    rows: Sequence[Row] = ()
    head: str = ""
    newer: str = ""
    older: str = ""
    damage: str = ""


def _commits(
    site: Site, request: Request, backup: Backup, wanted: CommitFilter, patience: float
) -> Commits:
    repository = backup.repository
    head = repository.head() if repository else None
    if repository is None or head is None:
        return Commits()
    at = replace(wanted, at=wanted.at and backup.resolve(wanted.at))
    if at.key:
        found, damage = _readable(_traced(backup, at))
    else:
        infos, damage = _readable(backup.log(at.selection))
        known = site.summaries.of(backup, infos[:COMMITS], patience, large=patience > AT_FIRST)
        found = [_row(info, known.get(info.id)) for info in infos]
    shown, rest = found[:COMMITS], found[COMMITS:]
    badges = badges_of(site.language(request), backup, head)
    rows = [row._replace(badges=badges.of(row.info)) for row in shown]
    begin = at.at or head
    older = replace(at, at=begin, skip=at.skip + COMMITS).href() if rest else ""
    back = max(0, at.skip - COMMITS)
    newer = replace(at, at=begin if back else wanted.at, skip=back).href() if at.skip else ""
    return Commits(rows, head, newer, older, damage)


def _readable(every: Iterator[T]) -> tuple[list[T], str]:
    """Return what can be read, and why there is no more; that is empty at the end."""
    found = []
    try:
        for each in every:
            found.append(each)  # noqa: PERF402  what came before an error counts
    except Damaged as damage:
        return found, str(damage)
    return found, ""


def _row(info: CommitInfo, summary: CommitSummary | None) -> Row:
    row = Row(info, (), _why(info), info.counts or Counts(), summed=not is_summed_up(info))
    if summary is None:
        return row
    row = row._replace(damage=summary.damage, hidden=summary.hidden, summed=True)
    if summary.summary is None:
        return row
    ranked = _largest(summary.prefixes)
    shown = SPACES if len(ranked) > SPACES + 1 else len(ranked)
    spaces = [(*space, counts) for space, counts in ranked[:shown]]
    return row._replace(counts=summary.summary.counts, spaces=spaces, more=len(ranked) - shown)


def _why(info: CommitInfo) -> str:
    """Return the first line of a message after its subject."""
    return next(filter(None, reason(info)), "")


def _traced(backup: Backup, wanted: CommitFilter) -> Iterator[Row]:
    """Yield the commits that changed a key, with the keys."""
    selection = replace(wanted.selection, skip=0, limit=None)
    every = backup.trace([wanted.key], selection)
    for each in islice(every, wanted.skip, wanted.skip + COMMITS + 1):
        yield Row(
            each.info,
            (),
            _why(each.info),
            each.summary.counts,
            keys=[key.change for key in each.keys[:KEYS]],
            more=max(0, len(each.keys) - KEYS),
            damage=each.damage,
            summed=True,
        )
