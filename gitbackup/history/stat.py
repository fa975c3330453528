"""`log --stat`: what each commit changed, in numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gitbackup.errors import Damaged, NewerFormat
from gitbackup.format.patterns import apart
from gitbackup.model.changes import Counts, Summary
from gitbackup.model.commits import CommitInfo, Selection
from gitbackup.model.file_groups import count_by_prefix, total
from gitbackup.model.keys import Space
from gitbackup.snapshot import file_format
from gitbackup.snapshot.compare import Comparison, compare, summarise
from gitbackup.snapshot.manifests import Manifests, parted
from gitbackup.snapshot.sources import sources_of
from gitbackup.store.commits.commits import Record
from gitbackup.store.repository.repository import Repository


@dataclass(frozen=True, slots=True)
class CommitSummary:
    """A commit, and what it changed against its first parent, by namespace.

    `hidden` counts the quiet keys, which `summary` leaves out. `damage` says what cannot be read of
    the commit or of its parent, so that there is no summary; empty if all can. `prefixes` counts
    what `summary` does, by place and prefix.
    """

    info: CommitInfo
    summary: Summary | None
    hidden: Counts
    damage: str = ""
    prefixes: Mapping[Space, Counts] = field(default_factory=dict)


def summaries(
    repository: Repository, selection: Selection, quiet: Sequence[str]
) -> Iterator[CommitSummary]:
    """Yield a summary of each selected commit; its files are read when it is asked for.

    Raises NewerFormat at a commit of a newer format, and at one whose parent is of such a format.
    """
    manifests = Manifests(repository)
    for record in repository.history.records(selection):
        yield _summary(repository, manifests, record, quiet)


def summary(repository: Repository, commit: str, quiet: Sequence[str]) -> CommitSummary:
    """Return a summary of one commit, given by id. Raises NewerFormat as `summaries` does."""
    record = repository.history.record(commit)
    return _summary(repository, Manifests(repository), record, quiet)


def has_large(repository: Repository, commit: str) -> bool:
    """Return whether a commit, given by id, changed an entry over 1 MiB: to sum it up may take
    seconds."""
    record = repository.history.record(commit)
    older = repository.history.record(record.parents[0]) if record.parents else None
    files = repository.history.differ(older.tree if older else None, record.tree)
    return any(file_format.is_of_large(each.path) for each in files)


def _summary(
    repository: Repository, manifests: Manifests, record: Record, quiet: Sequence[str]
) -> CommitSummary:
    try:
        changes = compared(repository, manifests, record).changes
    except NewerFormat:
        raise
    except Damaged as damage:
        return CommitSummary(record.info, None, Counts(), str(damage))
    told, hidden = apart(changes, quiet)
    return CommitSummary(
        record.info, summarise(told), total(hidden), prefixes=count_by_prefix(told)
    )


def compared(repository: Repository, manifests: Manifests, record: Record) -> Comparison:
    """Return which keys a commit changed against its first parent.

    Raises Damaged if one of the two cannot be read, NewerFormat if one is of a newer format.
    """
    parent = next(iter(record.parents), None)
    older = repository.history.record(parent) if parent else None
    for each in filter(None, (record, older)):
        manifests.expect_known(each)
    before = older.tree if older else None
    changes = repository.history.differ(before, record.tree)
    found = compare(*sources_of(repository, changes))
    if any(change.path == file_format.MANIFEST for change in changes):
        shown, _ = parted(found.changes, manifests.left(before, record.tree))
        return replace(found, changes=shown)
    return found
