"""`commit`: the live database becomes the next commit of the data repository."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from gitbackup.capture.capture import Capture, take
from gitbackup.capture.reader import SnapshotReader
from gitbackup.commit.message import NOTHING, compose, consistency, origin
from gitbackup.commit.warnings import left_over
from gitbackup.errors import GitbackupError, UsageError
from gitbackup.format import codec
from gitbackup.format.patterns import apart
from gitbackup.model.changes import Summary
from gitbackup.snapshot import file_format
from gitbackup.snapshot.compare import summarise
from gitbackup.snapshot.sources import CommitSource, Spool
from gitbackup.store.repository.repository import Repository

FEW = 0.5  # of the last commit's keys: with fewer, the user is told so
_KEYS = re.compile(r"(?<!\S)db[0-9]+=([0-9]{1,18})(?!\S)")
MANY = 10  # keys, from which on that is worth a warning


Wording = Callable[[Summary], str | None]
"""Gives a commit's message by what has changed; None leaves it to us."""


@dataclass(frozen=True, slots=True)
class CommitResult:
    """What `commit` did. `commit` is None where nothing changed, or for a dry run.

    `consistency` tells whether all was read as it was at one moment, as a commit's trailer does.
    `differs` is false where the last commit has all of it already: keys, libraries and scope.
    """

    commit: str | None
    subject: str
    parent: str | None
    keys: int
    summary: Summary
    consistency: str
    warnings: Sequence[str]
    differs: bool = True


def expect_text(message: str | None) -> None:
    """Raise UsageError for a message without a word, or in another encoding than UTF-8.

    None lets the subject tell the changes.
    """
    if message is None:
        return
    if not message.strip():
        raise UsageError("the message is empty; without -m the subject tells what changed")
    if not codec.is_utf8(message):
        raise UsageError("the message is not UTF-8, as a commit's is; write it in that encoding")


def commit(
    repository: Repository,
    live: SnapshotReader,
    message: str | None,
    allow_empty: bool,
    quiet: Sequence[str] = (),
    trailers: Mapping[str, str] = NOTHING,
) -> CommitResult:
    """Commits the live database; makes no commit where nothing changed, unless `allow_empty`.

    Keys that the globs `quiet` match are committed as any other; the subject tells of them
    only where nothing else changed. `trailers` are facts to tell besides those of every commit.

    Raises Busy where another run holds the repository or moved it, ServerError where
    reading fails, Damaged where the repository's objects are.
    """
    return record(repository, live, lambda _: message, allow_empty, quiet, trailers)[1]


def record(
    repository: Repository,
    live: SnapshotReader,
    wording: Wording,
    allow_empty: bool,
    quiet: Sequence[str] = (),
    trailers: Mapping[str, str] = NOTHING,
) -> tuple[Capture, CommitResult]:
    """The same, with a message that is worded of what has changed; gives what was read too."""
    with repository.lock():
        parent = repository.head()
        known, seen = CommitSource(repository, parent), repository.seen()
        with repository.importer(parent) as importer:
            taken = take(live, known, repository.blob_id, importer, seen=seen)
            taken, made = hushed(taken, quiet), None
            if taken.differs or allow_empty:
                text = compose(wording(taken.summary), taken.summary, origin(taken), trailers)
                made = importer.commit(text, changed_paths(taken), live.dated)
                importer.publish()
        seen.save()
        untidy = upkeep(repository) if made else []
    told = result(repository, taken, parent, made, wording(taken.summary))
    return taken, replace(told, warnings=[*told.warnings, *untidy])


def upkeep(repository: Repository) -> list[str]:
    """Lets git repack. The commit is made: what goes wrong now is only worth a word."""
    try:
        repository.maintain()
    except GitbackupError as error:
        return [f"the commit is made, but git's garbage collection failed: {error}"]
    return []


