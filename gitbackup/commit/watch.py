"""`watch`: commit whenever keys have changed and no more of them do for a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from gitbackup.capture.capture import Capture, compared
from gitbackup.capture.consistency import FullRescanNeeded
from gitbackup.commit import alarm
from gitbackup.commit.commit import CommitResult, changed_paths, record, subject_of, with_quiet
from gitbackup.commit.follower import LiveFollower
from gitbackup.commit.message import compose, consistency, origin
from gitbackup.commit.pending import PendingSnapshot
from gitbackup.commit.policy import CommitPolicy, Debouncer
from gitbackup.commit.warnings import doubts
from gitbackup.errors import Busy, Damaged, GitbackupError, ServerError
from gitbackup.live.read.invalidation import SilentChange
from gitbackup.settings import alarm_rule
from gitbackup.store.repository.repository import Repository

TURN = 0.2  # seconds at most to wait for invalidations before looking at anything else
ASK = 1.0  # seconds between two looks for silent changes
FIRST_WAIT, LONGEST_WAIT = 0.2, 30.0  # seconds before another try
SILENT_WAIT = 3.0  # seconds of waiting for another run's lock, after which that is reported
GATHER = 32  # commits after which their packs are joined


class Stop(Protocol):
    """Says whether to stop, and ends a wait when it is so; threading.Event is one."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float) -> bool: ...


@dataclass(frozen=True, slots=True)
class Watching:
    """All has been read and committed; from now on changes are. `head` is the last commit."""

    server: str
    keys: int
    head: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong, and the error's exit code. It is tried again after `wait` seconds."""

    sentence: str
    wait: float
    exit_code: int = GitbackupError.exit_code


Event = CommitResult | Watching | Trouble
"""What a watch reports; a CommitResult always has a commit."""


