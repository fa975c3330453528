"""The web application: each page under its path, behind the gate."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.routing import Route as At
from starlette.staticfiles import StaticFiles

from gitbackup.errors import GitbackupError
from gitbackup.ui.gate import Gate
from gitbackup.ui.pages import ROUTES, Route
from gitbackup.ui.site import Site

STATIC = Path(__file__).parent / "static"

LOOK = "gitbackup.report", "html/look"
"""The package and folder with the files that `diff --html` is made with, too."""


def app(site: Site, gate: Gate) -> Starlette:
    """Return the application of a site, which lets in whom `gate` lets in."""
    routes: list[BaseRoute] = [
        At(route.path, partial(_answered, site, route), methods=_methods(route)) for route in ROUTES
    ]
    routes.append(Mount("/static", StaticFiles(directory=STATIC, packages=[LOOK])))
    return Starlette(routes=routes, middleware=[Middleware(gate.guard)])


def _methods(route: Route) -> list[str]:
    return ["POST"] if route.changes else ["GET"]


async def _answered(site: Site, route: Route, request: Request) -> Response:
    """Answer a request in a thread: what a page reads, it waits for."""
    if route.changes and site.read_only:
        return site.page(request, "error.html", status=403, message="This page is read-only.")
    await request.body()  # which a thread cannot wait for
    return await run_in_threadpool(_page, site, route, request)


def _page(site: Site, route: Route, request: Request) -> Response:
    try:
        return route.answer(site, request)
    except GitbackupError as error:
        return site.page(request, "error.html", status=500, message=str(error))
