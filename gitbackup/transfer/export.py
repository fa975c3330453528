"""`export`: a commit, or the live database, as one portable file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from gitbackup import wording
from gitbackup.capture.capture import take
from gitbackup.capture.reader import SnapshotReader
from gitbackup.commit.warnings import doubts
from gitbackup.errors import UsageError
from gitbackup.format import codec
from gitbackup.format.patterns import covers, matcher, may_name_library
from gitbackup.live.connection.connect import Server
from gitbackup.model.keys import FUNCTIONS, SEARCH, Key, Scope
from gitbackup.progress import Progress
from gitbackup.redact import Redaction
from gitbackup.snapshot import file_format
from gitbackup.snapshot.commit_scope import scope_of, taken_at
from gitbackup.snapshot.sources import CommitSource, Source, Spool, SpooledSource
from gitbackup.store.repository.repository import Repository
from gitbackup.system.atomic_file import new_file
from gitbackup.transfer.entries import spool_name
from gitbackup.transfer.formats import FORMS

NOTHING = Redaction()


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Which keys are exported, and how.

    No patterns, and None, mean all of them; if databases are chosen, libraries of functions are
    left out. `redaction` masks values; a form that can only be restored does not take one.
    """

    form: str = "json"
    patterns: tuple[str, ...] = ()
    databases: tuple[int, ...] | None = None
    redaction: Redaction = NOTHING

    def __post_init__(self) -> None:
        if self.redaction and not FORMS[self.form].text:
            raise UsageError(
                f"{self.form} is for restoring, and masked values cannot be restored:"
                f" {wording.option('--redact')} needs json or jsonl"
            )

    @property
    def narrowed(self) -> bool:
        return bool(self.patterns) or self.databases is not None

    def scope(self, whole: Scope) -> Scope:
        """Return the chosen part of a snapshot's scope, without the patterns.

        Raises UsageError for a database that the scope does not cover.
        """
        if not self.narrowed:
            return whole
        for db in self.databases or ():
            if whole.databases is not None and db not in whole.databases:
                raise UsageError(f"the commit does not cover database {db}")
        databases = whole.databases if self.databases is None else self.databases
        libraries = self.databases is None and may_name_library(self.patterns)
        return replace(whole, databases=databases, functions=whole.functions and libraries)


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What `export` wrote. `commit` is None for the live database; `keys`, `libraries` and
    `indexes` are how many of them were written, `size` is in bytes."""

    commit: str | None
    form: str
    keys: int
    libraries: int
    indexes: int
    size: int
    warnings: Sequence[str] = ()


def of_commit(
    repository: Repository, commit: str, options: ExportOptions, to: Path | BinaryIO
) -> ExportResult:
    """Export a commit. Raises Damaged if it is not well-formed, before anything is written."""
    source = CommitSource(repository, commit)
    scope = options.scope(scope_of(source))
    return _export(source, scope, options, commit, taken_at(repository, commit), to)


def of_live(
    server: Server, scope: Scope, options: ExportOptions, to: Path | BinaryIO, progress: Progress
) -> ExportResult:
    """Export the live database. Nothing is written before all of it is read."""
    scope = options.scope(scope)
    fewest = scope if scope.include else replace(scope, include=options.patterns)
    live = SnapshotReader(server, fewest, progress)
    with Spool() as spool:
        taken = take(live, CommitSource(None, None), Repository.blob_id, spool)
        scope = replace(scope, functions=live.scope.functions)
        source = SpooledSource(taken.files, spool)
        result = _export(source, scope, options, None, live.taken_at, to)
    return replace(result, warnings=doubts(taken))


def _export(
    source: Source,
    scope: Scope,
    options: ExportOptions,
    commit: str | None,
    moment: int,
    to: Path | BinaryIO,
) -> ExportResult:
    facts: dict[str, Any] = {
        "commit": commit,
        "patterns": sorted({*map(codec.strict, options.patterns)}),
        "redacted": sorted({*map(codec.strict, options.redaction.globs)}),
        "scope": file_format.scope_object(scope),
        "taken_at": codec.instant(moment),
    }
    size = 0
    with Spool() as spool:
        keys = _gather(source, scope, options, spool)
        if options.narrowed and not any(key.db == FUNCTIONS for key in keys):
            facts["scope"] = {**facts["scope"], "functions": False}
        pieces = FORMS[options.form].file(facts, keys, lambda key: spool.read(spool_name(key)))
        with new_file(to) if isinstance(to, Path) else nullcontext(to) as out:
            for piece in pieces:
                size += len(piece)
                out.write(piece)
    counts = Counter(min(key.db, 0) for key in keys)
    counted = counts[0], counts[FUNCTIONS], counts[SEARCH]
    return ExportResult(commit, options.form, *counted, size)


def _gather(source: Source, scope: Scope, options: ExportOptions, spool: Spool) -> list[Key]:
    """Put each entry in its form into the spool, and return the keys, sorted.

    Raises UsageError for key patterns that match no key.
    """
    form, within, matches = FORMS[options.form], covers(scope), matcher(options.patterns)
    files = (
        (path, source.read(path)) for path in sorted(source.files) if file_format.is_data(path)
    )
    keys = []
    for _, entries in file_format.decode_all(files):
        for key, entry in entries.items():
            if within(key) and matches(codec.data(key.name)):
                spool.put(spool_name(key), form.entry(key, options.redaction.entry(key, entry)))
                keys.append(key)
    if options.patterns and not keys:
        named = " ".join(map(repr, options.patterns))
        raise UsageError(f"no key matches {named}; nothing was exported")
    return sorted(keys)
