"""The first page: commits by day, what has changed since HEAD, and the keyboard."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from gitbackup import Backup
from gitbackup.report.html.frame import SIGNS
from tests.proxy import Proxy
from tests.servers import LiveServer
from tests.store.plain import git
from tests.ui.conftest import StartSite
from tests.ui.live_site import LiveSite

HOSTILE = "<img src=x onerror=\"document.title='owned'\"> \u202e ${7*7} {{7*7}} \x1b[31m"


def said(page: Page) -> Locator:
    """What the strip at the top says in a sentence."""
    return page.locator(".said")


def commits(page: Page) -> Locator:
    return page.locator("#commits .subject")


def by_hand(repo: Path, count: int) -> None:
    """Make commits of HEAD's tree, as many as one likes: a first commit of ours is there."""
    head, branch = git(repo, "rev-parse", "HEAD"), git(repo, "symbolic-ref", "HEAD")
    stream = "".join(
        f"commit {branch}\nmark :{at + 1}\ncommitter A <a@b> {1_700_000_000 + at} +0000\n"
        f"data <<E\nnumber {at}\nE\nfrom {f':{at}' if at else head}\n\n"
        for at in range(count)
    )
    git(repo, "fast-import", "--quiet", stdin=stream.encode())


def unpacked(repo: Path) -> None:
    """Have a file for each object."""
    packs = repo / ".git" / "objects" / "pack"
    aside = repo.parent / "aside"
    packs.rename(aside)
    for pack in aside.glob("*.pack"):
        git(repo, "unpack-objects", "-q", stdin=pack.read_bytes())


def test_a_commit_says_what_it_changed_by_namespace(site: LiveSite) -> None:
    site.redis.mset({"user:1": "a", "user:2": "b", "config": "c"})
    site.backup.commit("first commit")
    site.redis.delete("user:1")
    site.redis.mset({"user:2": "c", "config": "d"})
    site.backup.commit("took one away")

    site.page.goto("/")

    assert commits(site.page).all_inner_texts() == ["took one away", "first commit"]
    newest = site.page.locator(".commit").first
    expect(newest.locator(".few li")).to_have_text(["user 2", "(no prefix) 1"], use_inner_text=True)
    assert newest.locator(".sum").inner_text().split() == [
        "~2",
        "changed",
        f"{SIGNS['removed']}1",
        "removed",
    ]
    assert newest.locator("svg.bar rect").count() == 3
    expect(site.page.get_by_text("Nothing has changed since HEAD").first).to_be_visible()
    expect(site.page.get_by_role("link", name="See the changes")).to_be_hidden()
    expect(site.page.locator(".verdict")).to_contain_text("bad")


def test_the_first_commit_is_asked_for_where_there_is_none(site: LiveSite) -> None:
    site.redis.set("key", "value")

    site.page.goto("/")

    expect(said(site.page)).to_have_text("1 key, and no commit yet")
    assert "Nothing is kept yet" in site.page.inner_text("main")


@pytest.mark.long
def test_what_changes_is_told_by_itself(site: LiveSite) -> None:
    site.redis.set("key", "value")
    site.backup.commit()
    site.page.goto("/")
    expect(said(site.page)).to_have_text("Nothing has changed since HEAD")

    site.redis.set("key", "another")

    expect(said(site.page)).to_have_text("1 key changed since HEAD")
    expect(site.page.locator("[data-said]")).to_have_text("1 key changed since HEAD")


@pytest.mark.long
def test_a_new_commit_comes_by_itself(site: LiveSite) -> None:
    """And what somebody has begun to write stays."""
    site.redis.set("key", "value")
    site.backup.commit("first commit")
    site.page.goto("/")
    site.page.get_by_role("heading", name="Timeline").wait_for(state="attached")
    site.page.evaluate("window.stays = true")

    site.redis.set("key", "another")
    site.backup.commit("second commit")

    expect(commits(site.page)).to_have_text(["second commit", "first commit"])
    expect(site.page.locator(".commit.new")).to_have_count(1)
    assert site.page.evaluate("window.stays")


