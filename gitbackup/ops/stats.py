"""`log --stat`: what each commit changed, in numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gitbackup.model import CommitInfo, Selection, Summary
from gitbackup.ops.compare import compare, summarise
from gitbackup.ops.sides import sides_of
from gitbackup.store.repository import Repository


@dataclass(frozen=True, slots=True)
class CommitSummary:
    """A commit, and what it changed against its first parent, by namespace."""

    info: CommitInfo
    summary: Summary


def summaries(repository: Repository, selection: Selection) -> Iterator[CommitSummary]:
    """The selected commits; the files that each changed are read when it is asked for."""
    for record in repository.history.records(selection):
        parent = next(iter(record.parents), None)
        before = repository.history.record(parent).tree if parent else None
        changes = repository.history.differ(before, record.tree)
        comparison = compare(*sides_of(repository, changes))
        yield CommitSummary(record.info, summarise(comparison.changes))
