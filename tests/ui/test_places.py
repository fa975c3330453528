"""Where the pages are served: who else can reach them, by TLS, and with a password."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
from collections.abc import Callable
from http.client import HTTPSConnection
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from gitbackup.cli.app import code_of
from gitbackup.ui.door.password import FREE, LONGEST, Password
from tests.certificates import sign_itself
from tests.servers import LiveServer
from tests.ui.conftest import StartSite
from tests.ui.strangers import FORM, Stranger

PASSWORD = "correct horse"
EVERYWHERE = "0.0.0.0"  # noqa: S104  as a person who means it
NO_PAIR = "are no certificate and its key, in PEM and without a passphrase"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        if os.environ.get("CI"):
            pytest.fail("there is no openssl on the PATH", pytrace=False)
        pytest.skip("there is no openssl on the PATH")
    folder = tmp_path_factory.mktemp("certificates")
    sign_itself(folder, "site")
    sign_itself(folder, "other")
    (folder / "password").write_text(f"{PASSWORD}\n")
    (folder / "short").write_text("short\n")
    return folder


@pytest.fixture
def refusal(
    valkey: LiveServer,
    certificates: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Callable[..., str]:
    """Gives the sentence with which `gitbackup ui` refuses to start."""
    monkeypatch.chdir(certificates)

    def refused(*options: str) -> str:
        assert code_of(["ui", "--no-browser", "--url", valkey.url, *options]) == 2
        out, err = capfd.readouterr()
        assert out == ""
        return err.removeprefix("gitbackup: ").strip()

    return refused


TLS = ("--tls-cert", "site.pem", "--tls-key", "site.key")
SECOND = ("--password-file", "password")


@pytest.mark.few(99)
@pytest.mark.parametrize("options", [(), TLS, SECOND])
def test_where_others_can_come_needs_tls_and_a_password(
    refusal: Callable[..., str], options: tuple[str, ...]
) -> None:
    assert refusal("--host", EVERYWHERE, *options) == (
        "others can reach 0.0.0.0: pages there need TLS, by --tls-cert and --tls-key, and a"
        " password, by --password-file"
    )


@pytest.mark.few(99)
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--host", "nowhere.invalid"), "there is no address of the name 'nowhere.invalid' here"),
        (("--host", ""), "there is no address of the name '' here"),
        (("--host", "\0"), "there is no address of the name '\\x00' here"),
        (("--host", "192.0.2.1", *TLS, *SECOND), "cannot listen at port 8379 of 192.0.2.1: Cannot"),
        (("--tls-cert", "site.pem"), "--tls-cert and --tls-key belong together: give both"),
        (("--tls-key", "site.key"), "--tls-cert and --tls-key belong together: give both"),
        (
            ("--tls-cert", "site.pem", "--tls-key", "other.key"),
            f"site.pem and other.key {NO_PAIR}",
        ),
        (
            ("--tls-cert", "password", "--tls-key", "site.key"),
            f"password and site.key {NO_PAIR}",
        ),
        (
            ("--tls-cert", "nowhere", "--tls-key", "site.key"),
            "cannot read the certificate or key: No such file or directory",
        ),
        (("--password-file", "short"), "the password of the pages is too short: it needs 8"),
        (("--password-file", "/dev/null"), "/dev/null has no password on its first line"),
    ],
)
def test_a_place_that_is_none_is_told(
    refusal: Callable[..., str], options: tuple[str, ...], sentence: str
) -> None:
    assert refusal(*options).startswith(sentence)


def test_a_port_that_is_in_use_is_told(refusal: Callable[..., str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert refusal("--port", str(port)) == (
            f"port {port} of 127.0.0.1 is in use: choose another one with --port, or 0 for any"
        )


def test_with_a_password_one_logs_in_by_it(
    start_site: StartSite, certificates: Path, new_context: Callable[..., BrowserContext]
) -> None:
    """By TLS, with a cookie that goes nowhere else, and without any token."""
    files = (certificates / name for name in ("site.pem", "site.key", "password"))
    names = ("--tls-cert", "--tls-key", "--password-file")
    options = [word for pair in zip(names, map(str, files), strict=True) for word in pair]
    site = start_site("--host", EVERYWHERE, *options)
    assert re.fullmatch(r"https://0\.0\.0\.0:\d+/", site.entrance)
    page = site.page
    page.goto(site.url.replace(EVERYWHERE, "localhost"))

    page.fill("input[name=password]", "wrong horse")
    page.click("button")
    assert "The password is wrong." in page.inner_text("main")
    page.fill("input[name=password]", PASSWORD)
    page.click("button")

    page.wait_for_selector("footer form")
    (cookie,) = site.context.cookies()
    port = site.url.rpartition(":")[2]
    assert cookie["name"] == f"__Host-gitbackup-{port}"
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Strict")
    assert Stranger(site.url.replace("https", "http")).get("/").status == 0  # no TLS, no answer


@pytest.mark.long
def test_without_a_password_nobody_is_in(start_alone: StartSite, certificates: Path) -> None:
    """A token is none, and who sends wrong passwords has to wait."""
    site = start_alone(env={"GITBACKUP_UI_PASSWORD": PASSWORD})
    assert site.entrance == f"{site.url}/"
    other = Stranger(site.url)
    assert other.get("/enter?token=").status == 200  # the page with the field
    assert other.get("/").status == 401

    answers = [other.post("/enter", {"password": "wrong"}) for _ in range(FREE)]
    assert [answer.status for answer in answers] == [403] * FREE
    wait = 0
    while wait < 4:  # each wrong one after a wait doubles it: soon it outlasts a slow machine
        answer = other.post("/enter", {"password": "wrong"})
        assert answer.status in (403, 429)
        wait = int(answer.headers.get("retry-after", 0))
    assert other.post("/enter", {"password": PASSWORD}).status == 429

    for odd in ({"origin": None}, {"origin": "http://evil.example"}, {"host": "evil.example"}):
        assert other.post("/enter", {"password": PASSWORD}, **odd).status == 403
    long = other.written("POST", "/enter", b"", origin=other.origin, content_type=FORM)
    head = long.replace(b"\r\n\r\n", b"\r\ncontent-length: 99999\r\n\r\n")
    assert other.ask(head + b"a" * 99999).status in (413, 429)


def test_a_password_leads_to_the_page_that_was_asked_for(start_alone: StartSite) -> None:
    """But to no other site, and not back to the door."""
    site = start_alone(env={"GITBACKUP_UI_PASSWORD": PASSWORD})
    other = Stranger(site.url)
    asked = other.get("/search?q=a&by=value").body
    assert '<input type="hidden" name="to" value="/search?q=a&amp;by=value">' in asked
    assert 'name="to" value="/"' in other.get("//evil.example/").body
    wrong = other.post("/enter", {"password": "wrong", "to": "/check"}).body
    assert 'name="to" value="/check"' in wrong

    told = ["/search?q=a&by=value", "//evil.example", "/\\evil.example", "https://evil.example/"]
    told += ["/x\r\nset-cookie: a=b", "/enter?token=", "/leave", ""]
    to = [other.post("/enter", {"password": PASSWORD, "to": each}) for each in told]

    assert [answer.headers["location"] for answer in to] == [told[0], *["/"] * 7]


def test_a_password_is_waited_for_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """By whoever typed it; an IPv6 network counts as one, and others do not wait."""
    now = 0.0
    monkeypatch.setattr("gitbackup.ui.door.password.time.monotonic", lambda: now)
    password, waits = Password(PASSWORD), []
    for number in range(FREE + 8):
        assert not password.fits(f"2001:db8::{number}", "wrong")
        waits.append(password.wait("2001:db8::ffff"))
        now += waits[-1]
    assert waits == [0] * (FREE - 1) + [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert waits[-1] == LONGEST
    assert password.wait("2001:db8:1::1") == password.wait("192.0.2.1") == 0
    assert password.fits("2001:db8::1", PASSWORD)
    assert not password.fits("2001:db8::1", "wrong")
    assert password.wait("2001:db8::1") == 0


def test_no_password_is_in_the_process_list(start_alone: StartSite, certificates: Path) -> None:
    site = start_alone("--password-file", str(certificates / "password"))
    assert site.entrance
    line = Path(f"/proc/{site.process.pid}/cmdline")
    if line.exists():
        assert PASSWORD.encode() not in line.read_bytes()


def test_names_of_the_machine_are_known_where_it_listens_everywhere(
    start_alone: StartSite, certificates: Path
) -> None:
    """And its addresses, but no other name."""
    options = [*("--tls-cert", str(certificates / "site.pem")), "--host", EVERYWHERE]
    options += ["--tls-key", str(certificates / "site.key")]
    site = start_alone(*options, "--password-file", str(certificates / "password"))
    port = int(site.url.rpartition(":")[2])
    context = ssl.create_default_context(cafile=certificates / "site.pem")

    def status(host: str) -> int:
        connection = HTTPSConnection("localhost", port, context=context, timeout=30)
        connection.request("GET", "/", headers={"Host": f"{host}:{port}"})
        return connection.getresponse().status

    known = [socket.gethostname(), "localhost", "127.0.0.1", "192.0.2.7", "[2001:db8::1]"]
    assert [status(host) for host in known] == [401] * 5
    assert [status(host) for host in ("evil.example", "192.0.2.7.example")] == [403] * 2
