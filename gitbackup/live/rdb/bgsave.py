"""Have a server save to its own disk, and check that it did.

`BGSAVE` answers before anything is saved, and may answer so though the save then fails. The
moment of the last save that went well has seconds only. So a save is begun when no other is
under way, at a second in which none has ended: then that moment moves if it goes well.
"""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from gitbackup import wording
from gitbackup.errors import ServerError
from gitbackup.kinds.base import mapping
from gitbackup.live.connection.connect import Server
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.protocol.info import number, parse_info
from gitbackup.live.server import keyspace
from gitbackup.progress import Progress

STEP = 0.05  # seconds between two looks
TIMEOUTS = 120  # that the server may take to save
AHEAD = 5  # seconds, at most, that its last save may be dated after what its clock says now
UNKNOWN = (
    "the user has no permission to ask the server at {label} where its RDB file is: name"
    " it with {file}"
)


class Saved(NamedTuple):
    """Where the server's file is, and the second in which its child began to write it."""

    path: Path
    began: int


def save(server: Server, path: Path | None, progress: Progress) -> Saved:
    """Have the server save now, and wait until it has.

    `path` is its file's, where it is not to be asked. Raises ServerError if the save fails,
    or the user may not have it.
    """
    with closing(server.dial()) as connection:
        path = path or _path(connection)
        before, began = _begin(connection)
        info = _await_end(connection, progress)
    if info["rdb_last_save_time"] == before:
        status = info.get("rdb_last_bgsave_status", "unknown")
        raise ServerError(
            f"BGSAVE failed at {server.label} (status: {status}): see its log; often"
            " the disk is full, memory is short, or it cannot write to the folder"
        )
    return Saved(path, began)


def _begin(connection: Connection) -> tuple[str, int]:
    """Begin a save once none is under way; return the time of the last one as INFO has it, and the
    time of this one in seconds by the server's clock."""
    patience = _Patience(connection)
    while True:
        info, now = _info(connection), keyspace.clock(connection) // 1000
        last = number(info, "rdb_last_save_time")
        if last > now + AHEAD:
            raise ServerError(
                f"the last save of the server at {connection.label} is dated later than its clock"
                " says now, so it cannot be told when the next one ends: try"
                f" {wording.option('--via sync', 'copy=False')}"
            )
        if not _busy(info) and last < now:
            (reply,) = connection.ask([("BGSAVE",)])
            if not isinstance(reply, Refusal):
                return info["rdb_last_save_time"], now
            if not any(word in str(reply) for word in ("in progress", "child process")):
                raise connection.refused(reply, ("BGSAVE",))
        patience.wait()


class _Patience:
    """How long a server may be busy with saving, by the timeout."""

    def __init__(self, connection: Connection) -> None:
        self._label = connection.label
        self._seconds = TIMEOUTS * connection.patience
        self._began = time.monotonic()

    def wait(self) -> None:
        """Sleep for a moment. Raises ServerError once it has taken too long."""
        if time.monotonic() - self._began > self._seconds:
            raise ServerError(
                f"the server at {self._label} is still saving after {self._seconds:,.0f} s;"
                f" {wording.option('--timeout')} allows more time"
            )
        time.sleep(STEP)


def _busy(info: dict[str, str]) -> bool:
    """Return whether the server has a child at work, or is about to have one."""
    names = ("rdb_bgsave_in_progress", "aof_rewrite_in_progress", "aof_rewrite_scheduled")
    return any(info.get(name, "0") != "0" for name in names)


def _await_end(connection: Connection, progress: Progress) -> dict[str, str]:
    """Wait while a save is under way; return INFO as it is then."""
    info, done, patience = _info(connection), 0, _Patience(connection)
    progress.start("saving", number(info, "current_save_keys_total") or None)
    try:
        while info["rdb_bgsave_in_progress"] != "0":
            now = number(info, "current_save_keys_processed")
            progress.advance(now - done)
            done = now
            patience.wait()
            info = _info(connection)
    finally:
        progress.finish()
    return info


def _info(connection: Connection) -> dict[str, str]:
    info = parse_info(connection.call("INFO", "persistence"))
    if not {"rdb_last_save_time", "rdb_bgsave_in_progress"} <= info.keys():
        raise ServerError(
            f"the server at {connection.label} does not report its saves: try"
            f" {wording.option('--via sync', 'copy=False')}"
        )
    return info


def _path(connection: Connection) -> Path:
    folder, name = connection.ask([("CONFIG", "GET", "dir"), ("CONFIG", "GET", "dbfilename")])
    told = {} if Refusal in (type(folder), type(name)) else mapping(folder) | mapping(name)
    where = told.get("dir"), told.get("dbfilename")
    if not all(where) or "\0" in "".join(map(str, where)):
        raise ServerError(UNKNOWN.format(label=connection.label, file=wording.option("--file")))
    return Path(*map(str, where))
