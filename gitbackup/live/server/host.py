"""A server that runs on this machine: which process it is, and where its files are.

A server may be in a container, where it has another process id, or be somewhere else behind
a forwarded port. So it is known by three things that it tells of itself: its process id, its
program, and for how long it has run. Linux only; elsewhere nothing is found.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gitbackup.live.protocol.info import number
from gitbackup.system.mounts import Mount, mount_of

PROC = Path("/proc")
LONGEST_NAME = 15  # characters that Linux keeps of a program's name
SLACK = 3  # seconds between two clocks that tell when a process began
FIELDS_BEFORE_START = 19  # of its `stat`, behind the program's name


@dataclass(frozen=True, slots=True)
class Home:
    """Where a server of this machine keeps its files.

    `mount` is None if the system does not tell. `files` are those that hold data, as paths
    of ours; there are none where the server is in a container.
    """

    folder: str
    mount: Mount | None
    files: Sequence[Path]


def find(info: Mapping[str, str], config: Mapping[str, str]) -> Home | None:
    """Return where the server that says this of itself keeps its files; None if it is not on this
    machine, or does not tell its folder."""
    folder, process = config.get("dir"), _process(info)
    if folder is None or process is None:
        return None
    mount = _mount(process, folder)
    here = mount is not None and mount == _mount(PROC / "self", folder)
    return Home(folder, mount, _files(Path(folder), config) if here else [])


def _process(info: Mapping[str, str]) -> Path | None:
    """Return the server's folder below /proc; None unless exactly one process can be the server."""
    if not {"process_id", "executable", "uptime_in_seconds"} <= info.keys():
        return None
    program = PurePosixPath(info["executable"]).name[:LONGEST_NAME]
    found = [
        process
        for process in _processes(program)
        if _own_id(process) == info["process_id"]
        and abs(_age(process) - number(info, "uptime_in_seconds")) <= SLACK
    ]
    return found[0] if len(found) == 1 else None


def _processes(program: str) -> Iterator[Path]:
    """Yield all processes that run this program."""
    for process in PROC.glob("[0-9]*"):
        with suppress(OSError):
            if (process / "comm").read_text(errors="replace").rstrip("\n") == program:
                yield process


def _own_id(process: Path) -> str:
    """Return a process's id as the process itself sees it: the innermost one."""
    with suppress(OSError):
        for line in (process / "status").read_text(errors="replace").splitlines():
            if line.startswith("NSpid:"):
                return line.split()[-1]
    return process.name


def _age(process: Path) -> float:
    """Return how many seconds ago a process began; infinity if it is gone."""
    with suppress(OSError, IndexError, ValueError):
        told = (process / "stat").read_text(errors="replace").rpartition(")")[2].split()
        began = int(told[FIELDS_BEFORE_START]) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - began
    return float("inf")


def _mount(process: Path, folder: str) -> Mount | None:
    with suppress(OSError):
        return mount_of((process / "mountinfo").read_text(errors="replace"), folder)
    return None


def _files(folder: Path, config: Mapping[str, str]) -> list[Path]:
    """Return the server's RDB file and its append-only files, as far as they exist and can be
    seen."""
    names = [config.get(name) for name in ("dbfilename", "appendfilename", "appenddirname")]
    found = []
    for name in filter(None, names):
        with suppress(OSError):
            at = folder / name
            found += sorted(at.iterdir()) if at.is_dir() else [at] if at.is_file() else []
    return found
