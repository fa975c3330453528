"""Takes the time and the memory of commands, each in a process of its own."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

HOUSE = Path(__file__).parents[2]
PYTHON = (sys.executable,)
GITBACKUP = (*PYTHON, "-m", "gitbackup")
FOREIGN = ("GIT_", "GITBACKUP_", "REDIS", "VALKEY", "PYTHONDONTWRITEBYTECODE")
LOOK = 0.1  # seconds between two looks at how large a command's own commands are
KILOBYTE = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Run:
    """What a command took: seconds, and bytes of memory at their peak.

    `peak` is that of the command or of one that it ran, whichever is larger; `together` is the
    most that it and those held at once, as far as was seen. `computed` are the seconds for which
    they had a core: far fewer than `seconds` tell of a wait, or of a machine that others use too.
    0 is not known.
    """

    seconds: float
    peak: int = 0
    together: int = 0
    computed: float = 0.0


Contest = Mapping[str, Sequence[Run]]
"""Who took part, and what each turn took."""


class Failed(Exception):
    """A command did not end well; says which, and what it said."""


class Unable(Failed):
    """It is another's, and the rest can be measured without it."""


def in_turn(repeat: int, **contestants: Callable[[], Run]) -> Contest:
    """Each once, one after the other, and all that so many times; but for who is unable."""
    runs: dict[str, list[Run]] = {name: [] for name in contestants}
    for _ in range(repeat):
        for name, run in contestants.items():
            with suppress(Unable):
                runs[name].append(run())
    return {name: taken for name, taken in runs.items() if len(taken) == repeat}


def seconds(runs: Sequence[Run]) -> float:
    """The median."""
    return median(run.seconds for run in runs)


def run(*words: str | Path, stdin: Path | None = None, folder: Path | None = None) -> Run:
    """Runs a command from its start to its end; raises Failed where that is not a good one."""
    with (
        tempfile.TemporaryFile() as said,
        Path(stdin or os.devnull).open("rb") as source,
    ):
        began = time.perf_counter()
        child = subprocess.Popen(
            words,
            stdin=source,
            stdout=subprocess.DEVNULL,
            stderr=said,
            cwd=folder,
            env=surroundings(),
        )
        with Watcher(child.pid) as watcher:
            _, status, used = os.wait4(child.pid, 0)
        took = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            raise Failed(f"{' '.join(map(str, words))}: {said.read().decode(errors='replace')}")
    peak = used.ru_maxrss * KILOBYTE
    computed = used.ru_utime + used.ru_stime
    return Run(took, peak if peak > _ours() else 0, watcher.most, computed)


def output(*words: str | Path, folder: Path | None = None) -> str:
    """What a command says, without its time."""
    done = subprocess.run(words, cwd=folder, env=surroundings(), capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{' '.join(map(str, words))}: {done.stderr}")
    return done.stdout.strip()


def surroundings() -> dict[str, str]:
    """The person's own, without settings that could reach gitbackup or git."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
    git = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    return {**ours, **git, "PYTHONPATH": str(HOUSE)}


def _ours() -> int:
    """Bytes at our own peak; the system counts them for every command, which begins as our copy."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KILOBYTE


class Watcher:
    """Looks, while the context lasts, at the memory of a process and of all that it runs."""

    def __init__(self, pid: int) -> None:
        self.most = 0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        seen: set[int] = set()
        while not self._over.wait(LOOK):
            family = {self._pid, *_children(self._pid)}
            # one that is new may still be a copy of its parent, and be about to become another
            self.most = max(self.most, sum(map(_resident, family & seen)))
            seen = family


def _children(pid: int) -> list[int]:
    """Those that a process runs, and what those run; none where the system does not tell."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    try:
        found = [int(word) for one in lists for word in one.read_text().split()]
    except OSError:  # it has ended
        return []
    return found + [one for child in found for one in _children(child)]


def _resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 where it has ended."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * resource.getpagesize()


def folder_size(folder: Path) -> int:
    """Bytes of all the files in it."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
