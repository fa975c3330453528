"""What has changed in the database since HEAD, as every tab of a site sees it.

Comparing a database with HEAD reads all of it. So it is done in one place, in a thread of its own:
only while a page is looked at, only if the server tells that something was written, and so seldom
that it takes a twentieth of the time at most. A large database is compared only if a reader asks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from gitbackup import Backup
from gitbackup.commit.warnings import is_unfinished_restore
from gitbackup.compare.diff import Status
from gitbackup.errors import GitbackupError
from gitbackup.live.server.pulse import pulse
from gitbackup.progress import SILENT, Progress
from gitbackup.store.repository.repository import Repository
from gitbackup.ui.words.language import later

LARGE = 50_000
"""Keys of a database that is compared only if a reader asks."""

PROBED = 3.0
"""Seconds between two questions to the server whether anything was written."""

LEAST = 5.0
"""Seconds between two comparisons, where each takes no time."""

SHARE = 20
"""A comparison is not repeated before so many times what it took."""


class State(StrEnum):
    """What is known of the database."""

    UNKNOWN = "unknown"  # nothing, or nothing of HEAD
    KNOWN = "known"  # how it differs from HEAD
    FAILED = "failed"  # the server cannot be reached, or all else that goes wrong


@dataclass(frozen=True)
class Sight:
    """The database as it was last seen.

    `head` is the commit that it was compared with, None before the first, when there is nothing to
    compare with. `status` is what was found, `at` when it was found so; `stale` tells that
    something was written since. `keys` is how many the server has, None if it does not tell. A
    comparison `waits` for a reader who asks for it, or `looking` is true, and `done` of the keys
    were read. `problem` says what failed. `version` is another one whenever any of that has
    changed.
    """

    state: State = State.UNKNOWN
    head: str | None = None
    status: Status | None = None
    at: datetime | None = None
    keys: int | None = None
    stale: bool = False
    waits: bool = False
    problem: str = ""
    looking: bool = False
    done: int = 0
    version: int = 0

    def knows(self, head: str | None) -> bool:
        """Return whether it tells how the database differs from this commit."""
        return self.state is State.KNOWN and self.head == head


class Live:
    """Looks at the live database for all pages of a site. `opened` returns a new Backup.

    While the site is `busy` with what changes the database, it is not compared.
    """

    def __init__(
        self, opened: Callable[[Progress], Backup], busy: Callable[[], bool] = lambda: False
    ) -> None:
        self._opened = opened
        self._busy = busy
        self._changed = threading.Condition()
        self._sight = Sight()
        self._repository: Repository | None = None
        self._working = False
        self._asked = self._fresh = False
        self._probed = float("-inf")
        self._looked = float("-inf")
        self._took = 0.0
        self._mark: tuple[object, ...] | None = None
        """The mark of the server and HEAD when they were last compared."""

    def sight(self, patience: float = 0.0, *, fresh: bool = False, look: bool = False) -> Sight:
        """Return what is known, and see in the background whether it still holds.

        Where nothing is known of HEAD yet, it is waited for so many seconds; with `fresh`, the
        server is asked at once, and that is waited for. With `look`, the database is compared now,
        however large it is.
        """
        head = self.head()
        with self._changed:
            if look:
                self._asked = True
                self._tell(looking=True)
            self._fresh = self._fresh or fresh
            due = fresh or time.monotonic() - self._probed >= PROBED or self._is_behind(head)
            if not self._working and (due or self._asked):
                self._working = True
                threading.Thread(target=self._work, name="live", daemon=True).start()
            self._changed.wait_for(
                lambda: not self._working or (self._sight.knows(head) and not fresh), patience
            )
            return self._sight

    def _is_behind(self, head: str | None) -> bool:
        return self._sight.state is State.KNOWN and self._sight.head != head

    def head(self) -> str | None:
        """Return the id of HEAD's commit, None before the first: what may be asked often."""
        with self._changed:
            if self._repository is None:
                self._repository = self._opened(SILENT).repository
            return self._repository.head() if self._repository else None

    def _work(self) -> None:
        """See whether anything was written, and compare if so; again for who asked meanwhile."""
        done = False
        while not done:
            try:
                self._see()
            except (GitbackupError, OSError) as error:
                self._tell(state=State.FAILED, problem=str(error))
            except Exception:  # which is told in the terminal
                problem = later("This page has a fault; the terminal says where.")
                self._tell(state=State.FAILED, problem=problem)
                self._ends(broken=True)
                raise
            done = self._ends()

    def _ends(self, broken: bool = False) -> bool:
        """Return whether the work is over, which it is not for who has asked since it began."""
        with self._changed:
            self._tell(looking=False, done=0)
            if (self._asked or self._fresh) and not broken:
                return False
            self._working = False
            self._probed = time.monotonic()
            self._changed.notify_all()
            return True

    def _see(self) -> None:
        with self._changed:
            asked, self._asked = self._asked, False
            fresh, self._fresh = self._fresh, False
        backup = self._opened(_Counted(self._tell))
        head = backup.repository.head() if backup.repository else None
        seen = pulse(backup.server)
        mark = seen.mark and (*seen.mark, head or "")
        known = self._sight.head == head and self._sight.status is not None
        waits = seen.keys is None or seen.keys > LARGE
        now = {"keys": seen.keys, "waits": waits, "problem": ""}
        if head is None:
            self._tell(state=State.KNOWN, head=None, status=None, stale=False, **now)
        elif known and not asked and mark is not None and mark == self._mark:
            self._tell(state=State.KNOWN, at=datetime.now(UTC), stale=False, **now)
        elif asked or not (waits or self._busy() or self._is_too_soon(known and not fresh)):
            self._tell(looking=True, **now)
            self._look(backup, head, mark)
        else:
            state = State.KNOWN if known else State.UNKNOWN
            self._tell(state=state, stale=known and mark is not None, **now)

    def _is_too_soon(self, known: bool) -> bool:
        """Return whether the last comparison is only just over; of a HEAD that is not `known`, or
        for a person who asks anew, it may be nearer."""
        waited = time.monotonic() - self._looked
        return waited < (max(LEAST, SHARE * self._took) if known else self._took)

    def _look(self, backup: Backup, head: str, mark: tuple[object, ...] | None) -> None:
        began, at = time.monotonic(), datetime.now(UTC)
        status = backup.status()
        told = [each for each in status.warnings if not is_unfinished_restore(each)]
        status = replace(status, warnings=told)  # of those the page itself tells what stands now
        self._looked = time.monotonic()
        self._took = self._looked - began
        found = status.head.id if status.head else None
        self._mark = mark if found == head else None
        self._tell(
            state=State.KNOWN,
            head=found,
            status=status,
            at=at,
            keys=status.keys,
            stale=False,
            looking=False,
        )

    def _tell(self, **changes: object) -> None:
        with self._changed:
            sight = replace(self._sight, **changes)  # type: ignore[arg-type]  # its own fields
            quiet = replace(sight, at=self._sight.at)
            if quiet != self._sight:
                sight = replace(sight, version=self._sight.version + 1)
            self._sight = sight
            self._changed.notify_all()


class _Counted:
    """A Progress that tells how many keys were read, now and then."""

    def __init__(self, tell: Callable[..., None]) -> None:
        self._tell = tell
        self._done = 0
        self._told = 0.0
        self._counts = False

    def start(self, what: str, total: int | None, unit: str = "keys") -> None:
        self._counts = unit == "keys"
        self._done = 0

    def advance(self, count: int) -> None:
        self._done += count
        if self._counts and time.monotonic() - self._told > 1:
            self._told = time.monotonic()
            self._tell(done=self._done)

    def finish(self) -> None:
        pass
