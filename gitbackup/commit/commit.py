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
        raise UsageError("the message is empty; without -m, the subject lists what changed")
    if not codec.is_utf8(message):
        raise UsageError("the message is not UTF-8")


def commit(
    repository: Repository,
    live: SnapshotReader,
    message: str | None,
    allow_empty: bool,
    quiet: Sequence[str] = (),
    trailers: Mapping[str, str] = NOTHING,
) -> CommitResult:
    """Commit the live database. There is no commit if nothing changed, unless `allow_empty`.

    Keys that match one of the globs `quiet` are committed too, but the subject mentions them
    only if nothing else changed. `trailers` are added to those that every commit has.

    Raises Busy if another run holds the repository or moved it, ServerError if reading fails,
    Damaged if the repository's objects are damaged.
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
    """Commit as `commit()` does, with the message that `wording` makes of the changes.

    Returns what was read, and the result.
    """
    with repository.lock():
        parent = repository.head()
        known, seen = CommitSource(repository, parent), repository.seen()
        with repository.importer(parent) as importer:
            capture = take(live, known, repository.blob_id, importer, seen=seen)
            capture, commit_id = hushed(capture, quiet), None
            if capture.differs or allow_empty:
                text = compose(wording(capture.summary), capture.summary, origin(capture), trailers)
                commit_id = importer.commit(text, changed_paths(capture), live.dated)
                importer.publish()
        seen.save()
        untidy = upkeep(repository) if commit_id else []
    done = result(repository, capture, parent, commit_id, wording(capture.summary))
    return capture, replace(done, warnings=[*done.warnings, *untidy])


def upkeep(repository: Repository) -> list[str]:
    """Let git repack. Return a warning if that fails, for the commit is made all the same."""
    try:
        repository.maintain()
    except GitbackupError as error:
        return [f"the commit was made, but git's garbage collection failed: {error}"]
    return []


def hushed(capture: Capture, quiet: Sequence[str]) -> Capture:
    """Return the capture with a subject of the changes that are not quiet, if there are any."""
    loud, rest = apart(capture.changes, quiet)
    if not loud or not rest:
        return capture
    whole = summarise([*loud, *rest])
    subject = summarise(loud).subject
    return replace(capture, summary=replace(capture.summary, subject=subject, first=whole.first))


def preview(
    repository: Repository | None,
    live: SnapshotReader,
    message: str | None,
    quiet: Sequence[str] = (),
) -> CommitResult:
    """Return what `commit` would do, and write nothing. `repository` is None before the first."""
    parent = repository.head() if repository else None
    known = CommitSource(repository, parent)
    with Spool() as spool:
        seen = repository.seen() if repository else None
        capture = take(live, known, Repository.blob_id, spool, seen=seen)
    return result(repository, hushed(capture, quiet), parent, None, message)


def changed_paths(capture: Capture) -> dict[str, str | None]:
    """Return what a commit of the capture changes: a blob id by path; None removes the file."""
    return {path: capture.files[path] for path in capture.fresh} | dict.fromkeys(capture.gone)


def result(
    repository: Repository | None,
    capture: Capture,
    parent: str | None,
    commit_id: str | None,
    message: str | None,
) -> CommitResult:
    """Return the result of a capture on top of `parent`, committed as `commit_id` if at all."""
    subject = subject_of(message or capture.summary.subject)
    warnings = (*capture.warnings, *doubts(capture), *surprises(repository, capture, parent))
    live, summary = capture.live, capture.summary
    how_consistent = consistency(live)
    return CommitResult(
        commit_id, subject, parent, live.total, summary, how_consistent, warnings, capture.differs
    )


def subject_of(message: str) -> str:
    """Return a message's first paragraph in one line, as git shows a commit's subject."""
    return " ".join(message.strip().partition("\n\n")[0].split("\n"))


def doubts(capture: Capture) -> list[str]:
    """Return warnings of what the reading could not make sure of."""
    sentences = [_unproven(capture.live)] if capture.live.why else []
    if capture.live.primary:
        sentences.append(f"this replica may lack data of its primary: {capture.live.primary}")
    sentences += [
        f"key {key} changed during every read: its saved value may mix old and new parts"
        for key in capture.live.torn
    ]
    if capture.live.left_over:
        count = len(capture.live.left_over)
        sentences.append(f"left out {count} temporary keys of a restore that was killed")
    if capture.live.functions_refused:
        sentences.append(
            "the user has no permission to list functions, so libraries are left out:"
            " grant ACL SETUSER ... +function|list"
        )
    if not capture.live.watching:
        sentences.append(
            "the user has no permission to WATCH, so large values may mix old and new"
            " parts: grant ACL SETUSER ... +watch +multi +exec"
        )
    return sentences


def _unproven(live: SnapshotReader) -> str:
    """Return why the capture is not known to be of one moment."""
    changed = f", {live.changed:,} keys changed during the read" if live.changed else ""
    return f"this is not one point in time{changed}: {live.why}"


def surprises(repository: Repository | None, capture: Capture, parent: str | None) -> list[str]:
    """Return warnings of what may be a mistake: an unfinished restore, far fewer keys than in the
    last commit, another scope, or a detached HEAD."""
    if repository is None or parent is None:
        return []
    sentences, keys = left_over(repository), capture.live.total
    if not repository.branch():
        sentences.append(
            "HEAD is detached: no branch contains this history; `git switch` to a branch"
        )
    last = key_count(repository.commit_info(parent).trailers.get("Keys", ""))
    if last >= MANY and keys < last * FEW:
        sentences.append(
            f"only {keys:,} keys, but the last commit has {last:,}: is this the right server?"
        )
    before = repository.files(parent).get(file_format.MANIFEST)
    if before and before != capture.files[file_format.MANIFEST]:
        sentences.append(
            "the scope has changed since the last commit: keys outside it are not in this snapshot"
        )
    return sentences


def key_count(trailer: str) -> int:
    """Return the number of keys by a commit's `Keys` trailer, such as `db0=1164 db3=2`."""
    return sum(int(count) for count in _KEYS.findall(trailer))
