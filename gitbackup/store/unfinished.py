"""The note of a restore that is under way; it outlives a run that is killed."""

from __future__ import annotations

import json
from typing import NamedTuple

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


def begin(git: Commands, note: Unfinished) -> None:
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
