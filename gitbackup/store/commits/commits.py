"""The commits of the data repository, newest first, as they are read."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice
from typing import IO, NamedTuple

from gitbackup.errors import Damaged, GitbackupError, UsageError
from gitbackup.model.changes import FileChange
from gitbackup.model.commits import CommitInfo, Selection
from gitbackup.store.commits import message
from gitbackup.store.git import patterns
from gitbackup.store.git.command import Commands, GitProcess, failure, text
from gitbackup.store.metadata import notes, rehearsals, word_notes
from gitbackup.store.objects import refs
from gitbackup.store.objects.object_reader import reader_of
from gitbackup.store.objects.trees import (
    Said,
    TreePairs,
    damaged,
)

# what parts a commit's message from its note, and one commit from the next: nobody who writes
# messages or notes can know it
_NOTE = secrets.token_hex(16)
_END = secrets.token_hex(16)
_FORMAT = f"--format=%H%n%P%n%T%n%an <%ae>%n%ad%n%cn <%ce>%n%cd%n%B{_NOTE}%N{_END}"
# raw dates: git itself gives up at some that are written otherwise
_LOG = ("log", "-z", "--encoding=UTF-8", "--no-color", "--date=raw", _FORMAT)
_RAW_DATE = re.compile(r"([0-9]{1,19}) ([+-])([0-9]{2})([0-9]{2})")
_SIGNED = re.compile(r"\s*([0-9]{1,19})\s+([+-][0-9]{1,9})\s*")
_LAST_SECOND = 253_370_764_800  # the year 9999 begins: later dates cannot be reckoned with
_CHUNK = 1 << 16
_LONGEST = 16 * 1024 * 1024
"""Bytes of what a commit says, its note among them: no person writes as much."""

_KEPT = 1 << 20

_LOOKED = 100  # commits to find one that can be read
_FILES_GONE = re.compile("^Forgotten: .*files=", re.MULTILINE)
"""In a commit that `forget` took whole files out of: the rest is not where the keys say."""

_OURS = ("\nFormat: ", "\nTaken-At: ", "\nConsistency: ", "\nKeys: ")


class Record(NamedTuple):
    """A commit as git tells it; its message is taken apart when somebody asks.

    `tree` is the id of its snapshot. `canonical` tells that gitbackup made it and nobody
    touched it since, so that each of its files holds what the layout says. `words` are those that
    were put on it afterwards.
    """

    id: str
    parents: tuple[str, ...]
    tree: str
    canonical: bool
    author: str
    written: str
    text: str
    words: str = ""

    @property
    def info(self) -> CommitInfo:
        text, parted, note = self.text.rpartition(_NOTE)
        if not parted:  # it is in what was left out
            text, note = note, ""
        subject, body, trailers = message.parse(text)
        return CommitInfo(
            id=self.id,
            parents=self.parents,
            author=self.author,
            date=_moment(self.written),
            subject=subject,
            body=body,
            trailers=trailers,
            counts=message.counts(trailers),
            rehearsal=rehearsals.parse(note),
            note=self.words,
        )


class History:
    """Searches along the commits of a repository, quick for many of them. For one thread."""

    def __init__(self, git: Commands) -> None:
        self._git = git
        self._pairs = TreePairs(git)
        self.notes_problem: str | None = None
        """Why notes could not be read, so that no commit had one of rehearsals, or of words."""

    def records(self, selection: Selection, paths: Sequence[str] = ()) -> Iterator[Record]:
        """Yield the commits selected, of those that changed one of these files or folders.

        Nothing comes of HEAD before the first commit. git begins now. Raises UsageError for a
        revision that there is not.
        """
        ends = self._ends(selection)
        if not ends:
            return iter(())
        return _records(self._git, selection, ends, paths, self._without_notes)

    def record(self, commit: str) -> Record:
        """Return one commit, given by id, and its note if that can be read.

        Raises Damaged if it is missing or cannot be read.
        """
        data = reader_of(self._git).commit(commit)
        stored = _stored(self._git, commit, data, notes.read(self._git, commit, rehearsals.REF))
        return stored._replace(words=word_notes.read(self._git, commit))

    def commits(self) -> list[str]:
        """Return the ids of all commits that HEAD or a branch leads to, newest first."""
        tips = ["--branches", *(["HEAD"] if refs.head(self._git) else [])]
        return self._git.run("rev-list", *tips).decode("ascii").split()

    def differ(self, a: str | None, b: str) -> list[FileChange]:
        """Return the files that differ between two trees, by id; None is one without files."""
        return self._pairs.differ(a, b)

    def _without_notes(self, problem: str) -> None:
        self.notes_problem = problem

    def _ends(self, selection: Selection) -> list[str]:
        """Return what is selected by ids; nothing for HEAD before the first commit."""
        if selection.revisions == ("HEAD",):
            head = refs.head(self._git)
            return [head] if head else []
        return revisions(self._git, selection)

    def close(self) -> None:
        """End the git process that compares trees."""
        self._pairs.close()


def ancestors(git: Commands, commit: str) -> list[str]:
    """Return some commits before a commit, along first parents, each with another tree.

    Raises Damaged, which says what to do, if the commit itself cannot be read.
    """
    words = ("rev-list", "--first-parent", f"--max-count={_LOOKED}", "--format=%H %T", commit)
    result = git.attempt(*words)
    lines = [line.split() for line in result.out.decode("ascii", "replace").splitlines()]
    if not lines:
        raise refs.lost(git, commit)
    found = {tree: id_ for id_, tree in reversed([line for line in lines if line[0] != "commit"])}
    return [id_ for id_ in reversed(found.values()) if id_ != commit]


def records(git: Commands, selection: Selection, paths: Sequence[str] = ()) -> Iterator[Record]:
    """Yield the commits that are selected, of those that changed `paths`, as git finds them.

    A caller that stops early does not wait for the rest. Raises UsageError for a revision
    that there is not.
    """
    return _records(git, selection, revisions(git, selection), paths)


def _records(
    git: Commands,
    selection: Selection,
    ends: Sequence[str],
    paths: Sequence[str] = (),
    tell: Callable[[str], None] = lambda problem: None,
) -> Iterator[Record]:
    following = ends[0]
    given = 0
    try:
        words = (*_options(selection), *ends, "--", *paths)
        for record in _with_notes(git, words, tell, bool(selection.grep)):
            yield record
            given += 1
            following = next(iter(record.parents), "")
    except Damaged as error:
        refs.expect_head(git)
        filtered = selection.since or selection.until or selection.grep or selection.reverse
        if len(ends) == 1 and not (filtered or paths or selection.skip):
            # git reads the parents of a commit before it tells of it
            with suppress(GitbackupError):
                yield from _record_of(git, following, tell)
                given += 1
        if given == selection.limit:
            return
        raise Damaged(
            f"{error}; commits before that one are not listed; if another copy has it,"
            f" `git -C {git.folder} fetch --refetch COPY` fetches it"
        ) from error


def _record_of(git: Commands, commit: str, tell: Callable[[str], None]) -> Iterator[Record]:
    """Yield one commit, given by id, whether or not its parents can be read."""
    return _with_notes(git, ("--no-walk", commit, "--"), tell)


def _with_notes(
    git: Commands, words: Sequence[str], tell: Callable[[str], None], grep: bool = False
) -> Iterator[Record]:
    """Yield the commits that `git log <words>` lists, with their notes.

    With `grep` a pattern is looked for in the words that were put on a commit, too, as if they
    were part of its message. What cannot be read of notes is no reason to hide commits: `tell` is
    given the reason.
    """
    put_on = word_notes.reader(git, tell)
    ref = word_notes.REF if grep else rehearsals.REF

    def whole(record: Record) -> Record:
        text, parted, _ = record.text.rpartition(_NOTE)
        if grep and parted:  # what git gave as its note is its words
            record = record._replace(text=text + _NOTE + notes.read(git, record.id, rehearsals.REF))
        return record._replace(words=put_on(record.id))

    given = 0
    try:
        for record in _listed(git, f"--notes={ref}", *words):
            yield whole(record)
            given += 1
    except GitbackupError:
        problem = notes.problem(git, ref, word_notes.WHAT if grep else rehearsals.WHAT)
        if problem is None:
            raise
        tell(problem)
        yield from map(whole, islice(_listed(git, "--no-notes", *words), given, None))


class _Words(Said):
    """What a commit and its note say; its beginning and its end where that is without end."""

    def add(self, chunk: bytes) -> None:
        super().add(chunk)
        if len(self.data) > _LONGEST:
            self.data[_KEPT:-_KEPT] = b"\n...\n"


def _listed(git: Commands, *words: str) -> Iterator[Record]:
    process = git.start(*_LOG, *words)
    try:
        for some in _parts(process.stdout, f"{_END}\0".encode()):
            yield from map(_record, some)
    except GeneratorExit:
        process.kill()
        raise
    _ended(git, process)


def revisions(git: Commands, selection: Selection) -> list[str]:
    """Return the revisions and ranges of a person, by the ids of their commits.

    Raises UsageError if there is none such.
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
    if selection.skip:
        yield f"--skip={selection.skip}"
    for name, moment in (("since", selection.since), ("until", selection.until)):
        if moment is not None:
            yield f"--{name}={moment}"
    for pattern in selection.grep:
        patterns.expect_modest(pattern)
        yield f"--grep={pattern}"
    yield from ["--first-parent"] * selection.first_parent
    yield from ["--reverse"] * selection.reverse
    yield from ["--topo-order"] * selection.topological


