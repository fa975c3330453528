"""Starts gitbackup as a process of its own, without the time that its imports take.

A parent that has imported everything forks a child a command. The child is a process as any
other: it has its own files, folder and environment, runs `gitbackup.cli.main`, and a SIGKILL ends
it at any instant. It can be told to kill itself, or the git that it runs, as it is about to do the
nth thing that matters outside of it: to start a program, to open a file for writing, to rename.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

STEPS = {
    *("subprocess.Popen", "socket.connect", "fcntl.flock", "fcntl.lockf"),
    *("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.chmod"),
    *("os.truncate", "os.kill", "shutil.rmtree", "tempfile.mkstemp", "tempfile.mkdtemp"),
}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Ended(NamedTuple):
    """How a run ended: its exit code, or minus a signal; and the steps that it took."""

    code: int
    out: str
    err: str
    steps: int
    seconds: float
    struck: bool  # whether it did what its `dies` told it to


class Run:
    """A run of gitbackup that has been started."""

    def __init__(self, talk: socket.socket, folder: Path, number: int) -> None:
        self._process = talk
        self._heard = b""
        self._out, self._err = (folder / f"{number}.{name}" for name in ("out", "err"))
        self._began = time.monotonic()
        self.ended: Ended | None = None
        self._told: dict[str, Any] = {}
        while "pid" not in self._told:
            self._hear()
        self.pid: int = self._told["pid"]

    def wait(self, seconds: float) -> Ended | None:
        """How it ended; None where it has not by then."""
        deadline = time.monotonic() + seconds
        while self.ended is None:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._process.settimeout(left)
            with suppress(TimeoutError):
                if "status" not in self._told:
                    self._hear()
                self._understand()
        return self.ended

    def end(self, patience: float) -> Ended | None:
        """How it ended; None where it hangs: for so many seconds it did nothing, or it has worked
        for more than that. On a busy machine it may take long, and does not hang."""
        worked = 0.0
        while (ended := self.wait(patience)) is None:
            before, worked = worked, _worked(self.pid)
            if worked == before or worked > patience:
                return None
        return ended

    def _hear(self) -> None:
        """What the starter, and the run itself, tell next."""
        data = self._process.recv(4096)
        if not data:
            raise RuntimeError("the starter has gone")
        *lines, self._heard = (self._heard + data).split(b"\n")
        for line in lines:
            self._told |= json.loads(line)

    def _understand(self) -> None:
        told = self._told
        if "status" not in told:
            return
        out, err = map(_read, (self._out, self._err))
        seconds = time.monotonic() - self._began
        steps, struck = told.get("steps", 0), bool(told.get("struck"))
        self.ended = Ended(told["status"], out, err, steps, seconds, struck)
        self._process.close()
        self._out.unlink(missing_ok=True)
        self._err.unlink(missing_ok=True)

    def signal(self, number: int) -> bool:
        """Sends it a signal; whether it was still there."""
        if self.wait(0) is not None:
            return False
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)
            return True
        return False


def _worked(pid: int) -> float:
    """Seconds of a processor that a process has used, and those that it has started."""
    with suppress(OSError):  # it has ended
        facts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ours = sum(map(int, facts[11:15])) / os.sysconf("SC_CLK_TCK")
        return ours + sum(map(_worked, _children(pid)))
    return 0.0


def _read(path: Path) -> str:
    """What was said; nothing where the run was killed before it could say anything."""
    return path.read_text("utf-8", "replace") if path.exists() else ""


class Starter:
    """The parent; it lasts as long as the context does, or the process that made it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "starter"
        self._number = 0
        self._pid = 0

    def __enter__(self) -> Starter:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self._socket))
        listener.listen()
        alive, ours = socket.socketpair()
        self._pid = os.fork()
        if not self._pid:
            ours.close()
            try:
                _serve(listener, alive)
            finally:
                os._exit(1)
        alive.close()
        listener.close()
        self._alive = ours
        return self

    def __exit__(self, *_: object) -> None:
        self._alive.close()
        os.waitpid(self._pid, 0)
        self._socket.unlink(missing_ok=True)

    def start(
        self,
        words: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        dies: tuple[str, int] | None = None,
        script: Sequence[str] = (),
    ) -> Run:
        """`gitbackup <words>`; `script` is a program to run instead of the fork's function.

        `dies` is what it kills, `self` or `git`, and at which step.
        """
        self._number += 1
        asked = {
            "words": [*words],
            "folder": str(folder),
            "environment": dict(environment),
            "files": [str(self._folder / f"{self._number}.{name}") for name in ("out", "err")],
            "dies": dies,
            "script": [*script],
        }
        talk = socket.socket(socket.AF_UNIX)
        talk.connect(str(self._socket))
        talk.sendall(json.dumps(asked).encode("utf-8", "surrogateescape") + b"\n")
        return Run(talk, self._folder, self._number)