class Watch:
    """One watch of one database, until `stop` is set.

    `connect` is called for a new connection each time that the last was lost; `clock` returns
    seconds.
    """

    def __init__(
        self,
        repository: Repository,
        connect: Callable[[], LiveFollower],
        policy: CommitPolicy,
        stop: Stop,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._repository = repository
        self._connect = connect
        self._policy = policy
        self._stop = stop
        self._clock = clock
        self._rule = alarm_rule(repository)
        self._began = False
        self._wait = FIRST_WAIT
        self._commits = 0

    def run(self) -> Iterator[Event]:
        """Commit what differs, then what changes; yield each event as it happens.

        Raises Busy if another run watches, and any GitbackupError before the first commit; later
        ones are yielded as Trouble, and it is tried again.
        """
        with self._repository.beside("watching", 0):
            while not self._stop.is_set():
                try:
                    with closing(self._connect()) as live:
                        yield from self._watch(live)
                except GitbackupError as error:
                    if not self._began and not isinstance(error, Busy):
                        raise
                    yield from self._trouble(error)
                    self._stop.wait(self._next_wait())

    def _watch(self, live: LiveFollower) -> Iterator[Event]:
        """Commit what differs, then what changes; end when all has to be read anew."""
        policy = self._policy
        with self._repository.beside("restoring", 0):  # a half-restored state is not committed
            capture, result = record(
                self._repository, live, policy.message, False, policy.quiet, rule=self._rule
            )
        head = result.commit or result.parent
        if head is None:
            raise ValueError("a first commit is always made")
        self._began, self._wait = True, FIRST_WAIT
        if result.commit:
            yield result
        yield Watching(str(live.server), live.total, head)
        with closing(PendingSnapshot(self._repository, head, capture.files)) as pending:
            yield from self._follow(live, pending)

    def _follow(self, live: LiveFollower, pending: PendingSnapshot) -> Iterator[Event]:
        """Commit what changes, until it is stopped or all has to be read anew."""
        debouncer = Debouncer(self._policy)
        asked = self._clock()
        counts = self._policy.counts_names(live.dirty)
        while not self._stop.is_set():
            now = self._clock()
            if now >= asked + ASK:
                counts |= self._ask(live)
                asked = now
            if counts or (live.needs_rescan and not debouncer.is_set):
                debouncer.set(now)
            if debouncer.fires_in(now) <= 0:
                if not live.needs_rescan:
                    yield from self._attempt(live, pending, debouncer)
                if live.needs_rescan:
                    return
            turn = max(0.0, min(TURN, debouncer.fires_in(self._clock())))
            counts = self._policy.counts_names(live.listen(turn, pending))

    def _attempt(
        self, live: LiveFollower, pending: PendingSnapshot, debouncer: Debouncer
    ) -> Iterator[Event]:
        """Commit, or yield the trouble and try again later."""
        debouncer.stop()
        try:
            if result := self._commit(live, pending):
                yield result
            self._wait = FIRST_WAIT
            if self._policy.counts_names(live.dirty):
                debouncer.set(self._clock())
        except FullRescanNeeded:
            live.needs_rescan = True
        except ServerError:
            raise
        except GitbackupError as error:
            yield from self._trouble(error)
            debouncer.set(self._clock())
            debouncer.hold(self._clock() + self._next_wait())

    def _ask(self, live: LiveFollower) -> bool:
        """Return whether something that counts may have changed silently."""
        changes = live.ask()
        if SilentChange.LIBRARIES in changes and self._policy.counts_libraries:
            return True
        if SilentChange.SEARCH in changes:  # which index it is, is only known when they are read
            return True
        return SilentChange.KEYS in changes and self._policy.counts_names(live.silent_keys())

    def _commit(self, live: LiveFollower, pending: PendingSnapshot) -> CommitResult | None:
        """Commit what has changed. Return None if none of it counts: the next commit has it."""
        repository = self._repository
        with repository.beside("restoring", 0):
            live.catch_up(pending)
            with repository.lock(0):
                self._follow_head(pending)
                capture = compared(live, pending.known, pending, sorted(pending.paths))
                if not self._policy.counts_changes(capture.changes):
                    return None
                return self._record(with_quiet(capture, self._policy.quiet), pending)

    def _follow_head(self, pending: PendingSnapshot) -> None:
        """Compare with HEAD if another run, or a person, has committed meanwhile."""
        head = self._repository.head()
        try:
            if head != pending.head:
                pending.follow(head or "")
        except (Damaged, ValueError):
            raise FullRescanNeeded from None

    def _record(self, capture: Capture, pending: PendingSnapshot) -> CommitResult:
        parent, message = pending.head, self._policy.message(capture.summary)
        with self._repository.commit_writer(parent) as writer:
            for blob_id in (capture.files[path] for path in capture.fresh):
                if blob_id in pending.spool:
                    writer.put(blob_id, pending.spool.read(blob_id))
            raised = alarm.raised(capture, pending.known, self._policy.quiet, self._rule)
            facts = alarm.trailers(raised)
            full_message = compose(message, capture.summary, origin(capture), facts)
            commit = writer.commit(full_message, changed_paths(capture))
            writer.publish()
        pending.committed(commit)
        return CommitResult(
            commit,
            subject_of(message),
            parent,
            capture.live.total,
            capture.summary,
            consistency(capture.live),
            [*capture.warnings, *doubts(capture), *self._gather()],
            alarm=raised,
            replicas=capture.live.replicas,
        )

    def _gather(self) -> list[str]:
        """Join the packs of many commits. Return a warning if that fails."""
        self._commits += 1
        try:
            if self._commits % GATHER == 0:
                self._repository.gather()
        except GitbackupError as error:
            return [f"the commit was made, but git could not combine its packs: {error}"]
        return []

    def _trouble(self, error: GitbackupError) -> Iterator[Trouble]:
        """Yield the trouble, unless another run has held the repository only for a moment."""
        brief = isinstance(error, Busy) and self._wait < SILENT_WAIT
        if not (brief or self._stop.is_set()):
            yield Trouble(str(error), self._wait, error.exit_code)

    def _next_wait(self) -> float:
        """Return how many seconds to wait before another try: each time longer."""
        wait, self._wait = self._wait, min(self._wait * 2, LONGEST_WAIT)
        return wait
