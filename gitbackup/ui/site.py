"""What pages are made from: the data repository and server they show, the templates, the words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from threading import local
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse

from gitbackup import Backup
from gitbackup.history.growth import Tallies
from gitbackup.progress import SILENT, Progress
from gitbackup.ui.jobs.jobs import Jobs, Opened
from gitbackup.ui.sessions import Session
from gitbackup.ui.views import filters
from gitbackup.ui.views.differences.pairs import Pairs
from gitbackup.ui.views.live import Live
from gitbackup.ui.views.summaries import Summaries
from gitbackup.ui.views.verdict import Verdict
from gitbackup.ui.words.forms import Form
from gitbackup.ui.words.language import COOKIE, Language, chosen

TEMPLATES = Path(__file__).parent / "templates"

LATER = "<!-- later -->"
"""In a template, what comes after it is made once what comes before it is on its way."""


class Site:
    """The pages of one data repository and one server.

    `opened` returns a new Backup of them, which tells the Progress given; each request takes one
    of its own, since a Backup is for one thread. `pasted` makes a command, as `gitbackup diff`, one
    that works as it stands where the site was started. A `read_only` site changes nothing.
    """

    def __init__(
        self, opened: Opened, pasted: Callable[[str], str] = str, *, read_only: bool = False
    ) -> None:
        self._opened = opened
        self.pasted = pasted
        self.read_only = read_only
        self.jobs = Jobs()
        self.live = Live(opened, busy=lambda: self.jobs.writing is not None)
        self.summaries = Summaries()
        self.tallies = Tallies()  # of files that were counted, for whoever asks next
        self.pairs = Pairs()
        self.verdict = Verdict()
        self._answer = local()

    @cached_property
    def name(self) -> str:
        """The name of the folder that the data repository is."""
        return self.backup().path.absolute().name

    def backup(self, progress: Progress = SILENT) -> Backup:
        """Return a Backup for the thread that asks."""
        backup = self._opened(progress)
        getattr(self._answer, "opened", []).append(backup)
        return backup

    @contextmanager
    def answering(self) -> Iterator[None]:
        """End the git processes of all Backups that this thread asks for inside the block.

        They end with a Backup, too, but that may be long after a page is made.
        """
        self._answer.opened = opened = list[Backup]()
        try:
            yield
        finally:
            del self._answer.opened
            for each in opened:
                each.close()

    def has_commits(self) -> bool:
        """Return whether there is a commit: HEAD, or that of another branch or a tag."""
        if self.live.head():
            return True
        repository = self.backup().repository
        return repository is not None and bool(repository.names())

    def page(
        self, request: Request, template: str, *, status: int = 200, **told: Any
    ) -> HTMLResponse:
        """Return a page in the reader's language.

        Every template knows `site`, `request`, `language`, the path `here`, the `paths` that
        there are, and `csrf`, which each form has in a field of that name:
        `<input type="hidden" name="csrf" value="{{ csrf }}">`.
        """
        found, known = self._known(request, template, told)
        return HTMLResponse(found.render(known), status)

    def streamed(self, request: Request, template: str, **told: Any) -> Response:
        """Return a page like `page`, what comes before `LATER` in it at once.

        What the template calls after that may take its time. It must not raise anything.
        """
        found, known = self._known(request, template, told)
        return StreamingResponse(_in_two(found.generate(known)), media_type="text/html")

    def _known(
        self, request: Request, template: str, told: Mapping[str, Any]
    ) -> tuple[Template, Mapping[str, Any]]:
        """Return a template in the reader's language, and all that it knows."""
        session = Session.of(request)
        language = self.language(request)
        known = {
            "site": self,
            "request": request,
            "language": language,
            "here": request.url.path,
            "paths": {getattr(route, "path", "") for route in request.app.routes},
            "csrf": session.csrf if session else "",
            **told,
        }
        return self._environments[language.code].get_template(template), known

    def error(self, request: Request, status: int, sentence: str) -> Response:
        """Return a page that says what did not work; only the sentence before the login."""
        if Session.of(request) is None:
            return PlainTextResponse(f"{self.language(request).told(sentence)}\n", status)
        return self.page(request, "error.html", status=status, message=sentence)

    def form(self, request: Request) -> Form:
        """Return what the form that a request sends holds."""
        return Form.of(request)

    def language(self, request: Request) -> Language:
        """Return the language that the reader chose, or that their browser asks for."""
        return chosen(request.headers.get("accept-language", ""), request.cookies.get(COOKIE, ""))

    @cached_property
    def _environments(self) -> dict[str, Environment]:
        return {code: _environment(language) for code, language in Language.every().items()}


def _in_two(pieces: Iterator[str]) -> Iterator[str]:
    """Yield what comes before `LATER`, and then all that follows."""
    first = []
    for piece in pieces:
        first.append(piece)
        if LATER in piece:
            break
    yield "".join(first)
    yield "".join(pieces)


def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters.add(environment, language)
    environment.install_gettext_callables(  # type: ignore[attr-defined]  # of the extension
        language.say, language.count, newstyle=True
    )
    return environment