def _serve(listener: socket.socket, alive: socket.socket) -> None:
    _import_all()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    waker, wake = socket.socketpair()
    for one in (wake, waker):
        one.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    running: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([listener, waker, alive], [], [])
        if alive in ready:
            for pid in running:
                os.kill(pid, signal.SIGKILL)
            os._exit(0)
        if waker in ready:
            waker.recv(4096)
            _reap(running)
        if listener in ready:
            talk, _ = listener.accept()
            asked = b""
            while not asked.endswith(b"\n"):
                asked += talk.recv(1 << 16)
            pid = os.fork()
            if not pid:
                for other in (listener, waker, wake, alive, *running.values()):
                    other.close()
                _be(json.loads(asked), talk)
            talk.sendall(b'{"pid": %d}\n' % pid)
            running[pid] = talk


def _reap(running: dict[int, socket.socket]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        talk = running.pop(pid)
        with suppress(OSError):
            talk.sendall(b'{"status": %d}\n' % os.waitstatus_to_exitcode(status))
        talk.close()


def _import_all() -> None:
    """All that any command has need of, so that no child loads it."""
    import gitbackup

    for module in pkgutil.walk_packages(gitbackup.__path__, "gitbackup."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in ("deepdiff", "difflib"):
        importlib.import_module(name)
    import gc

    gc.collect()
    gc.freeze()


def _be(asked: dict[str, Any], talk: socket.socket) -> None:
    """Becomes the command; never returns."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setpgid(0, 0)
        _redirect(asked["files"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        os.chdir(asked["folder"])
        if asked["script"]:
            program = [*asked["script"], *asked["words"]]
            os.execvpe(program[0], program, asked["environment"])  # noqa: S606  as it is meant
        sys.argv = ["gitbackup", *asked["words"]]
        os.nice = lambda increment: 0  # we stand behind others already
        counted = _count(asked["dies"], talk)
        from gitbackup.cli import main

        try:
            main()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        sys.stdout.flush()
        sys.stderr.flush()
        talk.sendall(b'{"steps": %d}\n' % counted[0])
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _redirect(files: Sequence[str]) -> None:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, path in enumerate(files, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    # a test's own are of the test; these are as the interpreter makes them
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)


def _count(dies: tuple[str, int] | None, talk: socket.socket) -> list[int]:
    """Counts steps from now on, and kills at the one that is asked for."""
    counted, (victim, at) = [0], dies or ("", 0)
    ours = os.getpid()
    done: list[str] = []

    def step(event: str, arguments: Any) -> None:
        if event == "open":
            if arguments[0] == os.devnull or not arguments[2] & WRITES:
                return
        elif event not in STEPS:
            return
        counted[0] += 1
        if not victim or counted[0] < at or done or os.getpid() != ours:
            return
        done.append(event)  # to kill is a step, too
        if victim == "self":
            talk.sendall(b'{"struck": true}\n')
            os.kill(ours, signal.SIGKILL)
        if kill_git(ours):
            talk.sendall(b'{"struck": true}\n')
        else:
            done.clear()

    sys.addaudithook(step)
    return counted


def kill_git(pid: int) -> bool:
    """Kills the git processes that a process runs, and that those run; whether there was one."""
    killed = False
    for child in _children(pid):
        with suppress(OSError):
            if Path(f"/proc/{child}/comm").read_text().startswith("git"):
                kill_git(child)
                os.kill(child, signal.SIGKILL)
                killed = True
    return killed


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):  # it has ended, or one of its threads has
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found += map(int, (task / "children").read_text().split())
    return found
