"""The web application: each page under its path, behind the gate."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.routing import Route as At
from starlette.staticfiles import StaticFiles

from gitbackup.errors import Busy, GitbackupError, NoRepository, ServerError, UsageError
from gitbackup.ui.door.gate import Gate
from gitbackup.ui.pages import ROUTES, Route
from gitbackup.ui.site import Site
from gitbackup.ui.words.language import later

STATIC = Path(__file__).parent / "static"

LOOK = "gitbackup.report", "html/look"
"""The package and folder with the files that `diff --html` is made with, too."""

AT_ONCE = 8
"""Pages that are made at a time: each asks git and the server, and has its own memory."""

STATUS: dict[type[GitbackupError], int] = {
    UsageError: 400,
    NoRepository: 404,
    Busy: 409,
    ServerError: 502,
}
"""Of an error's page; 500 for any other."""

Warn = Callable[[str], None]


def app(site: Site, gate: Gate, warn: Warn) -> Starlette:
    """Return the application of a site, which lets in whom `gate` lets in.

    `warn` gets a sentence about each fault of our own, for the terminal.
    """
    answer = _Answer(site, warn)
    routes: list[BaseRoute] = [
        At(route.path, partial(answer.route, route), methods=_methods(route)) for route in ROUTES
    ]
    routes.append(Mount("/static", StaticFiles(directory=STATIC, packages=[LOOK])))
    return Starlette(
        routes=routes,
        middleware=[Middleware(gate.guard)],
        exception_handlers={HTTPException: answer.nowhere},
    )


def _methods(route: Route) -> list[str]:
    return ["POST"] if route.changes or route.acts else ["GET"]


class _Answer:
    """How a site answers."""

    def __init__(self, site: Site, warn: Warn) -> None:
        self._site = site
        self._warn = warn
        self._room = asyncio.Semaphore(AT_ONCE)

    async def route(self, route: Route, request: Request) -> Response:
        """Answer a request in a thread: what a page reads, it waits for."""
        if route.changes and self._site.read_only:
            return self._error(request, 403, later("This page is read-only: it changes nothing."))
        if route.acts and self._site.read_only:
            said = later("This site is read-only: it does not show what is masked.")
            return self._error(request, 403, said)
        async with self._room:
            return await _in_thread(partial(self._page, route, request))

    async def nowhere(self, request: Request, error: Exception) -> Response:
        """Answer a request for what there is not."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        said = {404: later("There is no such page."), 405: later("This address is not for that.")}
        return self._error(
            request, status, said.get(status, later("The request is not understood."))
        )

    def _page(self, route: Route, request: Request) -> Response:
        try:
            with self._site.answering():
                if route.of_commits and not self._site.has_commits():
                    return self._site.page(request, "beginning.html")
                return route.answer(self._site, request)
        except GitbackupError as error:
            kinds = (status for kind, status in STATUS.items() if isinstance(error, kind))
            return self._error(request, next(kinds, 500), str(error))
        except Exception as error:
            if isinstance(error, OSError) and error.strerror:
                return self._error(request, 500, f"system error: {error.strerror}")
            self._warn(fault(error))
            return self._error(
                request, 500, later("This page has a fault; the terminal says where.")
            )

    def _error(self, request: Request, status: int, sentence: str) -> Response:
        return self._site.error(request, status, sentence)


async def _in_thread(work: Callable[[], Response]) -> Response:
    """Return what a function returns that waits. Its thread does not keep the process from ending,
    as one of a pool does: a page that is being made is nothing to lose."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Response] = loop.create_future()

    def run() -> None:
        try:
            answer = work()
        except Exception as error:
            tell(partial(done.set_exception, error))
        else:
            tell(partial(done.set_result, answer))

    def tell(end: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(lambda: None if done.cancelled() else end())

    threading.Thread(target=run, daemon=True).start()
    return await done


def fault(error: Exception) -> str:
    """Return where a fault is, without what it says, which may have values."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    at = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    return f"a fault in gitbackup, please report it: {type(error).__name__}{at}"
