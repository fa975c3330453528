"""The note of a restore that is under way; it outlives a run that is killed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from gitbackup.errors import GitbackupError
from gitbackup.store.advance import write_whole
from gitbackup.store.command import Commands, file_errors

NOTE = "gitbackup/restoring"


class Unfinished(NamedTuple):
    """What was asked for, the id of the commit that it named then, and HEAD's since.

    `replaced` is the commit of the state before it; `undoes` the restore's that it takes back,
    where it is one that does.
    """

    asked: str
    commit: str
    head: str
    replaced: str
    undoes: str | None = None


@contextmanager
def begun(git: Commands, note: Unfinished) -> Iterator[None]:
    """Notes it; where the context fails, what was noted before stands again."""
    before = read(git)
    _write(git, note)
    try:
        yield
    except GitbackupError:
        _write(git, before) if before else end(git)
        raise


def _write(git: Commands, note: Unfinished) -> None:
    with file_errors("write to the data repository"):
        write_whole(git.git_dir / NOTE, json.dumps(note._asdict()))


def read(git: Commands) -> Unfinished | None:
    """The note; None where there is none, or none that can be read."""
    try:
        return Unfinished(**json.loads((git.git_dir / NOTE).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def end(git: Commands) -> None:
    with file_errors("write to the data repository"):
        (git.git_dir / NOTE).unlink(missing_ok=True)
