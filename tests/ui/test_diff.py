"""What differs, in a browser: a commit, two of them, one against the database, a group, a key."""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from threading import Lock
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from gitbackup import Backup
from gitbackup.compare.diff import Diff
from gitbackup.format import codec
from gitbackup.format.patterns import literal
from gitbackup.model.changes import Action, KeyChange
from gitbackup.model.file_groups import listed
from gitbackup.model.keys import Key
from gitbackup.ui.views.differences.groups import FIRST_SEEN, Filter, Groups
from gitbackup.ui.views.differences.pairs import Pair, Pairs
from gitbackup.ui.words.commands import glob_of
from tests import histories
from tests.report.test_html import EVIL
from tests.servers import StartServer
from tests.ui.conftest import StartSite
from tests.ui.live_site import LiveSite


def names(page: Page) -> list[str]:
    """The keys that are in sight, once the page that a click led to is there as a whole."""
    page.wait_for_load_state()
    seen = "all => all.filter((name) => name.checkVisibility()).map((name) => name.textContent)"
    found: list[str] = page.locator(".item .name").evaluate_all(seen)
    return found


def rows(page: Page, key: str) -> list[str]:
    """What is told of one key, once the page is there as a whole."""
    page.wait_for_load_state()
    item = page.locator(".item", has=page.get_by_text(key, exact=True))
    return [text.replace("\n", " ") for text in item.locator("dl > div").all_inner_texts()]


def commit(site: LiveSite, message: str) -> str:
    made = site.backup.commit(message).commit
    assert made is not None
    return made


def test_a_commit_shows_what_changed_inside_its_keys(site: LiveSite) -> None:
    """Field by field, path by path, word by word; what was removed before what was added."""
    site.redis.hset("apikey:1", mapping={"name": "alice", "limits": '{"daily": 100}'})
    site.redis.set("config", "the quick brown fox jumps")
    commit(site, "begin")
    site.redis.hset("apikey:2", "name", "bob")
    site.redis.hset("apikey:1", "limits", '{"daily": 250}')
    site.redis.set("config", "the slow brown fox jumps")
    site.redis.delete("gone")
    new = commit(site, "limits raised\n\nas agreed")

    site.page.goto(f"/commit/{new}")

    assert site.page.inner_text("h1") == "limits raised"
    assert site.page.inner_text(".message").strip() == "as agreed"
    assert names(site.page) == ["config", "apikey:1", "apikey:2"]
    assert rows(site.page, "apikey:1") == ["limits.daily 100 250 #"]
    assert rows(site.page, "apikey:2") == ['name "bob" #']
    assert site.page.locator("mark").all_inner_texts() == ["quick", "slow"]
    assert site.page.inner_text(".total").split() == ["+1", "added", "~2", "changed"]


@pytest.mark.long
def test_old_and_new_are_side_by_side_where_there_is_room(site: LiveSite) -> None:
    site.redis.set("config", "one\ntwo\nthree\n")
    commit(site, "begin")
    site.redis.set("config", "one\nTWO\nthree\n")
    site.redis.set("other", "x")
    new = commit(site, "change")
    site.page.goto(f"/commit/{new}")
    sides = [site.page.locator(f"pre {side}") for side in ("del", "ins")]

    old, new_box = (side.bounding_box() for side in sides)
    assert old
    assert new_box
    assert (old["y"], old["x"] < new_box["x"]) == (new_box["y"], True)

    site.page.set_viewport_size({"width": 390, "height": 844})
    old, new_box = (side.bounding_box() for side in sides)
    assert old
    assert new_box
    assert (old["x"], old["y"] < new_box["y"]) == (new_box["x"], True)
    assert site.page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.long
