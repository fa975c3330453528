"""Run a command of the user's for a limited time, and keep a limited part of what it prints."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen, TimeoutExpired
from tempfile import TemporaryFile
from threading import Thread
from typing import IO, NamedTuple

KEPT = 64 * 1024  # bytes of what it prints: as much of the beginning as of the end
LEFT_OUT = b"\n...\n"
GRACE = 2.0  # seconds to end once it was asked to, or to close what it has written to


class Outcome(NamedTuple):
    """How something ended that was run for the user: in words, and what it printed."""

    ok: bool
    how: str
    output: str


def run(
    command: str, body: bytes, environment: Mapping[str, str], folder: Path, seconds: float
) -> Outcome:
    """Run a line for the shell with `body` on its standard input; return how it ended.

    After so many seconds it is ended, with all that it has started.
    """
    try:
        with TemporaryFile() as file:
            file.write(body)
            file.seek(0)
            process = Popen(  # noqa: S602  a hook is a line for the shell, as in git
                command,
                shell=True,
                stdin=file,
                stdout=PIPE,
                stderr=STDOUT,
                cwd=folder,
                env=dict(environment),
                start_new_session=True,
            )
    except (OSError, ValueError) as error:
        return Outcome(False, f"could not be started: {error}", "")
    end = atexit.register(partial(_end, process))  # for a thread that does not live so long
    output = bytearray()
    reader = Thread(target=_drain, args=(process.stdout, output), daemon=True)
    reader.start()
    try:
        process.wait(seconds)
        how = _ended(process.returncode)
    except TimeoutExpired:
        how = f"was stopped after {seconds:g} s"
    finally:
        if process.returncode is None:
            _end(process)
        atexit.unregister(end)
    reader.join(GRACE)  # it may have left something running that holds its output open
    ok = process.returncode == 0 and not how.startswith("was stopped")
    return Outcome(ok, how, bytes(output).decode("utf-8", "replace"))


def _ended(status: int) -> str:
    return f"ended by signal {-status}" if status < 0 else f"ended with exit code {status}"


def _drain(stream: IO[bytes], kept: bytearray) -> None:
    """Read all, so that nothing waits, and keep the beginning and the end."""
    with stream, suppress(OSError, ValueError):
        while chunk := os.read(stream.fileno(), KEPT):
            kept += chunk
            if len(kept) > KEPT:
                kept[KEPT // 2 : -KEPT // 2] = LEFT_OUT


def _end(process: Popen[bytes]) -> None:
    """End a program and what it has started: first it is asked to. On Windows it alone is ended."""
    if sys.platform == "win32":
        process.kill()
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(OSError):
            os.killpg(process.pid, number)
        with suppress(TimeoutExpired):
            process.wait(GRACE)
