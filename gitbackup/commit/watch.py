"""`watch`: commits by itself, whenever keys have changed and things are quiet again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from gitbackup.capture.capture import Capture, compared
from gitbackup.capture.consistency import FullRescanNeeded
from gitbackup.commit.commit import CommitResult, changed_paths, doubts, hushed, record, subject_of
from gitbackup.commit.follower import LiveFollower
from gitbackup.commit.message import compose, consistency, origin
from gitbackup.commit.pending import PendingSnapshot
from gitbackup.commit.policy import CommitPolicy, Debouncer
from gitbackup.errors import Busy, Damaged, GitbackupError, ServerError
from gitbackup.live.read.invalidation import SilentChange
from gitbackup.store.repository.repository import Repository

TURN = 0.2  # seconds in which nothing is looked at but what the server tells
ASK = 1.0  # seconds between two looks at what it does not tell
FIRST_WAIT, LONGEST_WAIT = 0.2, 30.0  # seconds before another try
WORTH_A_WORD = 3.0  # seconds that another run may hold the repository
GATHER = 32  # commits between two looks at the packs that they leave


class Stop(Protocol):
    """Tells whether to stop, and wakes up then; such as threading.Event."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float) -> bool: ...


@dataclass(frozen=True, slots=True)
class Watching:
    """All is read and committed: from now on what changes is."""

    server: str
    keys: int
    head: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong; it is tried again after so many seconds."""

    sentence: str
    wait: float


Event = CommitResult | Watching | Trouble
"""What a watch tells; a CommitResult has a commit then."""


class Watch:
    """One watch of one database, for as long as nobody stops it.

    `connect` gives the database anew each time that it was lost; `clock` tells seconds.
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
        self._began = False
        self._wait = FIRST_WAIT
        self._made = 0  # commits

    def run(self) -> Iterator[Event]:
        """What happens, as it does. First it commits what differs.

        Raises Busy where another run watches, and any GitbackupError that keeps it from
        beginning; later ones are told, and it is tried again.
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
                    self._stop.wait(self._later())

    def _watch(self, live: LiveFollower) -> Iterator[Event]:
        """Commits what differs, then what changes; ends where all has to be read anew."""
        word, quiet = self._policy.word, self._policy.quiet
        with self._repository.beside("restoring", 0):  # half of a restore is no state to keep
            capture, result = record(self._repository, live, word, False, quiet)
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
        """Commits what changes, until it is stopped or all has to be read anew."""
        debouncer = Debouncer(self._policy)
        asked = self._clock()
        counts = self._policy.counted(live.dirty)
        while not self._stop.is_set():
            now = self._clock()
            if now >= asked + ASK:
                counts |= self._ask(live)
                asked = now
            if counts or (live.upset and not debouncer.is_set):
                debouncer.set(now)
            if debouncer.rings_in(now) <= 0:
                if not live.upset:
                    yield from self._attempt(live, pending, debouncer)
                if live.upset:
                    return
            turn = max(0.0, min(TURN, debouncer.rings_in(self._clock())))
            counts = self._policy.counted(live.listen(turn, pending))

    def _attempt(
        self, live: LiveFollower, pending: PendingSnapshot, debouncer: Debouncer
    ) -> Iterator[Event]:
        """Commits, or tells why not: then it is tried again."""
        debouncer.stop()
        try:
            if result := self._commit(live, pending):
                yield result
            self._wait = FIRST_WAIT
            if self._policy.counted(live.dirty):
                debouncer.set(self._clock())
        except FullRescanNeeded:
            live.upset = True
        except ServerError:
            raise
        except GitbackupError as error:
            yield from self._trouble(error)
            debouncer.set(self._clock())
            debouncer.hold(self._clock() + self._later())

    def _ask(self, live: LiveFollower) -> bool:
        """Whether something that counts may have changed without an invalidation."""
        told = live.ask()
        if SilentChange.LIBRARIES in told and self._policy.of_libraries:
            return True
        return SilentChange.KEYS in told and self._policy.counted(live.silent_keys())

    def _commit(self, live: LiveFollower, pending: PendingSnapshot) -> CommitResult | None:
        """Commits what has changed; None where none of it counts: then it waits for the next."""
        repository = self._repository
        with repository.beside("restoring", 0):
            live.catch_up(pending)
            with repository.lock(0):
                self._look_at_head(pending)
                paths = sorted(pending.paths)
                capture = hushed(compared(live, pending.known, pending, paths), self._policy.quiet)
                if not self._policy.count(capture.changes):
                    return None
                return self._record(capture, pending)

    def _look_at_head(self, pending: PendingSnapshot) -> None:
        """Another run, or a person, may have committed meanwhile: what differs from that counts."""
        head = self._repository.head()
        try:
            if head != pending.head:
                pending.follow(head or "")
        except (Damaged, ValueError):
            raise FullRescanNeeded from None

    def _record(self, capture: Capture, pending: PendingSnapshot) -> CommitResult:
        parent, message = pending.head, self._policy.word(capture.summary)
        with self._repository.importer(parent) as importer:
            for blob_id in (capture.files[path] for path in capture.fresh):
                if blob_id in pending.spool:
                    importer.put(blob_id, pending.spool.read(blob_id))
            whole = compose(message, capture.summary, origin(capture))
            commit = importer.commit(whole, changed_paths(capture))
            importer.publish()
        pending.committed(commit)
        live, warnings = capture.live, [*capture.warnings, *doubts(capture), *self._gather()]
        subject, keys = subject_of(message), live.total
        told = consistency(live)
        return CommitResult(commit, subject, parent, keys, capture.summary, told, warnings)

    def _gather(self) -> list[str]:
        """Joins the packs of many commits. What goes wrong with it is only worth a word."""
        self._made += 1
        try:
            if self._made % GATHER == 0:
                self._repository.gather()
        except GitbackupError as error:
            return [f"the commit was made, but git could not combine its packs: {error}"]
        return []

    def _trouble(self, error: GitbackupError) -> Iterator[Trouble]:
        """Tells of it, but for a repository that is held for a moment only."""
        brief = isinstance(error, Busy) and self._wait < WORTH_A_WORD
        if not (brief or self._stop.is_set()):
            yield Trouble(str(error), self._wait)

    def _later(self) -> float:
        """How long to wait before another try: each time longer."""
        wait, self._wait = self._wait, min(self._wait * 2, LONGEST_WAIT)
        return wait
