"""What a person says of commits afterwards: the last message anew, and notes on any commit.

A commit that nothing else leads to or names gets another message. Any other keeps its id: the
words are put on it as a note, which travels with the history.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gitbackup import wording
from gitbackup.commit.alarm import is_accepted
from gitbackup.commit.commit import expect_text, subject_of
from gitbackup.commit.message import is_ours, reworded, with_newlines
from gitbackup.errors import UsageError
from gitbackup.model.commits import CommitInfo
from gitbackup.settings import ACCEPT_ALARM
from gitbackup.store.repository.repository import Repository

MAYBE_SENT = "a push was interrupted, which may have sent it"


@dataclass(frozen=True, slots=True)
class Amended:
    """What `Words.amend()` did: HEAD's commit before and since, and its subject.

    If it could not get another message, `why` says so, and `note` has all the words on it now.
    """

    before: str
    commit: str
    subject: str
    note: str = ""
    why: str = ""


class Words:
    """A person's words on the commits of a data repository, said after these were made.

    `repository` returns the repository, or raises NoRepository. Words on a commit are a note, which
    push, pull and clone copy with the history. Every method raises UsageError for a commit that
    there is not.
    """

    def __init__(self, repository: Callable[[], Repository]) -> None:
        self._repository = repository

    def amend(self, words: str) -> Amended:
        """Give the last commit these words as its message, in place of the ones that it has.

        Its tree, its author, its dates and what gitbackup wrote in its message stay. If it was
        pushed, or if something else names it, the words become a note on it. Raises UsageError if
        there is no word, Busy while another run commits, restores or pushes.
        """
        repository = self._repository()
        expect_words(words)
        with (
            repository.unpushed() as cut_off,  # what is being sent must not get another id
            repository.beside("restoring"),
            repository.lock(),
        ):
            repository.expect_finished()
            info = repository.commit_info(repository.resolve("HEAD"))
            if why := MAYBE_SENT if cut_off else _fixed(repository, info):
                note = _put(repository, info, words, append=True)
                return Amended(info.id, info.id, info.subject, note, why)
            message = reworded(repository.message(info.id), words, bool(info.counts))
            made = repository.reword(info.id, message)
            _accept_again(repository, info.id, made)
        return Amended(info.id, made, subject_of(message))

    def note(self, commit_ish: str = "HEAD") -> str:
        """Return the note on a commit; empty if there is none."""
        repository = self._repository()
        return repository.commit_info(repository.resolve(commit_ish)).note

    def put(
        self, words: str, commit_ish: str = "HEAD", *, append: bool = False, replace: bool = False
    ) -> str:
        """Put a note on a commit; return all of it.

        Raises UsageError for one that is empty or too long, and if the commit has one already,
        unless this is to `append` to it or to `replace` it.
        """
        repository = self._repository()
        expect_words(words)
        with repository.lock():
            info = repository.commit_info(repository.resolve(commit_ish))
            return _put(repository, info, words, append, replace)

    def remove(self, commit_ish: str = "HEAD") -> str:
        """Remove the note on a commit; return what it was. Raises UsageError if there is none."""
        repository = self._repository()
        with repository.lock():
            info = repository.commit_info(repository.resolve(commit_ish))
            if not info.note:
                raise UsageError(f"commit {info.short_id} has no note")
            repository.put_words(info.id, None)
        return info.note


def _put(
    repository: Repository, info: CommitInfo, words: str, append: bool, replace: bool = False
) -> str:
    """Put a note on a commit, under the repository's lock; return all of it."""
    note = with_newlines(words).strip()
    if info.note and not (append or replace):
        adds, instead = wording.option("--append"), wording.option("--replace")
        raise UsageError(
            f"commit {info.short_id} has a note already: {adds} adds to it, and {instead}"
            " replaces it"
        )
    if info.note and append:
        note = f"{info.note}\n\n{note}"
    repository.put_words(info.id, note)
    return note


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


def expect_words(words: str) -> None:
    """Raise UsageError if there is no word, or one that cannot be in a message."""
    if not words.strip():
        words_of = wording.option("-m TEXT", "words")
        raise UsageError(f"there are no words: give some with {words_of}")
    expect_text(words)
    if "\0" in words:
        raise UsageError("a message cannot contain a null byte")
