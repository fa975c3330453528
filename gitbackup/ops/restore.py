"""`restore`: the live database becomes a commit's again, and nothing is lost on the way.

The live values that differ from HEAD are committed first, and in the end the state that the
restore has made. A key that somebody writes to while the plan is carried out is left alone;
what it holds is committed, and the plan is drawn again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from gitbackup import codec, snapshot
from gitbackup.errors import Busy, GitbackupError, ServerError, UsageError
from gitbackup.live.connect import Server
from gitbackup.model import Key, Scope
from gitbackup.ops import apply as applying
from gitbackup.ops import record
from gitbackup.ops.apply import Entries
from gitbackup.ops.commit import commit
from gitbackup.ops.compare import compare
from gitbackup.ops.planning import Wanted, check_snapshot, draw, taken_at
from gitbackup.ops.record import View
from gitbackup.ops.scan import LiveFiles
from gitbackup.ops.sides import CommitSide, LiveSide, Side, Spool
from gitbackup.ops.take import take
from gitbackup.patterns import matcher, widest
from gitbackup.plan import Clock, Plan
from gitbackup.progress import Progress
from gitbackup.store.repository import Repository

ROUNDS = 10  # plans drawn anew for keys that somebody goes on writing to
Confirm = Callable[[Plan], bool]


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """What `restore` did.

    `saved` is the commit that holds what was overwritten or deleted, None where HEAD held
    it all, and `saved_on` the branch it is on where that is not HEAD's. `recorded` is the
    commit that holds the state since, None where there is none, for the reason that
    `unrecorded` gives, if any. `applied` is false where there was nothing to do, or nobody
    wanted it done. `busy` keys were written to at
    every try; `refused` ones the server would not take; `differing` ones do not hold what
    they should, once all was done: somebody wrote on, or the server cannot hold it.
    """

    plan: Plan
    applied: bool
    saved: str | None = None
    saved_on: str | None = None
    recorded: str | None = None
    unrecorded: str = ""
    verified: int = 0
    busy: Sequence[Key] = ()
    refused: Sequence[tuple[Key, str]] = ()
    differing: Sequence[Key] = ()

    @property
    def whole(self) -> bool:
        """Whether every key of the plan holds what the commit does."""
        return not (self.busy or self.refused or self.differing)


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
        self._commit = CommitSide(repository, wanted.commit)
        self._checked = check_snapshot(self._commit)
        head = _scope_of(CommitSide(repository, repository.head()))
        self._settled = head if home and head else scope
        self._taken_at = taken_at(repository, wanted.commit)
        self._saved: str | None = None  # the commit of the state that this round found

    @property
    def resumes(self) -> bool:
        """Whether it goes on with a restore that was cut off."""
        return self._wanted.resumed

    def plan(self) -> Plan:
        """The plan alone; nothing is written anywhere. It warns of what the server would refuse."""
        with Spool() as spool:
            view = self._look(spool)
            self._expect_some(view)
            try:
                entries = Entries(view.plan, view.side, self._commit)
                applying.probe(self._server, view.plan, entries)
            except ServerError as error:
                warnings = [*view.plan.warnings, f"it cannot be carried out: {error}"]
                return replace(view.plan, warnings=warnings)
            return view.plan

    def run(self, confirm: Confirm) -> RestoreResult:
        """Gives the plan to `confirm`, and where that is true carries it out.

        Raises ServerError, Busy or Damaged; the same restore, run again, finishes then.
        """
        if self._server.replica:
            raise ServerError(f"{self._server.label} is a read-only replica; name its primary")
        result: RestoreResult | None = None
        for _ in range(ROUNDS):
            with Spool() as spool:
                view = self._look(spool)
                if result is None:
                    self._expect_some(view)
                    if not view.plan.keys or not confirm(view.plan):
                        return RestoreResult(view.plan, applied=False)
                    result = RestoreResult(view.plan, applied=True)
                result = self._carry_out(result, view)
                if not result.busy:
                    return self._conclude(result, view)
        if result is None:
            raise RuntimeError("a restore has at least one round")
        return result

    def _expect_some(self, view: View) -> None:
        """Raises UsageError for key patterns that match no key of the commit, nor a live one."""
        plan, patterns = view.plan, self._wanted.patterns
        if patterns and not (plan.keys or plan.expired or plan.kept):
            matches = matcher(patterns)
            if not any(matches(codec.data(key.name)) for key in self._keys()):
                named = " ".join(map(repr, patterns))
                raise UsageError(f"no key of the commit matches {named}; nothing was restored")

    def _keys(self) -> Iterator[Key]:
        """Every key of the commit."""
        for path in filter(snapshot.is_data, self._commit.files):
            yield from snapshot.decode_file(path, self._commit.read(path))

    def _look(self, spool: Spool) -> View:
        """Reads the live database, and draws the plan."""
        parent = self._repository.head()
        chosen = self._wanted.databases
        concerned = self._checked.scope
        if chosen is not None:
            concerned = replace(concerned, databases=chosen, functions=False)
        scope = widest(self._settled, concerned)
        live = LiveFiles(self._server, scope, self._progress)
        taken = take(live, CommitSide(self._repository, parent), Repository.blob_id, spool)
        side = LiveSide(self._repository, taken.files, spool)
        plan = draw(
            compare(side, self._commit),
            self._wanted,
            self._checked.scope,
            Clock(live.taken_at, self._taken_at),
            str(self._server),
        )
        return View(plan, taken, parent, side, spool)

    def _carry_out(self, result: RestoreResult, view: View) -> RestoreResult:
        """One round: save, write, read again."""
        plan = view.plan
        entries = Entries(plan, view.side, self._commit)
        applying.probe(self._server, plan, entries)
        result = self._save(result, view)
        with _telling(result):
            applying.sweep(self._server, view.taken.live.left_over)
            applied = applying.apply(self._server, plan, entries, self._progress)
            wrong = applying.differing(self._server, plan, entries, self._progress)
        left = {*applied.moved, *applied.refused}
        return replace(
            result,
            busy=applied.moved,
            refused=list(applied.refused.items()),
            differing=[key for key in wrong if key not in left],
            verified=result.verified + len(plan.keys) - len({*wrong, *left}),
        )

    def _save(self, result: RestoreResult, view: View) -> RestoreResult:
        """Commits what the live database holds and HEAD does not, before any of it goes."""
        self._saved = None
        if not view.taken.differs or not (self._home or view.plan.loses):
            return result
        branch = None if self._home else record.branch_for(self._server.label)
        saved = record.before(self._repository, view, self._wanted, branch)
        self._saved = None if branch else saved
        return replace(result, saved=saved, saved_on=branch)

    def _conclude(self, result: RestoreResult, view: View) -> RestoreResult:
        """Commits the state that the restore has made, so that HEAD is what the database holds.

        That is not to be had where some keys are not as they should be.
        """
        if not self._home or not result.whole:
            return result
        try:
            recorded = self._record(view, self._saved)
        except GitbackupError as error:
            return replace(result, unrecorded=str(error))
        self._repository.end()
        return replace(result, recorded=recorded)

    def _record(self, view: View, saved: str | None) -> str | None:
        made = self._repository.commit_info(self._wanted.commit).trailers
        seen = not view.taken.live.functions_refused
        known = seen and self._settled == self._checked.scope and "Format" in made
        if known and self._wanted.everything and not view.plan.expired:
            with suppress(Busy):  # whoever committed meanwhile did not see all of it
                files, keys = self._commit.files, self._checked.keys
                return record.after(self._repository, view, self._wanted, files, keys, saved)
        live = LiveFiles(self._server, self._settled, self._progress)
        subject = f"restore of {self._wanted.commit[:7]}"
        return commit(self._repository, live, subject, allow_empty=False).commit


@contextmanager
def _telling(result: RestoreResult) -> Iterator[None]:
    """An error in the middle of writing says where that is which has gone already."""
    try:
        yield
    except GitbackupError as error:
        where = f" on the branch {result.saved_on}" if result.saved_on else ""
        saved = f"; what was there is commit {result.saved[:7]}{where}" if result.saved else ""
        raise type(error)(f"the restore was cut off: {error}{saved}") from error


def _scope_of(side: Side) -> Scope | None:
    """The scope of a snapshot; None where there is none."""
    if snapshot.MANIFEST not in side.files:
        return None
    return snapshot.read_manifest(side.read(snapshot.MANIFEST))
