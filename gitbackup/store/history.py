"""The commits of the data repository, newest first, as they are read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import IO

from gitbackup.model import CommitInfo
from gitbackup.store import message, notes
from gitbackup.store.command import Commands, failure

_NOTE = "\x01"  # parts a commit's message from the note of its rehearsal
_FORMAT = "--format=%H%n%P%n%an <%ae>%n%aI%n%B%x01%N"
_CHUNK = 1 << 16


def log(
    git: Commands, start: str, limit: int | None = None, paths: Sequence[str] = ()
) -> Iterator[CommitInfo]:
    """The commits from `start` back, at most `limit`; only those that changed `paths`.

    They come as git finds them: a caller that stops early does not wait for the rest.
    """
    options = ["-z", "--encoding=UTF-8", "--no-color", f"--notes={notes.REF}", _FORMAT]
    if limit is not None:
        options.append(f"--max-count={limit}")
    talk = git.start("log", *options, start, "--", *paths)
    try:
        for record in _records(talk.stdout):
            yield _commit(record)
    except GeneratorExit:
        talk.kill()
        raise
    result = talk.finish()
    if result.status:
        raise failure("log", result)


def _records(stream: IO[bytes]) -> Iterator[str]:
    left = b""
    while chunk := os.read(stream.fileno(), _CHUNK):  # what is there, without waiting for more
        *whole, left = (left + chunk).split(b"\0")
        for record in whole:
            yield record.decode("utf-8", "replace")


def _commit(record: str) -> CommitInfo:
    commit, parents, author, date, text = record.split("\n", 4)
    text, _, note = text.rpartition(_NOTE)
    subject, body, trailers = message.parse(text)
    return CommitInfo(
        id=commit,
        parents=tuple(parents.split()),
        author=author,
        date=_date(date),
        subject=subject,
        body=body,
        trailers=trailers,
        counts=message.counts(trailers),
        rehearsal=notes.parse(note),
    )


def _date(written: str) -> datetime:
    try:
        return datetime.fromisoformat(written)
    except ValueError:  # git keeps dates that no calendar has
        return datetime.fromtimestamp(0, UTC)
