"""Every page, by its path: a new one is a file here and a line in `ROUTES`.

A page asks a `Backup` for what it shows, and says it through its template. It knows nothing of who
may see it: `gitbackup/ui/gate.py` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from gitbackup.ui.pages import check, language, server, settings, timeline
from gitbackup.ui.site import Site

Handler = Callable[[Site, Request], Response]


class Route(NamedTuple):
    """A path, as Starlette writes it, and what answers there.

    A `changes` route is asked by POST, and refused where the site is read-only.
    """

    path: str
    answer: Handler
    changes: bool = False


ROUTES: tuple[Route, ...] = (
    Route("/", timeline.page),
    Route("/live", timeline.live),
    Route("/summaries", timeline.summaries),
    Route("/check", check.page),
    Route("/settings", settings.page),
    Route("/settings/change", settings.change, changes=True),
    Route("/server", server.page),
    Route("/language/{code}", language.choose),
)
