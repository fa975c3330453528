"""The journal of restores that are under way or were cut off; it outlives a run that is killed.

It is one file beside the locks. A restore is in it, synced to the disk, before HEAD moves for it
and before the database is written to, until everything is committed and the result was printed. So
at whatever instant a run is killed, the next one knows which commit was meant, and what HEAD was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any

from gitbackup.errors import GitbackupError
from gitbackup.store.git.command import Commands, file_errors
from gitbackup.store.objects import refs
from gitbackup.store.repository.checkout import write_whole

JOURNAL = "gitbackup/restoring"
SCHEMA = "gitbackup.restore-journal/1"
MOST = 32  # restores that were cut off and not finished, of which the last are kept


class State(StrEnum):
    """How far a restore has come."""

    SAVING = "saving"  # HEAD is about to move to the commit of the state before
    WRITING = "writing"  # the database may have been written to
    RECORDING = "recording"  # all is written; HEAD is about to move to the restored state's commit
    DONE = "done"  # all is committed, and the result is not printed yet


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A restore: what was asked for, the id of the commit that was meant, and how far it came.

    - `asked`: the words of the request; `how`: its options, as JSON;
    - `server`: the label of the server; `home`: whether commits are taken from that one;
    - `nodes`: the ids of the primaries of a cluster, which is the same by the URL of any node;
    - `branch`: HEAD's branch; `head`: HEAD's commit before it last moved for this restore; `made`:
      the commit that it moved to;
    - `replaced`: the commit of the state before; `saved_on`: the branch with what another server
      than the home one held before;
    - `undoes`: the commit of the restore that it takes back; `takes_back`: the commit of the state
      before that one;
    - `whole`: whether it makes the whole database equal the commit. Once it has ended, all others
      that were cut off on the same server are past.
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
    saved_on: str = ""
    undoes: str | None = None
    takes_back: str | None = None
    whole: bool = False
    state: State = State.SAVING
    nodes: tuple[str, ...] = ()

    @property
    def heads(self) -> set[str | None]:
        """Return the commits that HEAD may be at if nobody else has moved it."""
        return {self.head, self.made or self.head}

    @property
    def is_import(self) -> bool:
        """Return whether it brings a file, or another server: its commit is on no branch."""
        return self.asked.startswith("[") and len(json.loads(self.asked)) > 2

    @property
    def named(self) -> set[str | None]:
        """Return every commit that it names."""
        ids = (self.commit, self.head, self.made, self.replaced, self.undoes, self.takes_back)
        return {*ids}

    def same(self, other: JournalEntry) -> bool:
        """Return whether both are the same restore, into the same server."""
        return self.beside(other) and (self.asked == other.asked or self.is_of(other))

    def beside(self, other: JournalEntry) -> bool:
        """Return whether both are into the same server; the home server may have moved since."""
        alike = self.server == other.server or not {*self.nodes}.isdisjoint(other.nodes)
        return self.home == other.home and (self.home or alike)

    def ends(self, other: JournalEntry) -> bool:
        """Return whether the other is past once this one has ended: it is the same, or was taken
        back, or this one has restored the whole database."""
        undone = bool(self.takes_back) and self.takes_back == other.replaced
        return self.beside(other) and (self.whole or undone or self.same(other))

    def is_of(self, other: JournalEntry) -> bool:
        """Return whether both are of one commit, with the same options."""
        return (self.commit, self.how, self.undoes) == (other.commit, other.how, other.undoes)


def read(git: Commands) -> list[JournalEntry]:
    """Return the restores in the journal, the last one last; none if it cannot be read."""
    try:
        document = json.loads((git.git_dir / JOURNAL).read_text("utf-8"))
        if isinstance(document, dict) and document.get("schema") == SCHEMA:
            return [*map(_entry, document["open"])]
        return [_from_version_0_1(document)]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return []


class Journal:
    """The journal of a repository, and which of its restores is this run's, if any."""

    def __init__(self, git: Commands) -> None:
        self._git = git
        self._own: JournalEntry | None = None

    def known(self) -> list[JournalEntry]:
        """Return the restores that have begun, the last one last, each WRITING or DONE.

        HEAD's history tells which of the two.
        """
        return [*filter(None, (_by_now(self._git, each) for each in read(self._git)))]

    def restoring(self, restore: JournalEntry) -> None:
        """Make this the restore of this run: every move of HEAD is noted for it beforehand."""
        self._own = replace(restore, branch=refs.branch(self._git))

    def reach(self, state: State) -> None:
        """Note, on the disk, that the restore of this run has come so far."""
        if self._own is None:
            raise RuntimeError("no restore is in progress")
        self._own = replace(self._own, state=state, head=refs.head(self._git), made=None)
        self._note(self._own)

    @contextmanager
    def moving(self, old: str | None, new: str) -> Iterator[None]:
        """Note, if this run is a restore, that HEAD moves inside the block; take the note back if
        it did not."""
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
        """Note no more moves of HEAD for the restore of this run, whatever became of it."""
        self._own = None

    def end(self) -> None:
        """Take the restore of this run out of the journal, its result being printed, and those that
        are past with it."""
        if self._own is not None:
            _write(self._git, [each for each in self.known() if not self._own.ends(each)])

    def _note(self, restore: JournalEntry) -> None:
        """Write it as the last one. Others that are DONE on the same server are past then."""
        others = [
            each
            for each in self.known()
            if not each.same(restore) and not (each.state is State.DONE and each.beside(restore))
        ]
        _write(self._git, [*others, restore])


def _by_now(git: Commands, restore: JournalEntry) -> JournalEntry | None:
    """Return the restore as WRITING or DONE; None if it has not begun, for HEAD did not move."""
    if restore.state in (State.WRITING, State.DONE):
        return restore
    moved = restore.made is not None and refs.is_past(git, restore.made)
    if restore.state is State.SAVING:
        return replace(restore, state=State.WRITING) if moved else None
    return replace(restore, state=State.DONE if moved else State.WRITING)


def _entry(document: Any) -> JournalEntry:
    """Return the entry that a JSON object is, less the members that a later version has added."""
    known = {
        each.name: document[each.name] for each in fields(JournalEntry) if each.name in document
    }
    nodes = tuple(map(str, document.get("nodes", ())))
    return JournalEntry(**{**known, "state": State(document["state"]), "nodes": nodes})


def _from_version_0_1(document: Any) -> JournalEntry:
    """Return what gitbackup 0.1 has noted, which is right as long as HEAD has not moved since."""
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
