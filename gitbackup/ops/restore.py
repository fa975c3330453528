"""`restore`: the live database becomes a commit's again, and nothing is lost on the way.

The live values that differ from HEAD are committed first. A key that somebody writes to
while the plan is carried out is left alone; what it holds is committed, and the plan is
drawn again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gitbackup.errors import Busy, ServerError
from gitbackup.live.connect import Server
from gitbackup.model import Key, Scope
from gitbackup.ops import apply as applying
from gitbackup.ops.apply import Entries
from gitbackup.ops.commit import changed_paths
from gitbackup.ops.compare import compare
from gitbackup.ops.message import compose
from gitbackup.ops.planning import Wanted, check_snapshot, draw, taken_at
from gitbackup.ops.scan import LiveFiles
from gitbackup.ops.sides import CommitSide, LiveSide, Spool
from gitbackup.ops.take import Taken, take
from gitbackup.patterns import widest
from gitbackup.plan import Clock, Plan
from gitbackup.progress import Progress
from gitbackup.store.repository import Repository

ROUNDS = 10  # plans drawn anew for keys that somebody goes on writing to
Confirm = Callable[[Plan], bool]


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """What `restore` did.

    `saved` is the commit that holds what was overwritten or deleted, None where HEAD held
    it all, and `saved_on` the branch it is on where that is not HEAD's. `applied` is false
    where there was nothing to do, or nobody wanted it done. `busy` keys were written to at
    every try; `refused` ones the server would not take; `differing` ones do not hold what
    they should, once all was done: somebody wrote on, or the server cannot hold it.
    """

    plan: Plan
    applied: bool
    saved: str | None = None
    saved_on: str | None = None
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

    `scope` is what the repository's commits cover; `home` tells whether it is the server
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
        self._covered = check_snapshot(self._commit)
        self._scope = widest(scope, self._covered)
        self._taken_at = taken_at(repository, wanted.commit)

    def plan(self) -> Plan:
        """The plan alone; nothing is written anywhere."""
        with Spool() as spool:
            return self._look(spool).plan

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
                    if not view.plan.keys or not confirm(view.plan):
                        return RestoreResult(view.plan, applied=False)
                    result = RestoreResult(view.plan, applied=True)
                result = self._carry_out(result, view)
            if not result.busy:
                break
        if result is None:
            raise RuntimeError("a restore has at least one round")
        return result

    def _look(self, spool: Spool) -> _View:
        """Reads the live database, and draws the plan."""
        parent = self._repository.head()
        live = LiveFiles(self._server, self._scope, self._progress)
        taken = take(live, CommitSide(self._repository, parent), Repository.blob_id, spool.put)
        side = LiveSide(self._repository, taken.files, spool)
        plan = draw(
            compare(side, self._commit),
            self._wanted,
            self._covered,
            Clock(live.taken_at, self._taken_at),
            str(self._server),
        )
        return _View(plan, taken, parent, side, spool)

    def _carry_out(self, result: RestoreResult, view: _View) -> RestoreResult:
        """One round: save, write, read again."""
        plan = view.plan
        entries = Entries(plan, view.side, self._commit)
        applying.probe(self._server, plan, entries)
        result = self._save(result, view)
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

    def _save(self, result: RestoreResult, view: _View) -> RestoreResult:
        """Commits what the live database holds and HEAD does not, before any of it goes."""
        if not view.taken.differs or not (self._home or view.plan.loses):
            return result
        if self._home and not view.plan.keys:
            return result
        branch = None if self._home else self._branch()
        with self._repository.lock():
            if self._repository.head() != view.parent:
                raise Busy("another run made a commit meanwhile; restore again")
            commit = self._write(view, branch)
        return replace(result, saved=commit, saved_on=branch)

    def _write(self, view: _View, branch: str | None) -> str:
        subject = f"before restore of {self._wanted.commit[:7]}"
        with self._repository.importer(view.parent) as importer:
            for path in view.taken.fresh:
                importer.blob(view.spool.read(view.taken.files[path]))
            commit = importer.commit(compose(view.taken, subject), changed_paths(view.taken))
            if branch:
                importer.save(branch)
            else:
                importer.publish()
        return commit

    def _branch(self) -> str:
        """A branch of its own for the state of a server that the repository is not of."""
        place = re.sub("[^A-Za-z0-9]+", "-", self._server.label).strip("-")
        return f"saved/{place}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"


@dataclass(frozen=True, slots=True)
class _View:
    """The live database as it was read, and the plan that this led to."""

    plan: Plan
    taken: Taken
    parent: str | None
    side: LiveSide
    spool: Spool