@pytest.mark.long
def test_a_server_that_nobody_writes_to_is_read_once(site: LiveSite) -> None:
    site.redis.set("key", "value")
    site.backup.commit()
    site.page.goto("/")
    expect(said(site.page)).to_have_text("Nothing has changed since HEAD")
    first = site.redis.info("commandstats")["cmdstat_scan"]["calls"]

    for _ in range(2):
        with site.page.expect_response(lambda answer: "/live" in answer.url):
            pass

    assert first == site.redis.info("commandstats")["cmdstat_scan"]["calls"]


@pytest.mark.long
def test_two_tabs_share_one_comparison(site: LiveSite) -> None:
    site.redis.set("key", "value")
    site.backup.commit()
    second = site.tab()
    for page in (site.page, second):
        page.goto("/")
        expect(said(page)).to_have_text("Nothing has changed since HEAD")
    first = site.redis.info("commandstats")["cmdstat_scan"]["calls"]

    site.redis.set("key", "another")
    for page in (site.page, second):
        expect(said(page)).to_have_text("1 key changed since HEAD")

    once = site.redis.info("commandstats")["cmdstat_scan"]["calls"] - first
    site.backup.status()
    assert site.redis.info("commandstats")["cmdstat_scan"]["calls"] - first == 2 * once


@pytest.mark.long
def test_a_large_database_is_compared_if_somebody_asks(site: LiveSite) -> None:
    site.redis.mset({f"key:{number}": "value" for number in range(50_001)})
    site.backup.commit()

    site.page.goto("/")

    asks = "Not compared with HEAD, for that reads all 50,001 keys"
    expect(said(site.page)).to_have_text(asks)
    site.page.get_by_role("button", name="Compare now").click()
    expect(said(site.page)).to_have_text("Nothing has changed since HEAD", timeout=60_000)
    site.redis.set("key:1", "another")
    stale = "Something was written since the database was compared"
    expect(said(site.page)).to_have_text(stale)


@pytest.mark.long
def test_the_server_goes_away_and_comes_back(
    start_site: StartSite, valkey: LiveServer, tmp_path: Path
) -> None:
    with Proxy(valkey.address, tmp_path / "proxy") as proxy:
        site = start_site(server=replace(valkey, address=proxy.url))
        site.redis.set("key", "value")
        site.backup.commit("kept")
        site.page.goto("/")
        expect(said(site.page)).to_have_text("Nothing has changed since HEAD")

        proxy.allow(0)
        sentence = "The database cannot be looked at; it is tried again."
        expect(said(site.page)).to_have_text(sentence)
        assert commits(site.page).all_inner_texts() == ["kept"]

        proxy.as_ever()
        expect(said(site.page)).to_have_text("Nothing has changed since HEAD")
        site.redis.close()


@pytest.mark.long
def test_a_page_whose_site_has_stopped_says_so(site: LiveSite) -> None:
    site.redis.set("key", "value")
    site.backup.commit("kept")
    site.page.goto("/")

    site.process.terminate()

    lost = "This page has lost gitbackup ui: start it again, and the page goes on by itself."
    expect(said(site.page)).to_have_text(lost)
    assert commits(site.page).all_inner_texts() == ["kept"]


@pytest.mark.long
def test_a_login_that_has_ended_is_told(site: LiveSite) -> None:
    site.page.goto("/")
    site.context.clear_cookies()
    expect(said(site.page)).to_have_text(re.compile("This login has ended"))


@pytest.mark.long
def test_pages_of_commits_go_back_to_the_first(site: LiveSite) -> None:
    site.redis.set("key", "value")
    site.backup.commit("first commit")
    by_hand(site.repo, 119)
    site.page.goto("/")
    assert commits(site.page).count() == 50

    site.page.get_by_role("link", name="Older").click()
    assert commits(site.page).first.inner_text() == "number 68"
    site.page.get_by_role("link", name="Older").click()
    assert commits(site.page).last.inner_text() == "first commit"
    assert commits(site.page).count() == 20
    assert site.page.get_by_role("link", name="Older").count() == 0
    site.page.get_by_role("link", name="Newer").click()
    site.page.get_by_role("link", name="Newer").click()
    assert commits(site.page).first.inner_text() == "number 118"


