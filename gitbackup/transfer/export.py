"""`export`: a commit, or the live database, as one portable file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from gitbackup.capture.capture import take
from gitbackup.capture.reader import SnapshotReader
from gitbackup.commit.warnings import doubts
from gitbackup.errors import UsageError
from gitbackup.format import codec
from gitbackup.format.patterns import covers, matcher, may_name_library
from gitbackup.live.connection.connect import Server
from gitbackup.model.keys import FUNCTIONS, Key, Scope
from gitbackup.progress import Progress
from gitbackup.redact import Redaction
from gitbackup.snapshot import file_format
from gitbackup.snapshot.commit_scope import scope_of, taken_at
from gitbackup.snapshot.sources import CommitSource, Source, Spool, SpooledSource
from gitbackup.store.repository.repository import Repository
from gitbackup.system.atomic_file import new_file
from gitbackup.transfer.formats import FORMS

NOTHING = Redaction()


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Which keys are to be exported, and how.

    No patterns, and None, are all of them; where databases are chosen, there are no libraries of
    functions. `redaction` masks values, not in a form that is there to be restored.
    """

    form: str = "json"
    patterns: tuple[str, ...] = ()
    databases: tuple[int, ...] | None = None
    redaction: Redaction = NOTHING

    def __post_init__(self) -> None:
        if self.redaction and not FORMS[self.form].text:
            raise UsageError(
                f"{self.form} is for restoring, and masked values cannot be restored:"
                " --redact needs json or jsonl"
            )

    @property
    def narrowed(self) -> bool:
        return bool(self.patterns) or self.databases is not None

    def scope(self, whole: Scope) -> Scope:
        """What of a snapshot's scope is wished for; the patterns are told apart from it.

        Raises UsageError for a database that is not of it.
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
    """What `export` wrote. `commit` is None where it was the live database; `keys` and
    `libraries` are how many of them, `size` is in bytes."""

    commit: str | None
    form: str
    keys: int
    libraries: int
    size: int
    warnings: Sequence[str] = ()


def of_commit(
    repository: Repository, commit: str, options: ExportOptions, to: Path | BinaryIO
) -> ExportResult:
    """Exports a commit. Raises Damaged where it is not well-formed, before anything is written."""
    source = CommitSource(repository, commit)
    scope = options.scope(scope_of(source))
    facts = _facts(options, scope, commit, taken_at(repository, commit))
    return _export(source, scope, options, facts, to)


def of_live(
    server: Server, scope: Scope, options: ExportOptions, to: Path | BinaryIO, progress: Progress
) -> ExportResult:
    """Exports the live database. Nothing is written before all of it is read."""
    scope = options.scope(scope)
    fewest = scope if scope.include else replace(scope, include=options.patterns)
    live = SnapshotReader(server, fewest, progress)
    with Spool() as spool:
        taken = take(live, CommitSource(None, None), Repository.blob_id, spool)
        scope = replace(scope, functions=live.scope.functions)
        facts = _facts(options, scope, None, live.taken_at)
        result = _export(SpooledSource(taken.files, spool), scope, options, facts, to)
    return replace(result, warnings=doubts(taken))


def _export(
    source: Source,
    scope: Scope,
    options: ExportOptions,
    facts: Mapping[str, Any],
    to: Path | BinaryIO,
) -> ExportResult:
    size = 0
    with Spool() as spool:
        keys = _gather(source, scope, options, spool)
        if options.narrowed and not any(key.db == FUNCTIONS for key in keys):
            facts = {**facts, "scope": {**facts["scope"], "functions": False}}
        with new_file(to) if isinstance(to, Path) else nullcontext(to) as out:
            for piece in FORMS[options.form].file(facts, keys, lambda key: spool.read(_place(key))):
                size += len(piece)
                out.write(piece)
    count = Counter(key.db == FUNCTIONS for key in keys)
    return ExportResult(facts["commit"], options.form, count[False], count[True], size)


def _gather(source: Source, scope: Scope, options: ExportOptions, spool: Spool) -> list[Key]:
    """Keeps each entry in its form; the keys, sorted.

    Raises UsageError for key patterns that match none.
    """
    form, within, matches = FORMS[options.form], covers(scope), matcher(options.patterns)
    files = (
        (path, source.read(path)) for path in sorted(source.files) if file_format.is_data(path)
    )
    keys = []
    for _, entries in file_format.decode_all(files):
        for key, entry in entries.items():
            if within(key) and matches(codec.data(key.name)):
                spool.put(_place(key), form.entry(key, options.redaction.entry(key, entry)))
                keys.append(key)
    if options.patterns and not keys:
        named = " ".join(map(repr, options.patterns))
        raise UsageError(f"no key matches {named}; nothing was exported")
    return sorted(keys)


def _place(key: Key) -> str:
    return f"{key.db} {key.name}"


def _facts(options: ExportOptions, scope: Scope, commit: str | None, moment: int) -> dict[str, Any]:
    """What the file tells of itself."""
    return {
        "commit": commit,
        "patterns": sorted({*map(codec.strict, options.patterns)}),
        "redacted": sorted({*map(codec.strict, options.redaction.globs)}),
        "scope": file_format.scope_object(scope),
        "taken_at": codec.instant(moment),
    }