def _parts(stream: IO[bytes], mark: bytes) -> Iterator[list[bytes]]:
    """Yield the parts before each mark, as many at a time as have arrived."""
    left = _Words()
    while chunk := os.read(stream.fileno(), _CHUNK):  # what is there, without waiting for more
        looked = max(0, len(left.data) - len(mark) + 1)
        left.add(chunk)
        if left.data.find(mark, looked) >= 0:
            *whole, rest = bytes(left.data).split(mark)
            yield whole
            left = _Words()
            left.add(rest)


def _ended(git: Commands, process: GitProcess) -> None:
    result = process.finish()
    if "regular expression" in result.error:
        raise UsageError(str(failure("log", result)))
    if result.status:
        raise damaged(git, "log", result)


def _record(record: bytes) -> Record:
    commit, parents, tree, author, written, committer, committed, text = record.decode(
        "utf-8", "replace"
    ).split("\n", 7)
    canonical = author == committer and written == committed and _is_ours(text)
    return Record(commit, tuple(parents.split()), tree, canonical, author, written, text)


def _stored(git: Commands, commit: str, data: bytes, note: str) -> Record:
    """Return the record of a commit object, as `git log` tells of it."""
    words = _Words()
    words.add(data)
    head, _, body = bytes(words.data).partition(b"\n\n")
    lines = [line.partition(b" ")[::2] for line in head.split(b"\n")]
    told = dict(reversed(lines))
    if b"tree" not in told:
        raise Damaged(f"{git.folder} is damaged: commit {commit} has no tree (see `git fsck`)")
    encoding = told.get(b"encoding", b"utf-8").decode("ascii", "replace")
    (author, written), (committer, committed) = (
        _signature(_decoded(told.get(role, b""), encoding)) for role in (b"author", b"committer")
    )
    said = _decoded(body.partition(b"\0")[0], encoding) + _NOTE + note
    return Record(
        commit,
        tuple(text(id_) for name, id_ in lines if name == b"parent"),
        text(told[b"tree"]),
        author == committer and written == committed and _is_ours(said),
        author,
        written,
        said,
    )


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding, "replace")
    except (LookupError, ValueError):  # of no encoding that Python knows
        return data.decode("utf-8", "replace")


