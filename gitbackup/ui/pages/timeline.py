"""The first page: the commits by day, and what has changed since the last one."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gitbackup.model.commits import Selection
from gitbackup.ui.site import Site

COMMITS = 50
"""Commits on one page."""


def page(site: Site, request: Request) -> Response:
    """Return the newest commits."""
    backup = site.backup()
    commits = [*backup.summaries(Selection(limit=COMMITS))]
    return site.page(request, "timeline.html", commits=commits)
