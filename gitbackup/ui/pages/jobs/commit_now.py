"""Where the form above the timeline sends a commit."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gitbackup.ui.jobs.commit_now import CommitNow
from gitbackup.ui.pages.jobs.job import occupied, to
from gitbackup.ui.site import Site


def commit(site: Site, request: Request) -> Response:
    """Begin a commit, and lead to its page."""
    message = "\n".join(site.form(request).get("message").splitlines()).strip()
    job = CommitNow(site.backup, message or None)
    if not site.jobs.write(job, job.work):
        return occupied(site, request)
    return to(site, job)
