"""How one logs in, for how long that lasts, and how it ends."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import time

import pytest

from gitbackup.ui import sessions
from gitbackup.ui.sessions import Session, Sessions
from tests.cli.user import GITBACKUP, surroundings, until
from tests.servers import StartServer
from tests.ui.conftest import StartSite
from tests.ui.strangers import Stranger, wait_for

USED = "This address works only once"


def path_of(entrance: str) -> str:
    return "/enter" + entrance.partition("/enter")[2]


def test_an_address_works_once(start_alone: StartSite) -> None:
    """And says so from then on, and how to get another one."""
    site = start_alone()
    first, second = Stranger(site.url).enter(site.entrance), Stranger(site.url)

    refused = second.get(path_of(site.entrance))

    assert (refused.status, "set-cookie" in refused.headers) == (403, False)
    assert USED in refused.body
    assert "press Enter in the terminal" in refused.body
    again = first.get(path_of(site.entrance))
    assert (again.status, again.headers["location"]) == (303, "/")
    assert second.get("/enter?token=").status == 403
    assert second.get("/enter").status == 403


def test_an_address_is_not_used_up_by_what_only_looks_ahead(start_alone: StartSite) -> None:
    """A browser that fetches it before somebody asks for it, or whoever asks for its head."""
    site = start_alone()
    other = Stranger(site.url)
    path = path_of(site.entrance)
    looks = other.get(path, "HEAD"), other.get(path, sec_purpose="prefetch;prerender")
    assert [answer.status for answer in looks] == [405, 405]
    assert other.enter(site.entrance).get("/").status != 401


def test_the_cookie_is_for_the_server_alone(start_alone: StartSite) -> None:
    """Its name has the port, since a browser keeps one cookie of a name for all ports."""
    site = start_alone()
    answer = Stranger(site.url).get(path_of(site.entrance))
    cookie = re.sub(r"=[\w-]{43};", "=SECRET;", answer.headers["set-cookie"])
    port = site.url.rpartition(":")[2]
    assert cookie == f"gitbackup-{port}=SECRET; HttpOnly; Path=/; SameSite=strict"


def test_a_login_is_new_each_time(start_alone: StartSite) -> None:
    """A cookie that somebody else has put into the browser does not become the login's."""
    site = start_alone()
    planted = f"gitbackup-{site.url.rpartition(':')[2]}=planted"
    other = Stranger(site.url, planted).enter(site.entrance)
    assert other.cookie != planted
    assert Stranger(site.url, planted).get("/").status == 401


def test_a_signal_asks_for_another_address(start_alone: StartSite) -> None:
    """Both logins go on; an address that was not used before does not."""
    site = start_alone()
    first = Stranger(site.url).enter(site.entrance)
    site.process.send_signal(signal.SIGUSR1)
    unused = site.next_entrance()
    site.process.send_signal(signal.SIGUSR1)
    entrance = site.next_entrance()
    second = Stranger(site.url)
    assert USED in second.get(path_of(unused)).body
    second.enter(entrance)
    assert [one.get("/").status == 401 for one in (first, second)] == [False, False]


@pytest.mark.long
def test_enter_asks_for_another_address(start_server: StartServer) -> None:
    ours, theirs = pty.openpty()
    command = [*GITBACKUP, "ui", "--no-browser", "--port", "0", "--url", start_server().url]
    started = subprocess.Popen(
        command, env=surroundings({}), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    try:
        first = until(ours, b"\n")
        os.write(ours, b"\n")
        until(ours, b"\n")  # which the terminal shows
        second = until(ours, b"\n")
        assert re.match(rb"gitbackup ui: http://127.0.0.1:\d+/enter\?token=[\w-]{43}\r\n", second)
        assert first.partition(b"?")[0] == second.partition(b"?")[0]
        assert first != second
        started.send_signal(signal.SIGINT)
        assert started.wait(30) == 0
    finally:
        started.kill()
        started.wait()
        os.close(ours)


@pytest.mark.long
def test_a_login_that_is_idle_ends(start_alone: StartSite) -> None:
    """What a page asks for by itself is no use of it."""
    site = start_alone("--idle", "0.02")
    person = Stranger(site.url).enter(site.entrance)
    wait_for(lambda: person.get("/", x_background="1").status == 401)
    assert "Your login has ended." in person.get("/").body


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "time", lambda: made.now)
    return made


class Clock:
    now = 1_800_000_000.0


def test_a_login_lasts_as_long_as_it_is_used(clock: Clock) -> None:
    """In seconds of the clock, since a machine that sleeps counts no others."""
    logins = Sessions(idle=60)
    cookie = logins.begin()
    for _ in range(10):
        clock.now += 59
        assert logins.find(cookie, used=True)
    clock.now += 59
    assert logins.find(cookie, used=False)
    clock.now += 2
    assert logins.find(cookie, used=True) is None


def test_an_address_that_is_not_used_ends_too(clock: Clock) -> None:
    logins = Sessions(idle=60)
    token = logins.invite()
    clock.now += 61
    assert logins.redeem(token) is None
    assert logins.redeem(logins.invite()) is not None


def test_an_answer_that_goes_on_ends_with_its_login(clock: Clock) -> None:
    logins = Sessions(idle=60)
    session = logins.find(logins.begin(), used=True)
    assert isinstance(session, Session)
    assert logins.goes_on(session)
    clock.now += 61
    assert not logins.goes_on(session)


def test_logins_have_a_greatest_number(clock: Clock) -> None:
    """The one that was not used for longest gives way."""
    logins = Sessions(idle=1e6)
    first, second = logins.begin(), logins.begin()
    clock.now += 1
    logins.find(first, used=True)
    for _ in range(sessions.MOST - 1):
        clock.now += 1
        logins.begin()
    assert [bool(logins.find(one, used=False)) for one in (first, second)] == [True, False]


def test_whoever_logs_out_is_out(start_alone: StartSite) -> None:
    """With this login, and no other one."""
    site = start_alone()
    first = Stranger(site.url).enter(site.entrance)
    site.process.send_signal(signal.SIGUSR1)
    second = Stranger(site.url).enter(site.next_entrance())
    found = re.search(r'name="csrf" value="([^"]+)"', first.get("/settings").body)
    assert found

    left = first.post("/leave", {"csrf": found[1]})

    assert (left.status, "You are logged out." in left.body) == (200, True)
    assert re.match(r'gitbackup-\d+="";.* Max-Age=0;', left.headers["set-cookie"])
    assert first.get("/").status == 401
    assert second.get("/").status != 401


@pytest.mark.long
def test_a_login_of_an_earlier_run_is_none(start_alone: StartSite) -> None:
    site = start_alone()
    person = Stranger(site.url).enter(site.entrance)
    site.process.send_signal(signal.SIGINT)
    site.process.wait(30)
    again = start_alone("--port", str(person.port))
    assert again.url == site.url
    assert person.get("/").status == 401


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_0(start_alone: StartSite, number: signal.Signals) -> None:
    site = start_alone()
    with Stranger(site.url).enter(site.entrance).connect():  # nobody says anything on it
        site.process.send_signal(number)
        assert site.process.communicate(timeout=30) == ("", "")
    assert site.process.returncode == 0