def test_large_and_quiet_groups_are_folded_and_come_when_they_are_opened(site: LiveSite) -> None:
    site.backup.init(quiet=["noise:*"])
    for number in range(120):
        site.redis.set(f"usage:{number:03}", number)
    site.redis.set("noise:1", 1)
    site.redis.set("config", 1)
    new = commit(site, "begin")

    site.page.goto(f"/commit/{new}")

    titles = site.page.locator(".group > summary h3").all_inner_texts()
    assert titles == ["(no prefix)", "usage", "noise"]
    assert names(site.page) == ["config"]
    site.page.get_by_role("heading", name="usage").click()
    site.page.wait_for_selector("text=usage:049")
    assert len(names(site.page)) == 51
    site.page.get_by_role("link", name="More keys").click()
    site.page.wait_for_selector("text=usage:099")
    site.page.get_by_role("link", name="More keys").click()
    site.page.wait_for_selector("text=usage:119")
    assert names(site.page)[1:] == [f"usage:{number:03}" for number in range(120)]
    site.page.get_by_role("heading", name="noise").click()
    site.page.wait_for_selector("text=noise:1")
    assert site.page.locator("[data-more]").count() == 0


@pytest.mark.long
def test_a_group_has_an_address_of_its_own(site: LiveSite) -> None:
    """Its pages follow one another, also where no script runs."""
    for number in range(60):
        site.redis.set(f"usage:{number:03}", number)
    site.redis.set("config", 1)
    new = commit(site, "begin")
    site.page.goto(f"/commit/{new}")

    site.page.goto(site.url + str(site.page.get_attribute(".spaces a:has-text('usage')", "href")))

    assert names(site.page) == [f"usage:{number:03}" for number in range(50)]
    site.page.goto(site.url + str(site.page.get_attribute("[data-more]", "href")))
    assert names(site.page) == [f"usage:{number:03}" for number in range(50, 60)]
    site.page.get_by_role("link", name="Keys before these").click()
    assert len(names(site.page)) == 50


@pytest.mark.long
def test_keys_are_found_by_name_value_and_action(site: LiveSite) -> None:
    site.redis.mset({"apikey:1": "red", "apikey:22": "green", "session:1": "red"})
    commit(site, "begin")
    site.redis.mset({"apikey:1": "blue", "apikey:22": "GREENISH", "config": "red"})
    site.redis.delete("session:1")
    new = commit(site, "change")
    site.page.goto(f"/commit/{new}")

    def filtered(**fields: str) -> list[str]:
        for name in ("key", "text"):
            site.page.fill(f"[name={name}]", fields.get(name, ""))
        site.page.get_by_role("button", name="Filter").click()
        return names(site.page)

    assert filtered(key="API") == ["apikey:1", "apikey:22"]
    assert filtered(key="*:1") == ["session:1", "apikey:1"]
    assert filtered(text="greenish") == ["apikey:22"]
    assert filtered(text="red") == ["session:1", "config", "apikey:1"]
    assert filtered(key="nothing") == []
    assert "No key fits." in site.page.inner_text("#changes")
    site.page.get_by_role("link", name="Show all").click()
    site.page.uncheck("[value=changed]")
    assert filtered() == ["session:1", "config"]


def test_every_key_and_every_change_has_its_address(site: LiveSite) -> None:
    site.redis.hset("apikey:1", mapping={"name": "alice", "role": "user"})
    commit(site, "begin")
    site.redis.hset("apikey:1", mapping={"name": "ann", "role": "admin"})
    site.redis.set("other", 1)
    new = commit(site, "change")
    site.page.goto(f"/commit/{new}")

    site.page.get_by_role("link", name="apikey:1").click()

    assert site.page.inner_text("h1") == "apikey:1"
    row = site.page.locator("dl > div", has_text="role")
    row.hover()
    row.locator(".anchor").click()
    assert site.page.locator("dl > div:target").inner_text().startswith("role")
    site.page.goto(site.page.url)
    assert site.page.locator("dl > div:target").inner_text().startswith("role")
    site.page.get_by_role("link", name="All that differs").click()
    assert names(site.page) == ["other", "apikey:1"]


def test_the_rest_of_a_key_comes_in_its_place_and_its_old_value_is_a_step_away(
    site: LiveSite,
) -> None:
    for value in ("old", "new"):
        site.redis.hset("key", mapping={f"field {number:02}": value for number in range(20)})
        commit(site, value)
    site.page.goto("/commit/HEAD")
    expect(site.page.locator(".item dl > div")).to_have_count(12)

    site.page.get_by_role("link", name="All that changed in it").click()

    expect(site.page.locator(".item dl > div")).to_have_count(20)
    assert site.page.url.endswith("/commit/HEAD")
    site.page.get_by_role("link", name="Bring the old value back").click()
    expect(site.page.get_by_role("textbox", name="Keys")).to_have_value("key")


