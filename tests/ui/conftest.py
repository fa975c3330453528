"""The pages in a real browser: Chromium, driven by playwright, on a site that runs as a person
starts it, in a process of its own.

    def test_a_commit_is_in_the_timeline(site: LiveSite) -> None:
        site.redis.set("key", "value")
        site.backup.commit("first commit")
        site.page.goto("/")
        assert "first commit" in site.page.inner_text("main")
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from tests.browser import program
from tests.servers import LiveServer, StartServer, start_one
from tests.ui.live_site import CANARY, LiveSite

StartSite = Callable[..., LiveSite]

PATIENCE = 30_000
"""Milliseconds that anything on a page may take, on a machine that is busy with other things."""

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The session's one browser."""
    found = program()
    options = ["--disable-dev-shm-usage", "--disable-gpu"]
    options += ["--host-resolver-rules=MAP *.example 127.0.0.1"]  # sites of others
    options += ["--no-sandbox"] * (os.geteuid() == 0)  # root has none
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=found, args=options)


@pytest.fixture(autouse=True)
def whole_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A click that leads to another page ends when all of that page has come, as `goto` does; and
    so does waiting for something that is on another page.

    Of themselves they end with the first bytes, and what is read after that may be half a page.
    """
    monkeypatch.setattr(Page, "click", _to_the_end(Page.click))
    monkeypatch.setattr(Page, "wait_for_selector", _to_the_end(Page.wait_for_selector))
    monkeypatch.setattr(Locator, "click", _to_the_end(Locator.click))
    monkeypatch.setattr(Locator, "press", _to_the_end(Locator.press))
    monkeypatch.setattr(Locator, "wait_for", _to_the_end(Locator.wait_for))


def _to_the_end(act: Callable[..., object]) -> Callable[..., object]:
    def whole(on: Page | Locator, *args: object, **options: object) -> object:
        result = act(on, *args, **options)
        page = on if isinstance(on, Page) else on.page
        page.wait_for_load_state()
        return result

    return whole


@pytest.fixture(scope="module")
def quiet_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    """A site of this module's own with a commit, without a browser."""
    with ExitStack() as opened:
        server = start_one(opened, "valkey", {})
        site = LiveSite(server, tmp_path_factory.mktemp("site") / "data-git-backup")
        opened.enter_context(site)
        site.redis.set(CANARY, CANARY)
        site.backup.commit(CANARY)
        yield site


@pytest.fixture
def new_context(chromium: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Makes browsers of people who know nothing of each other: `new_context(locale="zh-CN")`."""
    made: list[BrowserContext] = []

    def new(**how: object) -> BrowserContext:
        context = chromium.new_context(**how)
        context.set_default_timeout(PATIENCE)
        made.append(context)
        return context

    yield new
    for context in made:
        context.close()


@pytest.fixture
def start_alone(
    start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StartSite]:
    """Starts sites without a browser: `start_alone("--read-only", env={...})`, on a server of its
    own unless one is given."""
    monkeypatch.chdir(tmp_path)
    with ExitStack() as opened:

        def start(
            *options: str, server: LiveServer | None = None, env: Mapping[str, str] = {}
        ) -> LiveSite:
            repo = tmp_path / "data-git-backup"
            started = LiveSite(server or start_server(), repo, options, env)
            return opened.enter_context(started)

        yield start


@pytest.fixture
def start_site(new_context: Callable[..., BrowserContext], start_alone: StartSite) -> StartSite:
    """Starts sites with a page that is logged in. Besides what `start_alone` takes, it takes what
    is special about the browser, as `new_context` does."""

    def start(
        *options: str, server: LiveServer | None = None, env: Mapping[str, str] = {}, **how: object
    ) -> LiveSite:
        started = start_alone(*options, server=server, env=env)
        started.visit(lambda **more: new_context(**how, **more))
        return started

    return start


@pytest.fixture
def site(start_site: StartSite) -> LiveSite:
    """A site on an empty server, with a page of it that is logged in."""
    return start_site()
