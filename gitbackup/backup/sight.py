"""What a Backup shows: what differs, and what a key holds, but for what is to stay unseen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from gitbackup.backup.workspace import Workspace
from gitbackup.redact import Redaction

if TYPE_CHECKING:
    from gitbackup.checks.check import Checked
    from gitbackup.compare.diff import Diff, Shown, Status
    from gitbackup.history.entry import StoredEntry
    from gitbackup.transfer.export import ExportResult


class Sight:
    """The commits and the live database of a workspace, looked at."""

    _at: Workspace

    def show(
        self, commit_ish: str = "HEAD", *, redact: Sequence[str] = (), every: bool = False
    ) -> Shown:
        """A commit, and what it changed; `redact` and `every` are as for `diff`."""
        from gitbackup.compare import diff

        narrow = diff.Narrow(quiet=self._at.quiet(every))
        shown = diff.show(self._at.history, self.resolve(commit_ish), narrow)
        return replace(shown, diff=replace(shown.diff, redaction=self._at.redaction(redact)))

    def entry(
        self, commit_ish: str, key: str, db: int | None = None, *, redact: Sequence[str] = ()
    ) -> StoredEntry:
        """A key's entry as a commit stores it. `key` is text, or `base64:` and base64.

        `redact` is as for `diff`.
        """
        from gitbackup.history.entry import StoredEntry, find_entry

        found, entry = find_entry(self._at.history, self.resolve(commit_ish), key, db)
        told = self._at.redaction(redact).entry(found, entry)
        return StoredEntry(found, told, told != entry)

    def status(self, *, exclude: Sequence[str] = (), every: bool = False) -> Status:
        """What a commit would record now; `exclude` and `every` are as for `diff`."""
        from gitbackup.compare import diff

        narrow = diff.Narrow(exclude=exclude, quiet=self._at.quiet(every))
        return diff.status(self._at.history, self._at.live(), narrow)

    def diff(
        self,
        a: str = "HEAD",
        b: str | None = None,
        patterns: Sequence[str] = (),
        *,
        exclude: Sequence[str] = (),
        redact: Sequence[str] = (),
        every: bool = False,
    ) -> Diff:
        """What differs between two commits, or a commit and, without `b`, the live database.

        `patterns` are globs of Redis that keep the keys they match, `exclude` those that leave
        them out; the databases of this object keep theirs. Keys that the repository's setting
        `gitbackup.quiet` matches are counted only, unless `patterns` or `every` ask for them.
        `redact` are globs of keys and fields whose values are masked, besides the setting
        `gitbackup.redact`.
        """
        from gitbackup.compare import diff

        repository, before = self._at.history, self.resolve(a)
        quiet = self._at.quiet(every or bool(patterns))
        narrow = diff.Narrow(patterns, self._at.databases, exclude, quiet)
        if b is not None:
            found = diff.diff_commits(repository, before, self.resolve(b), narrow)
        else:
            scope = self._at.scope()
            narrow = replace(narrow, databases=scope.databases)
            at = self._at
            found = diff.diff_live(repository, before, at.server, scope, narrow, at.progress)
        return replace(found, redaction=self._at.redaction(redact))

    def check(self, max_age: timedelta = timedelta(days=7), *, quick: bool = False) -> Checked:
        """Whether the data are safe: what the server does for them, and what the history does.

        `max_age` is how old the last commit, save, push and rehearsal may be, unless nothing
        has changed since. The whole database is compared with the last commit, but for `quick`.
        """
        from gitbackup.checks import check
        from gitbackup.live.server import health

        facts = health.read(self._at.server, self._at.address)
        at = self._at
        return check.check(at.repository, at.rdb_folder, at.live(), facts, max_age, quick)

    def export(
        self,
        to: Path | BinaryIO,
        commit_ish: str | None = None,
        *,
        form: str = "json",
        patterns: Sequence[str] = (),
        redact: Sequence[str] = (),
    ) -> ExportResult:
        """Writes a commit, or without one the live database, to a file: `json`, `jsonl`, `resp`.

        A path names a whole file in the end, or what it named before. `patterns` and the
        databases of this object narrow it. `redact` is as for `diff`, but that the setting counts
        only where there are some: what is masked cannot be imported.
        """
        from gitbackup.transfer import export

        databases = None if self._at.databases is None else tuple(self._at.databases)
        redaction = self._at.redaction(redact) if redact else Redaction()
        options = export.ExportOptions(form, tuple(patterns), databases, redaction)
        if commit_ish is not None:
            return export.of_commit(self._at.history, self.resolve(commit_ish), options, to)
        return export.of_live(self._at.server, self._at.scope(), options, to, self._at.progress)

    def resolve(self, commit_ish: str) -> str:
        """The id of the commit that any of git's names stands for. Raises UsageError for none."""
        return self._at.history.resolve(commit_ish)
