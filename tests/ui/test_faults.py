"""What goes wrong is told in one sentence, and the site lives on."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from html import escape
from pathlib import Path
from threading import Event, Thread

import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gitbackup import Backup
from gitbackup.errors import Busy, Damaged, GitbackupError, NoRepository, ServerError, UsageError
from gitbackup.ui import app
from gitbackup.ui.jobs.jobs import Job, State
from gitbackup.ui.pages import ROUTES, Route
from gitbackup.ui.serve import Place, Server
from gitbackup.ui.site import Site
from tests.servers import LiveServer, StartServer, free_port, start_one
from tests.store.plain import git
from tests.ui.conftest import StartSite
from tests.ui.strangers import Stranger, wait_for

SECRET = "s3cr3t-of-the-ui"

QUERY = "?commit=HEAD&at=HEAD&a=HEAD&b=&key=a&name=a&db=0&q=a&seen=&look=1&text=a"
SHOWS = [
    re.sub(r"\{(\w+).*?\}", lambda place: {"id": "HEAD"}.get(place[1], "1"), route.path) + QUERY
    for route in ROUTES
    if not (route.changes or route.acts)
]


@pytest.mark.long
def test_no_password_is_on_a_page(start_server: StartServer, start_alone: StartSite) -> None:
    """That of the server, also while it is away, of a remote or of a webhook; nor in what the
    command says."""
    server = start_server(requirepass=SECRET)
    url = server.url.replace("unix://", f"unix://:{SECRET}@")
    with LiveServer("", url).client() as client:
        client.set("a", "1")
        backup = Backup("data-git-backup", url)
        backup.init()
        backup.commit("first")
        backup.config.set("on-failure", f"https://hooks.example/{SECRET}")
        git(backup.path, "remote", "add", "there", f"https://me:{SECRET}@git.example/there.git")
        site = start_alone("--url", url, server=server)
        person = Stranger(site.url).enter(site.entrance)
        said = "".join(str(person.get(path)) for path in SHOWS)
        assert "git.example" in said
        client.shutdown(nosave=True)
        said += "".join(str(person.get(path)) for path in SHOWS)
    site.process.send_signal(signal.SIGINT)
    said += "".join(site.process.communicate(timeout=30))
    assert SECRET not in said


def alert(body: str) -> str:
    """What a page has to say of what did not work."""
    (said,) = re.findall(r'role="alert"><p[^>]*>(.*?)</p>', body)
    return str(said)


@pytest.mark.long
def test_the_server_may_go_away_and_come_back(start_alone: StartSite, tmp_path: Path) -> None:
    """Meanwhile every page says so in one sentence, or shows what the history has."""
    port = free_port()
    settings = {"bind": "127.0.0.1", "port": str(port)}
    with ExitStack() as opened:
        server = start_one(opened, "valkey", settings, port)
        with server.client() as client:
            client.set("a", "1")
        site = start_alone(server=server)
        site.backup.commit("first")
        person = Stranger(site.url).enter(site.entrance)
        there = {path: person.get(path).status for path in SHOWS}
        assert {*there.values()} <= {200, 204, 303, 400, 404}
    away = {path: person.get(path) for path in SHOWS}
    assert {answer.status for answer in away.values()} <= {200, 204, 303, 400, 404, 502}
    assert "first" in away["/" + QUERY].body or "first" in person.get("/").body
    with ExitStack() as opened:
        start_one(opened, "valkey", settings, port)
        assert {path: person.get(path).status for path in SHOWS} == there
    site.process.send_signal(signal.SIGINT)
    assert site.process.communicate(timeout=30) == ("", "")


def test_a_server_that_is_away_at_the_start_is_told(start_alone: StartSite) -> None:
    """The history is there all the same."""
    Backup("data-git-backup").init()
    site = start_alone("--url", f"redis://127.0.0.1:{free_port()}")
    person = Stranger(site.url).enter(site.entrance)
    assert person.get("/").status == 200
    site.process.send_signal(signal.SIGINT)
    err = site.process.communicate(timeout=30)[1]
    assert re.fullmatch(r"gitbackup: no server answers at 127.0.0.1:\d+ .*\n", err)


@contextmanager
def running(pages: list[Route], monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """A site with these pages, in a thread."""
    monkeypatch.setattr(app, "ROUTES", pages)
    made = Running()
    thread = Thread(target=made.server.run)
    thread.start()
    try:
        made.person.enter(made.server.address())
        yield made
    finally:
        made.server.stop()
        thread.join()


class Running:
    """A site in a thread, what it warns of, and who has logged in."""

    def __init__(self) -> None:
        self.warned: list[str] = []
        site = Site(lambda progress: Backup("nowhere", progress=progress))
        how = {"idle": 60.0, "password": None}
        self.server = Server(site, Place(port=0), warn=self.warned.append, **how)
        self.person = Stranger(self.server.url)


def raising(error: Exception) -> Route:
    def page(site: Site, request: Request) -> Response:
        raise error

    return Route(f"/{type(error).__name__}", page)


@pytest.mark.few(99)
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("wrong <b>words</b>"), 400),
        (NoRepository("there is none"), 404),
        (Busy("wait"), 409),
        (ServerError("it is away"), 502),
        (Damaged("it is damaged"), 500),
        (GitbackupError("it failed"), 500),
        (PermissionError(13, "Permission denied", "secret"), 500),
    ],
)
def test_an_error_is_a_page(error: Exception, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with running([raising(error)], monkeypatch) as site:
        answer = site.person.get(f"/{type(error).__name__}")
    said = f"system error: {error.strerror}" if isinstance(error, OSError) else str(error)
    assert (answer.status, alert(answer.body)) == (status, escape(said))
    assert site.warned == []


def test_a_fault_of_ours_tells_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not what it is about, which may be anybody's data."""

    def faulty_template(site: Site, request: Request) -> Response:
        return site.page(request, "nowhere.html", value="secret")

    pages = [raising(KeyError("secret")), Route("/template", faulty_template)]
    with running(pages, monkeypatch) as site:
        for path in ("/KeyError", "/template"):
            answer = site.person.get(path)
            assert (answer.status, alert(answer.body)) == (
                500,
                "This page has a fault; the terminal says where.",
            )
    assert [re.sub(r" at /.*:\d+$", " at FILE", line) for line in site.warned] == [
        "a fault in gitbackup, please report it: KeyError at FILE",
        "a fault in gitbackup, please report it: TemplateNotFound at FILE",
    ]