def _signature(line: str) -> tuple[str, str]:
    """Return who made a commit, `Name <email>`, and when, in git's raw form; what it is not given
    as is empty."""
    name, _, rest = line.partition("<")
    email, closed, _ = rest.partition(">")
    if not closed:
        return " <>", ""
    when = _SIGNED.fullmatch(rest.rpartition(">")[2])
    return f"{name.rstrip()} <{email}>", f"{int(when[1])} {int(when[2]):+05}" if when else ""


def _is_ours(text: str) -> bool:
    """Return whether a message has the trailers of ours, and no file was taken out since."""
    told = text if text.endswith(_NOTE) else text.rpartition(_NOTE)[0]
    return all(map(told.__contains__, _OURS)) and not _FILES_GONE.search(told)


def _moment(written: str) -> datetime:
    """Return the date of git's `SECONDS +HHMM`; the beginning of 1970 for what no calendar has."""
    found = _RAW_DATE.fullmatch(written)
    if found is None:
        return datetime.fromtimestamp(0, UTC)
    hours, minutes = int(found[3]), int(found[4])
    offset = timedelta(hours=hours, minutes=minutes) * (-1 if found[2] == "-" else 1)
    zone = timezone(offset) if abs(offset) < timedelta(days=1) else UTC
    return datetime.fromtimestamp(min(int(found[1]), _LAST_SECOND), zone)
