"""The page of a job: its plan and the question, how far it is, and what it did."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from gitbackup.errors import UsageError
from gitbackup.ui.jobs.bring_back import BringBack
from gitbackup.ui.jobs.commit_now import CommitNow
from gitbackup.ui.jobs.jobs import Job, State
from gitbackup.ui.jobs.safeguards import Verify, WholeCheck
from gitbackup.ui.jobs.suggest_now import SuggestNow
from gitbackup.ui.pages.jobs import plan, result
from gitbackup.ui.site import Site
from gitbackup.ui.words.language import Language, later

AT_ONCE = 1.0
"""Seconds that a browser is held for a job that may be done by then."""

STAGES = {
    "listing": later("Listing the keys"),
    "reading": later("Reading the database"),
    "comparing": later("Comparing with the commit"),
    "restoring": later("Writing"),
    "verifying": later("Reading again what was written"),
    "looking": later("Looking for keys that are gone"),
    "indexing": later("Indexing"),
    "checking": later("Checking files"),
    "rehearsing": later("Restoring into an empty server"),
}
"""What the engine calls its stretches of work, by the first word."""


def to(site: Site, job: Job) -> Response:
    """Lead to the page of a job, once it has ended or asks something, if that is soon."""
    site.jobs.settle(job, AT_ONCE)
    return away(f"/job/{job.id}")


def away(path: str) -> Response:
    """Lead elsewhere, after a form was sent."""
    return RedirectResponse(path, 303)


def occupied(site: Site, request: Request) -> Response:
    """Say that another job writes now, and which."""
    return site.page(request, "occupied.html", status=409, other=site.jobs.writing)


def page(site: Site, request: Request) -> Response:
    """Return the page of a job."""
    job = site.jobs.find(request.path_params["id"])
    if job is None:
        return site.page(request, "job_gone.html", status=404)
    return show(site, request, job)


def show(site: Site, request: Request, job: Job, said: str = "") -> Response:
    """Return the page of a job; `said` names what is wrong with what a form sent for it."""
    language, turn, at = site.language(request), job.turn, job.state  # which may change meanwhile
    known: dict[str, Any] = {"job": job, "turn": turn, "state": at, "said": said}
    known |= {"progress": progress(job, language)}
    if at is State.ASKING and isinstance(job, BringBack) and job.shown:
        known |= plan.known(site, request, job, job.shown)
    elif at is State.DONE and isinstance(job, BringBack):
        known |= result.brought_back(job, language)
    elif at is State.DONE and isinstance(job, CommitNow):
        known |= result.committed(site, job)
    elif at is State.DONE and isinstance(job, WholeCheck):
        return away(f"/check?job={job.id}")
    elif at is State.DONE and isinstance(job, SuggestNow):
        return away(f"/settings?job={job.id}#suggestions")
    elif at is State.DONE and isinstance(job, Verify):
        known |= result.verified(job)
    return site.page(request, "job.html", status=409 if said else 200, **known)


def state(site: Site, request: Request) -> Response:
    """Return how far a job is, for the script of its page."""
    job = site.jobs.find(request.path_params["id"])
    if job is None:
        return JSONResponse({"state": "gone"})
    told = progress(job, site.language(request))
    at = f"{job.turn} {job.state}"  # another whenever the page of the job is
    return JSONResponse({"state": at, **told})


def progress(job: Job, language: Language) -> dict[str, str | int | None]:
    """Return what a job does now in words, and how much of how much is done."""
    meter = job.meter
    if meter.cancelled:
        return {"what": language.say("Stopping"), "counted": "", "done": 0, "total": None}
    told = language.say(STAGES.get(meter.what.partition(" ")[0]) or _between(job))
    if meter.total:
        done, total = language.number(meter.done), language.number(meter.total)
        counted = language.say("%(done)s of %(total)s", done=done, total=total)
    else:
        counted = language.number(meter.done) if meter.done else ""
    return {"what": told, "counted": counted, "done": meter.done, "total": meter.total}


def _between(job: Job) -> str:
    """Return what a job does while the engine names no stretch of work."""
    if job.state is State.PLANNING:
        return later("Comparing with the commit")
    return later("Saving") if isinstance(job, BringBack | CommitNow) else later("Working")


def expected(site: Site, request: Request) -> Job:
    """Return the job that a form is about. Raises UsageError if it is not known any more."""
    job = site.jobs.find(request.path_params["id"])
    if job is None:
        raise UsageError(later("What this page was about is not known any more: begin again."))
    return job
