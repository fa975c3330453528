from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.user import GITBACKUP, surroundings
from tests.ui.strangers import Stranger


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    folder = tmp_path / "temporary"
    folder.mkdir()
    started = subprocess.Popen(
        [*GITBACKUP, "demo", "--ui", "--no-browser"],
        cwd=tmp_path,
        env=surroundings({"TMPDIR": str(folder)}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


@pytest.mark.long
def test_the_demo_has_pages(demo: subprocess.Popen[str], tmp_path: Path) -> None:
    """Its server and its repository are there until it is stopped, and nothing is left of them."""
    assert demo.stdout
    lines = []
    for line in demo.stdout:
        lines.append(line)
        if "http://" in line:
            break
    entrance = lines[-1].removeprefix("gitbackup ui: ").strip()
    person = Stranger(entrance.partition("/enter")[0]).enter(entrance)
    assert "added account" in person.get("/").body
    assert "account:us-1" in person.get("/diff?a=HEAD&wait=1").body

    demo.send_signal(signal.SIGINT)
    out, err = demo.communicate(timeout=30)

    assert (demo.returncode, err) == (0, "")
    assert "Now commit your own database" in out
    assert os.listdir(tmp_path / "temporary") == []  # noqa: PTH208  its names