def test_a_commit_against_the_database_says_when_it_was_read(site: LiveSite) -> None:
    """What one view shows is of one reading; another reading is asked for."""
    for number in range(60):
        site.redis.set(f"usage:{number:02}", 1)
    commit(site, "begin")
    for number in range(60):
        site.redis.set(f"usage:{number:02}", 2)
    site.redis.set("config", "first")
    site.page.goto("/diff?a=HEAD&b=")
    site.page.wait_for_selector(".item")
    assert "The database was read at" in site.page.inner_text("#changes")
    assert names(site.page) == ["config"]
    site.redis.mset({"config": "second", "usage:00": 3})

    back = site.page.get_by_role("link", name="Bring these back")
    assert "key=usage%3A%2A&db=0" in str(back.get_attribute("href"))
    site.page.get_by_role("heading", name="usage").click()
    site.page.wait_for_selector("text=usage:00")
    assert rows(site.page, "usage:00") == ['"1" "2" #']
    site.page.get_by_role("link", name="config").click()
    expect(site.page.locator("dl").first).to_contain_text('"first"')
    site.page.goto("/diff?a=HEAD&b=")
    site.page.wait_for_selector(".item")
    assert rows(site.page, "config") == ['"second" #']


@pytest.mark.long
def test_a_reading_that_is_not_kept_is_made_again(site: LiveSite) -> None:
    site.redis.set("config", "first")
    commit(site, "begin")
    site.redis.set("config", "second")

    site.page.goto("/diff?a=HEAD&b=&reading=long-gone")

    assert names(site.page) == ["config"]


@pytest.mark.long
def test_a_server_that_is_away_is_said_where_its_data_would_be(site: LiveSite) -> None:
    site.redis.set("config", "first")
    commit(site, "begin")
    site.redis.shutdown(nosave=True)
    site.page.goto("/diff?a=HEAD&b=")

    site.page.wait_for_selector("#changes [role=alert]")

    said = site.page.inner_text("#changes [role=alert]")
    assert ("could not be loaded" in said, "no server answers" in said) == (True, True)
    assert site.page.get_by_role("button", name="Try again").count() == 1


@pytest.mark.long
def test_the_first_commit_is_compared_with_nothing(site: LiveSite) -> None:
    site.redis.set("config", "first")
    new = commit(site, "begin")

    site.page.goto(f"/commit/{new}")

    assert names(site.page) == ["config"]
    site.page.get_by_role("link", name="config").click()
    assert "nothing" in site.page.inner_text(".sides")
    assert site.page.inner_text("dl ins") == '"first"'


@pytest.mark.long
def test_commits_lead_to_their_neighbours_and_to_each_parent(site: LiveSite) -> None:
    ids = []
    for number in range(3):
        site.redis.set("config", number)
        ids.append(commit(site, f"commit {number}"))
    merge = subprocess.run(
        ["git", "commit-tree", f"{ids[2]}^{{tree}}", "-p", ids[2], "-p", ids[0], "-m", "a merge"],
        cwd=site.repo,
        env={"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a", "GIT_AUTHOR_NAME": "a"}
        | {"GIT_AUTHOR_EMAIL": "a", "PATH": "/usr/bin:/bin:/usr/local/bin"},
        capture_output=True,
        check=True,
        text=True,
    ).stdout.strip()
    site.page.goto(f"/commit/{ids[1]}")

    site.page.get_by_role("link", name="Next commit").click()
    assert site.page.inner_text("h1") == "commit 2"
    assert site.page.get_by_role("link", name="Next commit").count() == 0
    site.page.get_by_role("link", name="Previous commit").click()
    assert site.page.inner_text("h1") == "commit 1"
    site.page.goto(f"/commit/{merge}")
    assert "Nothing differs." in site.page.inner_text("#changes")
    site.page.get_by_role("link", name=ids[0][:7]).click()
    assert rows(site.page, "config") == ['"0" "2" #']


