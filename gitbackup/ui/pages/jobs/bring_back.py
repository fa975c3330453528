"""Restore, revert and undo: the form, the plan that is made of it, and the answer to that."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from gitbackup import Backup
from gitbackup.errors import UsageError
from gitbackup.format.codec import whole_number
from gitbackup.model.commits import CommitInfo
from gitbackup.ui.jobs.bring_back import BringBack
from gitbackup.ui.jobs.jobs import GOES_ON, State
from gitbackup.ui.jobs.wish import RESTORE, REVERT, UNDO, Wish, as_field
from gitbackup.ui.pages.jobs import job as jobs
from gitbackup.ui.site import Site
from gitbackup.ui.words.language import later

OFFERED = 100
"""Commits that a form offers."""

AT_A_TIME = 4
"""Plans that are made at a time."""

KEPT = 3
"""Plans that wait for an answer, and others that are past, which are kept: each is as large as
what it changes, in memory, and as long as it waits has a temporary file."""

COUNT = re.compile(r"(?<!\S)db([0-9]{1,10})=([0-9]{1,18})(?!\S)")
"""How many keys a database has, in the trailer of a commit."""


class UrlFields:
    """The fields of a URL."""

    def __init__(self, request: Request) -> None:
        self._query = request.query_params

    def get(self, name: str, default: str = "", /) -> str:
        return self._query.get(name, default)

    def all(self, name: str, /) -> Sequence[str]:
        return self._query.getlist(name)


class Meant(NamedTuple):
    """The commit that a form is about, and how many keys each of its databases has; or why there
    is none."""

    info: CommitInfo | None = None
    databases: Sequence[tuple[int, int]] = ()
    why: str = ""


def restore_form(site: Site, request: Request) -> Response:
    """Return the form of a restore, as its URL fills it in."""
    return _form(site, request, RESTORE)


def revert_form(site: Site, request: Request) -> Response:
    """Return the form of a revert, as its URL fills it in."""
    return _form(site, request, REVERT)


def _form(site: Site, request: Request, verb: str) -> Response:
    wish, backup = Wish.of(UrlFields(request), verb), site.backup()
    return site.page(
        request,
        "bring_back.html",
        wish=wish,
        meant=_meant(backup, wish.commit or "HEAD"),
        offered=[*islice(backup.log(limit=OFFERED), OFFERED)],
        globs="\n".join(map(as_field, wish.patterns)),
        excluded="\n".join(map(as_field, wish.exclude)),
    )


def _meant(backup: Backup, commit: str) -> Meant:
    try:
        info = next(backup.log(backup.resolve(commit), limit=1))
    except UsageError as error:
        return Meant(why=str(error))
    counts = COUNT.findall(info.trailers.get("Keys", ""))
    return Meant(info, [(int(db), int(keys)) for db, keys in counts])


def restore(site: Site, request: Request) -> Response:
    """Begin to plan a restore."""
    return planned(site, request, Wish.of(site.form(request), RESTORE))


def revert(site: Site, request: Request) -> Response:
    """Begin to plan a revert."""
    return planned(site, request, Wish.of(site.form(request), REVERT))


def undo_form(site: Site, request: Request) -> Response:
    """Return the page that says what an undo is."""
    return site.page(request, "undo.html")


def undo(site: Site, request: Request) -> Response:
    """Begin to plan an undo."""
    return planned(site, request, Wish(UNDO))


def planned(site: Site, request: Request, wish: Wish) -> Response:
    """Begin to make a plan, and lead to its page. Raises UsageError if too many are made."""
    if wish.verb != UNDO and not wish.commit:
        raise UsageError(later("Name a commit."))
    every = [each for each in site.jobs.newest() if isinstance(each, BringBack)]
    if sum(each.state is State.PLANNING for each in every) >= AT_A_TIME:
        raise UsageError(later("Several plans are being made already: wait for them."))
    for old in [each for each in every if each.asks][KEPT - 1 :]:
        old.leave()
    for old in [each for each in every if each.state not in GOES_ON][KEPT:]:
        site.jobs.forget(old)
    job = BringBack(site.backup, site.jobs, wish)
    job.plan()
    return jobs.to(site, job)


def again(site: Site, request: Request) -> Response:
    """Begin to plan again what was planned before: the rest of it, if it was cut off."""
    job = _of(site, request)
    return planned(site, request, job.wish)


def leave(site: Site, request: Request) -> Response:
    """Let a plan go, and lead back to the timeline, or to the form that the plan was made of."""
    job = _of(site, request)
    job.leave()
    return jobs.away("/" if site.form(request).get("back") == "/" else job.wish.form)


def confirm(site: Site, request: Request) -> Response:
    """Carry out the plan that was shown, unless its question was not answered as it asks."""
    job, form = _of(site, request), site.form(request)
    shown, turn = job.shown, whole_number(form.get("turn"))
    if turn is None:
        raise UsageError(later("There is no plan to confirm."))
    if shown is None:
        return jobs.show(site, request, job, said="second")
    if shown.deletes_most and _digits(form.get("typed")) != str(shown.counts.removed):
        return jobs.show(site, request, job, said="wrong")
    if job.confirm(turn, tolerant=bool(form.get("tolerant"))):
        return jobs.to(site, job)
    if job.asks and job.turn == turn:
        return jobs.occupied(site, request)
    return jobs.show(site, request, job, said="second")


def only(site: Site, request: Request) -> Response:
    """Begin to plan the same for the chosen keys only."""
    job, form = _of(site, request), site.form(request)
    shown = job.shown
    if shown is None or job.turn != whole_number(form.get("turn")):
        return jobs.show(site, request, job, said="second")
    chosen = shown.chosen(form.all("space"), form.all("step"))
    if not chosen:
        return jobs.show(site, request, job, said="none")
    return planned(site, request, job.wish.only(shown.plan, chosen))


def _of(site: Site, request: Request) -> BringBack:
    job = jobs.expected(site, request)
    if not isinstance(job, BringBack):
        raise UsageError(later("There is no plan to confirm."))
    return job


def _digits(typed: str) -> str:
    return re.sub(r"\D", "", typed)
