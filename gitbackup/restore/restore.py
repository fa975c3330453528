"""`restore`: the live database becomes a commit's again, and nothing is lost on the way.

The live values that differ from HEAD are committed first, and in the end the state that the
restore has made. A key that somebody writes to while the plan is carried out is left alone;
what it holds is committed, and the plan is drawn again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from gitbackup.capture.capture import take
from gitbackup.capture.reader import SnapshotReader
from gitbackup.commit.commit import commit
from gitbackup.errors import Busy, ForbiddenKey, GitbackupError, ServerError
from gitbackup.format.patterns import widest
from gitbackup.gc_pause import uncollected
from gitbackup.live.connection.connect import Server
from gitbackup.live.read.permissions import all_told
from gitbackup.model.file_groups import merged
from gitbackup.model.keys import Scope
from gitbackup.plan import Clock, Plan
from gitbackup.progress import Progress
from gitbackup.restore import apply as applying
from gitbackup.restore import commits, preflight
from gitbackup.restore.commits import LiveState
from gitbackup.restore.final_check import FinalCheck
from gitbackup.restore.missing_keys import expect_covered, expect_some
from gitbackup.restore.planner import RestoreRequest, build_plan, revalidate, touched
from gitbackup.restore.preflight import Entries
from gitbackup.restore.result import RestoreResult, cut_off
from gitbackup.restore.trailers import DONE, trailers
from gitbackup.restore.validate import counted, sound_part
from gitbackup.restore.verify_writes import differing
from gitbackup.snapshot.commit_scope import head_scope, scope_of, taken_at
from gitbackup.snapshot.compare import compare
from gitbackup.snapshot.entry_sources import EntrySource, FileSummaries, decoded
from gitbackup.snapshot.sources import CommitSource, LiveSource, Spool, StoredSource, chosen
from gitbackup.store.repository.repository import Repository
from gitbackup.store.repository.restore_journal import State

LOOKS = 3  # at what there is, while that makes a server without room let go of more
ROUNDS = 10  # plans drawn anew for keys that somebody goes on writing to
APART = (
    "the user may not read all that HEAD covers: the restored state is not committed, and the"
    " previous state is saved on a branch of its own"
)
Confirm = Callable[[Plan], bool]
Tell = Callable[[RestoreResult], object]


class Restorer:
    """One restore of one commit into one server.

    `scope` is what commits cover where HEAD tells none; `home` tells whether it is the server
    that they are taken from, so that what it loses is committed on HEAD's branch. With
    `skip_damaged`, files of the commit that are not well-formed are left out.
    """

    def __init__(
        self,
        repository: Repository,
        server: Server,
        wanted: RestoreRequest,
        scope: Scope,
        home: bool,
        progress: Progress,
        skip_damaged: bool = False,
    ) -> None:
        self._repository = repository
        self._server = server
        self._wanted = wanted
        self._home = home
        self._apart = False
        self._progress = progress
        self._warnings: list[str] = []
        self._summaries: FileSummaries = {}
        stored: StoredSource = CommitSource(repository, wanted.commit)
        self.damaged: list[str] = []
        """What is wrong with files of the commit that are left out, a sentence for each."""
        if skip_damaged:
            stored, self.damaged = sound_part(repository, wanted.commit)
        self._warnings += [f"{why}; its keys are left as they are" for why in self.damaged]
        whole = EntrySource(stored, self._summaries)
        self._scope = scope_of(whole)
        self._whole = whole
        self._held: Mapping[int, int] = {}  # keys of the commit by database, once all is checked
        self._commit = decoded(chosen(whole, wanted.how.databases), self._summaries)
        self._touched = touched(wanted.how, self._scope)
        expect_covered(wanted, self._scope, whole)
        head = head_scope(repository, self._warnings) if home else None
        self._settled = head or scope
        self._reads = widest(self._settled, self._touched)
        self._taken_at = taken_at(repository, wanted.commit)
        self._seal = repository.tree_id(wanted.commit).encode()
        self._lookout = FinalCheck(server, progress)
        self._saved: str | None = None  # the commit of the state that this round found
        self._entry = commits.entry(repository, wanted, server, home)
        self._replaced = self._entry.replaced
        self._wrote = False

    @property
    def resumes(self) -> bool:
        """Whether it goes on with a restore that was cut off."""
        return self._wanted.unfinished is not None

    def plan(self) -> Plan:
        """The plan alone; nothing is written anywhere. It warns of what the server would refuse."""
        with Spool() as spool, uncollected():
            view = self._look(spool)
            expect_some(view.plan, self._wanted, self._scope, self._commit, self._held)
            entries = Entries(view.plan, view.side, self._commit)
            try:
                if self._home:
                    self._repository.expect_resolved()
                preflight.probe(self._server, view.plan, entries)
            except GitbackupError as error:
                return _warned(view.plan, f"it cannot be carried out: {error}")
            return _warned(view.plan, *preflight.warnings(self._server, view.plan, entries))

    def run(self, confirm: Confirm, tell: Tell | None = None) -> RestoreResult:
        """Gives the plan to `confirm`, and where that is true carries it out.

        `tell` is given what it did; until then the journal has it, for a run that is killed.
        Raises ServerError, Busy or Damaged; the same restore, run again, finishes then.
        """
        if self._server.replica:
            raise ServerError(f"{self._server.label} is a read-only replica; name its primary")
        journal = self._repository.journal
        with self._repository.beside("restoring"), uncollected():
            self._look_at_journal()
            try:
                result = self._run(confirm)
                if tell and result.applied:
                    tell(result)
                if result.applied and result.whole and not result.unrecorded:
                    self._repository.end()
            finally:
                journal.leave()
        return result

    def _look_at_journal(self) -> None:
        """Looks again: one that this run has waited for has ended by now, or was cut off."""
        known = [each for each in self._repository.journal.known() if each.same(self._entry)]
        self._wanted = replace(self._wanted, unfinished=known[-1] if known else None)
        self._entry = commits.entry(self._repository, self._wanted, self._server, self._entry.home)
        self._replaced = self._entry.replaced

    def _run(self, confirm: Confirm) -> RestoreResult:
        if self._home:
            self._repository.expect_resolved()
            self._repository.expect_kept(self._wanted.commit)
        result: RestoreResult | None = None
        try:
            for left in reversed(range(1 if self._wanted.kept else ROUNDS)):
                with Spool() as spool:
                    view = self._look(spool)
                    entries = Entries(view.plan, view.side, self._commit)
                    if result is None:
                        result = self._begin(view, entries, confirm)
                        if not result.applied:
                            return self._nothing_to_do(result, view)
                    result = self._save(result, view, entries)
                    result = self._carry_out(result, view, entries)
                    if not (result.busy and left):
                        return self._conclude(result, view, entries)
            raise RuntimeError("a restore has at least one round")
        except (GitbackupError, KeyboardInterrupt) as error:
            since = self._record_cut_off()
            if result is None or not self._wrote or isinstance(error, KeyboardInterrupt):
                raise
            raise cut_off(error, result, since) from error

    def _begin(self, view: LiveState, entries: Entries, confirm: Confirm) -> RestoreResult:
        """Makes sure, as far as it can be told beforehand, that it can be done, and asks."""
        expect_some(view.plan, self._wanted, self._scope, self._commit, self._held)
        preflight.probe(self._server, view.plan, entries)
        plan = _warned(view.plan, *preflight.warnings(self._server, view.plan, entries))
        return RestoreResult(plan, applied=bool(plan.keys) and confirm(plan))

    def _nothing_to_do(self, result: RestoreResult, view: LiveState) -> RestoreResult:
        """What an earlier run left is ended all the same."""
        if result.plan.keys:  # somebody said no
            return result
        applying.sweep(self._server, view.taken.live.left_over)
        left = [each for each in self._repository.journal.known() if self._entry.ends(each)]
        if not left:
            return result
        self._replaced = self._replaced or left[-1].replaced
        self._repository.journal.restoring(replace(self._entry, replaced=self._replaced))
        if all(each.state is State.DONE for each in left):
            with self._repository.lock():  # a work tree that does not follow yet does here
                return replace(result, applied=True)
        return self._conclude(result, view, Entries(view.plan, view.side, self._commit))

    def _look(self, spool: Spool) -> LiveState:
        """Reads the live database, and draws the plan."""
        with all_told(self._server, writes=True):
            try:
                return self._see(spool)
            except ForbiddenKey:
                if not self._wanted.how.patterns or self._apart:
                    raise
            self._keep_apart()
            return self._see(spool)

    def _keep_apart(self) -> None:
        """From now on reads the keys that it is about, and no others: the user may not."""
        if self._home:
            self._warnings.append(APART)
        self._home, self._apart = False, True
        self._touched = replace(self._touched, functions=False)
        self._reads = replace(self._touched, include=self._wanted.how.patterns)

    def _see(self, spool: Spool) -> LiveState:
        self._lookout.begin()
        parent, wanted = self._repository.head(), self._wanted
        live = SnapshotReader(self._server, self._reads, self._progress)
        known = EntrySource(CommitSource(self._repository, parent), self._summaries)
        seen = self._repository.seen()
        taken = take(live, known, Repository.blob_id, spool, seen=seen)
        source = decoded(LiveSource(self._repository, taken.files, spool))
        self._held = self._held or counted(self._whole, source, live)
        into = wanted.how.databases and [(to, to) for _, to in wanted.how.databases]
        plan = build_plan(
            compare(chosen(source, into), self._commit),
            wanted,
            self._touched,
            wanted.kept.clock if wanted.kept else Clock(live.taken_at, self._taken_at),
            str(self._server),
            self._seal,
        )
        if wanted.kept:
            plan = revalidate(plan, wanted.kept, begun=self.resumes or not self._home)
        return LiveState(_warned(plan, *self._warnings), taken, parent, source, spool)

    def _save(self, result: RestoreResult, view: LiveState, entries: Entries) -> RestoreResult:
        """Commits what the live database holds, before any of it goes; then it may be written to.

        HEAD holds it all, perhaps; the first commit is made all the same, for `undo`.
        """
        preflight.probe(self._server, view.plan, entries)  # the question may have taken long
        self._saved = None
        journal = self._repository.journal
        journal.restoring(replace(self._entry, head=view.parent, replaced=self._replaced))
        if not self._home:
            if view.plan.loses and view.taken.differs:
                label = self._server.label
                saved, branch = commits.aside(self._repository, view, self._wanted, label)
                result = replace(result.with_saved(saved), saved_on=result.saved_on or branch)
        elif view.taken.differs or self._replaced is None:
            saved = commits.commit_before(self._repository, view, self._wanted, self._replaced)
            self._saved, self._replaced = saved, self._replaced or saved
            result = result.with_saved(saved)
        journal.reach(State.WRITING)
        self._entry = replace(self._entry, state=State.WRITING)
        self._wrote = True
        return result

    def _carry_out(self, result: RestoreResult, view: LiveState, entries: Entries) -> RestoreResult:
        """One round: write, read again."""
        plan = view.plan
        applying.sweep(self._server, view.taken.live.left_over)
        applied = applying.apply(self._server, plan, entries, self._progress)
        wrong = differing(self._server, plan, entries, applied.unproved, self._progress)
        undone = {*applied.moved, *applied.refused}
        sight = self._lookout.look(view, entries, wrong, undone)
        result = replace(
            result,
            done=merged(result.done, plan.keys, undone),
            busy=applied.moved,
            refused=list(applied.refused.items()),
            why={},
        )
        return result.with_sight(sight)

    def _conclude(self, result: RestoreResult, view: LiveState, entries: Entries) -> RestoreResult:
        """Commits the state that the restore has made, so that HEAD is what the database holds.

        Where some keys are not as they should be, it is not at its end, and stays in the journal.
        """
        journal = self._repository.journal
        recorded = None
        try:
            for _ in range(LOOKS if self._home else 1):
                journal.reach(State.RECORDING if result.whole else State.WRITING)
                made = self._record(view) if result.whole else self._record_all(result.short)
                recorded = made or recorded
                sight = self._lookout.look_again(view, entries)
                if sight is None:  # reading it all made the server let no more go
                    break
                result = result.with_sight(sight)
        except GitbackupError as error:
            return replace(result, applied=True, recorded=recorded, unrecorded=str(error))
        journal.reach(State.DONE if result.whole else State.WRITING)
        return replace(result, applied=True, recorded=recorded)

    def _record_cut_off(self) -> str | None:
        """Commits what there is, so that HEAD is that; None where it is, or that cannot be done."""
        with suppress(GitbackupError):
            return self._record_all("cut off") if self._wrote and self._home else None
        return None

    def _record(self, view: LiveState) -> str | None:
        """Commits the state that a whole restore has made, where HEAD is to be that."""
        if not self._home:
            return None
        wanted = self._wanted
        made = self._repository.commit_info(wanted.commit).trailers
        seen = not view.taken.live.functions_refused
        known = seen and self._settled == self._scope and "Format" in made
        if known and wanted.everything and view.plan.keys and not view.plan.expired:
            with suppress(Busy):  # whoever committed meanwhile did not see all of it
                files, keys = self._commit.files, self._held
                return commits.commit_after(
                    self._repository, view, wanted, files, keys, self._saved, self._replaced
                )
        return self._record_all()

    def _record_all(self, short: str = "") -> str | None:
        """The same of whatever there is, all of which is read; `short` is what is not whole."""
        if not self._home:
            return None
        facts = trailers(DONE, self._wanted, self._replaced)
        title = ", ".join(filter(None, [commits.title(self._wanted), short]))
        while True:
            head = self._repository.head()
            live = SnapshotReader(self._server, self._settled, self._progress)
            try:
                return commit(self._repository, live, title, False, trailers=facts).commit
            except Busy:  # somebody else committed while all was read: it is read again then
                if self._repository.head() == head:
                    raise


def _warned(plan: Plan, *warnings: str) -> Plan:
    return replace(plan, warnings=[*plan.warnings, *warnings])
