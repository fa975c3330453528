"""What is written from the pages: commits, restores, reverts and undos, as a person does them.

After each, the database is what HEAD has, and git finds every object.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.cli.user import GITBACKUP, surroundings
from tests.store.plain import run_git
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
        found[key.decode()] = site.redis.hgetall(key) if kind == b"hash" else site.redis.get(key)
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
    fsck = run_git(site.repo, "fsck", "--strict")
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
    site.page.click("button:text-is('Commit')")
    said = expect_said(site.page, "added 'the key' 🎉")
    assert "1 key" in said
    assert json.loads(Path("hooked").read_text("utf-8"))["subject"] == "added 'the key' 🎉"
    site.page.click("summary:text('The command')")
    command = site.page.inner_text(".copy code")
    expected = f"gitbackup commit --repo {site.repo} --url {site.server.url} -m "
    assert command == expected + shlex.quote("added 'the key' 🎉")
    site.page.goto("/")
    site.page.click("button:text-is('Commit')")
    expect_said(site.page, "Nothing to commit: no key has changed.")
    expect_kept(site)


def test_a_restore_shows_what_changes_inside_and_its_undo_takes_it_back(lost: LiveSite) -> None:
    plan(lost.page, "/restore?commit=HEAD")
    shown = lost.page.inner_text("main")
    assert all(told in shown for told in ("user:2", '"bob"', '"5"', '"100"', '"数据"'))
    assert "+create 1" in shown
    button = lost.page.inner_text(CONFIRM)
    assert button == f"Write 2 and delete 1 keys in Valkey at {lost.backup.server.label}"

    said = confirm(lost.page)

    assert "verified: 3 keys equal commit" in said
    assert values(lost) == COMMITTED
    lost.page.click("button:text('Undo')")
    lost.page.wait_for_selector(".question")
    assert "verified: 3 keys equal commit" in confirm(lost.page)
    assert values(lost) == BEFORE
