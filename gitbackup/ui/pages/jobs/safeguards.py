"""Where the check sends a restore test and a push."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gitbackup.errors import UsageError
from gitbackup.ui.jobs.safeguards import Push, Verify, WholeCheck
from gitbackup.ui.jobs.suggest_now import SuggestNow
from gitbackup.ui.pages.jobs.job import to
from gitbackup.ui.site import Site
from gitbackup.ui.words.language import later

AT_A_TIME = 2
"""Jobs of one kind that are at work."""

NO_REMOTE = later("There is no such remote. A new one is named in a terminal.")


def verify(site: Site, request: Request) -> Response:
    """Begin to verify a commit, and lead to the page of that."""
    commit = site.backup().resolve(site.form(request).get("commit") or "HEAD")
    return begun(site, Verify(site.backup, commit))


def push(site: Site, request: Request) -> Response:
    """Begin to push to a remote that there is, and lead to the page of that."""
    remote = site.form(request).get("remote")
    if remote not in [each.remote for each in site.backup().pushed()]:
        raise UsageError(NO_REMOTE)
    return begun(site, Push(site.backup, remote))


def begun(site: Site, job: WholeCheck | Verify | Push | SuggestNow) -> Response:
    """Begin a job unless one does the same already, and lead to its page. Raises UsageError if
    others of its kind are at work: each may have a server or a connection of its own."""
    known = site.jobs.working(job)
    if known:
        return to(site, known)
    others = [each for each in site.jobs.newest() if each.works and each.verb == job.verb]
    if len(others) >= AT_A_TIME:
        raise UsageError(later("Others of this kind are at work already: wait for them."))
    site.jobs.look(job, job.work)
    return to(site, job)
