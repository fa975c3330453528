"""The commit that is to be restored: what its snapshot holds and covers, and when it was taken."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace

from gitbackup.capture.reader import SnapshotReader
from gitbackup.commit.message import covers_search, is_ours
from gitbackup.plan.plan import Plan
from gitbackup.progress import Progress
from gitbackup.restore.planner import RestoreRequest, scope_to_change
from gitbackup.restore.preflight import expect_covered, expect_some
from gitbackup.restore.validate import count_keys, sound_part
from gitbackup.snapshot import file_format
from gitbackup.snapshot.commit_scope import scope_of, taken_at
from gitbackup.snapshot.compare import Comparison, compare
from gitbackup.snapshot.entry_sources import EntrySource, FileSummaries, decoded
from gitbackup.snapshot.sources import CommitSource, Source, StoredSource, chosen
from gitbackup.store.repository.repository import Repository

NOT_COVERED = "the server of the commit had {} that the commit does not contain: use FT.CREATE"


class CommitToRestore:
    """What a request asks for, of the commit that it names.

    - `entries`: its entries, of the databases that were chosen, by the numbers that they get;
    - `scope`: what its snapshot covers; `touched`: which part of the live database may be changed;
    - `taken_at`: when it was taken, in milliseconds since 1970; `seal`: what seals digests of it;
    - `by_gitbackup`: whether gitbackup made it;
    - `damaged`: what is wrong with files of it that are left out, a sentence for each: none are
      without `skip_damaged`; `warnings`: that, and what else is to be told.

    `unchanged` are blobs that the live database was read from. Raises Damaged or UsageError if the
    request cannot be met.
    """

    def __init__(
        self,
        repository: Repository,
        request: RestoreRequest,
        summaries: FileSummaries,
        unchanged: Set[str],
        skip_damaged: bool,
    ) -> None:
        self._repository = repository
        self._request = request
        commit = request.commit
        stored: StoredSource = CommitSource(repository, commit)
        self.damaged: list[str] = []
        if skip_damaged:
            stored, self.damaged = sound_part(repository, commit)
        self.warnings = [f"{why}; its keys are not touched" for why in self.damaged]
        self._whole = EntrySource(stored, summaries, unchanged)
        self._counts: Mapping[int, int] = {}  # by database, once all of it is checked
        self.scope = scope_of(self._whole)
        covers = self._covers_search(commit, self._whole)
        if request.takes_back:  # then HEAD tells whether the restore that is undone knew of them
            head = CommitSource(repository, repository.head() or commit)
            covers = covers or self._covers_search(repository.head() or "", head)
        trailers = repository.commit_info(commit).trailers
        self.by_gitbackup = "Format" in trailers
        if uncovered := trailers.get("Not-Covered"):
            self.warnings.append(NOT_COVERED.format(uncovered))
        self.entries = decoded(chosen(self._whole, request.how.databases), summaries)
        self.touched = scope_to_change(request.how, replace(self.scope, search=covers))
        expect_covered(request, self.scope, self._whole)
        self.taken_at = taken_at(repository, commit)
        self.seal = repository.tree_id(commit).encode()

    @property
    def counts(self) -> Mapping[int, int]:
        """How many keys each of its databases has, once it was compared."""
        return self._counts

    @property
    def has_indexes(self) -> bool:
        """Whether it has a search index, of the databases that were chosen."""
        return _has_indexes(self.entries)

    def compared(self, live: EntrySource, reader: SnapshotReader, progress: Progress) -> Comparison:
        """Return what differs between the live database, which `reader` has just read, and it.

        Raises Damaged if a file of it is not well-formed, or two files hold the same key.
        """
        self._counts = self._counts or count_keys(self._whole, live, reader)
        databases = self._request.how.databases
        into = databases and [(target, target) for _, target in databases]
        return compare(chosen(live, into), self.entries, progress)

    def expect_some(self, plan: Plan) -> None:
        """Raise UsageError if neither it nor the server has one of the chosen keys."""
        expect_some(plan, self._request, self.scope, self.entries, self._counts)

    def _covers_search(self, commit: str, source: Source) -> bool:
        """Return whether a commit tells which search indexes there were.

        Commits of an older gitbackup do not, though they keep the files that were there.
        """
        trailers = self._repository.commit_info(commit).trailers if commit else {}
        return covers_search(trailers) if is_ours(trailers) else _has_indexes(source)


def _has_indexes(source: Source) -> bool:
    return any(map(file_format.INDEX.fullmatch, source.files))
