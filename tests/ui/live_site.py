"""A running `gitbackup ui`, as tests use it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Self

import redis
from playwright.sync_api import BrowserContext, ConsoleMessage, Page

from gitbackup import Backup
from tests.cli.user import GITBACKUP, surroundings
from tests.servers import LiveServer

CANARY = "canary-that-nobody-sees"
"""A key and its value, on a site that is to keep it to itself."""


class LiveSite:
    """`gitbackup ui` on a server and a data repository, and a browser in which it is open.

    `page` is logged in. Errors of scripts and breaches of the page's policy are `complaints`, and
    fail the test at its end unless it takes them away.
    """

    def __init__(
        self,
        server: LiveServer,
        repo: Path,
        options: Sequence[str] = (),
        env: Mapping[str, str] = {},
    ) -> None:
        self.server = server
        self.repo = repo
        self.complaints: list[str] = []
        words = ["ui", "--no-browser", "--port", "0", "--repo", str(repo), "--url", server.url]
        self.process = subprocess.Popen(
            [*GITBACKUP, *words, *options],
            env=surroundings(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        err = self.stop()
        self.redis.close()
        if error[0] is None:
            assert self.complaints == [], self.complaints
            assert "Traceback" not in err, err

    def stop(self) -> str:
        """End the site as Ctrl-C does, and return what it said on standard error."""
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=30)[1]

    @cached_property
    def entrance(self) -> str:
        """The first URL that the command printed, with a token unless there is a password."""
        return self.next_entrance()

    def next_entrance(self) -> str:
        """Wait until the command prints a URL, and return it."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line.startswith("gitbackup ui: http"), line + self.process.communicate()[1]
        return line.removeprefix("gitbackup ui: ").strip()

    @property
    def url(self) -> str:
        """The URL of the first page, without a slash at its end."""
        return self.entrance.partition("/enter")[0].rstrip("/")

    @property
    def cookie(self) -> str:
        """What the browser sends along as it is logged in."""
        return "; ".join(f"{one['name']}={one['value']}" for one in self.context.cookies())

    @property
    def csrf(self) -> str:
        """What the forms of the page send along."""
        return str(self.page.get_attribute('meta[name="csrf"]', "content"))

    @cached_property
    def redis(self) -> redis.Redis:
        """A client of the server, for what others do meanwhile."""
        return self.server.client()

    @property
    def backup(self) -> Backup:
        """The same repository and server, for what others do meanwhile."""
        return Backup(self.repo, self.server.url)

    def visit(self, new_context: Callable[..., BrowserContext]) -> None:
        """Log in with a new browser."""
        self.context = new_context(base_url=self.url, ignore_https_errors=True)
        self.page = self.tab()
        self.page.goto(self.entrance)

    def tab(self) -> Page:
        """Return a new tab of the browser."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._hear)
        return page

    def _hear(self, message: ConsoleMessage) -> None:
        # what the server refused is the test's own to look at
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.complaints.append(message.text)

    def post(self, path: str, form: Mapping[str, str]) -> int:
        """Send a form as a script of the page does, and return the status of what came back."""
        sent = """async ([path, form]) => {
            const token = document.querySelector('meta[name="csrf"]').content;
            const sent = await fetch(path, {
                method: "POST",
                body: new URLSearchParams(form),
                headers: {"X-CSRF-Token": token},
            });
            return sent.status;
        }"""
        return int(self.page.evaluate(sent, [path, form]))
