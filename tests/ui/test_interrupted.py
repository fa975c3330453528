"""A restore from the pages that something comes in between: the page is closed, another wants to
write, the server goes away, gitbackup ui is stopped or killed.

The server is behind a proxy that holds the restore in the middle of its writes.
"""

from __future__ import annotations

import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from tests.cli.user import GITBACKUP, surroundings
from tests.proxy import Proxy
from tests.servers import LiveServer, StartServer
from tests.store.plain import run_git
from tests.ui.conftest import StartSite
from tests.ui.live_site import LiveSite
from tests.ui.test_actions import CONFIRM, confirm, expect_kept, expect_said, plan

pytestmark = pytest.mark.long

KEYS = {f"user:{number:03}": f"{number:05}" * 4_000 for number in range(150)}
"""Three megabytes."""

MIDDLE = 1_000_000
"""Bytes that have passed when a restore of them is in the middle."""

PATIENCE = 60  # seconds, for a machine that is busy with other things


class Held:
    """A site on a server behind a proxy, whose keys are gone since its commit."""

    def __init__(self, start_site: StartSite, server: LiveServer, proxy: Proxy) -> None:
        self.start_site = start_site
        self.server = server
        self.proxy = proxy
        self.redis: redis.Redis = server.client()
        self.reached, self.release = threading.Event(), threading.Event()
        self.site = self.start()
        self.redis.mset(KEYS)
        self.site.backup.commit("first commit")
        self.redis.flushall()

    def start(self) -> LiveSite:
        return self.start_site(server=replace(self.server, address=self.proxy.url))

    def hold(self, data: bytes) -> bytes:
        """What happens in the middle: nothing passes until it is released."""
        self.reached.set()
        assert self.release.wait(PATIENCE)
        return data

    def cut(self, data: bytes) -> bytes:
        """What may happen in the middle: the server goes away."""
        self.reached.set()
        self.proxy.cut()
        return data

    def write(self, data: bytes) -> bytes:
        """What may happen in the middle: a client writes to a key of the plan, and to another."""
        self.redis.mset({[*KEYS][-1]: "a client's", "newer": "a client's"})
        self.reached.set()
        return data

    def run_into(self, event: str) -> None:
        """Confirm a restore, and have something happen in its middle."""
        plan(self.site.page, "/restore?commit=HEAD")
        self.proxy.at(MIDDLE, getattr(self, event))
        self.site.page.click(CONFIRM)
        assert self.reached.wait(PATIENCE)

    def expect_restored(self) -> None:
        assert self.redis.dbsize() == len(KEYS)
        assert self.redis.mget([*KEYS]) == [value.encode() for value in KEYS.values()]


@pytest.fixture
def held(start_site: StartSite, start_server: StartServer, tmp_path: Path) -> Iterator[Held]:
    server = start_server()
    with Proxy(server.url, tmp_path / "proxy") as proxy:
        held = Held(start_site, server, proxy)
        with closing(held.redis):
            yield held
            held.release.set()
            proxy.as_ever()
            expect_kept(replace_server(held.site, server))


def replace_server(site: LiveSite, server: LiveServer) -> LiveSite:
    """The same site, looked at without the proxy."""
    site.server = server
    return site


def test_a_restore_goes_on_when_its_page_is_closed(held: Held) -> None:
    """And others are told: another tab, and another process."""
    site = held.site
    held.run_into("hold")
    expect_said(site.page, "Writing")
    site.page.close()
    tab = site.tab()
    tab.goto("/")
    expect_said(tab, "Something is being brought back.")
    tab.click("button:text-is('Commit')")
    expect_said(tab, "Nothing was done here: try again when it is ready.")
    words = ["restore", "HEAD", "--yes", "--lock-wait", "0", "--repo", str(site.repo)]
    words += ["--url", held.server.url]
    other = subprocess.run(
        [*GITBACKUP, *words], env=surroundings({}), capture_output=True, text=True
    )
    assert other.returncode == 11
    assert f"process {site.process.pid}, is restoring" in other.stderr
    tab.click("text=Show it")
    held.release.set()
    expect_said(tab, f"verified: {len(KEYS)} keys equal commit")
    held.expect_restored()


def test_what_a_client_writes_meanwhile_is_saved_and_other_keys_are_left_alone(held: Held) -> None:
    page = held.site.page
    held.run_into("write")
    said = expect_said(page, f"verified: {len(KEYS)} keys equal commit")
    assert "Written meanwhile" in said
    assert held.redis.getdel("newer") == b"a client's"
    held.expect_restored()
    kept = run_git(held.site.repo, "log", "-p", "--all", "--", "db0").stdout
    assert b"a client's" in kept
    held.proxy.as_ever()
    held.site.backup.commit("without the newer one")


def test_a_server_that_goes_away_in_the_middle_and_comes_back(held: Held) -> None:
    page = held.site.page
    held.run_into("cut")
    expect_said(page, "the restore was interrupted")
    assert held.redis.dbsize() < len(KEYS)
    held.proxy.as_ever()
    page.goto("/")
    expect_said(page, "was cut off and is not finished.")
    page.click("button:text-is('Finish it')")
    expect_said(page, "This goes on with what was cut off.")
    confirm(page)
    held.expect_restored()
    page.goto("/")
    page.locator("#live[data-seen]", has_text="Nothing has changed since HEAD").wait_for()
    assert "not finished" not in page.inner_text("main")


def test_a_restore_that_was_cut_off_can_be_taken_back(held: Held) -> None:
    page = held.site.page
    held.run_into("cut")
    expect_said(page, "the restore was interrupted")
    held.proxy.as_ever()
    page.goto("/")
    page.click("button:text-is('Take it back')")
    confirm(page)
    assert held.redis.dbsize() == 0
    page.goto("/")
    page.locator("#live[data-seen]", has_text="Nothing has changed since HEAD").wait_for()
    assert "not finished" not in page.inner_text("main")


def test_when_the_pages_are_killed_the_next_start_finishes_the_restore(held: Held) -> None:
    held.run_into("hold")
    held.site.process.kill()
    held.release.set()
    held.site.process.wait()
    site = held.start()
    expect_said(site.page, "was cut off and is not finished.")
    assert site.page.inner_text(".callout .copy code").startswith("gitbackup restore ")
    site.page.click("button:text-is('Finish it')")
    expect_said(site.page, "This goes on with what was cut off.")
    confirm(site.page)
    held.expect_restored()


def test_a_stop_waits_until_the_restore_is_done(held: Held) -> None:
    process = held.site.process
    held.run_into("hold")
    process.send_signal(signal.SIGTERM)
    assert process.stderr
    told = process.stderr.readline()
    assert "waiting until the restore is done; Ctrl-C again ends it at once" in told
    held.release.set()
    assert process.wait(PATIENCE) == 0
    held.expect_restored()


def test_a_second_signal_ends_it_and_the_next_start_finishes_it(held: Held) -> None:
    process = held.site.process
    held.run_into("hold")
    process.send_signal(signal.SIGINT)
    assert process.stderr
    assert "waiting until" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    held.release.set()
    site = held.start()
    site.page.click("button:text-is('Finish it')")
    site.page.locator("button", has_text=re.compile("Write .* keys to")).wait_for()
    confirm(site.page)
    held.expect_restored()