@pytest.mark.long
def test_a_page_that_never_ends_does_not_keep_the_site_from_ending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Event()

    def stuck(site: Site, request: Request) -> Response:
        asked.set()
        Event().wait()
        return HTMLResponse("")

    with running([Route("/", stuck)], monkeypatch) as site, site.person.connect() as connection:
        connection.sendall(site.person.written("GET", "/", b""))
        assert asked.wait(30)
        site.server.stop()
        connection.settimeout(30)
        connection.recv(1)
    assert site.warned == []


def test_what_a_browser_may_not_show_is_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value in a file of its own is no page of ours, whatever it holds."""

    def raw(site: Site, request: Request) -> Response:
        return Response(b"<script>", media_type="application/octet-stream")

    with running([Route("/raw", raw)], monkeypatch) as site:
        headers = site.person.get("/raw").headers
    assert headers["content-disposition"] == "attachment"
    assert headers["x-content-type-options"] == "nosniff"


def test_a_fault_of_a_job_is_told_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def works(site: Site, request: Request) -> Response:
        def work() -> State:
            raise KeyError("secret")

        job = Job(site.backup, "gitbackup check")
        site.jobs.look(job, work)
        site.jobs.settle(job)
        return HTMLResponse(job.state)

    with running([Route("/", works)], monkeypatch) as site:
        assert site.person.get("/").body == State.FAILED
        wait_for(lambda: bool(site.warned))
    (said,) = site.warned
    assert said.startswith("a fault in gitbackup, please report it: KeyError at /")
