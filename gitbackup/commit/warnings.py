"""What a commit warns of: restores that are not at their end."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

from gitbackup.errors import Busy, GitbackupError
from gitbackup.plan import Ttl
from gitbackup.store.repository.repository import Repository
from gitbackup.store.repository.restore_journal import JournalEntry, State


def left_over(repository: Repository) -> list[str]:
    """What to say of restores that are not at their end, into the server that commits are of."""
    left = _cut_off(repository)
    if not left:
        return []
    try:
        with repository.beside("restoring", 0):
            return _cut_off(repository)  # one that was under way may have ended since
    except Busy:  # it is under way
        return []
    except GitbackupError:  # a disk that may only be read: nobody restores on it
        return left


def _cut_off(repository: Repository) -> list[str]:
    known = repository.journal.known()
    return [_left(each) for each in known if each.home and each.state is not State.DONE]


def _left(restore: JournalEntry) -> str:
    if restore.undoes:
        return f"an undo of {restore.undoes[:7]} is not finished: `gitbackup undo` finishes it"
    told = f"a restore of {restore.commit[:7]} is not finished"
    back = "`gitbackup undo` takes it back"
    if not restore.asked.startswith("["):
        return f"{told}: the same `gitbackup restore --plan` finishes it, {back}"
    if json.loads(restore.asked)[0] == "import" and len(json.loads(restore.asked)) > 2:
        return f"an import is not finished: the same `gitbackup import` finishes it, {back}"
    return f"{told}: `{shlex.join(_words(restore))}` finishes it, {back}"


def _words(restore: JournalEntry) -> Iterator[str]:
    """What finishes it, whatever HEAD is by then."""
    yield from ("gitbackup", "restore", restore.commit[:7])
    how = json.loads(restore.how)
    for of, to in how["databases"] or ():
        yield from ("--db", f"{of}:{to}")
    yield from () if how["delete"] else ("--no-delete",)
    yield from () if how["ttl"] == Ttl.KEEP.value else ("--ttl", how["ttl"])
    yield from ("--",) if any(glob.startswith("-") for glob in how["patterns"]) else ()
    yield from how["patterns"]
