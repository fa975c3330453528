"""Takes the pictures of docs/ui.md: pages of a real site, on a database that is made up.

python -m tests.ui.pictures
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import redis
from playwright.sync_api import Page, sync_playwright

from tests.browser import program
from tests.pages import PROJECT, a_server
from tests.servers import LiveServer
from tests.ui.live_site import LiveSite

DOCS = PROJECT / "docs"
WIDE = {"width": 1100, "height": 860}
PHONE = {"width": 390, "height": 800}
CONFIG = {"limits": {"daily": 100, "models": {"sonnet": 50, "opus": 5}}, "welcome": "你好 👋"}


def filled(database: redis.Redis) -> None:
    """The first day of an application."""
    database.set("config", json.dumps(CONFIG, ensure_ascii=False))
    for number in range(1, 13):
        database.hset(f"apikey:{number}", mapping={"name": f"team {number}", "status": "active"})
    for place in ("eu", "us", "ap"):
        database.hset(f"account:{place}-1", mapping={"status": "active", "token": f"tok-{place}"})
        database.sadd("account:index", f"{place}-1")


def traffic(database: redis.Redis, day: int) -> None:
    """What every day counts."""
    for number in range(1, 13):
        database.hincrby(f"usage:daily:{number}:{day}", "requests", 100 + number * day)
        database.incrbyfloat(f"cost:{number}", 0.25 * number)
    for number in range(day * 3):
        database.set(f"session:{day}{number}", "open", ex=86_400)


@contextmanager
def dated(days: int, hour: int) -> Iterator[None]:
    """A morning so many days ago: what is committed then is from then."""
    at = datetime.now(UTC).replace(hour=hour, minute=hour * 5 % 60, second=0, microsecond=0)
    date = f"{(at - timedelta(days=days)).timestamp():.0f} +0000"
    author = {"GIT_AUTHOR_NAME": "Lin", "GIT_COMMITTER_NAME": "Lin"}
    when = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    with mock.patch.dict(os.environ, author | when):
        yield


def lived(site: LiveSite, folder: Path) -> None:
    """Some days with commits, an accident and its repair, and what has changed since."""
    database = site.redis
    for setting, value in (("appendonly", "yes"), ("save", "3600 1")):
        database.config_set(setting, value)
    filled(database)
    with dated(2, 8):
        site.backup.commit("set up: 12 API keys, 3 accounts")
    site.backup.config.add("quiet", "usage:*", "cost:*", "session:*")
    for day, hour in ((2, 20), (1, 9)):
        traffic(database, hour)
        database.hset("apikey:3", "status", "paused" if day == 2 else "active")
        with dated(day, hour):
            site.backup.commit()
    CONFIG["limits"] = {"daily": 250, "models": {"sonnet": 50, "opus": 5, "haiku": 500}}
    database.set("config", json.dumps(CONFIG, ensure_ascii=False))
    database.hset("account:cn-1", mapping={"status": "active", "token": "tok-cn", "name": "新账户"})
    database.sadd("account:index", "cn-1")
    database.hset("apikey:7", mapping={"name": "team 7, night shift", "limit": "20"})
    database.delete("apikey:12")
    with dated(1, 11):
        site.backup.commit("raised the daily limit, added account 新账户")
    (folder / "disk").mkdir()
    site.backup.push(str(folder / "disk"))
    site.backup.verify()
    database.delete(*(f"apikey:{number}" for number in range(1, 9)))
    with dated(1, 15):
        site.backup.commit("cleaned up")
    with dated(1, 16):
        site.backup.revert("HEAD", confirm=lambda plan: True)
    traffic(database, 14)
    database.hset("account:eu-1", "status", "disabled")
    database.hset("apikey:9", "limit", "40")


def taken(page: Page, name: str) -> None:
    page.mouse.move(0, 0)
    page.screenshot(path=DOCS / f"ui-{name}.png")


def main() -> None:
    with TemporaryDirectory() as home, a_server() as url, sync_playwright() as playwright:
        folder = Path(home)
        browser = playwright.chromium.launch(executable_path=program(), args=["--no-sandbox"])
        with LiveSite(LiveServer("redis", url), folder / "data-git-backup") as site:
            lived(site, folder)
            site.visit(lambda **how: browser.new_context(viewport=WIDE, timezone_id="UTC", **how))
            site.page.locator(".said", has_text="keys changed since HEAD").wait_for()
            site.page.wait_for_function("!document.querySelector('[data-unsummed]')")
            site.page.locator(".verdict .badge").first.wait_for()
            taken(site.page, "timeline")
            dark = site.page
            dark.emulate_media(color_scheme="dark")
            dark.get_by_role("link", name="raised the daily limit").click()
            dark.locator("#changes .item").first.wait_for()
            taken(dark, "commit")
            phone = site.tab()
            phone.set_viewport_size(PHONE)
            phone.goto("/restore?commit=HEAD~5&key=a*")
            phone.get_by_role("button", name="Show the plan").click()
            phone.wait_for_url("**/job/*")
            phone.locator("#main form").first.wait_for()
            taken(phone, "plan")


if __name__ == "__main__":
    main()
