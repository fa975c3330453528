"""One run at a time in a data repository.

A lock is a file that its holder has locked by flock(2), on Windows by LockFile: the system drops
it with the process, however that ends. The git commands that a run starts in the repository
inherit it, so that a run which is killed holds its lock until the last of them has ended. What is
written in the file says who holds it; it is left there by a run that was killed, and by one whose
git was.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from gitbackup.errors import Busy, ReadOnly
from gitbackup.store.git.command import Commands, file_errors

WAIT = 10.0
"""Seconds that a run waits for another one, unless it is told otherwise."""

_LOOK = 0.05  # seconds between two tries
_TAKEN = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK}
_LONGEST = 4096  # bytes that are read of what is said of a holder


class Holder(NamedTuple):
    """Who holds a lock: its process, on which machine, and since when in seconds of Unix time."""

    process: int
    machine: str
    since: float


@contextmanager
def hold(
    git: Commands, name: str = "lock", wait: float = WAIT, busy: str = "working in {}"
) -> Iterator[Holder | None]:
    """Hold the repository's lock; gives the last holder, where that one or its git was killed.

    `name` is that of a lock for work beside which the repository may change. Raises Busy, which
    says who holds it and `busy`, if it is not free within `wait` seconds, and ReadOnly for a
    repository that was opened read-only.
    """
    if git.read_only:
        raise ReadOnly
    path = git.git_dir / "gitbackup" / name
    with file_errors("lock the data repository"):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        with file_errors("lock the data repository"):
            if not take(handle, wait):
                raise Busy(_sentence(busy.format(git.folder), _read(handle), wait))
            killed = _read(handle)
            _write(handle, Holder(os.getpid(), socket.gethostname(), time.time()))
        if not git.inherited:  # no other lock has yet to tell of it
            git.struck = False
        git.inherited.append(handle)
        try:
            yield killed
        finally:
            git.inherited.remove(handle)
            if not git.struck:
                with suppress(OSError):  # a full disk: the next run only looks once more
                    os.ftruncate(handle, 0)
            release(handle)
    finally:
        os.close(handle)


def take(handle: int, wait: float) -> bool:
    """Lock a file, or a folder, by its handle; return whether it was free within `wait` seconds."""
    until = time.monotonic() + wait
    while not _try(handle):
        left = until - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(_LOOK, left))
    return True


def release(handle: int) -> None:
    """Let a file go that take() has locked, also where other processes have inherited it."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(handle, 0, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_UN)


def _try(handle: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, 0, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True


def _write(handle: int, holder: Holder) -> None:
    with suppress(OSError):  # it is a courtesy only, and the disk may be full
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, json.dumps(holder._asdict()).encode())


def _read(handle: int) -> Holder | None:
    """Return who holds it, or held it when killed; None if nothing that makes sense is said."""
    try:
        os.lseek(handle, 0, os.SEEK_SET)
        told = json.loads(os.read(handle, _LONGEST))
        holder = Holder(int(told["process"]), str(told["machine"]), float(told["since"]))
        datetime.fromtimestamp(holder.since)
    except (OSError, ValueError, OverflowError, TypeError, KeyError, RecursionError):
        return None
    return holder


def _sentence(busy: str, holder: Holder | None, wait: float) -> str:
    waited = f"; waited {wait:g} s for it" if wait else ""
    if holder is None:
        return f"another run of gitbackup is {busy}{waited}"
    since = f"{datetime.fromtimestamp(holder.since).astimezone():%Y-%m-%d %H:%M:%S}"
    there = "" if holder.machine == socket.gethostname() else f" on {holder.machine}"
    if not there and not _lives(holder.process):
        who = f"git, started by a run that was killed, process {holder.process},"
        return f"{who} is still {busy}, since {since}{waited}"
    who = f"another run of gitbackup, process {holder.process}{there},"
    return f"{who} is {busy}, since {since}{waited}"


def _lives(process: int) -> bool:
    if sys.platform == "win32":  # where a signal 0 would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def sweep(git: Commands, killed: Holder, pattern: str = "**/*.lock", patience: float = 2.0) -> None:
    """Remove the lock files that git left when it was killed, alone or together with that run.

    Git makes NAME.lock beside each file that it writes to, and removes it unless it is killed.
    One that was made since the run began, and is older than `patience` seconds, is nobody's.
    """
    until = time.monotonic() + patience
    ours = git.git_dir / "gitbackup"
    for file in sorted(git.git_dir.glob(pattern)):
        if ours in file.parents:
            continue
        while (made := _made(file)) is not None and made >= int(killed.since):
            if time.time() - made >= patience or time.monotonic() >= until:
                with suppress(OSError):
                    file.unlink()
                break
            time.sleep(_LOOK)


def _made(file: Path) -> float | None:
    """Return when a file was made or last changed, in Unix time; None if it is gone."""
    try:
        return file.lstat().st_mtime
    except OSError:
        return None
