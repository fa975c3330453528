"""Work that is done beside this program's own, by a copy of its process, on another core.

That is a saving and no more: where it cannot be, or goes wrong, there is no result, and whoever
wanted it does the work as if nothing had been tried.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NoReturn

Work = Callable[[], bytes]


def able() -> bool:
    """Whether there is another core, and a process may be copied here: not with its threads."""
    return (
        sys.platform == "linux"  # elsewhere the system's own libraries may not bear it
        and len(os.sched_getaffinity(0)) > 1
        and threading.active_count() == 1
    )


def beside(work: Work) -> Work:
    """Begins some work; what it gives waits for the result, which is empty where there is none.

    The work is not to use what this process goes on using: no connection, and no git that runs.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _do(work, writing)
    os.close(writing)
    return partial(_result, child, reading)


def _do(work: Work, writing: int) -> NoReturn:
    """Ends without another word: what is open here is the other's."""
    status = 1
    try:
        with open(writing, "wb") as pipe:
            pipe.write(work())
        status = 0
    finally:
        os._exit(status)


def _result(child: int, reading: int) -> bytes:
    with open(reading, "rb") as pipe:
        found = pipe.read()
    with suppress(ChildProcessError):  # somebody has waited for it already
        _, status = os.waitpid(child, 0)
        return b"" if status else found
    return b""
