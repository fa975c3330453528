"""`restore`: the live database becomes a commit's again, and nothing is lost on the way.

The live values that differ from HEAD are committed first, and in the end the state that the
restore has made. A key that somebody writes to while the plan is carried out is left alone;
what it holds is committed, and the plan is drawn again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from gitbackup import codec, snapshot
from gitbackup.blocks import merged
from gitbackup.errors import Busy, Damaged, GitbackupError, ServerError, UsageError
from gitbackup.garbage import uncollected
from gitbackup.live.connect import Server
from gitbackup.model import Key, Scope
from gitbackup.ops import apply as applying
from gitbackup.ops import record, steps
from gitbackup.ops.commit import commit
from gitbackup.ops.compare import compare
from gitbackup.ops.decoded import Decoded, Outlines, decoded
from gitbackup.ops.outcome import RestoreResult, telling
from gitbackup.ops.planning import Wanted, as_kept, draw, scope_of, taken_at, touched
from gitbackup.ops.proving import differing
from gitbackup.ops.record import View
from gitbackup.ops.restored import DONE, trailers
from gitbackup.ops.scan import LiveFiles
from gitbackup.ops.sides import CommitSide, LiveSide, Spool, chosen
from gitbackup.ops.sound import counted
from gitbackup.ops.steps import Entries
from gitbackup.ops.take import take
from gitbackup.patterns import matcher, widest
from gitbackup.plan import Clock, Plan
from gitbackup.progress import Progress
from gitbackup.store.repository import Repository

ROUNDS = 10  # plans drawn anew for keys that somebody goes on writing to
Confirm = Callable[[Plan], bool]


class Restorer:
    """One restore of one commit into one server.

    `scope` is what commits cover where HEAD tells none; `home` tells whether it is the server
    that they are taken from, so that what it loses is committed on HEAD's branch.
    """

    def __init__(
        self,
        repository: Repository,
        server: Server,
        wanted: Wanted,
        scope: Scope,
        home: bool,
        progress: Progress,
    ) -> None:
        self._repository = repository
        self._server = server
        self._wanted = wanted
        self._home = home
        self._progress = progress
        self._warnings: list[str] = []
        self._outlines: Outlines = {}
        self._own = repository.seen().blobs()
        whole = Decoded(CommitSide(repository, wanted.commit), self._outlines, self._own)
        self._scope = scope_of(whole)
        self._whole = whole
        self._held: Mapping[int, int] = {}  # keys of the commit by database, once all is checked
        self._commit = decoded(chosen(whole, wanted.how.databases), self._outlines)
        self._touched = touched(wanted.how, self._scope)
        self._expect_covered()
        head = self._head_scope() if home else None
        self._settled = head or scope
        self._taken_at = taken_at(repository, wanted.commit)
        self._seal = repository.tree_id(wanted.commit).encode()
        self._saved: str | None = None  # the commit of the state that this round found
        self._replaced = wanted.unfinished and wanted.unfinished.replaced

    @property
    def resumes(self) -> bool:
        """Whether it goes on with a restore that was cut off."""
        return self._wanted.unfinished is not None

    def plan(self) -> Plan:
        """The plan alone; nothing is written anywhere. It warns of what the server would refuse."""
        with Spool() as spool, uncollected():
            view = self._look(spool)
            self._expect_some(view)
            entries = Entries(view.plan, view.side, self._commit)
            try:
                steps.probe(self._server, view.plan, entries)
            except ServerError as error:
                return _warned(view.plan, f"it cannot be carried out: {error}")
            return _warned(view.plan, *steps.warnings(self._server, view.plan, entries))

    def run(self, confirm: Confirm) -> RestoreResult:
        """Gives the plan to `confirm`, and where that is true carries it out.

        Raises ServerError, Busy or Damaged; the same restore, run again, finishes then.
        """
        if self._server.replica:
            raise ServerError(f"{self._server.label} is a read-only replica; name its primary")
        with self._repository.beside("restoring"), uncollected():
            return self._run(confirm)

    def _run(self, confirm: Confirm) -> RestoreResult:
        result: RestoreResult | None = None
        for _ in range(1 if self._wanted.kept else ROUNDS):
            with Spool() as spool:
                view = self._look(spool)
                entries = Entries(view.plan, view.side, self._commit)
                if result is None:
                    result = self._begin(view, entries, confirm)
                    if not result.applied:
                        return self._nothing_to_do(result, view)
                result = self._carry_out(result, view, entries)
                if not result.busy:
                    return self._conclude(result, view)
        if result is None:
            raise RuntimeError("a restore has at least one round")
        return result

    def _begin(self, view: View, entries: Entries, confirm: Confirm) -> RestoreResult:
        """Makes sure, as far as it can be told beforehand, that it can be done, and asks."""
        self._expect_some(view)
        steps.probe(self._server, view.plan, entries)
        plan = _warned(view.plan, *steps.warnings(self._server, view.plan, entries))
        return RestoreResult(plan, applied=bool(plan.keys) and confirm(plan))

    def _nothing_to_do(self, result: RestoreResult, view: View) -> RestoreResult:
        """What an earlier run left is ended all the same."""
        if result.plan.keys:  # somebody said no
            return result
        applying.sweep(self._server, view.taken.live.left_over)
        return self._conclude(result, view) if self.resumes else result

    def _expect_covered(self) -> None:
        """Raises UsageError for a database that the commit has nothing to say of."""
        scope = self._scope
        source = self._wanted.name or f"commit {self._wanted.commit[:7]}"
        for of, to in self._wanted.how.databases or ():
            if scope.databases is not None and of not in scope.databases:
                raise UsageError(f"{source} does not cover database {of}")
            if of != to and not any(path.startswith(f"db{of}/") for path in self._whole.files):
                raise UsageError(f"{source} has no key in database {of}")

    def _expect_some(self, view: View) -> None:
        """Raises UsageError where what was chosen is no key of the commit, nor a live one."""
        plan, how, source = view.plan, self._wanted.how, self._wanted.source
        if plan.keys or plan.expired or plan.kept or not how.narrowed:
            return
        matches = matcher(how.patterns)
        if how.patterns and not any(matches(codec.data(key.name)) for key in self._keys()):
            named = " ".join(map(repr, how.patterns))
            raise UsageError(f"no key of {source} matches {named}; nothing was restored")
        empty = [of for of, _ in how.databases or () if of not in self._held]
        if empty and self._scope.databases is None:
            raise UsageError(
                f"neither {source} nor the server has a key in database {empty[0]};"
                " nothing was restored"
            )

    def _keys(self) -> Iterator[Key]:
        """Every key of the commit that is in a chosen database."""
        for path in filter(snapshot.is_data, self._commit.files):
            yield from self._commit.entries(path)

    def _head_scope(self) -> Scope | None:
        """The scope of HEAD's snapshot; None where there is none to be read."""
        side = CommitSide(self._repository, self._repository.head())
        if snapshot.MANIFEST not in side.files:
            return None
        try:
            return snapshot.read_manifest(side.read(snapshot.MANIFEST))
        except Damaged as error:
            self._warnings.append(f"HEAD's scope cannot be read, the settings' serves: {error}")
            return None

    def _look(self, spool: Spool) -> View:
        """Reads the live database, and draws the plan."""
        parent, wanted = self._repository.head(), self._wanted
        live = LiveFiles(self._server, widest(self._settled, self._touched), self._progress)
        known = Decoded(CommitSide(self._repository, parent), self._outlines, self._own)
        seen = self._repository.seen()
        taken = take(live, known, Repository.blob_id, spool, seen=seen)
        side = decoded(LiveSide(self._repository, taken.files, spool))
        self._held = self._held or counted(self._whole, side, live)
        into = wanted.how.databases and [(to, to) for _, to in wanted.how.databases]
        plan = draw(
            compare(chosen(side, into), self._commit),
            wanted,
            self._touched,
            wanted.kept.clock if wanted.kept else Clock(live.taken_at, self._taken_at),
            str(self._server),
            self._seal,
        )
        if wanted.kept:
            plan = as_kept(plan, wanted.kept, begun=self.resumes or not self._home)
        return View(_warned(plan, *self._warnings), taken, parent, side, spool, seen)

    def _carry_out(self, result: RestoreResult, view: View, entries: Entries) -> RestoreResult:
        """One round: save, write, read again."""
        plan = view.plan
        steps.probe(self._server, plan, entries)  # the question may have taken long
        result = self._save(result, view)
        with telling(result):
            applying.sweep(self._server, view.taken.live.left_over)
            applied = applying.apply(self._server, plan, entries, self._progress, view.seen)
            arrived = applied.unproved
            wrong = differing(self._server, plan, entries, arrived, self._progress)
        if self._home:
            view.seen.save()
        failed = {*applied.moved, *applied.refused, *wrong}
        return replace(
            result,
            done=merged(result.done, plan.keys, failed),
            busy=applied.moved,
            refused=list(applied.refused.items()),
            differing=[key for key in wrong if key not in {*applied.moved, *applied.refused}],
        )

    def _save(self, result: RestoreResult, view: View) -> RestoreResult:
        """Commits what the live database holds and HEAD does not, before any of it goes."""
        self._saved = None
        if not self._home:
            return self._save_aside(result, view) if view.plan.loses else result
        if not view.taken.differs:
            self._replaced = record.begin(self._repository, view, self._wanted, self._replaced)
            return result
        saved = record.before(self._repository, view, self._wanted, self._replaced)
        self._saved = saved
        self._replaced = self._replaced or saved
        return result.with_saved(saved)

    def _save_aside(self, result: RestoreResult, view: View) -> RestoreResult:
        """Commits it to a branch of its own."""
        if not view.taken.differs:
            return result
        branch = record.branch_for(self._server.label)
        saved = record.before(self._repository, view, self._wanted, None, branch)
        return replace(result.with_saved(saved), saved_on=result.saved_on or branch)

    def _conclude(self, result: RestoreResult, view: View) -> RestoreResult:
        """Commits the state that the restore has made, so that HEAD is what the database holds.

        That is not to be had where some keys are not as they should be.
        """
        if not self._home or not result.whole:
            return result
        try:
            recorded = self._record(view, self._saved)
        except GitbackupError as error:
            return replace(result, applied=True, unrecorded=str(error))
        self._repository.end()
        return replace(result, applied=True, recorded=recorded)

    def _record(self, view: View, saved: str | None) -> str | None:
        wanted = self._wanted
        made = self._repository.commit_info(wanted.commit).trailers
        seen = not view.taken.live.functions_refused
        known = seen and self._settled == self._scope and "Format" in made
        if known and wanted.everything and view.plan.keys and not view.plan.expired:
            with suppress(Busy):  # whoever committed meanwhile did not see all of it
                files, keys = self._commit.files, self._held
                return record.after(
                    self._repository, view, wanted, files, keys, saved, self._replaced
                )
        live = LiveFiles(self._server, self._settled, self._progress)
        facts = trailers(DONE, wanted, self._replaced)
        return commit(self._repository, live, record.title(wanted), False, trailers=facts).commit


def _warned(plan: Plan, *warnings: str) -> Plan:
    return replace(plan, warnings=[*plan.warnings, *warnings])
