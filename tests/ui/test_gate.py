"""The gate: who is let in, and what is refused, by requests that no page of the site sends."""

from __future__ import annotations

import re

import pytest

from gitbackup.ui.door.gate import LOOPBACK
from gitbackup.ui.door.headers import ALWAYS
from gitbackup.ui.pages import ROUTES
from gitbackup.ui.words.forms import MOST_BYTES, MOST_FIELDS
from tests.ui.live_site import CANARY, LiveSite
from tests.ui.strangers import FORM, Answer, Stranger

PATHS = sorted({re.sub(r"\{.*?\}", "1", route.path) for route in ROUTES})
CHANGES = sorted(
    {re.sub(r"\{.*?\}", "1", route.path) for route in ROUTES if route.changes or route.acts}
)

NOT_OURS = "A page of another site sent this; it is refused.\n"


@pytest.fixture(scope="module")
def known(quiet_site: LiveSite) -> Stranger:
    """Who has logged in."""
    return Stranger(quiet_site.url).enter(quiet_site.entrance)


@pytest.fixture
def unknown(known: Stranger) -> Stranger:
    """Who has not."""
    return Stranger(known.origin)


def csrf_of(page: Answer) -> str:
    found = re.search(r'<meta name="csrf" content="([^"]+)">', page.body)
    assert found
    return found[1]


@pytest.mark.few(99)
@pytest.mark.parametrize("path", [*PATHS, "/nowhere", "/leave", "/static", "//"])
def test_nothing_is_shown_without_a_login(unknown: Stranger, path: str) -> None:
    """Nor whether there is such a page."""
    answer = unknown.get(path)
    assert (answer.status, "location" in answer.headers) == (401, False)
    assert not re.search(rf"{CANARY}|data-git-backup|csrf", answer.body)


@pytest.mark.few(99)
@pytest.mark.parametrize("path", [*CHANGES, "/", "/leave"])
def test_nothing_is_changed_without_a_login(unknown: Stranger, path: str) -> None:
    assert unknown.post(path, {}).status == 401


def test_whoever_has_logged_in_is_shown_the_data(known: Stranger) -> None:
    assert CANARY in known.get("/").body


@pytest.mark.few(99)
@pytest.mark.parametrize(
    ("host", "status"),
    [
        *((f"{name}:{{port}}", 200) for name in LOOPBACK),
        ("LOCALHOST:{port}", 200),
        ("localhost:12345", 200),  # as behind ssh -L; but the cookie is that of another port
        ("evil.example", 403),
        ("evil.example:{port}", 403),
        ("127.0.0.1.evil.example:{port}", 403),
        ("localhost.evil.example", 403),
        ("evil-localhost:{port}", 403),
        ("localhost.:{port}", 403),
        ("0.0.0.0:{port}", 403),
        ("2130706433:{port}", 403),
        ("127.1:{port}", 403),
        ("[::]:{port}", 403),
        ("[::ffff:127.0.0.1]:{port}", 403),
        ("me@localhost:{port}", 403),
        ("localhost/evil.example", 403),
        ("localhost:{port}, evil.example", 400),
        ("localhost:{port}@evil.example", 400),
        ("localhost:evil.example", 400),
        ("", 400),
        (None, 400),
    ],
)
def test_a_foreign_name_is_refused(known: Stranger, host: str | None, status: int) -> None:
    """One that has been pointed at this machine, so that a page of others is as near as ours."""
    port = str(known.port)
    answer = known.get("/", host=host.format(port=port) if host else host)
    assert answer.status == (401 if host == "localhost:12345" else status)
    assert (CANARY in answer.body) == (answer.status == 200)