@pytest.mark.long
def test_what_is_not_there_is_said(site: LiveSite) -> None:
    site.redis.set("config", "first")
    commit(site, "begin")

    for path, said in {
        "/commit/0123456": "0123456",
        "/commit/nothing": "nothing",
        "/diff?a=nothing&b=HEAD": "nothing",
        "/diff?a=HEAD&b=HEAD&db=0&name=lost": "Neither side has this key.",
        "/diff?a=HEAD&b=HEAD&db=x&name=lost": "'x'",
        "/diff?a=HEAD&b=HEAD&name=lost": "Neither side has this key.",
        "/diff?a=HEAD&b=HEAD&start=many": "'many'",
        "/?message=%00": "no message has a null byte",
        "/diff?a=HEAD&b=HEAD&space=db0/lost": "No key of this prefix differs.",
    }.items():
        site.page.goto(path)
        assert said in site.page.inner_text("main")


def test_what_is_masked_is_in_no_page(site: LiveSite) -> None:
    """Neither as a value, nor as a word that is looked for."""
    site.backup.init(redact=["*token*"])
    site.redis.hset("apikey:1", mapping={"name": "alice", "token": "canary-1"})
    site.redis.set("doc", json.dumps({"token": "canary-1", "x": 1}))
    old = commit(site, "begin")
    site.redis.hset("apikey:1", mapping={"name": "ann", "token": "canary-2"})
    site.redis.set("doc", json.dumps({"token": "canary-2", "x": 2}))
    new = commit(site, "change")

    for path in (f"/commit/{old}", f"/commit/{new}", f"/diff?a={old}&b={new}&db=0&name=apikey:1"):
        site.page.goto(path)
        assert "alice" in site.page.content()
        assert "canary" not in site.page.content()
        assert "redacted" in site.page.inner_text("main")
    site.page.goto(f"/commit/{new}?text=canary-2")
    assert names(site.page) == []
    site.backup.config.add("redact", "name")
    site.page.goto(f"/commit/{new}")
    assert "alice" not in site.page.content()


@pytest.mark.long
def test_hostile_keys_and_values_are_text(site: LiveSite) -> None:
    """In every field: names, fields, members, values, documents, lines, and what commits say."""
    steer = "a\u202eb\u2066\x00\x1b[31m"
    for number, evil in enumerate((*EVIL, steer, "\ud800".encode("utf-8", "surrogatepass"))):
        text = evil if isinstance(evil, str) else "x"
        site.redis.set(evil, evil)
        site.redis.hset(f"{text}:{number}", mapping={text: text, "a": "1"})
        site.redis.sadd(f"set:{number}", evil)
        site.redis.set(f"doc:{number}", json.dumps({text: text}))
        site.redis.set(f"lines:{number}", f"{text}\na\n")
        site.redis.xadd(f"stream:{number}", {text: text})
    old = commit(site, f"{EVIL[0]}\n\n{EVIL[2]}")
    for number in range(len(EVIL) + 2):
        site.redis.set(f"lines:{number}", f"{EVIL[0]}\nb\n{steer}")
        site.redis.set(f"doc:{number}", json.dumps({"x": EVIL[1], EVIL[2]: steer}))
    new = commit(site, EVIL[1])

    for path in (f"/commit/{old}", f"/commit/{new}", f"/diff?a={old}&b={new}&text=<script>"):
        site.page.goto(path)
        for group in site.page.locator(".group:not([open]) > summary").all():
            group.click()
        site.page.wait_for_selector("details[data-load][open]", state="detached")
        assert site.page.evaluate("window.harmed") is None
        assert (
            site.page.locator("main :is(img, script, link, base, style, svg[onload])").count() == 0
        )
        assert [c for c in "\u202e\u2066\x00\x1b" if c in site.page.content()] == []
    assert EVIL[0] in site.page.inner_text("#changes")
    for link in [*site.page.locator(".item a").all()][:3]:
        assert site.page.request.get(site.url + str(link.get_attribute("href"))).status == 200


