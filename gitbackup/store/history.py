"""The commits of the data repository, newest first, as they are read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import IO

from gitbackup.errors import UsageError
from gitbackup.model import CommitInfo, FileChange, Selection
from gitbackup.store import message, notes, refs
from gitbackup.store.command import Commands, Talk, failure, text
from gitbackup.store.trees import RAW, TreePairs, changes_in

_FORMAT = "--format=%H%n%P%n%T%n%an <%ae>%n%aI%n%cn <%ce>%n%cI%n%B%x01%N"
_NOTE = "\x01"  # parts a commit's message from the note of its rehearsal
_CHUNK = 1 << 16
_BETWEEN = b"\0\0"  # commits, where what each changed follows it
_OURS = ("Format: ", "Taken-At: ", "Consistency: ", "Keys: ")


@dataclass(frozen=True)
class Record:
    """A commit as git tells it; its message is taken apart when somebody asks.

    `tree` is the id of its snapshot. `canonical` tells that gitbackup made it and nobody
    touched it since, so that each of its files holds what the layout says.
    """

    id: str
    parents: tuple[str, ...]
    tree: str
    canonical: bool
    _author: str
    _date: str
    _text: str

    @cached_property
    def info(self) -> CommitInfo:
        text, _, note = self._text.rpartition(_NOTE)
        subject, body, trailers = message.parse(text)
        return CommitInfo(
            id=self.id,
            parents=self.parents,
            author=self._author,
            date=_moment(self._date),
            subject=subject,
            body=body,
            trailers=trailers,
            counts=message.counts(trailers),
            rehearsal=notes.parse(note),
        )


class History:
    """Searches along the commits of a repository, quick for many of them. For one thread."""

    def __init__(self, git: Commands) -> None:
        self._git = git
        self._pairs = TreePairs(git)

    def records(self, selection: Selection, paths: Sequence[str] = ()) -> Iterator[Record]:
        """The commits selected, of those that changed one of these files or folders.

        Nothing comes of HEAD before the first commit. Raises UsageError for a revision that
        there is not.
        """
        if selection.revisions == ("HEAD",) and refs.head(self._git) is None:
            return iter(())
        return records(self._git, selection, paths)

    def record(self, commit: str) -> Record:
        """One commit, given by id."""
        return next(self.records(Selection((commit,), 1)))

    def commits(self) -> list[str]:
        """The ids of all commits that HEAD or a branch leads to, newest first."""
        tips = ["--branches", *(["HEAD"] if refs.head(self._git) else [])]
        return self._git.run("rev-list", *tips).decode("ascii").split()

    def differ(self, a: str | None, b: str) -> list[FileChange]:
        """The files that differ between two trees, by id; None is one without files."""
        return self._pairs.differ(a, b)

    def changed_along(
        self, start: str, stop: str | None, paths: Sequence[str]
    ) -> Iterator[tuple[str, list[FileChange]]]:
        """Along a line of commits, from `start` back to before `stop`, by id: those that
        changed one of these files or folders, and how."""
        return _changed_along(self._git, start, stop, paths)

    def places(self, selection: Selection) -> set[str]:
        """The names of all that the selected snapshots ever had at their top."""
        words = [*_options(selection), *revisions(self._git, selection), "--"]
        out = self._git.run("rev-list", "--objects", "--filter=tree:2", *words)
        return {line.partition(" ")[2] for line in text(out).split("\n")}

    def close(self) -> None:
        """Ends the git process that compares trees."""
        self._pairs.close()


def records(git: Commands, selection: Selection, paths: Sequence[str] = ()) -> Iterator[Record]:
    """The commits that are selected, of those that changed `paths`, as git finds them.

    A caller that stops early does not wait for the rest. Raises UsageError for a revision
    that there is not.
    """
    options = ["-z", "--encoding=UTF-8", "--no-color", f"--notes={notes.REF}", _FORMAT]
    options += _options(selection)
    return _listed(git, [*options, *revisions(git, selection), "--", *paths])


def _listed(git: Commands, words: Sequence[str]) -> Iterator[Record]:
    talk = git.start("log", *words)
    try:
        for record in _parts(talk.stdout, b"\0"):
            yield _record(record.decode("utf-8", "replace"))
    except GeneratorExit:
        talk.kill()
        raise
    _ended(talk)


def _changed_along(
    git: Commands, start: str, stop: str | None, paths: Sequence[str]
) -> Iterator[tuple[str, list[FileChange]]]:
    settings = ("-c", "log.showroot=true")
    options = ("-z", "--raw", *RAW, "--format=%x00%x00%H")
    ends = [start, f"^{stop}"] if stop else [start]
    talk = git.start(*settings, "log", *options, *ends, "--", *paths)
    try:
        for part in filter(None, _parts(talk.stdout, _BETWEEN, last=True)):
            commit, _, fields = text(part.lstrip(b"\0")).partition("\0")
            yield commit, changes_in(fields.lstrip("\n").split("\0"))
    finally:
        talk.kill()


def revisions(git: Commands, selection: Selection) -> list[str]:
    """The revisions and ranges of a person, by the ids of their commits.

    Raises UsageError where there is none such.
    """
    return [word for named in selection.revisions for word in _ends(git, named)]


def _ends(git: Commands, named: str) -> list[str]:
    for dots in ("...", ".."):
        a, found, b = named.partition(dots)
        if found:
            old, new = (refs.resolve(git, end or "HEAD") for end in (a, b))
            return [f"{old}...{new}"] if dots == "..." else [new, f"^{old}"]
    return [("^" if named[:1] == "^" else "") + refs.resolve(git, named.removeprefix("^"))]


def _options(selection: Selection) -> Iterator[str]:
    if selection.limit is not None:
        yield f"--max-count={selection.limit}"
    for name, moment in (("since", selection.since), ("until", selection.until)):
        if moment is not None:
            yield f"--{name}={moment}"
    yield from (f"--grep={pattern}" for pattern in selection.grep)
    yield from ["--first-parent"] * selection.first_parent
    yield from ["--reverse"] * selection.reverse
    yield from ["--topo-order"] * selection.topological


def _parts(stream: IO[bytes], mark: bytes, last: bool = False) -> Iterator[bytes]:
    """What stands before each mark, as it comes; what follows the last one only if `last`."""
    left = b""
    while chunk := os.read(stream.fileno(), _CHUNK):  # what is there, without waiting for more
        *whole, left = (left + chunk).split(mark)
        yield from whole
    if last:
        yield left


def _ended(talk: Talk) -> None:
    result = talk.finish()
    if not result.status:
        return
    error = failure("log", result)
    raise UsageError(str(error)) if "regular expression" in result.error else error


def _record(record: str) -> Record:
    commit, parents, tree, author, written, committer, committed, text = record.split("\n", 7)
    ours = all(f"\n{trailer}" in text.rpartition(_NOTE)[0] for trailer in _OURS)
    return Record(
        commit,
        tuple(parents.split()),
        tree,
        ours and (author, written) == (committer, committed),
        author,
        written,
        text,
    )


def _moment(written: str) -> datetime:
    try:
        return datetime.fromisoformat(written)
    except ValueError:  # git keeps dates that no calendar has
        return datetime.fromtimestamp(0, UTC)