@pytest.mark.few(99)
@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PUT", "DELETE", "CONNECT", "PRI", "get"])
def test_other_methods_are_refused(known: Stranger, method: str) -> None:
    answer = known.get("/", method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, POST")


HOST = "host: {name}"
ODD = {
    "two hosts": ("GET / HTTP/1.1", HOST, HOST),
    "a host in a target": ("GET http://{name}/ HTTP/1.1", HOST),
    "another host in a target": ("GET http://evil.example/ HTTP/1.1", HOST),
    "no host": ("GET / HTTP/1.0",),
    "no version": ("GET /",),
    "another version": ("GET / HTTP/3.0", HOST),
    "a line in a header": ("GET / HTTP/1.1", HOST, "x: a\rset-cookie: b"),
    "a folded header": ("GET / HTTP/1.1", HOST, " evil.example"),
    "a header without a name": ("GET / HTTP/1.1", HOST, ": a"),
    "a space in a name": ("GET / HTTP/1.1", "host : {name}"),
    "two origins": ("GET / HTTP/1.1", HOST, *["origin: http://{name}"] * 2),
    "a length of less than nothing": ("POST / HTTP/1.1", HOST, "content-length: -1"),
    "two lengths": ("POST / HTTP/1.1", HOST, "content-length: 1", "content-length: 2"),
    "a length and chunks": (
        *("GET / HTTP/1.1", HOST, "content-length: 5", "transfer-encoding: chunked"),
        *("", "0"),
    ),
    "an odd encoding": ("POST / HTTP/1.1", HOST, "transfer-encoding: gzip, chunked"),
    "bytes": ("\0\1\2\3" * 99,),
    "TLS": ("\x16\3\1\2\0\1\0\1\xfc\3\3" + "\0" * 99,),
}


@pytest.mark.few(99)
@pytest.mark.parametrize("lines", ODD.values(), ids=ODD)
def test_what_can_be_read_in_two_ways_is_refused(known: Stranger, lines: tuple[str, ...]) -> None:
    first, *others = [line.format(name=known.name) for line in lines]
    sent = [first, f"cookie: {known.cookie}", *others, "", ""]
    answer = known.ask("\r\n".join(sent).encode("latin-1"))
    assert answer.status in (400, 403, 501), answer
    assert CANARY not in answer.body
    assert "set-cookie" not in answer.headers


def test_a_socket_for_messages_is_not_opened(known: Stranger) -> None:
    """It is answered as a page is."""
    upgrade = {"upgrade": "websocket", "sec_websocket_version": "13", "sec_websocket_key": "YQ=="}
    assert known.get("/", connection="close, upgrade", **upgrade).status == 200


@pytest.mark.few(99)
@pytest.mark.parametrize(
    "origin", ["null", "http://evil.example", "https://{name}", "http://localhost:{port}", "{name}"]
)
def test_a_page_of_another_origin_is_refused(known: Stranger, origin: str) -> None:
    origin = origin.format(name=known.name, port=known.port)
    csrf = csrf_of(known.get("/"))
    for answer in (known.get("/", origin=origin), known.post("/", {"csrf": csrf}, origin=origin)):
        assert (answer.status, CANARY in answer.body) == (403, False)


@pytest.mark.few(99)
@pytest.mark.parametrize("site", ["cross-site", "same-site", "whatever"])
@pytest.mark.parametrize(
    ("mode", "dest"),
    [
        *(("navigate", dest) for dest in ("iframe", "frame", "object", "embed", "empty")),
        *(("no-cors", dest) for dest in ("image", "script", "style", "video", "document")),
        *(("cors", "empty"), ("websocket", "empty"), ("same-origin", "empty")),
    ],
)
def test_a_page_of_another_site_embeds_nothing(
    known: Stranger, site: str, mode: str, dest: str
) -> None:
    asked = {"sec_fetch_site": site, "sec_fetch_mode": mode, "sec_fetch_dest": dest}
    for path in ("/", "/static/ui.js", "/enter"):
        answer = known.get(path, **asked)
        assert (answer.status, CANARY in answer.body) == (403, False)


def test_a_page_of_another_site_may_lead_here(known: Stranger, unknown: Stranger) -> None:
    """Its browser leaves the cookie out at first, so our own page leads on to the same address."""
    asked = {"sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert CANARY in known.get("/", sec_fetch_site="cross-site", **asked).body

    path = "//evil.example/%22%3e?a=<b>&c='d'\""
    first = unknown.get(path, sec_fetch_site="cross-site", **asked)
    (url,) = re.findall(r'content="0;url=([^"]*)"', first.body)
    assert url == f"{known.origin}//evil.example/%22%3e?a=&lt;b&gt;&amp;c=&#39;d&#39;&#34;"
    assert unknown.get(path, sec_fetch_site="same-origin", **asked).status == 401


@pytest.mark.few(99)
@pytest.mark.parametrize("path", [*CHANGES, "/leave"])
def test_a_change_needs_the_token_of_the_login(known: Stranger, path: str) -> None:
    """In a field or a header; and whoever sends it says where from, and sends a form."""
    csrf = csrf_of(known.get("/"))
    sent = {"csrf": csrf}
    refused = [
        known.post(path, {}),
        known.post(path, {"csrf": ""}),
        known.post(path, {"csrf": csrf[:-1]}),
        known.post(path, {"csrf": f"{csrf}é"}),
        known.post(path, {}, x_csrf_token="x"),
        known.post(path, {}, cookie=f"{known.cookie}; csrf={csrf}"),
        known.post(f"{path}?csrf={csrf}", {}),
        known.post(path, sent, origin=None),
        known.post(path, sent, cookie=None),
        known.post(path, sent, content_type="text/plain"),
        known.post(path, sent, content_type="multipart/form-data; boundary=a"),
        known.post(path, sent, content_type="application/json"),
        known.post(path, sent, content_type=None),
        known.get(f"{path}?csrf={csrf}"),
        known.get(f"{path}?csrf={csrf}", x_csrf_token=csrf),
    ]
    statuses = [answer.status for answer in refused]
    assert statuses[:-2] == [403] * 8 + [401] + [415] * 4
    assert known.get("/").status == 200  # nobody was logged out


@pytest.mark.few(99)
@pytest.mark.parametrize(
    "path",
    [
        "/static/../gate.py",
        "/static/%2e%2e/gate.py",
        "/static/..%2fgate.py",
        "/static/..%5cgate.py",
        "/static/look.css/../../../__init__.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/%00",
        "/static/ui.css%00.txt",
        "/static/",
        "/static/.",
        "/static/" + "a/" * 4000,
        "/static/" + "a" * 4000,
        "/static/%ff",
        "/../../etc/passwd",
    ],
)
def test_no_path_leads_out_of_the_files(known: Stranger, path: str) -> None:
    answer = known.get(path)
    assert answer.status in (400, 404, 405)
    assert not re.search(r"import |root:", answer.body)


def test_headers_cannot_be_put_in(known: Stranger) -> None:
    for back in ("%0d%0ax-evil:%20y", "/%0d%0ax-evil:%20y", "/%e5%98%8a%e5%98%8dx-evil:%20y"):
        for path in (f"/language/en?back={back}", f"/language/en{back}", f"/{back}"):
            assert "x-evil" not in known.get(path).headers


@pytest.mark.few(99)
@pytest.mark.parametrize(
    "back", ["//evil.example", "https://evil.example", "/%5cevil.example", "/%09/evil.example"]
)
def test_nobody_is_led_away(known: Stranger, back: str) -> None:
    assert known.get(f"/language/en?back={back}").headers["location"] == "/"


def test_every_answer_tells_the_browser_what_it_may_do(known: Stranger, unknown: Stranger) -> None:
    answers = [
        known.get("/"),
        known.get("/nowhere"),
        known.get("/language/en"),
        known.post("/", {}),
        known.get("/", host="evil.example"),
        known.get("/", "TRACE"),
        unknown.get("/"),
        unknown.get("/enter?token=x"),
    ]
    assert [answer.status for answer in answers] == [200, 404, 303, 403, 403, 405, 401, 403]
    for answer in answers:
        told = {name: answer.headers.get(name.lower()) for name in ALWAYS}
        assert told == ALWAYS
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers
        assert "access-control-allow-origin" not in answer.headers
    static = unknown.get("/static/ui.css")
    assert (static.status, static.headers["cache-control"]) == (200, "no-cache")
    assert static.headers["x-content-type-options"] == "nosniff"


def test_the_policy_forbids_what_is_inline_or_foreign() -> None:
    policy = dict(
        each.partition(" ")[::2] for each in ALWAYS["Content-Security-Policy"].split("; ")
    )
    assert policy.pop("default-src") == "'none'"
    assert {*policy.values()} == {"'self'", "'none'", "'script'"}


def test_a_form_has_a_greatest_length(known: Stranger, unknown: Stranger) -> None:
    """Told or not; and before the login it is short."""
    token = csrf_of(known.get("/"))
    many = b"csrf=" + token.encode() + b"&a=" * MOST_FIELDS
    form = {"origin": known.origin, "content_type": FORM}
    assert known.ask(known.written("POST", "/restore", many, **form)).status == 400
    big = {"csrf": token, "a": "b" * MOST_BYTES}
    assert known.post("/", big).status == 413
    head = known.written(
        "POST", "/", b"", origin=known.origin, content_type=FORM, transfer_encoding="chunked"
    )
    chunk = b"%x\r\n%s\r\n" % (1 << 20, b"a" * (1 << 20))
    assert known.ask(head + chunk * (MOST_BYTES // (1 << 20) + 1)).status == 413
    assert unknown.post("/", big).status == 401


@pytest.mark.few(99)
@pytest.mark.parametrize("body", [b"csrf=%ff", b"\xff\xfe=a", b"%zz=%", b"=&=&=", b"csrf=" * 9999])
def test_a_form_that_is_none_is_refused(known: Stranger, body: bytes) -> None:
    request = known.written("POST", "/", body, origin=known.origin, content_type=FORM)
    assert known.ask(request).status in (400, 403)


def test_long_headers_are_refused_or_answered(known: Stranger) -> None:
    for answer in (
        known.get("/", x="a" * (1 << 20)),
        known.get("/" + "a" * (1 << 20)),
        known.ask(known.written("GET", "/", b"", **{f"x{number}": "" for number in range(9999)})),
    ):
        assert answer.status in (0, 200, 400, 404, 431)
    assert known.get("/").status == 200


@pytest.mark.few(99)
@pytest.mark.parametrize("cookie", ["", "a", '"\\201"', "a" * 9999, "x; gitbackup-1=y", "é"])
def test_a_cookie_that_is_made_up_is_no_login(unknown: Stranger, cookie: str) -> None:
    answer = unknown.get("/", cookie=f"gitbackup-{unknown.port}={cookie}")
    assert (answer.status, "set-cookie" in answer.headers) == (401, False)