def test_commits_are_filtered_by_message_and_key_and_day(site: LiveSite) -> None:
    site.redis.set("user:1", "a")
    site.backup.commit("added a user")
    site.redis.set("config", "b")
    site.backup.commit("added the config")
    site.page.goto("/")

    site.page.keyboard.press("/")
    site.page.keyboard.type("user")
    site.page.keyboard.press("Enter")
    expect(commits(site.page)).to_have_text(["added a user"])
    assert site.page.locator(".copy code").inner_text().endswith(" --grep user")

    site.page.goto("/?key=conf*")
    assert commits(site.page).all_inner_texts() == ["added the config"]
    expect(site.page.locator(".few.keys")).to_have_text(re.compile(r"\+\s*config"))
    site.page.goto("/?until=2001-01-01")
    assert "No commit fits" in site.page.inner_text("main")
    site.page.goto("/?since=2001-01-01")
    assert commits(site.page).count() == 2


@pytest.mark.long
@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("since=yesterday", "is no day"),
        ("message=%5B", "regular expression"),
        ("at=nowhere", "nowhere"),
    ],
)
def test_a_filter_that_cannot_be_is_told(site: LiveSite, query: str, sentence: str) -> None:
    site.redis.set("key", "value")
    site.backup.commit()
    answer = site.page.goto(f"/?{query}")
    assert answer
    assert answer.status == 400
    assert sentence in site.page.get_by_role("alert").inner_text()


@pytest.mark.long
def test_badges_tell_what_else_is_known_of_commits(site: LiveSite, tmp_path: Path) -> None:
    site.redis.set("key", "value")
    site.backup.commit("first commit")
    site.redis.set("key", "another")
    site.backup.commit("second commit")
    site.backup.restore("HEAD~1", confirm=lambda plan: True)
    site.backup.undo(confirm=lambda plan: True)
    (tmp_path / "there").mkdir()
    site.backup.push(str(tmp_path / "there"))
    site.backup.verify()
    site.backup.words.put("all good")
    git(site.repo, "tag", "v1", "HEAD~1")
    site.redis.set("key", "last")
    site.backup.commit("third commit")

    site.page.goto("/")

    facts = site.page.locator(".commit .facts").all_inner_texts()
    assert "HEAD" in facts[0]
    assert "not pushed to " in facts[0]
    assert "→ " in facts[1]  # undo of what: its subject says it
    assert "pushed to " in facts[1]
    assert "not pushed" not in facts[1]
    assert "restore-tested" in facts[1]
    assert "all good" in site.page.locator(".commit").nth(1).inner_text()
    assert "v1" in facts[2]
    assert "restore of " in facts[2]
    assert all("point in time" in fact for fact in facts)
    restored = site.page.get_by_text("not one point in time", exact=True).first
    assert restored.get_attribute("title") == "It was written key by key, and read so, too."


@pytest.mark.long
def test_commits_that_nobody_could_sum_up_at_first_are_summed_up_later(site: LiveSite) -> None:
    site.redis.set("user:1", "a")
    site.backup.commit()
    site.page.goto("/")
    row = site.page.locator("[data-changes]").first
    row.evaluate("row => row.replaceChildren()")
    row.evaluate("row => row.setAttribute('data-unsummed', '')")
    site.page.reload()
    expect(site.page.locator(".few li")).to_have_text([re.compile("user")])


