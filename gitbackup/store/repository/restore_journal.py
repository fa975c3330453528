"""The journal of restores that are under way or were cut off; it outlives a run that is killed.

It is one file beside the locks. A restore is in it, synced to the disk, before HEAD moves for it
and before the database is written to, and leaves it once all is committed and said. So whatever
instant a run is killed at, the next one knows which commit was meant, and what HEAD was then.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from gitbackup.errors import GitbackupError
from gitbackup.store.git.command import Commands, file_errors
from gitbackup.store.objects import refs
from gitbackup.store.repository.checkout import write_whole

JOURNAL = "gitbackup/restoring"
SCHEMA = "gitbackup.restore-journal/1"
MOST = 32  # restores that were cut off, and that nobody ever finished


class State(StrEnum):
    """How far a restore has come."""

    SAVING = "saving"  # HEAD is about to be the commit of the state before
    WRITING = "writing"  # the database may have been written to
    RECORDING = "recording"  # all is written; HEAD is about to be the commit of the state since
    DONE = "done"  # all is committed, and not said yet


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """What was asked for, the id of the commit that it named then, and how far it came.

    `asked` is in what words, and `how` the options among them, as JSON. `server` is the label of
    the one that it goes into, and `home` tells whether commits are of that. `branch` is HEAD's.
    `head` is HEAD's commit before it moved last for this restore, and `made` the one that it
    moved to. `replaced` is the commit of the state before; `undoes` the restore's that it takes
    back, and `takes_back` the commit of the state before that one. Where it is `whole`, all else
    that was cut off on the same server is past once it has ended.
    """

    asked: str
    how: str
    commit: str
    server: str
    home: bool
    branch: str = ""
    head: str | None = None
    made: str | None = None
    replaced: str | None = None
    undoes: str | None = None
    takes_back: str | None = None
    whole: bool = False
    state: State = State.SAVING

    @property
    def heads(self) -> set[str | None]:
        """Where HEAD may be though nobody else has moved it."""
        return {self.head, self.made or self.head}

    def same(self, other: JournalEntry) -> bool:
        """Return whether they are one restore, of the same into the same."""
        return self.beside(other) and (self.asked == other.asked or self.is_of(other))

    def beside(self, other: JournalEntry) -> bool:
        """Return whether both go into one server: that of the commits may be elsewhere by now."""
        return self.home == other.home and (self.home or self.server == other.server)

    def ends(self, other: JournalEntry) -> bool:
        """Whether the other is past once this one has ended: it is the same, or was taken back,
        or all is another's now."""
        undone = bool(self.takes_back) and self.takes_back == other.replaced
        return self.beside(other) and (self.whole or undone or self.same(other))

    def is_of(self, other: JournalEntry) -> bool:
        """Return whether both are of one commit, with the same options."""
        return (self.commit, self.how, self.undoes) == (other.commit, other.how, other.undoes)


def read(git: Commands) -> list[JournalEntry]:
    """Return the restores in the journal, the last one last; none where it cannot be read."""
    try:
        document = json.loads((git.git_dir / JOURNAL).read_text("utf-8"))
        if isinstance(document, dict) and document.get("schema") == SCHEMA:
            return [*map(_entry, document["open"])]
        return [_of_old(document)]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return []


class Journal:
    """The journal of a repository; `restoring` makes this run one of the restores in it."""

    def __init__(self, git: Commands) -> None:
        self._git = git
        self._own: JournalEntry | None = None

    def known(self) -> list[JournalEntry]:
        """Those that have begun, the last one last, each WRITING or DONE.

        That is told by what HEAD's history has come to be.
        """
        return [*filter(None, (_by_now(self._git, each) for each in read(self._git)))]

    def restoring(self, restore: JournalEntry) -> None:
        """This run is that restore from now on: of every move of HEAD it is noted before."""
        self._own = replace(restore, branch=refs.branch(self._git))

    def reach(self, state: State) -> None:
        """Notes, on the disk, that the restore of this run has come so far."""
        if self._own is None:
            raise RuntimeError("no restore is in progress")
        self._own = replace(self._own, state=state, head=refs.head(self._git), made=None)
        self._note(self._own)

    @contextmanager
    def moving(self, old: str | None, new: str) -> Iterator[None]:
        """HEAD moves: where that is for a restore, it is noted, and taken back where it did not."""
        if self._own is None:
            yield
            return
        before = read(self._git)
        own = replace(self._own, head=old, made=new, replaced=self._own.replaced or new)
        self._note(own)
        try:
            yield
        except GitbackupError:
            if refs.head(self._git) != new:
                _write(self._git, before)
            raise
        self._own = own

    def leave(self) -> None:
        """This run is no restore any more, whatever came of it: its moves of HEAD are others'."""
        self._own = None

    def end(self) -> None:
        """The restore of this run has ended, and that was said. So have those that it took back,
        and where it is whole all that were before it."""
        if self._own is not None:
            _write(self._git, [each for each in self.known() if not self._own.ends(each)])

    def _note(self, restore: JournalEntry) -> None:
        """Write it as the last one. What was done, and not said, is past then."""
        others = [each for each in self.known() if not each.same(restore)]
        _write(self._git, [*(each for each in others if not _is_past(each, restore)), restore])


def _is_past(other: JournalEntry, restore: JournalEntry) -> bool:
    return other.state is State.DONE and other.beside(restore)


def _by_now(git: Commands, restore: JournalEntry) -> JournalEntry | None:
    """None where it has not begun: HEAD never came to be what it was to be."""
    if restore.state in (State.WRITING, State.DONE):
        return restore
    moved = restore.made is not None and refs.is_past(git, restore.made)
    if restore.state is State.SAVING:
        return replace(restore, state=State.WRITING) if moved else None
    return replace(restore, state=State.DONE if moved else State.WRITING)


def _entry(document: Any) -> JournalEntry:
    return JournalEntry(**{**document, "state": State(document["state"])})


def _of_old(document: Any) -> JournalEntry:
    """Return what gitbackup 0.1 had noted: it holds as long as HEAD stays where it was."""
    asked, head = document["asked"], document["head"]
    words = json.loads(asked) if asked[:1] == "[" else [""]
    return JournalEntry(
        asked,
        json.dumps(words[-1]),
        document["commit"],
        server="",
        home=True,
        head=head,
        made=head,
        replaced=document["replaced"],
        undoes=document.get("undoes"),
    )


def _write(git: Commands, restores: Iterable[JournalEntry]) -> None:
    entries = [asdict(each) for each in restores][-MOST:]
    with file_errors("write to the data repository"):
        if not entries:
            (git.git_dir / JOURNAL).unlink(missing_ok=True)
            return
        write_whole(git.git_dir / JOURNAL, json.dumps({"schema": SCHEMA, "open": entries}))
