"""Keys, values, messages and names that are markup, on every page: they are text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Page

from tests.store.plain import git
from tests.ui.live_site import LiveSite

MARKUP = "\"' canary=1 ><canary-x>&amp;{{7*7}}</script></textarea></title>-->"

INJECTED = "canary-x, [canary]"

OF_A_KIND = 6
"""Pages of one kind that are looked at."""

BEGIN = ("/", "/check", "/settings?suggest=1", "/server", "/search?q=canary", f"/{quote(MARKUP)}")


def fill(site: LiveSite, number: int) -> None:
    """A key of each type; their names and all that they hold are markup, and change each time."""
    name, value = MARKUP.encode(), f"{number} {MARKUP}".encode()
    client = site.redis
    client.hset(b"hash:" + name, mapping={name + b" changes": value, name: name})
    client.rpush(b"list:" + name, value, name)
    client.sadd(b"set:" + name, value)
    client.zadd(b"zset:" + name, {value: number})
    client.xadd(b"stream:" + name, {name: value})
    json = b'{"%s": {"%s": "%s"}}'
    client.set(b"json:" + name, json % tuple(each.replace(b'"', rb"\"") for each in (name,) * 3))
    for key in (
        *(name, b"string:" + name, b"two\nlines\r\n" + name, b"bytes:\xff\xfe\0" + name, b""),
        *(b"bidi:\xe2\x80\xae" + name, b"a/../b?c=1#d%00&e=" + name, b"javascript:alert(1)"),
        *("emoji:👋中".encode(), b"only:%d" % number),
    ):
        client.set(key, b"javascript:alert('%s')" % value)


@pytest.fixture
def hostile(site: LiveSite) -> LiveSite:
    for number in range(3):
        fill(site, number)
        site.backup.commit(f"{number} {MARKUP}\n\n{MARKUP}\nRestored: {MARKUP}")
    git(site.repo, "tag", "v'1\"<b>")
    git(site.repo, "branch", "x&<canary-x>")
    git(site.repo, "remote", "add", "re", "https://me@git.example/<canary-x>\"'")
    site.backup.config.add("redact", f"only:{MARKUP}")
    site.backup.config.add("label", "hash:*=" + MARKUP.partition(" ")[2])
    fill(site, 9)
    return site


def kind_of(path: str) -> str:
    """What pages that a template makes have in common: the path, and the names in its query."""
    parts = urlsplit(path)
    names = sorted({each.partition("=")[0] for each in parts.query.split("&")})
    return re.sub(r"[0-9a-f]{7,}", "ID", f"{parts.path} {names}")


def pages(site: LiveSite) -> Iterator[str]:
    """Open page after page, as links lead to them; the path of each."""
    ahead, known, seen = [*BEGIN], {*BEGIN}, Counter[str]()
    while ahead:
        path = ahead.pop(0)
        seen[kind_of(path)] += 1
        if seen[kind_of(path)] > OF_A_KIND or path.startswith(("/raw", "/language")):
            continue
        answer = site.page.goto(path) or site.page.goto(path)  # a busy browser may tell of none
        assert answer
        assert answer.status < 500, path
        site.page.wait_for_selector("[data-job]", state="detached")  # it loads itself again
        yield path
        links = site.page.eval_on_selector_all("a[href]", "all => all.map(each => each.href)")
        assert [link for link in links if not link.startswith(f"{site.url}/")] == [], path
        new = {link.removeprefix(site.url).partition("#")[0] for link in links} - known
        known |= new
        ahead += sorted(new)


def injected(page: Page) -> list[str]:
    """What has become markup."""
    script = "all => all.map(each => each.outerHTML)"
    return [str(each) for each in page.eval_on_selector_all(INJECTED, script)]


@pytest.mark.long
def test_markup_is_text_on_every_page(hostile: LiveSite) -> None:
    """No page breaks, and none breaches its policy either, which the site's own end looks at."""
    shown = 0
    for path in pages(hostile):
        assert injected(hostile.page) == [], path
        assert "amp;49" not in hostile.page.content(), path  # no template reads a value
        shown += "<canary-x>" in hostile.page.inner_text("body")
    assert shown > 20


@pytest.mark.long
def test_markup_is_text_in_a_plan_and_its_result(hostile: LiveSite) -> None:
    """Which is carried out; and the undoing of it."""
    page = hostile.page
    page.goto("/restore?commit=HEAD~1")
    assert injected(page) == []
    page.click("main form button.main")
    page.wait_for_selector("main form[action$='/confirm']")
    assert injected(page) == []
    assert "<canary-x>" in page.inner_text("main")
    page.click("main form[action$='/confirm'] button")
    page.wait_for_selector("main form[action='/undo']")
    assert injected(page) == []
    page.goto("/")
    assert injected(page) == []
    assert hostile.redis.get(b"") == b"javascript:alert('1 %s')" % MARKUP.encode()