@pytest.mark.long
def test_a_commit_made_by_hand_is_summed_up_as_well(site: LiveSite) -> None:
    """Though it says nothing of itself; and what it names is no link unless it is a commit."""
    site.redis.mset({"user:1": "a", "user:2": "b"})
    site.backup.commit()
    site.redis.delete("user:2")
    site.backup.commit()
    tree, head = git(site.repo, "rev-parse", "HEAD~1^{tree}", "HEAD").split()
    words = "by hand\n\nUndoes: javascript:alert(1)\nRestore-Of: ../..\n"
    made = git(site.repo, "commit-tree", tree, "-p", head, stdin=words.encode())
    git(site.repo, "update-ref", "HEAD", made)

    site.page.goto("/")

    row = site.page.locator(".commit").first
    expect(row.locator(".sum")).to_have_text(re.compile(r"\+\s*1"))
    assert "made with plain git" in row.inner_text()
    assert row.locator("a").count() == 1


@pytest.mark.long
def test_a_commit_that_is_lost_hides_only_those_before_it(site: LiveSite) -> None:
    for number in range(3):
        site.redis.set("key", number)
        site.backup.commit(f"commit {number}")
    unpacked(site.repo)
    lost = git(site.repo, "rev-parse", "HEAD~1")
    (site.repo / ".git" / "objects" / lost[:2] / lost[2:]).unlink()

    site.page.goto("/")

    assert commits(site.page).all_inner_texts() == ["commit 2"]
    assert lost in site.page.locator("#commits [role=alert]").inner_text()


@pytest.mark.long
def test_two_commits_are_chosen_and_compared(site: LiveSite) -> None:
    """The older one is the side before; of three, the last two count."""
    for number in range(3):
        site.redis.set("key", number)
        site.backup.commit(f"commit {number}")
    ids = git(site.repo, "rev-list", "HEAD").split()
    site.page.goto("/")
    dots = site.page.locator(".pick")

    dots.nth(1).check()
    assert site.page.get_by_text("Choose a second commit").is_visible()
    dots.nth(0).check()
    dots.nth(2).check()
    assert [dot.is_checked() for dot in dots.all()] == [True, False, True]
    site.page.get_by_role("link", name="Compare").click()

    site.page.wait_for_url(f"**/diff?a={ids[2]}&b={ids[0]}")


def test_all_can_be_done_by_keyboard(site: LiveSite) -> None:
    for number in range(3):
        site.redis.set("key", number)
        site.backup.commit(f"commit {number}")
    site.page.goto("/")
    focused = "document.activeElement.textContent"

    site.page.keyboard.press("j")
    assert site.page.evaluate(focused) == "commit 2"
    site.page.keyboard.press("j")
    site.page.keyboard.press("j")
    site.page.keyboard.press("k")
    assert site.page.evaluate(focused) == "commit 1"
    site.page.keyboard.press("?")
    assert site.page.get_by_role("dialog").is_visible()
    site.page.keyboard.press("Escape")
    assert not site.page.get_by_role("dialog").is_visible()
    site.page.keyboard.press("Enter")
    site.page.wait_for_url("**/commit/*")
    site.page.keyboard.press("g")
    site.page.keyboard.press("t")
    site.page.wait_for_url(f"{site.url}/")


@pytest.mark.long
def test_a_reader_without_a_mouse_can_skip_to_the_content(site: LiveSite) -> None:
    site.page.goto("/")
    site.page.keyboard.press("Tab")
    assert site.page.evaluate("document.activeElement.className") == "skip"
    site.page.keyboard.press("Enter")
    assert site.page.evaluate("document.activeElement.id") == "main"


@pytest.mark.long
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_no_page_is_wider_than_its_screen(start_site: StartSite, width: int) -> None:
    site = start_site(viewport={"width": width, "height": 800})
    site.redis.mset({"x" * 300 + ":1": "a", "account_usage_of_a_long_name:2": "b"})
    site.backup.commit("w" * 200)
    site.redis.set("usage:1", "c")
    for address in ("/", "/?message=w", "/?since=nothing"):
        site.page.goto(address)
        assert site.page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.long