def hushed(taken: Capture, quiet: Sequence[str]) -> Capture:
    """The same, told by what is not quiet, if there is any."""
    loud, rest = apart(taken.changes, quiet)
    if not loud or not rest:
        return taken
    told = summarise([*loud, *rest])
    subject = summarise(loud).subject
    return replace(taken, summary=replace(taken.summary, subject=subject, first=told.first))


def preview(
    repository: Repository | None,
    live: SnapshotReader,
    message: str | None,
    quiet: Sequence[str] = (),
) -> CommitResult:
    """What `commit` would do; nothing is written. `repository` is None where there is none yet."""
    parent = repository.head() if repository else None
    known = CommitSource(repository, parent)
    with Spool() as spool:
        seen = repository.seen() if repository else None
        taken = take(live, known, Repository.blob_id, spool, seen=seen)
    return result(repository, hushed(taken, quiet), parent, None, message)


def changed_paths(taken: Capture) -> dict[str, str | None]:
    """What a commit of `taken` changes: path to blob id, None where the file goes."""
    return {path: taken.files[path] for path in taken.fresh} | dict.fromkeys(taken.gone)


def result(
    repository: Repository | None,
    taken: Capture,
    parent: str | None,
    made: str | None,
    message: str | None,
) -> CommitResult:
    """What to tell of a snapshot taken on top of `parent`."""
    subject = subject_of(message or taken.summary.subject)
    warnings = (*taken.warnings, *doubts(taken), *surprises(repository, taken, parent))
    live, summary = taken.live, taken.summary
    told = consistency(live)
    return CommitResult(made, subject, parent, live.total, summary, told, warnings, taken.differs)


def subject_of(message: str) -> str:
    """A message's first paragraph in one line, as git tells a commit's subject."""
    return " ".join(message.strip().partition("\n\n")[0].split("\n"))


def doubts(taken: Capture) -> list[str]:
    """What the reading could not make sure of."""
    told = [_unproven(taken.live)] if taken.live.why else []
    if taken.live.primary:
        told.append(f"this replica may lack what its primary has: {taken.live.primary}")
    told += [
        f"key {key} was written to each time it was read in pieces: its value may never have been"
        for key in taken.live.torn
    ]
    if taken.live.left_over:
        count = len(taken.live.left_over)
        told.append(f"{count} keys that a killed restore had built aside are no part of this")
    if taken.live.functions_refused:
        told.append(
            "the user may not list functions, so no library is part of this: grant ACL SETUSER"
            " ... +function|list"
        )
    if not taken.live.watching:
        told.append(
            "the user may not WATCH, so large values may be torn: grant ACL SETUSER ... +watch"
            " +multi +exec"
        )
    return told


def _unproven(live: SnapshotReader) -> str:
    """Why it is not known to be of one moment."""
    changed = f", {live.changed:,} keys changed while it was read" if live.changed else ""
    return f"this is not one point in time{changed}: {live.why}"


def surprises(repository: Repository | None, taken: Capture, parent: str | None) -> list[str]:
    """A restore that was cut off, far fewer keys than last time, or another scope: right,
    perhaps, but worth a word."""
    if repository is None or parent is None:
        return []
    told, keys = left_over(repository), taken.live.total
    if not repository.branch():
        told.append("HEAD is detached: no branch holds this history; git switch to one")
    last = key_count(repository.commit_info(parent).trailers.get("Keys", ""))
    if last >= MANY and keys < last * FEW:
        told.append(
            f"only {keys:,} keys where the last commit has {last:,}: is this the right server?"
        )
    before = repository.files(parent).get(file_format.MANIFEST)
    if before and before != taken.files[file_format.MANIFEST]:
        told.append("the scope is not the last commit's: keys outside it are not in this snapshot")
    return told


def key_count(trailer: str) -> int:
    """The keys in all databases by a commit's trailer, such as `db0=1164 db3=2`."""
    return sum(int(count) for count in _KEYS.findall(trailer))
