"""Search in a browser: keys and values of a commit, and what the history did to them."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from gitbackup.history import search as searching
from gitbackup.history.key_log import CommitChanges, trace
from gitbackup.history.selector import KeySelector
from gitbackup.history.walker import HistoryWalker
from gitbackup.model.commits import Selection
from gitbackup.redact import NOT_MASKED
from gitbackup.store.repository.repository import Repository
from gitbackup.ui.views.walk import walked
from tests import histories
from tests.report.test_html import EVIL
from tests.ui.conftest import StartSite
from tests.ui.live_site import LiveSite
from tests.ui.test_diff import commit, names

SPACES = {"(no prefix)": "config", "apikey": "apikey:1", "usage": "usage:1"}
"""The prefixes of the last commit, each with its key."""


def search(q: str = "", **more: str) -> str:
    """The address of a search."""
    return f"/search?{urlencode({'q': q, **more})}"


def found(page: Page) -> list[str]:
    """The keys of a commit that are listed, once the page is there as a whole."""
    page.wait_for_load_state()
    return page.locator(".found .name").all_text_contents()


@pytest.fixture
def filled(site: LiveSite) -> LiveSite:
    """A site with a short history."""
    site.redis.mset({"apikey:1": "red", "apikey:2": "green", "usage:1": "Red wine"})
    site.redis.hset("config", mapping={"colour": "red", "limits": '{"daily": 10}'})
    commit(site, "begin")
    site.redis.set("apikey:1", "blue")
    site.redis.hset("config", "limits", '{"daily": 99}')
    commit(site, "blue and 99")
    site.redis.delete("apikey:2")
    commit(site, "one key less")
    return site


def test_keys_are_found_by_a_word_a_pattern_a_type(filled: LiveSite) -> None:
    """And all are listed where nothing is asked for."""
    page = filled.page
    for path, keys in {
        search(): ["apikey:1", "config", "usage:1"],
        search("API"): [],
        search("api"): ["apikey:1"],
        search("*:1"): ["apikey:1", "usage:1"],
        search("api", at="HEAD~1"): ["apikey:1", "apikey:2"],
        search(type="hash"): ["config"],
        search("api", db="3"): [],
    }.items():
        page.goto(path)
        assert sorted(found(page)) == keys
    assert "Nothing was found." in page.inner_text("main")
    page.goto(search("apikey:2"))
    page.get_by_role("link", name="Look in the history").click()
    page.wait_for_url("**over=history")
    assert "apikey:2" in names(page)
    assert "That is all." in page.inner_text("main")


def test_the_keys_of_a_commit_are_counted_by_prefix_and_lead_to_their_list(
    filled: LiveSite,
) -> None:
    page = filled.page
    page.goto(search())
    lines = page.locator(".branches li")
    expect(lines).to_have_text([re.compile(re.escape(name) + ".*1 key") for name in SPACES])

    for name, key in SPACES.items():
        page.goto(search())
        lines.get_by_role("link", name=name).click()
        expect(page.locator(".found .name")).to_have_text([key])


def test_values_are_found_with_what_is_around_them(filled: LiveSite) -> None:
    filled.page.goto(search("red", by="value"))

    assert sorted(found(filled.page)) == ["config", "usage:1"]
    assert sorted(filled.page.locator(".excerpt mark").all_inner_texts()) == ["Red", "red"]
    filled.page.get_by_role("link", name="config").click()
    assert filled.page.inner_text("h1") == "config"


@pytest.mark.long
def test_the_history_is_searched_by_key_value_and_condition(filled: LiveSite) -> None:
    page = filled.page

    page.goto(search("apikey:2", over="history"))
    assert [each.split(" ", 1)[1] for each in page.locator("h2 a").all_inner_texts()] == [
        "one key less",
        "begin",
    ]
    page.goto(search("red", by="value", over="history"))
    assert names(page) == ["apikey:1", "apikey:1", "config"]
    page.goto(search("config limits.daily > 50", by="when"))
    assert page.locator("h2 a").all_inner_texts()[0].endswith("blue and 99")
    assert names(page) == ["config"]
    page.get_by_role("link", name="config").click()
    page.wait_for_load_state()
    assert page.inner_text("h1") == "config"
    assert "99" in page.inner_text("dl")


@pytest.mark.long
def test_what_cannot_be_looked_for_is_said(filled: LiveSite) -> None:
    for path, said in {
        search("nonsense", by="when"): "is not a condition",
        search("x", at="nothing"): "nothing",
        search("x", db="x"): "'x'",
        search("x", over="history", ends="HEAD"): "does not say from which commits",
    }.items():
        filled.page.goto(path)
        assert said in filled.page.inner_text("[role=alert]")
    filled.page.goto(search("nonsense", by="when"))  # what was chosen stays, and a hint says how
    expect(filled.page.get_by_role("radio", name="when a condition")).to_be_checked()
    expect(filled.page.get_by_text("A condition is a key")).to_be_visible()


@pytest.mark.long
def test_many_keys_come_a_page_at_a_time(site: LiveSite) -> None:
    """Each once, by the keyboard, too."""
    for number in range(130):
        site.redis.set(f"usage:{number:03}", "x")
    commit(site, "begin")
    site.page.goto(search("usage"))
    assert len(found(site.page)) == 50

    for count in (100, 130):
        site.page.locator("[data-more]").click()
        site.page.wait_for_selector(f".found tr[data-item] >> nth={count - 1}")

    assert sorted(found(site.page)) == [f"usage:{number:03}" for number in range(130)]
    assert site.page.locator("[data-more]").count() == 0
    site.page.locator("h1").click()
    site.page.keyboard.press("j")
    site.page.keyboard.press("Enter")
    site.page.wait_for_url("**/key?**")


def test_what_is_masked_is_not_found(site: LiveSite) -> None:
    site.backup.init(redact=["*token*"])
    site.redis.hset("apikey:1", mapping={"name": "alice", "token": "canary"})
    commit(site, "begin")
    site.redis.hset("apikey:1", "token", "other")
    commit(site, "change")

    for path in (
        search("canary", by="value", at="HEAD~1"),
        search("canary", by="value", over="history"),
        search("apikey:1 token = canary", by="when"),
    ):
        site.page.goto(path)
        assert "Nothing was found." in site.page.inner_text("main")
        assert (found(site.page), names(site.page)) == ([], [])
    site.page.goto(search("alice", by="value", over="history"))
    assert names(site.page) == ["apikey:1"]
    assert "canary" not in site.page.content()


@pytest.mark.long
def test_hostile_words_and_values_are_text(site: LiveSite) -> None:
    steer = "a\u202eb\u2066\x00\x1b[31m"
    for evil in (*EVIL, steer):
        site.redis.set(evil, f"{'x' * 100}{evil}{'x' * 100}")
    commit(site, EVIL[0])

    ways: list[dict[str, str]] = [
        {},
        {"by": "value"},
        {"by": "value", "over": "history"},
        {"by": "when"},
    ]
    pages = [search("x", **way) for way in ways]
    pages += [search(evil, type=evil) for evil in (*EVIL, steer)]
    pages += [search(evil) for evil in (*EVIL, steer)]

    for page in pages:
        site.page.goto(page)
        assert site.page.evaluate("window.harmed") is None
        foreign = "main :is(img, script, link, base, style, svg[onload])"
        assert site.page.locator(foreign).count() == 0
        content = str(site.page.text_content("main"))
        assert [c for c in "\u202e\u2066\x00\x1b" if c in content] == []


@pytest.mark.long
def test_a_search_speaks_chinese(start_site: StartSite) -> None:
    site = start_site(locale="zh-CN")
    site.redis.mset({"用户:张三": "你好世界", "用户:李四": "再见"})
    commit(site, "开始")

    site.page.goto("/search")
    site.page.get_by_role("searchbox").fill("世界")
    site.page.get_by_label("值", exact=True).check()
    site.page.keyboard.press("Enter")
    site.page.wait_for_selector(".excerpt")

    assert found(site.page) == ["用户:张三"]
    assert site.page.inner_text(".excerpt mark") == "世界"
    assert "已全部列出。" in site.page.inner_text("main")


@pytest.mark.parametrize("seed", range(4))
def test_a_history_in_parts_is_all_of_it(tmp_path: Path, seed: int) -> None:
    """Of random histories with branches, merges and a person's commits; and what has the text is
    found where only that is read as where all is."""

    def as_it_is(found: CommitChanges) -> CommitChanges:
        return found

    random = Random(seed)
    ids = histories.write(tmp_path, histories.history(random, 40), random)
    repository = Repository.open(tmp_path)
    for text in ("2", "333", "a", "nowhere"):
        selector, wanted = KeySelector([], None), searching.comes_or_goes(text)
        whole = HistoryWalker(repository, selector).steps(Selection((ids[-1],)))
        expected = [
            (each.info.id, str(diff))
            for each in trace(whole, Selection(), NOT_MASKED, wanted)
            for diff in each.keys
        ]

        found, ends, commits = list[CommitChanges](), [ids[-1]], 0
        while ends:
            stored = searching.as_stored(text)
            part = walked(repository, selector, NOT_MASKED, ends, 3, as_it_is, wanted, stored)
            assert len(part.found) <= 3
            found += part.found
            ends, commits = [*part.ends], commits + part.looked

        shown = [(each.info.id, str(diff)) for each in found for diff in each.keys]
        assert sorted(shown) == sorted(expected)
        assert commits == len([*repository.log(ids[-1])])