def test_a_reader_of_chinese_sees_chinese(start_site: StartSite) -> None:
    site = start_site(locale="zh-CN", timezone_id="Asia/Shanghai")
    site.redis.set("key", "value")
    site.backup.commit("新账户 🎉")

    site.page.goto("/")

    expect(said(site.page)).to_have_text("自 HEAD 以来没有改动")
    assert site.page.evaluate("document.documentElement.lang") == "zh-CN"
    assert commits(site.page).all_inner_texts() == ["新账户 🎉"]
    day = site.page.locator(".day h2").inner_text()
    assert re.fullmatch(r"\d+ 年 \d+ 月 \d+ 日星期.", day)


@pytest.mark.long
def test_times_and_days_are_those_of_the_reader(start_site: StartSite) -> None:
    """One commit is of the day before where the sun comes later."""
    site = start_site(timezone_id="America/New_York")
    site.redis.set("key", "value")
    site.backup.commit()
    by_hand(site.repo, 1)  # at 22:13 UTC on 14 November 2023, which is 17:13 there
    git(site.repo, "commit", "-q", "--allow-empty", "-m", "early", "--date=2023-11-15T02:00:00Z")

    site.page.goto("/")

    days = site.page.locator(".day h2").all_inner_texts()
    assert days[0].replace(",", "") == "Tuesday 14 November 2023"
    assert site.page.locator(".commit time").all_inner_texts()[:2] == ["21:00", "17:13"]
    title = site.page.locator(".commit time").first.get_attribute("title")
    assert title == "2023-11-15 02:00:00 UTC"


def test_what_others_wrote_is_text(site: LiveSite) -> None:
    site.redis.set(HOSTILE, HOSTILE)
    site.redis.set(f"{HOSTILE}:1", HOSTILE)
    site.backup.commit(HOSTILE)
    site.backup.words.put(HOSTILE)
    site.redis.set(f"{HOSTILE}:1", "other")

    site.page.goto("/")

    expect(said(site.page)).to_have_text("1 key changed since HEAD")
    assert site.page.locator("main img, main b b").count() == 0
    assert "owned" not in site.page.title()
    text = site.page.inner_text("main")
    assert "<img src=x onerror=" in text
    assert "49" not in commits(site.page).inner_text()
    assert "\u202e" not in site.page.content()


@pytest.mark.long
def test_a_read_only_page_has_nothing_to_press(start_site: StartSite) -> None:
    site = start_site("--read-only")
    site.redis.set("key", "value")
    site.backup.commit()
    site.redis.set("key", "another")
    site.page.goto("/")
    expect(said(site.page)).to_have_text("1 key changed since HEAD")
    assert site.page.locator("main form[method=post]").count() == 0
    assert site.page.get_by_text("read-only").is_visible()


@pytest.mark.long
def test_where_most_is_noise_the_page_says_how_to_silence_it(site: LiveSite) -> None:
    site.redis.set("config", "a")
    site.backup.commit()
    site.redis.mset({"config": "b", **{f"usage:{number}": "1" for number in range(60)}})
    site.page.goto("/")
    site.page.get_by_text("Most of it is usage: 60 of 61.").wait_for()
    site.page.get_by_role("link", name="Which keys to keep quiet").click()
    expect(site.page.locator("#suggestions")).to_contain_text("usage:*")


@pytest.mark.long
def test_quiet_keys_are_counted_apart(site: LiveSite) -> None:
    site.redis.mset({"config": "a", "usage:1": "1"})
    site.backup.commit()
    site.backup.config.add("quiet", "usage:*")
    site.redis.mset({"config": "b", "usage:1": "2", "usage:2": "3"})
    site.page.goto("/")
    expect(said(site.page)).to_have_text("1 key changed since HEAD")
    quiet = site.page.locator("#live .soft").inner_text()
    assert quiet.split() == ["Quiet", "keys,", "not", "shown:", "+1", "added", "~1", "changed"]

    Backup(site.repo, site.server.url).commit("all of it")
    site.page.goto("/")

    row = site.page.locator(".commit").first
    expect(row.locator(".sum")).to_have_text(re.compile(r"~\s*1"))
    expect(row.locator(".noise")).to_have_text("Quiet keys, not shown: 2")