@pytest.mark.long
def test_the_page_speaks_chinese_and_shows_it(start_site: StartSite) -> None:
    site = start_site(locale="zh-CN")
    site.redis.set("用户:张三", "你好世界 👩‍👧 🌍")
    commit(site, "第一次提交")
    site.redis.set("用户:张三", "你好朋友 👩‍👦 🌏")
    new = commit(site, "改了问候")

    site.page.goto(f"/commit/{new}")

    assert names(site.page) == ["用户:张三"]
    assert site.page.locator("mark").all_inner_texts() == [
        "世界",
        "👩‍👧",
        "🌍",
        "朋友",
        "👩‍👦",
        "🌏",
    ]
    assert "关于此提交" in site.page.inner_text("main")
    site.page.fill("[name=text]", "朋友")
    site.page.keyboard.press("Enter")
    site.page.wait_for_selector("text=已查看")
    assert names(site.page) == ["用户:张三"]


def test_the_keyboard_moves_through_the_keys(site: LiveSite) -> None:
    site.redis.mset({"a:1": 1, "b:1": 1})
    new = commit(site, "begin")
    site.page.goto(f"/commit/{new}")

    for key in ("j", "j", "j", "j", "Enter"):  # both groups, each with its key
        site.page.keyboard.press(key)

    site.page.wait_for_url("**/diff?**")
    assert site.page.inner_text("h1") == "b:1"
    site.page.goto(f"/commit/{new}")
    site.page.keyboard.press("/")
    site.page.keyboard.type("a:")
    site.page.keyboard.press("Enter")
    site.page.wait_for_selector("text=Show all")
    assert names(site.page) == ["a:1"]


@pytest.mark.long
def test_a_command_names_exactly_the_key(site: LiveSite) -> None:
    """Whatever is in its name, as bash reads it; it shows what the page shows."""
    names = [
        "config",
        "it's",
        "a b",
        "*",
        "a[b]\\c",
        "$(touch x)",
        "`x`",
        "!1",
        "-x",
        "x\n\x1b[31m",
    ]
    for name in [*names, "\u202e", "键", "🌍", codec.text(b"\xff\xfe*"), "base64:"]:
        words = f"printf %s {glob_of(name)}"
        done = subprocess.run(["bash", "-c", words], capture_output=True, check=True)
        assert literal(done.stdout) == (codec.data(name), True)
        assert glob_of(name).isprintable()
    site.redis.set("it's *", 1)
    site.redis.set("it's more", 1)
    commit(site, "begin")
    site.redis.mset({"it's *": 2, "it's more": 2})
    new = commit(site, "change")
    site.page.goto(f"/diff?a={new}~1&b={new}&db=0&name=it%27s+*")
    command = site.page.get_attribute("[data-copy]", "data-copy")
    assert command
    shown = subprocess.run(
        ["bash", "-c", command.replace("gitbackup", "python -m gitbackup", 1)],
        capture_output=True,
        check=True,
        text=True,
    )
    assert ("it's *" in shown.stdout, "it's more" in shown.stdout) == (True, False)


@pytest.mark.long
def test_a_long_look_for_a_text_goes_on(site: LiveSite) -> None:
    """It stands on one page, and each key once."""
    for number in range(60):
        site.redis.set(f"usage:{number:02}", f"red {number % 2}")
    new = commit(site, "begin")

    site.page.goto(f"/commit/{new}?text=red")
    assert len(names(site.page)) == 50
    site.page.get_by_role("link", name="Look on").click()
    site.page.wait_for_selector(".item >> nth=59")

    assert names(site.page) == [f"usage:{number:02}" for number in range(60)]
    assert "60 of 60 keys were looked at." in site.page.inner_text("#changes")


def test_a_branch_names_its_commit(site: LiveSite) -> None:
    site.redis.set("config", 1)
    commit(site, "begin")
    subprocess.run(["git", "branch", "try/one"], cwd=site.repo, check=True)

    site.page.goto("/commit/try/one")
    assert site.page.inner_text("h1") == "begin"
    site.page.goto("/diff?a=try/one&b=HEAD")
    assert "Nothing differs." in site.page.inner_text("#changes")
    site.page.get_by_text("Choose other sides").click()
    site.page.fill("[name=b] >> visible=true", "")
    site.page.get_by_role("button", name="Compare").click()
    site.page.wait_for_selector("text=The database was read at")


