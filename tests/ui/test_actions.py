"""What is written from the pages: commits, restores, reverts and undos, as a person does them.

After each, the database is what HEAD has, and git finds every object.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.cli.user import GITBACKUP, surroundings
from tests.store.plain import run_git
from tests.ui.conftest import StartSite
from tests.ui.live_site import LiveSite

CONFIRM = ".question form button.main, .question form button.danger"


@pytest.fixture
def lost(site: LiveSite) -> Iterator[LiveSite]:
    """A site whose database has changed since its commit: one key is gone, one is another, and one
    is new."""
    site.redis.hset("user:1", mapping={"name": "alice", "limit": "100"})
    site.redis.set("user:2", "bob")
    site.redis.set("config", '{"daily": 1, "hourly": 2}')
    site.backup.commit("first commit")
    site.redis.delete("user:2")
    site.redis.hset("user:1", "limit", "5")
    site.redis.set("new", "数据")
    yield site
    expect_kept(site)


def values(site: LiveSite) -> dict[str, object]:
    """All keys and their values."""
    found: dict[str, object] = {}
    for key in sorted(site.redis.keys()):
        kind = site.redis.type(key)
        found[key.decode("utf-8", "backslashreplace")] = (
            site.redis.hgetall(key) if kind == b"hash" else site.redis.get(key)
        )
    return found


BEFORE = {
    "config": b'{"daily": 1, "hourly": 2}',
    "new": "数据".encode(),
    "user:1": {b"name": b"alice", b"limit": b"5"},
}
COMMITTED = {
    "config": b'{"daily": 1, "hourly": 2}',
    "user:1": {b"name": b"alice", b"limit": b"100"},
    "user:2": b"bob",
}


def expect_kept(site: LiveSite) -> None:
    """HEAD has what the database has, and the history is whole."""
    words = ["diff", "HEAD", "--exit-code", "--repo", str(site.repo), "--url", site.server.url]
    done = subprocess.run([*GITBACKUP, *words], env=surroundings({}), capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    fsck = run_git(site.repo, "fsck", "--strict", "--no-dangling")
    assert (fsck.returncode, fsck.stdout) == (0, b"")


def plan(page: Page, path: str) -> None:
    """Fill in nothing more, and have the plan shown."""
    page.goto(path)
    page.click("text=Show the plan")
    page.wait_for_selector(".question")


def confirm(page: Page) -> str:
    """Confirm the plan that is shown, and return what the page says once it is done."""
    page.click(CONFIRM)
    page.wait_for_selector("main > .callout")
    return page.inner_text("main")


def expect_said(page: Page, said: str) -> str:
    """Wait until a page says this, and return all that it says."""
    page.locator("main", has_text=said).wait_for()
    return page.inner_text("main")


@pytest.mark.long
def test_a_commit_with_a_message_is_made_and_what_follows_it(site: LiveSite) -> None:
    """The hook that the settings have is run, too."""
    site.backup.init()
    site.backup.config.set("on-commit", "cat > ../hooked")
    site.redis.set("key", "值 🎉")
    site.page.goto("/")
    site.page.fill("[name=message]", "added 'the key' 🎉")
    site.page.click("button:text-is('Make the first commit')")
    said = expect_said(site.page, "added 'the key' 🎉")
    assert "1 key" in said
    assert json.loads(Path("hooked").read_text("utf-8"))["subject"] == "added 'the key' 🎉"
    site.page.click("summary:text('The command')")
    command = site.page.inner_text(".copy code")
    expected = f"gitbackup commit --repo {site.repo} --url {site.server.url} -m "
    assert command == expected + shlex.quote("added 'the key' 🎉")
    site.page.goto("/")
    site.page.evaluate("document.querySelector('form[action=\"/commit\"]').submit()")
    expect_said(site.page, "Nothing to commit: no key has changed.")
    expect_kept(site)


def test_a_restore_shows_what_changes_inside_and_its_undo_takes_it_back(lost: LiveSite) -> None:
    plan(lost.page, "/restore?commit=HEAD")
    inside = str(lost.page.text_content("main"))  # also what is below the window
    assert all(told in inside for told in ("user:2", '"bob"', '"5"', '"100"', '"数据"'))
    assert "+create 1" in lost.page.inner_text("p.total")
    button = lost.page.inner_text(CONFIRM)
    assert button == f"Write 2 keys and delete 1 in Valkey at {lost.backup.server.label}"

    said = confirm(lost.page)

    assert "verified: 3 keys equal commit" in said
    assert values(lost) == COMMITTED
    lost.page.goto("/")
    lost.page.click("button:text('Undo')")
    lost.page.wait_for_selector(".question")
    assert "verified: 3 keys equal commit" in confirm(lost.page)
    assert values(lost) == BEFORE


@pytest.mark.long
def test_only_what_is_ticked_is_restored(lost: LiveSite) -> None:
    plan(lost.page, "/restore?commit=HEAD")
    lost.page.check(".item [type=checkbox][aria-label='user:2']")
    lost.page.click("text=Plan only what is ticked")
    lost.page.locator("button", has_text="Write 1 key to").wait_for()
    lost.page.click("summary:text('The command')")
    assert lost.page.inner_text(".copy code").endswith(" --db 0 user:2")

    assert "verified: 1 key equals commit" in confirm(lost.page)

    assert values(lost) == {**BEFORE, "user:2": b"bob"}


@pytest.mark.long
def test_one_database_is_restored_into_another(site: LiveSite) -> None:
    site.redis.set("a", "1")
    with site.server.client(db=3) as third, site.server.client(db=5) as fifth:
        third.set("b", "2")
        fifth.set("c", "3")
        site.backup.commit("first commit")
        third.flushdb()
        site.page.goto("/restore?commit=HEAD")
        site.page.click("summary:text('More choices')")
        assert "database 3 has 1 key" in site.page.inner_text("main")
        site.page.fill("[name=db]", "3:5")
        site.page.check("[name=keep][value='1']")
        site.page.click("text=Show the plan")
        site.page.locator("button", has_text="Write 1 key to").wait_for()
        site.page.click("summary:text('The command')")
        assert site.page.inner_text(".copy code").endswith(" --db 3:5 --no-delete")
        assert "verified: 1 key equals commit" in confirm(site.page)
        assert (site.redis.keys(), third.keys(), sorted(fifth.keys())) == ([b"a"], [], [b"b", b"c"])
    expect_kept(site)


@pytest.mark.long
def test_a_revert_shows_its_conflicts_and_takes_the_side_that_is_chosen(site: LiveSite) -> None:
    site.redis.set("config", '{"daily": 1, "hourly": 2}')
    site.backup.commit("first commit")
    site.redis.set("config", '{"daily": 9, "hourly": 9}')
    commit = site.backup.commit("raised limits").commit
    site.redis.set("config", '{"daily": 9, "hourly": 7}')
    plan(site.page, f"/revert?commit={commit}")
    row = site.page.inner_text(".conflicts tbody tr").split()
    assert row == ["config", "hourly", "2", "9", "7"]
    assert "Write 1 key" in site.page.inner_text(CONFIRM)
    site.page.click("text=Take the values before the commit")
    site.page.wait_for_selector(".conflicts", state="detached")

    assert "verified: 1 key is as planned" in confirm(site.page)

    assert site.redis.get("config") == b'{"daily": 1, "hourly": 2}'
    expect_kept(site)


@pytest.mark.long
def test_conflicts_that_nobody_decides_stay_and_are_named(site: LiveSite) -> None:
    site.redis.mset({"a": "1", "b": "1"})
    site.backup.commit("first commit")
    site.redis.mset({"a": "2", "b": "2"})
    commit = site.backup.commit("second commit").commit
    site.redis.set("b", "3")
    plan(site.page, f"/revert?commit={commit}")
    said = confirm(site.page)
    assert "verified: 1 key is as planned" in said
    assert "Not taken back: 1 conflict in b" in said
    assert values(site) == {"a": b"1", "b": b"3"}
    expect_kept(site)


@pytest.mark.long
def test_what_is_carried_out_is_what_was_shown(lost: LiveSite) -> None:
    """If a key has changed since, the new plan is shown, and asked about anew."""
    plan(lost.page, "/restore?commit=HEAD")
    lost.redis.set("newer", "by a client")
    lost.page.click(CONFIRM)
    said = expect_said(lost.page, "Nothing was written: 1 key has changed since you saw the plan.")
    assert "newer" in said
    assert values(lost) == {**BEFORE, "newer": b"by a client"}
    lost.redis.hset("user:1", "limit", "6")
    lost.page.check("[name=tolerant]")
    assert "verified: 4 keys equal commit" in confirm(lost.page)
    assert values(lost) == COMMITTED


@pytest.mark.long
def test_of_many_keys_to_delete_the_one_is_named_that_was_written_to(site: LiveSite) -> None:
    site.redis.set("kept", "1")
    site.backup.commit("first commit")
    site.redis.mset({f"bulk:{number:03}": "x" for number in range(500)})
    plan(site.page, "/restore?commit=HEAD")
    site.redis.set("bulk:123", "y")
    site.page.fill("[name=typed]", "500")
    site.page.click(CONFIRM)
    expect_said(site.page, "Nothing was written: 1 key has changed since you saw the plan.")
    assert site.page.inner_text(".callout code") == "bulk:123"
    site.page.fill("[name=typed]", "500")
    assert "verified: 500 keys equal commit" in confirm(site.page)
    expect_kept(site)


@pytest.mark.long
def test_other_keys_are_never_written_to_without_being_shown(lost: LiveSite) -> None:
    """Not even by who goes on whatever clients write to the keys of the plan."""
    plan(lost.page, "/restore?commit=HEAD")
    lost.redis.set("newer", "1")
    lost.page.click(CONFIRM)
    expect_said(lost.page, "Nothing was written: 1 key has changed")
    lost.redis.set("newest", "1")
    lost.page.check("[name=tolerant]")
    lost.page.click(CONFIRM)
    lost.page.locator(".callout code", has_text="newest").wait_for()
    assert lost.redis.mget("newer", "newest") == [b"1", b"1"]
    assert "verified: 5 keys equal commit" in confirm(lost.page)


@pytest.mark.long
def test_of_two_tabs_the_second_is_told_what_the_first_did(lost: LiveSite) -> None:
    plan(lost.page, "/restore?commit=HEAD")
    second = lost.tab()
    second.goto(lost.page.url)
    confirm(lost.page)
    commits = lost.backup.resolve("HEAD")
    second.click(CONFIRM)
    said = expect_said(second, "This plan was answered already")
    assert "verified: 3 keys equal commit" in said
    assert lost.backup.resolve("HEAD") == commits


@pytest.mark.long
def test_a_plan_that_deletes_most_keys_asks_for_their_number(site: LiveSite) -> None:
    site.redis.set("kept", "1")
    site.backup.commit("first commit")
    site.redis.mset({f"bulk:{number}": "x" for number in range(60)})
    plan(site.page, "/restore?commit=HEAD")
    button = site.page.inner_text(CONFIRM)
    assert button == f"Delete 60 keys in Valkey at {site.backup.server.label}"
    site.page.fill("[name=typed]", "59")
    site.page.click(CONFIRM)
    expect_said(site.page, "Nothing was written: the number that you typed is not")
    assert site.redis.dbsize() == 61
    site.page.fill("[name=typed]", "60")
    assert "verified: 60 keys equal commit" in confirm(site.page)
    assert site.redis.dbsize() == 1
    expect_kept(site)


@pytest.mark.long
def test_a_revert_says_of_quiet_keys_what_its_form_offers(site: LiveSite) -> None:
    site.backup.init(quiet=["usage:*"])
    site.redis.mset({"config": "1", "usage:1": "1"})
    site.backup.commit()
    site.redis.mset({"config": "2", "usage:1": "2"})
    commit = site.backup.commit().commit

    plan(site.page, f"/revert?commit={commit}")

    said = site.page.get_by_text("not touched, being quiet: “quiet keys, too” reverts it, too")
    expect(said).to_be_visible()


@pytest.mark.long
def test_a_commit_that_removes_most_keys_raises_the_alarm_and_leads_to_its_revert(
    site: LiveSite,
) -> None:
    site.redis.mset({f"key:{number}": "x" for number in range(30)})
    site.backup.commit("first commit")
    site.redis.flushall()
    site.page.goto("/")
    site.page.click("button:text-is('Commit')")
    said = expect_said(site.page, "Alarm: this commit removed 30 of 30 keys.")
    assert f"gitbackup config add accept-alarm {site.backup.resolve('HEAD')[:7]}" in said.replace(
        f" --repo {site.repo}", ""
    )
    site.page.click("text=Bring them back")
    site.page.click("text=Show the plan")
    assert "verified: 30 keys are as planned" in confirm(site.page)
    assert site.redis.dbsize() == 30
    expect_kept(site)


@pytest.mark.long
def test_a_site_that_is_read_only_has_no_buttons_and_refuses_the_forms(
    start_site: StartSite,
) -> None:
    site = start_site("--read-only")
    site.redis.set("key", "1")
    head = site.backup.commit("first commit").commit
    site.redis.set("key", "2")
    for path in ("/", "/restore?commit=HEAD", "/revert?commit=HEAD", "/undo"):
        site.page.goto(path)
        assert site.page.locator("main form[method=post]").count() == 0
    for path in ("/commit", "/restore", "/revert", "/undo", "/finish", "/job/1/confirm"):
        assert (path, site.post(path, {"commit": "HEAD", "turn": "1"})) == (path, 403)
    assert site.redis.get("key") == b"2"
    assert site.backup.resolve("HEAD") == head


@pytest.mark.long
def test_a_restore_beside_a_writer_leaves_its_keys_alone(lost: LiveSite) -> None:
    """And HEAD has what it wrote, up to when it was read."""
    stop = threading.Event()

    def write() -> None:
        with lost.server.client() as client:
            while not stop.is_set():
                client.incr("hits")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        plan(lost.page, "/restore?commit=HEAD&key=user:*")
        said = confirm(lost.page)
    finally:
        stop.set()
        writer.join()
    assert "verified: 2 keys equal commit" in said
    found = values(lost)
    assert int(str(found.pop("hits"), "ascii")) > 0  # type: ignore[call-overload]
    assert found == {**COMMITTED, "new": BEFORE["new"]}
    lost.backup.commit("what the writer wrote since")


@pytest.mark.long
def test_an_undo_where_there_was_no_restore_says_so(lost: LiveSite) -> None:
    lost.page.goto("/undo")
    lost.page.click("text=Show the plan")
    expect_said(lost.page, "nothing to undo: the history of HEAD contains no restore")
    assert values(lost) == BEFORE
    lost.backup.commit("what has changed")


@pytest.mark.long
def test_without_scripts_all_of_it_works_in_chinese(
    lost: LiveSite, new_context: Callable[..., BrowserContext]
) -> None:
    kept: Any = lost.context.storage_state()
    reader = new_context(
        base_url=lost.url, storage_state=kept, java_script_enabled=False, locale="zh-CN"
    )
    page = reader.new_page()
    page.goto("/restore?commit=HEAD")
    page.click("text=显示计划")
    page.locator("button", has_text="写入 2 个键并删除 1 个键").click()
    expect_said(page, "个键一致")
    assert values(lost) == COMMITTED


HOSTILE = (
    b"<script>document.title='stolen'</script>",
    b"a\nb",
    b"*[x]?\\",
    "\u202etxt.exe".encode(),
    b"\xff\xfe:*",
    b"--yes",
    b" '\" $(id) ",
)


@pytest.mark.long
@pytest.mark.parametrize("key", HOSTILE)
def test_a_key_of_any_name_is_shown_as_text_and_restored_alone(site: LiveSite, key: bytes) -> None:
    site.redis.mset({key: b"<b>1</b>", "xx": "1", "other": "1"})
    site.backup.commit("first commit")
    site.redis.flushall()
    plan(site.page, "/restore?commit=HEAD")
    boxes = site.page.locator(".item [type=checkbox]")
    names = [boxes.nth(at).get_attribute("aria-label") for at in range(3)]
    boxes.nth(next(at for at, name in enumerate(names) if name not in ("xx", "other"))).check()
    site.page.click("text=Plan only what is ticked")
    site.page.locator("button", has_text="Write 1 key to").wait_for()
    assert "<b>1</b>" in str(site.page.text_content(".item"))
    site.page.click("summary:text('The command')")
    command = site.page.inner_text(".copy code")
    assert "verified: 1 key equals commit" in confirm(site.page)
    assert values(site) == {key.decode("utf-8", "backslashreplace"): b"<b>1</b>"}
    assert "stolen" not in site.page.title()
    expect_kept(site)
    site.redis.flushall()
    words = command.replace("gitbackup restore", f"{shlex.join(GITBACKUP)} restore --yes", 1)
    done = subprocess.run(["bash", "-c", words], env=surroundings({}), capture_output=True)
    assert (done.returncode, site.redis.keys()) == (0, [key])


def test_plans_that_wait_are_told_apart_and_can_be_dismissed(lost: LiveSite) -> None:
    plan(lost.page, "/restore?commit=HEAD")
    lost.redis.delete("config")
    plan(lost.page, "/restore?commit=HEAD")
    lost.page.goto("/")
    waiting = lost.page.locator(".asking li")
    one, other = waiting.all_inner_texts()
    assert one.splitlines()[0] == other.splitlines()[0]
    assert one != other
    url = str(waiting.nth(1).get_by_role("link").get_attribute("href"))

    waiting.nth(1).get_by_role("button", name="Dismiss").click()

    expect(waiting).to_have_count(1)
    assert lost.page.url == f"{lost.url}/"
    lost.page.goto(url)
    expect_said(lost.page, "This plan is not kept any more. Nothing was written.")
    lost.page.goto("/")
    waiting.get_by_role("link").click()
    assert "verified: 4 keys equal commit" in confirm(lost.page)
