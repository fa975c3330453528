"""Why, afterwards: the last commit in other words, and words on any commit.

A commit that nothing else leads to or names gets another message. Any other keeps its id: the
words are put on it as a note, which travels with the history.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gitbackup import wording
from gitbackup.commit.alarm import is_accepted
from gitbackup.commit.commit import expect_text, subject_of
from gitbackup.commit.message import is_ours, reworded, with_newlines
from gitbackup.errors import UsageError
from gitbackup.model.commits import CommitInfo
from gitbackup.settings import ACCEPT_ALARM
from gitbackup.store.repository.repository import Repository

MAYBE_SENT = "a push was interrupted, which may have sent it"


class Put(Enum):
    """What becomes of a note that is there when another is put on the commit."""

    ADD = "add"  # it stays, and the other is refused
    APPEND = "append"  # it stays, and the other follows it
    REPLACE = "replace"  # it goes


@dataclass(frozen=True, slots=True)
class Amended:
    """What `amend` did: HEAD's commit before and since, and its subject.

    If it could not get another message, `why` says so, and `note` has all the words on it now.
    """

    before: str
    commit: str
    subject: str
    note: str = ""
    why: str = ""


def amend(repository: Repository, words: str) -> Amended:
    """Give HEAD's commit other words: as its message, or else as a note.

    Its tree, its author, its dates and what gitbackup wrote in its message stay. Raises UsageError
    if there is no commit or no word, Busy while another run commits, restores or pushes.
    """
    expect_words(words)
    with (
        repository.unpushed() as cut_off,  # what is being sent must not get another id
        repository.beside("restoring"),
        repository.lock(),
    ):
        repository.expect_finished()
        info = repository.commit_info(repository.resolve("HEAD"))
        if why := MAYBE_SENT if cut_off else _fixed(repository, info):
            note = put(repository, info, words, Put.APPEND)
            return Amended(info.id, info.id, info.subject, note, why)
        counts = info.counts
        message = reworded(repository.message(info.id), words, bool(counts))
        made = repository.reword(info.id, message)
        _accept_again(repository, info.id, made)
    return Amended(info.id, made, subject_of(message))


def _accept_again(repository: Repository, before: str, commit: str) -> None:
    """Accept the alarm of a commit that has another id now, if it was accepted."""
    accepted = repository.own(ACCEPT_ALARM)
    if is_accepted(before, accepted):
        repository.set_all(ACCEPT_ALARM, [*accepted, commit])


def _fixed(repository: Repository, info: CommitInfo) -> str:
    """Return why a commit has to keep its message; empty if it need not."""
    if not is_ours(info.trailers):
        return "it was made with plain git"
    return repository.named_by(info.id)


def annotate(repository: Repository, commit_ish: str, words: str, how: Put) -> str:
    """Put a note on a commit; return the whole note.

    Raises UsageError if there is one already and `how` is ADD, and for a note that is empty or too
    long.
    """
    expect_words(words)
    with repository.lock():
        return put(repository, repository.commit_info(repository.resolve(commit_ish)), words, how)


def put(repository: Repository, info: CommitInfo, words: str, how: Put) -> str:
    """Do as `annotate()`, under the repository's lock."""
    note = with_newlines(words).strip()
    if info.note and how is Put.ADD:
        append, instead = wording.option("--append"), wording.option("--replace")
        raise UsageError(
            f"commit {info.short_id} has a note already: {append} adds to it, and {instead}"
            " replaces it"
        )
    if info.note and how is Put.APPEND:
        note = f"{info.note}\n\n{note}"
    repository.put_words(info.id, note)
    return note


def remove(repository: Repository, commit_ish: str) -> str:
    """Remove the note on a commit; return what it was. Raises UsageError if there is none."""
    with repository.lock():
        info = repository.commit_info(repository.resolve(commit_ish))
        if not info.note:
            raise UsageError(f"commit {info.short_id} has no note")
        repository.put_words(info.id, None)
    return info.note


def expect_words(words: str) -> None:
    """Raise UsageError if there is no word, or one that cannot be in a message."""
    if not words.strip():
        words_of = wording.option("-m TEXT", "words")
        raise UsageError(f"there are no words: give some with {words_of}")
    expect_text(words)
    if "\0" in words:
        raise UsageError("a message cannot contain a null byte")
