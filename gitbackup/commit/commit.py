"""`commit`: make the live database the next commit of the data repository."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from gitbackup.capture.capture import Capture, take
from gitbackup.capture.reader import SnapshotReader
from gitbackup.commit import alarm
from gitbackup.commit.message import NOTHING, compose, consistency, origin, with_newlines
from gitbackup.commit.warnings import doubts, surprises
from gitbackup.errors import GitbackupError, UsageError
from gitbackup.format import codec
from gitbackup.format.patterns import apart
from gitbackup.model.changes import Summary, summary_object
from gitbackup.model.safety.alarm import Alarm, AlarmRule
from gitbackup.model.server.replicas import ReplicaRead, replicas_object
from gitbackup.snapshot.base import Base, compared_with
from gitbackup.snapshot.compare import summarise
from gitbackup.snapshot.entry_sources import decoded
from gitbackup.snapshot.sources import CommitSource, Spool
from gitbackup.store.repository.repository import Repository

Wording = Callable[[Summary], str | None]
"""Returns a commit's message by what has changed; None for one that lists the changes."""


@dataclass(frozen=True, slots=True)
class CommitResult:
    """What `commit` did. `commit` is None if nothing changed, or for a dry run.

    `consistency` is the commit's trailer: whether all was read as it was at one moment. `differs`
    is false if the last commit has all of it already: keys, libraries and scope. `alarm` tells of
    a commit that removed most of the keys. `replicas` were read instead of primaries.
    """

    commit: str | None
    subject: str
    parent: str | None
    keys: int
    summary: Summary
    consistency: str
    warnings: Sequence[str]
    differs: bool = True
    alarm: Alarm | None = None
    replicas: Sequence[ReplicaRead] = ()


def commit_object(result: CommitResult) -> dict[str, Any]:
    """Return what `commit` did, for a program; the member `commit` is null if it made none."""
    return {
        "schema": "gitbackup.commit/1",
        "commit": result.commit,
        "parent": result.parent,
        "subject": result.subject,
        "keys": result.keys,
        "consistency": result.consistency,
        "replicas": replicas_object(result.replicas),
        **summary_object(result.summary),
        **({"alarm": asdict(result.alarm)} if result.alarm else {}),
    }


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
    rule: AlarmRule | None = None,
) -> CommitResult:
    """Commit the live database. There is no commit if nothing changed, unless `allow_empty`.

    Keys that match one of the globs `quiet` are committed too, but the subject mentions them
    only if nothing else changed. `trailers` are added to those that every commit has. A commit
    that removes most of the keys raises an alarm, by the `rule`; without one, none does.

    If HEAD's files cannot be read, it starts from those that can, with a warning. Raises Busy if
    another run holds the repository or moved it, ServerError if reading fails, Damaged if HEAD's
    commit is missing.
    """
    return record(repository, live, lambda _: message, allow_empty, quiet, trailers, rule)[1]


def record(
    repository: Repository,
    live: SnapshotReader,
    wording: Wording,
    allow_empty: bool,
    quiet: Sequence[str] = (),
    trailers: Mapping[str, str] = NOTHING,
    rule: AlarmRule | None = None,
) -> tuple[Capture, CommitResult]:
    """Commit as `commit()` does, with the message that `wording` makes of the changes.

    Returns what was read, and the result.
    """
    with repository.lock():
        parent, reply_cache = repository.head(), repository.reply_cache()

        def act(base: Base) -> tuple[Capture, str | None, Base, Alarm | None]:
            source = decoded(base.source)
            with repository.commit_writer(parent, base.commit, base.lost) as writer:
                capture = take(live, source, repository.blob_id, writer, reply_cache=reply_cache)
                capture, commit_id = with_quiet(capture, quiet), None
                raised = alarm.raised(capture, source, quiet, rule)
                if capture.differs or base.lost or allow_empty:
                    words = wording(capture.summary)
                    facts = {**alarm.trailers(raised), **trailers}
                    text = compose(words, capture.summary, origin(capture), facts)
                    commit_id = writer.commit(text, changed_paths(capture), live.dated)
                    writer.publish()
            return capture, commit_id, base, raised

        capture, commit_id, base, raised = compared_with(repository, parent, act)
        reply_cache.save()
        untidy = upkeep(repository) if commit_id else []
    done = _result(repository, capture, parent, commit_id, wording(capture.summary), base)
    return capture, replace(done, warnings=[*done.warnings, *untidy], alarm=raised)


def upkeep(repository: Repository) -> list[str]:
    """Let git repack. Return a warning if that fails, for the commit is made all the same."""
    try:
        repository.maintain()
    except GitbackupError as error:
        return [f"the commit was made, but git's garbage collection failed: {error}"]
    return []


def with_quiet(capture: Capture, quiet: Sequence[str]) -> Capture:
    """Return the capture with a subject of the changes that are not quiet, if there are any."""
    shown, hidden = apart(capture.changes, quiet)
    if not shown or not hidden:
        return capture
    subject = summarise(shown).subject
    first = summarise([*shown, *hidden]).first
    return replace(capture, summary=replace(capture.summary, subject=subject, first=first))


def preview(
    repository: Repository | None,
    live: SnapshotReader,
    message: str | None,
    quiet: Sequence[str] = (),
    rule: AlarmRule | None = None,
) -> CommitResult:
    """Return what `commit` would do, and write nothing. `repository` is None before the first."""
    parent = repository.head() if repository else None
    reply_cache = repository.reply_cache() if repository else None

    def act(base: Base) -> tuple[Capture, Base, Alarm | None]:
        with Spool() as spool:
            capture = take(live, base.source, Repository.blob_id, spool, reply_cache=reply_cache)
        return capture, base, alarm.raised(capture, base.source, quiet, rule)

    capture, base, raised = (
        compared_with(repository, parent, act)
        if repository
        else act(Base(CommitSource(None, None), None))
    )
    done = _result(repository, with_quiet(capture, quiet), parent, None, message, base)
    return replace(done, alarm=raised)


def changed_paths(capture: Capture) -> dict[str, str | None]:
    """Return what a commit of the capture changes: a blob id by path; None removes the file."""
    return {path: capture.files[path] for path in capture.fresh} | dict.fromkeys(capture.gone)


def _result(
    repository: Repository | None,
    capture: Capture,
    parent: str | None,
    commit_id: str | None,
    message: str | None,
    base: Base,
) -> CommitResult:
    """Return the result of a capture on top of `parent`, committed as `commit_id` if at all."""
    subject = subject_of(message or capture.summary.subject)
    warnings = (
        *(*base.warnings, *capture.warnings, *doubts(capture)),
        *surprises(repository, capture, parent, base.source),
    )
    live = capture.live
    return CommitResult(
        commit_id,
        subject,
        parent,
        live.total,
        capture.summary,
        consistency(live),
        warnings,
        capture.differs,
        replicas=live.replicas,
    )


def subject_of(message: str) -> str:
    """Return a message's first paragraph in one line, as git shows a commit's subject."""
    return " ".join(with_newlines(message).strip().partition("\n\n")[0].split("\n"))
