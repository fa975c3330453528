"""A real browser: headless Chromium, spoken to in its DevTools protocol over two pipes.

That needs no driver and no package: Chromium reads commands, JSON that ends in a NUL, from file
3 and answers on file 4. Where it is not installed, that is a skip at home and a failure in CI.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
OPTIONS = (
    *("--headless=new", "--remote-debugging-pipe", "--no-first-run", "--no-sandbox"),
    *("--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"),
    *("--hide-scrollbars", "about:blank"),
)

PATIENCE = 60  # seconds for one answer, on a busy machine


class Browser:
    """A running Chromium."""

    def __init__(self, program: str, home: str) -> None:
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        self._heard: list[dict[str, Any]] = []
        self._left = b""
        self._number = 0
        self._process = subprocess.Popen(
            [program, f"--user-data-dir={home}", *OPTIONS],
            preexec_fn=lambda: _as_three_and_four(theirs_in, theirs_out),
            pass_fds=(3, 4),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(theirs_in)
        os.close(theirs_out)

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """The answer to one command; what else is heard meanwhile is kept."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": params}
        if session:
            command["sessionId"] = session
        os.write(self._out, json.dumps(command).encode() + b"\0")
        while True:
            message = self._message()
            if message.get("id") == self._number:
                assert "error" not in message, message
                return dict(message["result"])
            self._heard.append(message)

    def events(self, session: str, method: str) -> list[dict[str, Any]]:
        """What a page told of itself so far."""
        mine = [m for m in self._heard if m.get("sessionId") == session]
        return [m["params"] for m in mine if m.get("method") == method]

    def wait(self, session: str, method: str) -> None:
        """Until a page tells this of itself for the first time."""
        while not self.events(session, method):
            self._heard.append(self._message())

    def close(self) -> None:
        with suppress(OSError):
            self.call("Browser.close")
        self._process.wait(30)
        os.close(self._out)
        os.close(self._in)

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            ready, _, _ = select.select([self._in], [], [], PATIENCE)
            assert ready, "the browser says nothing"
            chunk = os.read(self._in, 1 << 20)
            if not chunk:
                raise OSError("the browser is gone")
            self._left += chunk
        first, _, self._left = self._left.partition(b"\0")
        return dict(json.loads(first))


class Tab:
    """A page in a tab of its own."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **params)

    def open(self, page: Path, script: bool = True) -> None:
        """Loads a page from its file; without `script` none runs while it loads."""
        self.call("Emulation.setScriptExecutionDisabled", value=not script)
        self.call("Page.navigate", url=page.absolute().as_uri())
        self._browser.wait(self._session, "Page.loadEventFired")
        self.call("Emulation.setScriptExecutionDisabled", value=False)

    def tell(self, expression: str) -> Any:
        """The value of an expression in the page, which may be a promise."""
        told = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def type(self, text: str) -> None:
        """Types where the focus is, and waits until the page has been drawn anew."""
        self.call("Input.insertText", text=text)
        self.drawn()

    def press(self, key: str) -> None:
        """A key on the keyboard; a character is typed as well."""
        code = {"Enter": 13, "Escape": 27, "Tab": 9, " ": 32}.get(key, 0)
        typed = {"Enter": "\r", "Escape": "", "Tab": ""}.get(key, key)
        about = {"key": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=typed, **about)
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)
        self.drawn()

    def drawn(self) -> None:
        """Until the page has been drawn twice: what the first begins, the second shows."""
        twice = "new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r())))"
        self.tell(twice)

    def wears(self, scheme: str) -> None:
        """Light or dark, as the person's system is."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def measures(self, width: int, height: int) -> None:
        """As wide and high as a screen."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)

    def picture(self) -> bytes:
        """What is in sight, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot")["data"])

    @property
    def requests(self) -> list[str]:
        """Every address that was asked for; what the page's policy refuses is not."""
        asked = self._browser.events(self._session, "Network.requestWillBeSent")
        failed = self._browser.events(self._session, "Network.loadingFailed")
        refused = {each["requestId"] for each in failed if each.get("blockedReason") == "csp"}
        return [each["request"]["url"] for each in asked if each["requestId"] not in refused]

    @property
    def complaints(self) -> list[str]:
        """What the console says: errors of scripts, and what the policy forbade."""
        logged = self._browser.events(self._session, "Log.entryAdded")
        thrown = self._browser.events(self._session, "Runtime.exceptionThrown")
        return [entry["entry"]["text"] for entry in logged] + [str(each) for each in thrown]


def _as_three_and_four(theirs_in: int, theirs_out: int) -> None:
    """In the child: the two pipes as the files that Chromium expects."""
    high_in, high_out = (os.dup(end) for end in (theirs_in, theirs_out))
    spare = [high_in, high_out]
    while min(spare[-2:]) < 5:
        spare += [os.dup(spare[-2]), os.dup(spare[-1])]
    os.dup2(spare[-2], 3)
    os.dup2(spare[-1], 4)


def program() -> str:
    """The path of Chromium; a skip at home and a failure in CI where there is none."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    missing = "there is no Chromium on the PATH"
    if os.environ.get("CI"):
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The session's one browser."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as home:
        running = Browser(program(), home)
        try:
            yield running
        finally:
            running.close()


@pytest.fixture
def tab(browser: Browser) -> Tab:
    """A new tab as wide as a laptop's screen."""
    made = Tab(browser)
    made.measures(1280, 800)
    return made
