"""Hooks: a command of the user's, or a webhook, for each thing that can happen.

They are settings of this machine. A hook gets what happened as JSON, on standard input or as the
body of a POST; what it prints is kept in a log. Whether it fails, or hangs until its time is up,
it changes nothing of what happened.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import Full, Queue
from threading import Thread
from typing import Any

from gitbackup.errors import GitbackupError, UsageError
from gitbackup.settings import hook_timeout, is_webhook
from gitbackup.store.git import environment
from gitbackup.store.repository.repository import Repository
from gitbackup.system import programs, webhooks
from gitbackup.system.atomic_file import new_file

LONGEST_LOG = 1 << 20  # bytes; of a longer one the second half stays
WAITING = 1_000  # hooks that may wait for those before them


@dataclass(frozen=True, slots=True)
class HookRun:
    """How a hook ended: for what, whether well, how in words, and what it printed.

    `log` is the file that has it all.
    """

    event: str
    ok: bool
    how: str
    output: str
    log: Path

    def __str__(self) -> str:
        said = [line for line in self.output.splitlines() if line.strip()][-1:]
        told = f": {said[0].strip()[:200]}" if said else ""
        return f"the hook {self.event} {self.how}{told} (see {self.log})"


@dataclass(frozen=True, slots=True)
class Hook:
    """A hook that is to run, with all that it needs for that, in whatever thread."""

    event: str
    value: str
    body: bytes
    folder: Path
    log: Path
    seconds: float

    def run(self) -> HookRun:
        """Run it, and write to the log how it ended. It never raises an error of the hook's."""
        if is_webhook(self.value):
            done = webhooks.post(self.value, self.body, self.seconds)
        else:
            around = environment.of_hook(self.event, self.folder)
            done = programs.run(self.value, self.body, around, self.folder, self.seconds)
        run = HookRun(self.event, done.ok, done.how, done.output, self.log)
        with suppress(OSError, GitbackupError):  # such as a full disk
            _write(run)
        return run


def prepared(repository: Repository, event: str, document: Mapping[str, Any]) -> Hook | None:
    """Return the hook that the settings have for an event, with what it is told; None for none.

    None, too, if this run is itself that of a hook, for such a chain could have no end. Raises
    UsageError if the setting is that of a repository of another user.
    """
    value = repository.get(event)
    if not value or environment.in_hook():
        return None
    if not repository.is_trusted(event):
        raise UsageError(
            f"the hook {event} was not run, because {repository.path} belongs to another user"
        )
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
    folder = repository.path.absolute()
    return Hook(event, value, body, folder, repository.hook_log, hook_timeout(repository))


def _write(run: HookRun) -> None:
    """Add to the log how a hook ended, and what it printed."""
    when = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    lines = "".join(f"  {line}\n" for line in run.output.splitlines())
    entry = f"{when} {run.event} {run.how}\n{lines}".encode("utf-8", "backslashreplace")
    run.log.parent.mkdir(exist_ok=True)
    with suppress(FileNotFoundError):
        if run.log.stat().st_size > LONGEST_LOG:
            kept = run.log.read_bytes()[-LONGEST_LOG // 2 :]
            with new_file(run.log) as file:
                file.write(kept)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(run.log, flags, 0o600), "wb") as stream:
        stream.write(entry)


class HookQueue:
    """Runs hooks one after the other in a thread of its own, so that nobody has to wait for them.

    `tell` is called in that thread with each that has failed. A context manager: at its end it
    waits for the hooks that are to run, for as long as one of them may take.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._queue: Queue[Hook | None] = Queue(WAITING)
        self._thread = Thread(target=self._work, daemon=True)
        self._until = float("inf")
        self._longest = 0.0  # seconds

    def put(self, hook: Hook) -> HookRun | None:
        """Queue a hook to be run; return None, or how it ended if it was not run since too many
        wait."""
        try:
            self._queue.put_nowait(hook)
        except Full:
            how = f"was not run, because {WAITING:,} others wait"
            return HookRun(hook.event, False, how, "", hook.log)
        self._longest = max(self._longest, hook.seconds)
        if not self._thread.is_alive():
            self._thread.start()
        return None

    def __enter__(self) -> HookQueue:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if self._thread.is_alive() and error is not KeyboardInterrupt:
            self._until = time.monotonic() + self._longest
            self._queue.put(None)
            self._thread.join()

    def _work(self) -> None:
        while hook := self._queue.get():
            if time.monotonic() > self._until:
                self._tell(f"the hook {hook.event} was not run, for those before it took too long")
            elif not (run := hook.run()).ok:
                self._tell(str(run))