def test_two_commits_are_compared_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For all threads, as long as it is kept; many others put it out."""
    ids = histories.write(tmp_path, histories.history(Random(1), 8), Random(1))
    pairs = Pairs()

    def compared(at: int) -> Pair:
        return pairs.of(Backup(tmp_path), ids[at], ids[at + 1])

    with ThreadPoolExecutor(8) as pool:
        found = [*pool.map(compared, [0] * 8)]
    assert {id(each) for each in found} == {id(compared(0))}
    monkeypatch.setattr("gitbackup.ui.views.differences.pairs.MOST_KEPT", 1)
    compared(1)
    assert compared(0) is not found[0]


def test_large_comparisons_are_made_one_at_a_time(
    start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the database, and of two commits. Whoever asks later gets what was read later."""
    server = start_server()
    backup = Backup(tmp_path / "data", server.url)
    ids = [backup.commit("begin", allow_empty=True).commit or "" for _ in range(4)]
    head = ids[-1]
    pairs, real, one = Pairs(), Backup.diff, Lock()

    def alone(self: Backup, *args: Any, **options: Any) -> Diff:
        assert one.acquire(blocking=False)
        try:
            return real(self, *args, **options)
        finally:
            one.release()

    monkeypatch.setattr(Backup, "diff", alone)
    with ThreadPoolExecutor(8) as pool:
        again = [*pool.map(lambda _: pairs.live(Backup(backup.path, server.url), head), range(8))]
        first = [pool.submit(pairs.of, Backup(backup.path), ids[0], to, large=True) for to in ids]
        told = [each.result().after for each in first]
    assert {pair.before for pair in again} == {head}
    assert told == ids
    with server.client() as client:
        client.set("a", "1")
    assert len(pairs.live(backup, head).groups) == 1


def change(name: str, action: Action, db: int = 0) -> KeyChange:
    return KeyChange(Key(db, name), action, "before", "after")


class Block:
    """Keys of one file that came or went."""

    def __init__(self, action: Action, db: int, names: list[str]) -> None:
        self.action, self.db, self.names = action, db, names

    def item(self, at: int) -> KeyChange:
        return change(self.names[at], self.action, self.db)


@pytest.mark.parametrize("seed", range(5))
def test_groups_hold_every_key_once_in_order(seed: int) -> None:
    """Of changes one by one and of whole files; as many are quiet, and fit, as should."""
    random = Random(seed)
    some = [f"{random.choice(['a:', 'b:', '', 'q:'])}{number}" for number in range(300)]
    few = [change(name, random.choice([*Action])) for name in some[:100]]
    blocks = [
        Block(random.choice([*Action]), random.choice([0, 3]), sorted(some[at : at + 40]))
        for at in range(100, 300, 40)
    ]
    every: list[Any] = [*few, *(block.item(at) for block in blocks for at in range(40))]

    groups = Groups.of(listed(sorted(few, key=lambda each: each.key), blocks), ["q:*"])

    shown = groups.some(0, len(groups))
    assert sorted(shown, key=str) == sorted(every, key=str)
    assert shown == [each for at in range(0, 300, 7) for each in groups.some(at, at + 7)]
    for group in groups.every:
        inside = group.some(0, 300)
        expected = sorted(inside, key=lambda each: (FIRST_SEEN.index(each.action), each.key.name))
        assert inside == expected
        assert group.quiet == inside[0].key.name.startswith("q:")
        assert {each.key.db for each in inside} == {group.db}
    narrow = groups.narrowed(Filter(key="*:1?", actions=(Action.ADDED,)))
    fits = [each for each in every if len(each.key.name) == 4 and each.key.name[1:3] == ":1"]
    fits = [each for each in fits if each.action is Action.ADDED]
    assert sorted(narrow.some(0, 300), key=str) == sorted(fits, key=str)
