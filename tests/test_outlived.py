"""A process that a test leaves behind is named and ended, and the run has failed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.outlived import PROCESSES
from tests.watching import eventually

HOUSE = Path(__file__).parent.parent

LEAVES = """
import os, signal, subprocess, tempfile

def test_leaves_a_server_that_was_stopped():
    words = ["sleep", "300"]
    child = subprocess.Popen(words, env={}, cwd=tempfile.mkdtemp(), start_new_session=True)
    os.kill(child.pid, signal.SIGSTOP)

def test_leaves_what_its_child_began():
    subprocess.run(["sh", "-c", "sleep 200 & echo $! >&2"], stdout=subprocess.DEVNULL)
"""
LEAVES_NOTHING = """
import subprocess

def test_waits_for_its_child():
    subprocess.run(["true"])
"""


def is_alive(process: int) -> bool:
    """A zombie is not: whose child it became has only not asked yet."""
    try:
        state = (PROCESSES / str(process) / "stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def run(folder: Path, tests: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_them.py").write_text(tests)
    words = ["-c", os.devnull, "--rootdir", str(folder), "-p", "tests.outlived"]
    words += ["-p", "no:cacheprovider", "-o", "addopts=", str(folder)]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=HOUSE, capture_output=True, text=True
    )


@pytest.mark.long
@pytest.mark.skipif(not PROCESSES.is_dir(), reason="this system has no /proc")
def test_what_outlives_the_tests_is_named_and_ended(tmp_path: Path) -> None:
    done = run(tmp_path, LEAVES)
    assert "2 passed" in done.stdout
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "state T: sleep 300" in done.stdout
    assert "state S: sleep 200" in done.stdout
    named = [int(line.split()[0]) for line in done.stdout.splitlines() if " in state " in line]
    assert len(named) == 2
    assert eventually(lambda: not any(map(is_alive, named)))


@pytest.mark.long
def test_a_run_that_leaves_nothing_ends_well(tmp_path: Path) -> None:
    done = run(tmp_path, LEAVES_NOTHING)
    assert done.returncode == 0, done.stdout
    assert "outlived" not in done.stdout
