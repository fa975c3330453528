"""What a Backup tells of its history: a method for each verb that reads along the commits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gitbackup.backup.sight import Sight
from gitbackup.model.commits import CommitInfo, KeyLine, Selection

if TYPE_CHECKING:
    from gitbackup.history.blame import Blame
    from gitbackup.history.key_log import CommitChanges
    from gitbackup.history.stat import CommitSummary

HISTORY = Selection()
"""Every commit from HEAD back."""


class Past(Sight):
    """The history of a workspace's data repository."""

    def log(
        self, revision: str | Selection = "HEAD", limit: int | None = None
    ) -> Iterator[CommitInfo]:
        """The commits from `revision` back, newest first; or those that are selected."""
        return self._at.history.log(revision, limit)

    def summaries(
        self, selection: Selection = HISTORY, *, every: bool = False
    ) -> Iterator[CommitSummary]:
        """The selected commits, and what each changed against its first parent, in numbers.

        `every` is as for `diff`.
        """
        from gitbackup.history.stat import summaries

        return summaries(self._at.history, selection, self._at.quiet(every))

    def trace(
        self,
        patterns: Sequence[str],
        selection: Selection = HISTORY,
        *,
        redact: Sequence[str] = (),
    ) -> Iterator[CommitChanges]:
        """The commits that changed a key which matches a pattern, with what became of each.

        `patterns` are names of keys and globs of Redis; the databases of this object narrow
        them. `redact` is as for `diff`.
        """
        from gitbackup.history.selector import KeySelector
        from gitbackup.history.walker import HistoryWalker

        walker = HistoryWalker(self._at.history, KeySelector(patterns, self._at.databases))
        steps = walker.steps(selection)
        from gitbackup.history.key_log import trace  # git reads the history while it is loaded

        return trace(steps, selection, self._at.redaction(redact))

    def keys(self, commit_ish: str = "HEAD", patterns: Sequence[str] = ()) -> Iterator[KeyLine]:
        """The keys of a commit, file by file.

        `patterns` and the databases of this object narrow them.
        """
        from gitbackup.history import entry
        from gitbackup.history.selector import KeySelector

        wanted = KeySelector(patterns, self._at.databases)
        repository = self._at.history
        return entry.lines(entry.entries(repository, self.resolve(commit_ish), wanted))

    def blame(
        self,
        key: str,
        commit_ish: str = "HEAD",
        db: int | None = None,
        *,
        redact: Sequence[str] = (),
    ) -> Blame:
        """Which commit last changed each field, member, item or JSON path of a key.

        `redact` is as for `diff`.
        """
        from gitbackup.history.blame import blame

        found = blame(self._at.history, self.resolve(commit_ish), key, db)
        return found.masked(self._at.redaction(redact))
