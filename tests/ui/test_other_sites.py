"""In the same browser are pages of others: what these try, as real pages in a real browser."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.ui.live_site import CANARY, LiveSite

TabAt = Callable[[str], Page]


class Other:
    """A site of somebody else, on another port of this machine.

    Its name may be that of ours, as that of a server of another user is, which makes both the same
    site for a browser; or another one.
    """

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.port = server.server_address[1]
        self.page = ""
        self.asked: list[str] = []

    def url(self, name: str) -> str:
        return f"http://{name}:{self.port}/"


@pytest.fixture
def other() -> Iterator[Other]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(str(self.headers))
            body = made.page.encode() if self.path == "/" else b""
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as its base has it
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made = Other(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield made
        server.shutdown()


@pytest.fixture(scope="module")
def filled(chromium: Browser, quiet_site: LiveSite) -> Iterator[LiveSite]:
    """A site with a commit, and a change that is not in it, which nobody commits here."""
    quiet_site.redis.set(CANARY, "changed")
    quiet_site.visit(chromium.new_context)
    yield quiet_site
    quiet_site.context.close()


NAMES = pytest.mark.parametrize("name", ["evil.example", "127.0.0.1"])


@pytest.fixture
def tab_at(filled: LiveSite) -> Iterator[Callable[[str], Page]]:
    """Opens a page of somebody else in a tab of the same browser."""
    known = filled.context.pages

    def opened(url: str) -> Page:
        page = filled.context.new_page()
        page.goto(url)
        return page

    yield opened
    for page in filled.context.pages:
        if page not in known:
            page.close()


def commits(site: LiveSite) -> int:
    return len([*site.backup.log()])


@NAMES
@pytest.mark.long
def test_a_form_of_another_page_changes_nothing(
    filled: LiveSite, other: Other, tab_at: TabAt, name: str
) -> None:
    """Though the browser sends the cookie along to another port of the same name."""
    other.page = f'<form method="post" action="{filled.url}/commit"><button>Win</button></form>'
    page = tab_at(other.url(name))
    with page.expect_navigation() as gone:
        page.click("button")
    assert gone.value.status == 403
    assert "another site" in page.inner_text("body")
    assert CANARY not in page.content()
    assert commits(filled) == 1


SCRIPTS = {
    "a request": "fetch(URL, {method: 'POST', mode: 'no-cors', body: FORM, ...COOKIE})",
    "a request that may be read": "fetch(URL, {method: 'POST', body: FORM, ...COOKIE})",
    "a header of ours": "fetch(URL, {method: 'POST', headers: {'X-CSRF-Token': 'a'}, body: FORM})",
    "JSON": "fetch(URL, {method: 'POST', mode: 'no-cors', body: new Blob(['{}'])})",
    "a beacon": "navigator.sendBeacon(URL, FORM)",
}


@NAMES
@pytest.mark.few(4)
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_script_of_another_page_changes_nothing(
    filled: LiveSite, other: Other, tab_at: TabAt, name: str, script: str
) -> None:
    page = tab_at(other.url(name))
    page.evaluate(f"""async () => {{
        const URL = "{filled.url}/commit", FORM = new URLSearchParams({{message: "mine"}});
        const COOKIE = {{credentials: "include"}};
        try {{ await ({script}) }} catch {{}}
    }}""")
    filled.page.reload()  # asked after it
    assert commits(filled) == 1


READS = {
    "a request": """async (url) => {
        try { return await (await fetch(url, {credentials: "include"})).text() } catch { return "" }
    }""",
    "a frame": """(url) => new Promise((done) => {
        const frame = document.createElement("iframe");
        frame.onload = () => {
            let text = "";
            try { text = frame.contentDocument.body.innerText } catch {}
            done(text);
        };
        frame.src = url;
        document.body.append(frame);
    })""",
    "an image": """(url) => new Promise((done) => {
        const image = new Image();
        image.onload = () => done("canary loaded");
        image.onerror = () => done("");
        image.src = url + "/static/icon.svg";
    })""",
    "a script": """(url) => new Promise((done) => {
        const script = document.createElement("script");
        script.onload = () => done("canary loaded");
        script.onerror = () => done("");
        script.src = url + "/static/ui.js";
        document.head.append(script);
    })""",
    "a style": """(url) => new Promise((done) => {
        const link = document.createElement("link");
        link.rel = "stylesheet";
        link.onload = () => done("canary loaded");
        link.onerror = () => done("");
        link.href = url + "/static/ui.css";
        document.head.append(link);
    })""",
    "a window": """(url) => new Promise((done) => {
        const other = window.open(url);
        setInterval(() => {
            try { if (other.location.href !== "about:blank") done(other.document.body.innerText) }
            catch { done(String(other.length || "")) }
            if (other.closed) done("");
        }, 50);
    })""",
    "a socket": """(url) => new Promise((done) => {
        const socket = new WebSocket(url.replace("http", "ws"));
        socket.onopen = () => done("canary open");
        socket.onerror = () => done("");
    })""",
}


@NAMES
@pytest.mark.few(4)
@pytest.mark.parametrize("script", READS.values(), ids=READS)
def test_another_page_reads_nothing(
    filled: LiveSite, other: Other, tab_at: TabAt, name: str, script: str
) -> None:
    page = tab_at(other.url(name))
    assert "canary" not in page.evaluate(script, filled.url)


def test_nothing_is_shown_in_a_frame(filled: LiveSite, other: Other, tab_at: TabAt) -> None:
    other.page = f'<iframe src="{filled.url}"></iframe><iframe src="{filled.url}/enter"></iframe>'
    page = tab_at(other.url("127.0.0.1"))
    page.wait_for_load_state("networkidle")
    assert [CANARY in frame.content() for frame in page.frames] == [False] * 3
    assert {frame.url for frame in page.frames[1:]} <= {"chrome-error://chromewebdata/"}


def test_a_foreign_name_for_this_machine_leads_to_nothing(filled: LiveSite, tab_at: TabAt) -> None:
    """A page of that name is as near as one of ours: its scripts may read what comes back."""
    rebound = f"http://rebound.example:{filled.url.rpartition(':')[2]}"
    page = tab_at(rebound)
    assert page.inner_text("body") == "This site is not known by that name.\n"
    assert page.evaluate("async () => (await fetch('/')).status") == 403


@NAMES
def test_a_link_on_another_page_leads_here(
    filled: LiveSite, other: Other, tab_at: TabAt, name: str
) -> None:
    """Every page has an address that can be sent to others; whoever is logged in sees it."""
    other.page = f'<a href="{filled.url}/?message=canary">look</a>'
    page = tab_at(other.url(name))
    page.click("a")
    page.wait_for_url(f"{filled.url}/?message=canary")
    page.wait_for_selector("#commits")
    assert CANARY in page.inner_text("main")
    assert page.evaluate("window.opener") is None


def test_an_address_in_a_message_lets_one_in(
    filled: LiveSite, other: Other, tab_at: TabAt, new_context: Callable[..., BrowserContext]
) -> None:
    """As where the terminal itself is a page, whose links are those of another site."""
    filled.process.send_signal(signal.SIGUSR1)
    other.page = f'<a href="{filled.next_entrance()}">open</a>'
    page = new_context().new_page()
    page.goto(other.url("evil.example"))
    page.click("a")
    page.wait_for_selector("#commits")
    assert page.url == f"{filled.url}/"


def test_the_address_is_told_to_nobody(filled: LiveSite, other: Other, tab_at: TabAt) -> None:
    """A link that leads away from a page of ours does not say which page that was."""
    page = filled.tab()
    page.goto(f"{filled.url}/?message=canary")
    with page.expect_navigation():
        page.evaluate("(url) => { location.href = url }", other.url("evil.example"))
    assert "Referer" not in other.asked[0]
    assert not [asked for asked in other.asked if filled.url in asked or "gitbackup" in asked]
