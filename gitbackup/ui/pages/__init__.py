"""Every page, by its path: a new one is a file here and a line in `ROUTES`.

A page asks a `Backup` for what it shows, and says it through its template. It knows nothing of who
may see it: `gitbackup/ui/door/gate.py` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from gitbackup.ui.pages import (
    check,
    commit,
    compare,
    key,
    language,
    raw,
    search,
    server,
    settings,
    timeline,
)
from gitbackup.ui.pages.jobs import bring_back, commit_now, job, safeguards, unfinished
from gitbackup.ui.site import Site

Handler = Callable[[Site, Request], Response]


class Route(NamedTuple):
    """A path, as Starlette writes it, and what answers there.

    A `changes` route is asked by POST, and refused where the site is read-only. An `acts` route,
    too: it changes nothing, but shows what is masked elsewhere. An `of_commits`
    route shows what commits hold: before the first one, that is all it says.
    """

    path: str
    answer: Handler
    changes: bool = False
    acts: bool = False
    of_commits: bool = False


ROUTES: tuple[Route, ...] = (
    Route("/", timeline.page),
    Route("/live", timeline.live),
    Route("/summaries", timeline.summaries),
    Route("/check", check.page),
    Route("/check/verdict", check.verdict),
    Route("/settings", settings.page),
    Route("/settings/change", settings.change, changes=True),
    Route("/server", server.page),
    Route("/commit/{id:path}", commit.page, of_commits=True),
    Route("/diff", compare.page, of_commits=True),
    Route("/verify", safeguards.verify, changes=True),
    Route("/push", safeguards.push, changes=True),
    Route("/key", key.page, of_commits=True),
    Route("/key/history", key.history, of_commits=True),
    Route("/key/blame", key.blame, of_commits=True),
    Route("/key/shown", key.unmasked, acts=True),
    Route("/search", search.page, of_commits=True),
    Route("/search/prefixes", search.prefixes, of_commits=True),
    Route("/raw", raw.page),
    Route("/raw/shown", raw.unmasked, acts=True),
    Route("/language/{code}", language.choose),
    Route("/commit", commit_now.commit, changes=True),
    Route("/restore", bring_back.restore_form, of_commits=True),
    Route("/restore", bring_back.restore, changes=True),
    Route("/revert", bring_back.revert_form, of_commits=True),
    Route("/revert", bring_back.revert, changes=True),
    Route("/undo", bring_back.undo_form),
    Route("/undo", bring_back.undo, changes=True),
    Route("/finish", unfinished.finish, changes=True),
    Route("/job/{id}", job.page),
    Route("/job/{id}/state", job.state),
    Route("/job/{id}/confirm", bring_back.confirm, changes=True),
    Route("/job/{id}/only", bring_back.only, changes=True),
    Route("/job/{id}/again", bring_back.again, changes=True),
    Route("/job/{id}/leave", bring_back.leave, changes=True),
)
