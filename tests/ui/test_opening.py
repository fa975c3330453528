"""What the command does at the start: it opens a browser, or says what else to do."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from tests.cli.user import GITBACKUP, surroundings
from tests.servers import StartServer
from tests.ui.conftest import StartSite
from tests.ui.strangers import Stranger, answer, wait_for


def test_a_browser_is_opened(
    start_server: StartServer, tmp_path: Path, new_context: Callable[..., BrowserContext]
) -> None:
    """By a file that only we can read, since a list of processes shows what it is started with;
    from there the page leads in, and the file is gone at the end."""
    home, asked = tmp_path / "home", tmp_path / "asked"
    home.mkdir()
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" > {asked}.new\nmv {asked}.new {asked}\n')
    program.chmod(0o755)
    env = {"HOME": str(home), "BROWSER": str(program), "DISPLAY": ":9"}
    words = ["ui", "--port", "0", "--repo", str(tmp_path / "repo"), "--url", start_server().url]
    with subprocess.Popen(
        [*GITBACKUP, *words], env=surroundings(env), stdout=subprocess.PIPE, text=True
    ) as started:
        wait_for(asked.exists)
        url = asked.read_text().strip()
        assert url.startswith(f"file://{home}/gitbackup-ui-")
        file = Path(url.removeprefix("file://"))
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        page = new_context().new_page()
        page.goto(url)
        page.wait_for_selector("footer form")
        assert page.url.startswith("http://127.0.0.1:")
        assert "token" not in page.url
        started.send_signal(signal.SIGINT)
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    "env", [{}, {"DISPLAY": ":9", "SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 2"}]
)
def test_no_browser_is_opened_that_nobody_sees(
    start_server: StartServer, tmp_path: Path, env: dict[str, str]
) -> None:
    """By ssh, it says what brings the port to the machine where one is."""
    asked = tmp_path / "asked"
    program = tmp_path / "browser"
    program.write_text(f"#!/bin/sh\ntouch {asked}\n")
    program.chmod(0o755)
    around = surroundings({"BROWSER": str(program), **env})
    for name in {"DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"} - env.keys():
        around.pop(name, None)
    words = ["ui", "--port", "0", "--repo", str(tmp_path / "repo"), "--url", start_server().url]
    with subprocess.Popen(
        [*GITBACKUP, *words],
        env=around,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        assert started.stdout
        entrance = started.stdout.readline().removeprefix("gitbackup ui: ").strip()
        person = Stranger(entrance.partition("/enter")[0]).enter(entrance)
        started.send_signal(signal.SIGINT)
        _, err = started.communicate(timeout=30)
    tunnel = f"ssh -L {person.port}:127.0.0.1:{person.port} "
    assert (tunnel in err, "@192.0.2.2\n" in err) == (bool(env), bool(env))
    assert not asked.exists()


WITHOUT = """
import sys
sys.modules["{missing}"] = None
from gitbackup.cli.app import code_of
sys.exit(code_of(sys.argv[1:]))
"""


@pytest.mark.few(9)
@pytest.mark.parametrize("words", [["ui"], ["demo", "--ui"]])
@pytest.mark.parametrize("missing", ["starlette", "uvicorn", "jinja2"])
def test_packages_that_are_missing_are_named(missing: str, words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(missing=missing), *words],
        env=surroundings({}),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"gitbackup: {missing} is not installed: pip install 'gitbackup[ui]', or with pipx: pipx"
        " inject gitbackup jinja2 starlette uvicorn\n"
    )


def test_the_server_s_password_is_asked_for_at_the_start(start_server: StartServer) -> None:
    """Or it is in the environment; where nobody is there to type it, that is an error."""
    url = start_server(requirepass="secret").url
    words = [*GITBACKUP, "ui", "--no-browser", "--port", "0", "--url", url]
    done = subprocess.run(
        words, env=surroundings({}), stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (12, "")
    assert "password" in done.stderr


def test_options_for_the_way_to_the_server_count_on_every_page(start_alone: StartSite) -> None:
    """Though each page is made in a thread of its own. Without this one, it would wait longer than
    who asks for it here."""
    site = start_alone("--timeout", "0.5")
    person = Stranger(site.url).enter(site.entrance)
    site.redis.client_pause(60_000)
    with person.connect() as connection:
        connection.settimeout(20)
        connection.sendall(person.written("GET", "/server", b""))
        assert "0.5 s" in answer(connection).body
