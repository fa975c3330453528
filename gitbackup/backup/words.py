"""`Backup.words`: what a person says of commits afterwards, for any Python program.

Each method imports what it needs when it is called, as those of Backup do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitbackup.commit.afterwards import Amended
    from gitbackup.store.repository.repository import Repository


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

        What gitbackup wrote in the message stays, and so does all else of the commit but its id. If
        it was pushed, or if something else names it, the words become a note on it.
        """
        from gitbackup.commit.afterwards import amend

        return amend(self._repository(), words)

    def note(self, commit_ish: str = "HEAD") -> str:
        """Return the note on a commit; empty if there is none."""
        repository = self._repository()
        return repository.commit_info(repository.resolve(commit_ish)).note

    def put(
        self, words: str, commit_ish: str = "HEAD", *, append: bool = False, replace: bool = False
    ) -> str:
        """Put a note on a commit; return all of it.

        Raises UsageError if the commit has one already, unless this is to `append` to it or to
        `replace` it.
        """
        from gitbackup.commit.afterwards import Put, annotate

        how = Put.APPEND if append else Put.REPLACE if replace else Put.ADD
        return annotate(self._repository(), commit_ish, words, how)

    def remove(self, commit_ish: str = "HEAD") -> str:
        """Remove the note on a commit; return what it was. Raises UsageError if there is none."""
        from gitbackup.commit.afterwards import remove

        return remove(self._repository(), commit_ish)
