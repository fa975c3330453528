"""A key in a browser: its value, its history, its charts, where its parts are from, its bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from gitbackup.format import codec
from gitbackup.ui.views.value import WHOLE, formatted, shown_value
from tests.report.test_html import EVIL, MINUS
from tests.ui.conftest import StartSite
from tests.ui.live_site import LiveSite
from tests.ui.test_diff import commit


def key(name: str, page: str = "/key", **more: Any) -> str:
    """The address of a page of a key."""
    return f"{page}?{urlencode({'db': 0, 'name': name, **more})}"


def versions(page: Page) -> list[str]:
    """What became of the key, the newest first, once that is there."""
    page.wait_for_selector(".versions")
    return page.locator(".versions .sign").all_inner_texts()


def test_a_key_is_shown_with_what_it_is(site: LiveSite) -> None:
    fields = {"a": "", "name": "alice", "limits": '{"daily":1.50,"hourly":[]}'}
    site.redis.hset("apikey:1", mapping=fields)
    site.redis.pexpireat("apikey:1", 4_102_444_800_000)
    commit(site, "begin")

    site.page.goto(key("apikey:1"))

    assert site.page.inner_text("h1") == "apikey:1"
    measures = site.page.locator(".measures > div").all_inner_texts()
    named = [each.split("\n")[0] for each in measures]
    assert named == ["Type", "Fields", "Stored size", "Expires"]
    assert measures[0].endswith("hash")
    assert measures[1].endswith("3")
    assert "2100" in measures[3]
    values = site.page.locator("pre.value").all_inner_texts()
    assert values == ['{\n  "daily": 1.50,\n  "hourly": []\n}', "alice"]
    assert site.page.get_by_text("1 empty field").is_visible()


def test_the_history_has_each_version_and_where_it_went(site: LiveSite) -> None:
    """Created, changed, deleted, created: each leads to its value and to bringing it back."""
    ids = []
    for value in (b"1", b"2", None, b"4"):
        site.redis.set("counter", value) if value else site.redis.delete("counter")
        site.redis.incr("other")
        ids.append(commit(site, f"now {value!r}"))

    site.page.goto(key("counter", at=ids[2]))
    assert "This commit has no such key." in site.page.inner_text("main")
    site.page.goto(key("counter"))

    assert versions(site.page) == ["+ added", f"{MINUS} removed", "~ changed", "+ added"]
    assert site.page.locator("figure").first.inner_text().startswith("Value")
    site.page.get_by_text("As a table").first.click()
    figures = site.page.locator("figure").first.locator("td.number").all_inner_texts()
    assert figures == ["4", "0", "2", "1"]
    bring = site.page.get_by_role("link", name="Bring it back")
    assert bring.get_attribute("href") == f"/restore?commit={ids[1]}&key=counter&db=0"
    site.page.get_by_role("link", name="The value before").click()
    assert site.page.inner_text("pre.value") == "2"
    assert site.page.inner_text(".about").startswith("as of")


@pytest.mark.long
def test_a_chart_follows_a_field(site: LiveSite) -> None:
    for number in (5, 9):
        site.redis.hset("usage", mapping={"requests": number, "model": "a", "tokens": 2})
        commit(site, f"traffic {number}")
    site.page.goto(key("usage"))
    assert site.page.locator(".numbers a").all_inner_texts() == ["requests", "tokens"]

    site.page.get_by_role("link", name="requests").click()

    chart = site.page.get_by_role("img").first
    assert str(chart.get_attribute("aria-label")).startswith("requests: 5 at first, 9 at last.")
    expect(site.page.get_by_text("The axis of time is in UTC.")).to_be_visible()


@pytest.mark.long
def test_where_each_part_is_from(site: LiveSite) -> None:
    site.redis.set("config", json.dumps({"daily": 1, "hourly": 2}))
    commit(site, "begin")
    site.redis.set("config", json.dumps({"daily": 9, "hourly": 2}))
    commit(site, "more a day")
    site.page.goto(key("config"))

    site.page.get_by_role("heading", name="Where each part is from").click()

    site.page.wait_for_selector(".blame")
    rows = site.page.locator(".blame tbody tr").all_inner_texts()
    assert [row.split()[0] for row in rows] == ["daily", "hourly"]
    assert ("more a day" in rows[0], "begin" in rows[1]) == (True, True)


@pytest.mark.long
def test_a_long_history_goes_on_where_it_ended(site: LiveSite) -> None:
    for number in range(105):
        site.redis.set("counter", number)
        commit(site, f"commit {number}")

    site.page.goto(key("counter"))
    assert len(versions(site.page)) == 100
    site.page.get_by_role("link", name="Look further back").click()
    site.page.wait_for_selector("text=commit 0")

    subjects = site.page.locator(".versions .about a").all_text_contents()
    assert [each.rpartition(" ")[2] for each in subjects] == [str(n) for n in range(104, -1, -1)]


@pytest.mark.parametrize("value", [b"\x00\xff\x01binary", "text\r\n中文 🌍".encode(), b""])
def test_a_value_is_saved_to_the_byte(site: LiveSite, tmp_path: Path, value: bytes) -> None:
    site.redis.set("../a/b", value)
    site.redis.hset("h", mapping={"icon": value + b"\xff"})
    commit(site, "begin")

    for path, expected in (
        (key("../a/b"), value),
        (key("h", "/raw", field="icon"), value + b"\xff"),
    ):
        answer = site.page.request.get(site.url + path.replace("/key?", "/raw?"))
        assert answer.body() == expected
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-disposition"].startswith("attachment; ")
    site.page.goto(key("../a/b"))
    with site.page.expect_download() as saved:
        site.page.get_by_role("link", name="Download").click()
    assert Path(saved.value.path()).read_bytes() == value
    assert "/" not in saved.value.suggested_filename
    whole = site.page.request.get(site.url + key("h", "/raw")).json()
    assert whole["h"]["type"] == "hash"


def test_what_is_masked_is_shown_only_by_an_act(site: LiveSite) -> None:
    site.backup.init(redact=["*token*"])
    site.redis.hset("apikey:1", mapping={"name": "alice", "token": "canary", "n": "5"})
    commit(site, "begin")
    site.redis.hset("apikey:1", "token", "canary-2")
    commit(site, "change")

    for page in ("/key", "/key/history", "/key/blame"):
        site.page.goto(key("apikey:1", page))
        assert "canary" not in site.page.content()
        assert "***" in site.page.inner_text("main") or page == "/key/history"
    for field in ("", "token"):
        refused = site.page.request.get(site.url + key("apikey:1", "/raw", field=field))
        assert (refused.status, "canary" in refused.text()) == (403, False)
    assert (
        site.page.request.get(site.url + key("apikey:1", "/raw", field="name")).body() == b"alice"
    )
    assert site.page.request.get(site.url + key("apikey:1", "/key/shown")).status == 405
    assert site.page.request.post(site.url + key("apikey:1", "/key/shown")).status == 403

    site.page.goto(key("apikey:1"))
    site.page.get_by_role("button", name="Show what is masked").click()
    assert "canary-2" in site.page.inner_text("main")
    with site.page.expect_download() as saved:
        site.page.get_by_role("button", name="Download").first.click()
    assert b"canary-2" in Path(saved.value.path()).read_bytes()
    site.page.goto(key("apikey:1"))
    assert "canary" not in site.page.content()


@pytest.mark.long
def test_a_read_only_site_shows_nothing_masked(start_site: StartSite) -> None:
    site = start_site("--read-only")
    site.backup.init(redact=["*token*"])
    site.redis.hset("apikey:1", mapping={"token": "canary"})
    commit(site, "begin")

    site.page.goto(key("apikey:1"))

    assert site.page.get_by_role("button", name="Show what is masked").count() == 0
    assert site.post(key("apikey:1", "/key/shown"), {}) == 403
    assert site.post(key("apikey:1", "/raw/shown"), {}) == 403


@pytest.mark.long
def test_a_large_value_is_bounded_until_all_of_it_is_asked_for(site: LiveSite) -> None:
    site.redis.set("large", "x" * 10_000_000)
    site.redis.rpush("list", *range(1000))
    commit(site, "begin")

    site.page.goto(key("large"))
    assert len(site.page.content()) < 200_000
    assert "… 9,960,000 more characters" in site.page.inner_text("main")
    site.page.get_by_role("link", name="Show all of it").click()
    assert 2_000_000 < len(site.page.content()) < 30_000_000
    site.page.goto(key("list"))
    assert "… and 800 more." in site.page.inner_text("main")
    site.page.get_by_role("link", name="Show all of it").click()
    assert site.page.locator(".rows > div").count() == 1000


@pytest.mark.long
def test_hostile_values_are_text(site: LiveSite) -> None:
    """Names, fields, members, documents, and what steers text, on every page of a key."""
    steer = "a\u202eb\u2066\x00\x1b[31m"
    for number, evil in enumerate((*EVIL, steer)):
        site.redis.hset(evil, mapping={evil: evil, "doc": json.dumps({evil: [evil]}), "n": number})
        site.redis.zadd(f"z:{number}", {evil: 1})
        site.redis.xadd(f"s:{number}", {evil: evil})
    commit(site, EVIL[0])
    names = [*EVIL[:3], steer, *(f"{kind}:{at}" for kind in "zs" for at in (0, len(EVIL)))]
    for name in names:
        for page in ("/key", "/key/history", "/key/blame"):
            site.page.goto(key(codec.strict(name), page))
            site.page.wait_for_selector("[aria-busy]", state="detached")
            assert site.page.locator("h1").count() == 1
            assert site.page.evaluate("window.harmed") is None
            foreign = "main :is(img, script, link, base, style, svg[onload])"
            assert site.page.locator(foreign).count() == 0
            content = site.page.content()
            assert [c for c in "\u202e\u2066\x00\x1b" if c in content] == []


@pytest.mark.long
def test_names_that_are_no_text_have_an_address(site: LiveSite) -> None:
    site.redis.set(b"bin\xff*", "1")
    commit(site, "begin")
    site.page.goto("/commit/HEAD")
    site.page.get_by_role("link", name="base64:YmluL/8q", exact=False).count()
    site.page.locator(".item a[data-open]").click()
    site.page.get_by_role("link", name="This key and its history").click()

    assert site.page.inner_text("h1") == codec.text(b"bin\xff*")
    assert site.page.inner_text("pre.value") == "1"
    command = str(site.page.get_attribute("[data-copy]", "data-copy"))
    assert codec.text(b"bin\xff*") in command


@pytest.mark.long
def test_a_key_speaks_chinese(start_site: StartSite) -> None:
    site = start_site(locale="zh-CN")
    site.redis.set("用户", "你好 🌍")
    commit(site, "开始")

    site.page.goto(key("用户"))

    assert site.page.inner_text("pre.value") == "你好 🌍"
    assert versions(site.page) == ["+ 新增"]
    assert "恢复此版本" in site.page.inner_text("main")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1.50, "b": [], "c": {"d": [1, "x,y"]}}', None),
        ("[]", "[]"),
        ('{"a":"\\u4e2d {"}', '{\n  "a": "\\u4e2d {"\n}'),
        ("{not json}", None),
        ("12", None),
    ],
)
def test_a_document_is_laid_out_as_it_is_written(text: str, expected: str | None) -> None:
    """Its names, texts and numbers stay to the letter."""
    found = formatted(text)
    if expected is not None or not text.startswith('{"'):
        assert found == expected
    else:
        assert found is not None
        assert json.loads(found) == json.loads(text)
        assert "1.50" in found
    entry: Any = {"type": "string", "value": text}
    assert shown_value(entry, WHOLE).rows[0].text.text == (found or text)


def test_of_a_large_key_the_parts_are_found_that_contain_a_text() -> None:
    fields = {f"field-{number}": "Alice" if number % 2 else "bob" for number in range(1000)}
    entry: Any = {"type": "hash", "value": fields}

    by_name, by_value = shown_value(entry, wanted="FIELD-7"), shown_value(entry, wanted="alice")

    assert [row.title for row in by_name.rows][:2] == ["field-7", "field-70"]
    assert (len(by_name.rows), by_name.left, by_name.cut) == (111, 0, False)
    assert {row.text.text for row in by_value.rows} == {"Alice"}
    assert (len(by_value.rows), by_value.left, by_value.cut) == (200, 300, True)
    assert shown_value(entry, wanted="nobody").rows == []
