"""`restore`: make the live database equal a commit, and lose nothing on the way.

The live state is committed first, even if HEAD is equal to it, and the restored state last.
A key that somebody writes to while the plan is carried out is left alone: what it holds is
committed, and a new plan is made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from gitbackup.capture.capture import take
from gitbackup.capture.reader import SnapshotReader
from gitbackup.commit.commit import commit
from gitbackup.errors import Busy, ForbiddenKey, GitbackupError, NewerFormat, ServerError
from gitbackup.format.patterns import widest
from gitbackup.live.connection.cluster import FAILOVER, LOST, NodesChanged
from gitbackup.live.connection.connect import Server
from gitbackup.live.read.permissions import all_told
from gitbackup.live.server import keyspace
from gitbackup.live.server.unsupported import Unsupported
from gitbackup.model.file_groups import merged, unordered
from gitbackup.model.keys import Scope
from gitbackup.plan.plan import Clock, Plan
from gitbackup.progress import Progress
from gitbackup.redact import NOT_MASKED, Redaction
from gitbackup.restore import apply as applying
from gitbackup.restore import commits, preflight
from gitbackup.restore.commit_to_restore import CommitToRestore
from gitbackup.restore.commits import LiveState
from gitbackup.restore.final_check import FinalCheck
from gitbackup.restore.planner import RestoreRequest, build_plan, revalidate
from gitbackup.restore.preflight import Entries
from gitbackup.restore.result import RestoreResult, Sight, Why, cut_off
from gitbackup.restore.revert import Reversal, Reverter
from gitbackup.restore.trailers import DONE, trailers
from gitbackup.restore.verify_writes import read_again
from gitbackup.snapshot.base import Base, compared_with
from gitbackup.snapshot.commit_scope import head_scope
from gitbackup.snapshot.entry_sources import EntrySource, FileSummaries
from gitbackup.snapshot.sources import LiveSource, Spool
from gitbackup.store.repository.repository import Repository
from gitbackup.store.repository.restore_journal import State

LOOKS = 3  # times to commit the restored state, while reading it makes the server evict more
ROUNDS = 10  # plans to make at most while others go on writing to its keys
APART = (
    "the user has no permission to read all keys that HEAD covers: the restored state"
    " is not committed, and the previous state is saved on a branch of its own"
)
Confirm = Callable[[Plan], bool]
Tell = Callable[[RestoreResult], object]
See = Callable[[Plan], object]


class Restorer:
    """One restore of one commit into one server.

    `scope` is what commits cover if HEAD does not tell. `home` tells whether this is the server
    that commits are taken from, so that what it loses is committed on HEAD's branch. With
    `skip_damaged`, files of the commit that are not well-formed are left out; with
    `skip_unsupported`, keys of types that the server does not know. Values that are shown are
    masked by `redaction`.
    """

    def __init__(
        self,
        repository: Repository,
        server: Server,
        request: RestoreRequest,
        scope: Scope,
        home: bool,
        progress: Progress,
        skip_damaged: bool = False,
        skip_unsupported: bool = False,
        redaction: Redaction = NOT_MASKED,
    ) -> None:
        self._repository = repository
        self._server = server
        self._request = request
        self._home = home
        self._apart = False
        self._progress = progress
        self._warnings: list[str] = []
        self._summaries: FileSummaries = {}
        self._reply_cache = repository.reply_cache()
        self._unsupported = Unsupported(server) if skip_unsupported else None
        self._commit = CommitToRestore(
            repository, request, self._summaries, self._reply_cache.blobs(), skip_damaged
        )
        self._warnings += self._commit.warnings
        self._touched = self._commit.touched
        head = head_scope(repository, self._warnings) if home else None
        self._settled = head or scope
        self._reads = widest(self._settled, self._touched)
        self._final_check = FinalCheck(server, progress)
        self._saved: str | None = None  # the commit of the state that this round found
        self._entry = commits.entry(repository, request, server, home)
        self._replaced = self._entry.replaced
        self._redaction = redaction
        self._reverter: Reverter | None = None
        if request.how.revert:
            self._reverter = Reverter(
                repository, request.commit, request.how, self._summaries, redaction
            )
            self._reverter.begun = begun.replaced if (begun := request.unfinished) else None
            self._warnings += self._reverter.warnings
        self._wrote = False
        self._stuck: tuple[int, float] | None = None  # keys to write when a node was lost, and when
        self._as_stored = True  # whether all that was written is read in the form it is stored in

    def __repr__(self) -> str:
        return f"<restore of {self._request.commit[:7]} into {self._server}>"

    @property
    def damaged(self) -> list[str]:
        """What is wrong with files of the commit that are left out, a sentence for each."""
        return self._commit.damaged

    @property
    def resumes(self) -> bool:
        """Whether it continues a restore that was cut off."""
        return self._request.unfinished is not None

    def plan(self, see: See | None = None) -> Plan:
        """Return the plan, which warns of what the server would refuse. Nothing is written.

        It is passed to `see` while its `differences` can be looked at.
        """
        self._request = replace(self._request, digests=True)
        with Spool() as spool:
            live_state = self._read_live(spool)
            self._expect_some(live_state.plan)
            entries = Entries(live_state.plan, live_state.source, live_state.target)
            refused = ""
            try:
                if self._home:
                    self._repository.expect_resolved()
                preflight.probe(self._server, live_state.plan, entries)
                warnings = preflight.warnings(self._server, live_state.plan, entries)
            except GitbackupError as error:
                refused, warnings = str(error), [f"the plan cannot be applied: {error}"]
            plan = replace(self._to_show(live_state, entries, warnings), refused=refused)
            del live_state  # which has the names of all keys
            if see:
                see(plan)
            return plan

    def _to_show(self, live_state: LiveState, entries: Entries, warnings: Sequence[str]) -> Plan:
        masks = self._redaction
        differences, sides = partial(entries.differences, masks), partial(entries.sides, masks)
        return replace(live_state.plan.warned(*warnings), differences=differences, sides=sides)

    def run(
        self, confirm: Confirm, tell: Tell | None = None, digests: bool = False
    ) -> RestoreResult:
        """Pass the plan to `confirm`, carry it out if that returns true, and return what was done.

        The result is passed to `tell` before the journal forgets the restore, in case this run is
        killed. With `digests`, the plan can be compared with that of `plan()`, and only its keys
        are written. Raises ServerError, Busy or Damaged; the same again then finishes.
        """
        self._request = replace(self._request, digests=digests)
        if self._server.replica:
            raise ServerError(f"{self._server.label} is a read-only replica; name its primary")
        journal = self._repository.journal
        with self._repository.beside("restoring"):
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
        """Read the journal again: a restore that this run waited for has ended, or was cut off."""
        known = [each for each in self._repository.journal.known() if each.same(self._entry)]
        self._request = replace(self._request, unfinished=known[-1] if known else None)
        self._entry = commits.entry(self._repository, self._request, self._server, self._entry.home)
        self._replaced = self._entry.replaced
        if self._reverter:
            self._reverter.begun = known[-1].replaced if known else None

    def _run(self, confirm: Confirm) -> RestoreResult:
        if self._home:
            self._repository.expect_resolved()
            self._repository.expect_kept(self._request.commit)
        result: RestoreResult | None = None
        lost: Plan | None = None  # that was carried out when a node of a cluster was lost
        try:
            for left in reversed(range(1 if self._request.kept else ROUNDS)):
                with Spool() as spool:
                    live_state = self._read_live(spool)
                    entries = Entries(live_state.plan, live_state.source, live_state.target)
                    try:
                        if result is None:
                            result = self._begin(live_state, entries, confirm)
                        if lost:  # what has been done of it is not planned again
                            again = {step.key for step in unordered(live_state.plan.keys)}
                            result = replace(result, done=merged(result.done, lost.keys, again))
                            lost = None
                        if result.applied:
                            result = self._save(result, live_state, entries)
                            result = self._carry_out(result, live_state, entries)
                    except LOST as error:
                        self._await_nodes(error, live_state.plan, left)
                        lost = live_state.plan if result else None
                        continue
                    if not result.applied:
                        return self._nothing_to_do(result, live_state)
                    if not (result.busy and left):
                        return self._conclude(result, live_state, entries)
                    if self._reverter or self._request.digests:  # the rest is done, or not shown
                        self._request = replace(self._request, only=frozenset(result.busy))
            raise RuntimeError("a restore has at least one round")
        except (GitbackupError, KeyboardInterrupt) as error:
            since = None
            if self._wrote and self._home:
                with suppress(GitbackupError):
                    since = self._record_all("cut off")
            if result is None or not self._wrote or isinstance(error, KeyboardInterrupt):
                raise
            raise cut_off(error, result, since) from error

    def _await_nodes(self, error: ServerError, plan: Plan, left: int) -> None:
        """Wait until a cluster of which a node was lost is whole, if `left` rounds are.

        Raises the error if no key was written for as long as a replica may take to become primary.
        """
        keys, now = len(plan.keys), time.monotonic()
        if self._stuck is None or keys < self._stuck[0]:
            self._stuck = keys, now
        in_vain = now - self._stuck[1] >= FAILOVER
        if self._server.cluster is None or not left or self._reverter or in_vain:
            raise error
        self._server.cluster.look()

    def _begin(self, live_state: LiveState, entries: Entries, confirm: Confirm) -> RestoreResult:
        """Check, as far as that can be known beforehand, that it can be done; then ask."""
        self._expect_some(live_state.plan)
        preflight.probe(self._server, live_state.plan, entries)
        warnings = preflight.warnings(self._server, live_state.plan, entries)
        plan = self._to_show(live_state, entries, warnings)
        applied = bool(plan.keys) and confirm(plan)
        before = self._entry.saved_on or None
        return RestoreResult(plan, applied, first_saved_on=before, conflicts=plan.conflicts)

    def _expect_some(self, plan: Plan) -> None:
        if not self._reverter:  # which knows already
            self._commit.expect_some(plan)

    def _nothing_to_do(self, result: RestoreResult, live_state: LiveState) -> RestoreResult:
        """End what an earlier run left unfinished, if there is no key to restore."""
        if result.plan.keys:  # somebody said no
            return result
        applying.sweep(self._server, live_state.capture.live.left_over)
        ended = [each for each in self._repository.journal.known() if self._entry.ends(each)]
        if not ended:
            return result
        self._replaced = self._replaced or ended[-1].replaced
        self._repository.journal.restoring(replace(self._entry, replaced=self._replaced))
        if all(each.state is State.DONE for each in ended):
            with self._repository.lock():  # a work tree that does not follow yet does here
                return replace(result, applied=True)
        entries = Entries(live_state.plan, live_state.source, live_state.target)
        return self._conclude(result, live_state, entries)

    def _read_live(self, spool: Spool) -> LiveState:
        """Read the live database and make the plan, of only some keys if rights allow no more."""
        offered = preflight.another_database_offered(self._request.how)
        with offered, all_told(self._server, writes=True):
            try:
                return self._read_live_once(spool)
            except ForbiddenKey:
                if not self._request.how.patterns or self._apart:
                    raise
            self._keep_apart()
            return self._read_live_once(spool)

    def _keep_apart(self) -> None:
        """Read only the planned keys from now on, since the user may not read others."""
        if self._home:
            self._warnings.append(APART)
        self._home, self._apart = False, True
        self._touched = replace(self._touched, functions=False, search=False)
        self._reads = replace(self._touched, include=self._request.how.patterns)

    def _read_live_once(self, spool: Spool) -> LiveState:
        parent = self._repository.head()
        try:
            return compared_with(
                self._repository, parent, lambda base: self._read_on(spool, parent, base)
            )
        except NewerFormat as error:  # the commit to restore was looked at before
            raise NewerFormat(
                f"in HEAD, {error}, or make an earlier commit HEAD with"
                f" `{self._repository.go_back()}`"
            ) from None

    def _read_on(self, spool: Spool, parent: str | None, base: Base) -> LiveState:
        """Read the live database, compared with HEAD's files or those that stand for them."""
        self._final_check.begin()
        request = self._request
        live = SnapshotReader(self._server, self._reads, self._progress)
        known = EntrySource(base.source, self._summaries, self._reply_cache.blobs())
        capture = take(live, known, Repository.blob_id, spool, reply_cache=self._reply_cache)
        capture = replace(capture, changes=())  # they may be many; its summary is enough
        made = {*capture.files.values()}
        source = EntrySource(LiveSource(self._repository, capture.files, spool), made=made)
        clock = request.kept.clock if request.kept else Clock(live.taken_at, self._commit.taken_at)
        goal = self._goal(source, live, clock, spool)
        plan = build_plan(
            goal.comparison,
            request,
            self._touched,
            clock,
            str(self._server),
            self._commit.seal,
            self._unsupported,
            search_seen=not live.search_indexes.refused,
            progress=self._progress,
        )
        runs = keyspace.runs(self._server) if request.digests or request.kept else frozenset()
        plan = replace(plan, nodes=self._server.node_ids, runs=runs)
        plan = revalidate(plan, request, self._home).warned(*self._warnings, *base.warnings)
        plan = replace(plan, conflicts=goal.conflicts, live_keys=live.total)
        return LiveState(plan, capture, parent, base, source, spool, goal.target)

    def _goal(
        self, source: EntrySource, live: SnapshotReader, clock: Clock, spool: Spool
    ) -> Reversal:
        """Return what the live database is to become."""
        if self._reverter:
            return self._reverter.against(source, clock, spool, self._request.only)
        found = self._commit.compared(source, live, self._progress)
        return Reversal(self._commit.entries, found, ())

    def _save(
        self, result: RestoreResult, live_state: LiveState, entries: Entries
    ) -> RestoreResult:
        """Commit what the live database holds, so that it may be written to.

        The first such commit is made even if HEAD holds the same, for `undo`.
        """
        preflight.probe(self._server, live_state.plan, entries)  # the question may have taken long
        self._saved = None
        if not self._home and live_state.plan.loses and live_state.capture.differs:
            result = self._save_aside(result, live_state)
        journal = self._repository.journal
        journal.restoring(replace(self._entry, head=live_state.parent, replaced=self._replaced))
        if self._home and (live_state.capture.differs or self._replaced is None):
            saved = commits.commit_before(
                self._repository, live_state, self._request, self._replaced
            )
            self._saved, self._replaced = saved, self._replaced or saved
            result = result.with_saved(saved)
        journal.reach(State.WRITING)
        self._entry = replace(self._entry, state=State.WRITING)
        self._wrote = True
        return result

    def _save_aside(self, result: RestoreResult, live_state: LiveState) -> RestoreResult:
        """Commit what another server holds to a branch of its own, which the journal names."""
        label = self._server.label
        saved, branch = commits.aside(self._repository, live_state, self._request, label)
        self._entry = replace(self._entry, saved_on=self._entry.saved_on or branch)
        return replace(result.with_saved(saved), saved_on=result.saved_on or branch)

    def _carry_out(
        self, result: RestoreResult, live_state: LiveState, entries: Entries
    ) -> RestoreResult:
        """Write what the plan says, and read it again."""
        plan = live_state.plan
        nodes = {*self._server.nodes}
        applying.sweep(self._server, live_state.capture.live.left_over)
        applied = applying.apply(self._server, plan, entries, self._progress)
        checked = read_again(self._server, plan, entries, applied.unproved, self._progress)
        wrong, self._as_stored = checked.wrong, self._as_stored and checked.as_stored
        undone = {*applied.moved, *applied.refused}
        sight = self._final_check.look(live_state, entries, wrong, undone)
        if self._server.cluster:  # a replica may lack what its primary was given last
            self._server.cluster.look()
            if nodes != {*self._server.nodes}:
                raise NodesChanged(f"the cluster at {self._server.label} has other nodes now")
        result = replace(
            result,
            done=merged(result.done, plan.keys, undone),
            busy=applied.moved,
            refused=list(applied.refused.items()),
            accepted=sorted({*result.accepted, *checked.accepted} - undone),
            why={},
        )
        if self._reverter and self._request.only is not None:  # not the first round
            before = [each for each in result.conflicts if each.key not in self._request.only]
            result = replace(result, conflicts=[*before, *plan.conflicts])
        return self._with_sight(result, sight)

    def _with_sight(self, result: RestoreResult, sight: Sight) -> RestoreResult:
        """Return the result with what was seen last added. What comes after a revert stays."""
        if not self._reverter:
            return result.with_sight(sight)
        later = [key for key, why in sight.why.items() if why in (Why.WRITTEN, Why.DELETED)]
        why = {key: why for key, why in sight.why.items() if key not in later}
        return result.with_sight(sight._replace(why=why)).with_later(later)

    def _conclude(
        self, result: RestoreResult, live_state: LiveState, entries: Entries
    ) -> RestoreResult:
        """Commit the restored state, so that HEAD is what the database holds.

        If some keys are not as they should be, the restore stays in the journal as unfinished.
        """
        journal = self._repository.journal
        recorded = None
        try:
            for _ in range(LOOKS if self._home else 1):
                journal.reach(State.RECORDING if result.whole else State.WRITING)
                recorded = self._record(result, live_state) or recorded
                sight = self._final_check.look_again(live_state, entries)
                if sight is None:  # reading it all made the server let no more go
                    break
                result = self._with_sight(result, sight)
        except GitbackupError as error:
            return replace(result, applied=True, recorded=recorded, unrecorded=str(error))
        journal.reach(State.DONE if result.whole else State.WRITING)
        return replace(result, applied=True, recorded=recorded)

    def _record(self, result: RestoreResult, live_state: LiveState) -> str | None:
        """Commit the state that the restore has made. Return None if there is no commit."""
        if not self._home:
            return None
        if not result.whole:
            return self._record_all(result.short)
        request = self._request
        plan = live_state.plan
        target = self._commit
        all_read = not live_state.capture.live.functions_refused and self._settled == target.scope
        indexes = live_state.capture.live.search_indexes or target.has_indexes
        all_read = all_read and (self._touched.search or not indexes)
        all_read = all_read and self._as_stored and not (result.accepted or plan.unsupported)
        all_read = all_read and target.by_gitbackup
        if all_read and request.everything and plan.keys and not plan.expired:
            with suppress(Busy):  # whoever committed meanwhile did not see all of it
                files, keys = target.entries.files, target.counts
                return commits.commit_after(
                    self._repository, live_state, request, files, keys, self._saved, self._replaced
                )
        return self._record_all()

    def _record_all(self, short: str = "") -> str | None:
        """Read all of the live database and commit it; `short` says what is not as it should be."""
        if not self._home:
            return None
        facts = trailers(DONE, self._request, self._replaced, self._server.node_ids)
        title = ", ".join(filter(None, [commits.title(self._request), short]))
        while True:
            head = self._repository.head()
            live = SnapshotReader(self._server, self._settled, self._progress)
            try:
                return commit(self._repository, live, title, False, trailers=facts).commit
            except Busy:  # somebody else committed while all was read: it is read again then
                if self._repository.head() == head:
                    raise
