"""Nothing outlives the tests: a process that does is named, ended, and fails the run.

What belongs to this run is known by its temporary folders: one that we make for what asks the
system for one, and pytest's own. Every process that a test starts, and what that starts, has
one of them among its variables, as its folder or in its words; a server that has overwritten
its variables with its title still is in its folder.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

PROCESSES = Path("/proc")
PATIENCE = 10.0  # seconds for what is about to end, on a busy machine
FOLDER = pytest.StashKey[str]()
OUTLIVED = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return  # a worker has the folder from its parent's environment
    usual = tempfile.gettempdir()
    folder = tempfile.mkdtemp(prefix="gitbackup-tests-")
    Path(folder).chmod(0o711)  # another user may pass to what a test lets him read
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", usual)  # what tests leave stays to be looked at
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    config.stash[FOLDER] = folder
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.hookimpl(trylast=True)  # when the workers have ended
def pytest_sessionfinish(session: pytest.Session) -> None:
    folder = session.config.stash.get(FOLDER, None)
    if folder is None or not PROCESSES.is_dir():
        return
    base = session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    ours = (os.fsencode(folder), os.fsencode(base))
    gc.collect()  # where tests ran in this very process, what they left ends with its object
    deadline = time.monotonic() + PATIENCE
    while (left := dict(_processes(ours))) and time.monotonic() < deadline:
        time.sleep(0.05)
    session.config.stash[OUTLIVED] = [*left.values()]
    for process in left:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    if left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if left := terminalreporter.config.stash.get(OUTLIVED, []):
        terminalreporter.section("processes that outlived the tests", red=True)
        for process in left:
            terminalreporter.line(process)


def _processes(ours: tuple[bytes, ...]) -> Iterator[tuple[int, str]]:
    """Those that belong to this run, and what to call them; a dead one is nobody's."""
    for place in PROCESSES.glob("[0-9]*"):
        process = int(place.name)
        if process == os.getpid():
            continue
        with suppress(OSError):
            about = b"\0".join([*_told_of(place)])
            state = (place / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
            if state != "Z" and any(folder in about for folder in ours):
                words = (
                    (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
                yield process, f"{process} in state {state}: {words.strip()}"


def _told_of(place: Path) -> Iterator[bytes]:
    yield os.fsencode((place / "cwd").readlink())
    yield (place / "cmdline").read_bytes()
    yield (place / "environ").read_bytes()
