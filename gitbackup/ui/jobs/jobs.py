"""Work that goes on whether or not somebody looks: each job in a thread of its own.

A job has its own Backup, and a page under its id, which any browser can come back to. One job at a
time writes; others are told which.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from threading import Condition, Thread

from gitbackup import Backup
from gitbackup.errors import GitbackupError
from gitbackup.progress import Progress

Opened = Callable[[Progress], Backup]

MOST = 30
"""Jobs that are known at most: of those that have ended, the newest."""


class State(StrEnum):
    """How far a job has come."""

    PLANNING = "planning"  # the database is read, to know what would change
    ASKING = "asking"  # its plan is shown, and it waits for an answer
    RUNNING = "running"  # it commits, or writes
    DONE = "done"
    FAILED = "failed"
    LEFT = "left"  # its plan was let go: nobody wants it, or has answered for long


WORKING = (State.PLANNING, State.RUNNING)
"""While it gets on by itself."""

GOES_ON = (*WORKING, State.ASKING)
"""While it is not at its end."""


class Cancelled(Exception):
    """Raised by a Meter in the thread whose work nobody wants any more."""


class Meter:
    """A Progress that is asked, by whoever looks at the job, how far it has come.

    Once it is `cancelled`, whoever tells it anything raises Cancelled.
    """

    def __init__(self) -> None:
        self.what = self.unit = ""
        self.total: int | None = None
        self.done = 0
        self.cancelled = False

    def expect_wanted(self) -> None:
        """Raise Cancelled if nobody wants the work any more."""
        if self.cancelled:
            raise Cancelled

    def start(self, what: str, total: int | None, unit: str = "keys") -> None:
        self.expect_wanted()
        self.what, self.total, self.done, self.unit = what, total, 0, unit

    def advance(self, count: int) -> None:
        self.expect_wanted()
        self.done += count

    def finish(self) -> None:
        self.what, self.total, self.done = "", None, 0


class Job:
    """One thing that is done: `verb` is what the command for it is called.

    `command` has the words of that command. `error` is why it FAILED; None if that is a fault of
    gitbackup, of which the terminal tells.
    """

    verb = ""

    def __init__(self, opened: Opened, command: str) -> None:
        self.id = secrets.token_hex(8)
        self.command = command
        self.began = datetime.now(UTC)
        self.state = State.RUNNING
        self.meter = Meter()
        self.error: GitbackupError | None = None
        self.turn = 0  # how many threads have begun with it
        self._opened = opened

    @property
    def works(self) -> bool:
        """Whether it gets on by itself now."""
        return self.state in WORKING

    def backup(self) -> Backup:
        """Return a Backup for the thread that asks, which tells this job how far it is."""
        return self._opened(self.meter)


Work = Callable[[], State]
"""What a thread does for a job. It returns the state that the job is in then, unless another
thread has begun with the job by that time."""


class Jobs:
    """The jobs of one site."""

    def __init__(self) -> None:
        self._known: dict[str, Job] = {}
        self._changed = Condition()
        self._writing: Job | None = None

    def newest(self) -> list[Job]:
        """Return the jobs that are known, the newest first."""
        with self._changed:
            return [*reversed(self._known.values())]

    def find(self, id_: str) -> Job | None:
        """Return the job of that id; None if there is none, or none any more."""
        return self._known.get(id_)

    def working(self, like: Job) -> Job | None:
        """Return a job that does the same as another one now; None if none does."""
        same = type(like), like.command
        working = (each for each in self.newest() if each.works)
        return next((each for each in working if (type(each), each.command) == same), None)

    def forget(self, job: Job) -> None:
        """Do not know a job any more."""
        with self._changed:
            self._known.pop(job.id, None)

    @property
    def writing(self) -> Job | None:
        """The job that commits or writes now; None if none does."""
        return self._writing

    def look(self, job: Job, work: Work) -> None:
        """Begin a part of a job that only reads."""
        with self._changed:
            self._begin(job, State.PLANNING, work)

    def write(self, job: Job, work: Work, turn: int | None = None) -> bool:
        """Begin the part of a job that commits or writes, if no other does that now.

        With `turn`, only if it still asks what it asked in that turn. Return whether it has begun.
        """
        with self._changed:
            asks = job.state is State.ASKING and not job.meter.cancelled
            if self._writing or (turn is not None and not (asks and job.turn == turn)):
                return False
            self._begin(job, State.RUNNING, work)
            return True

    def cancel(self, job: Job) -> None:
        """Have a job end that only reads, or waits for an answer; one that writes goes on."""
        with self._changed:
            if job.state in (State.PLANNING, State.ASKING):
                job.meter.cancelled = True

    def reach(self, job: Job, state: State) -> None:
        """Note how far a job has come."""
        with self._changed:
            job.state = state
            if state is State.RUNNING:
                self._writing = job
            elif self._writing is job:
                self._writing = None
            self._changed.notify_all()

    def settle(self, job: Job, seconds: float | None = None) -> bool:
        """Wait while a job gets on by itself; return whether it has stopped within that time."""
        with self._changed:
            return self._changed.wait_for(lambda: not job.works, seconds)

    def _begin(self, job: Job, state: State, work: Work) -> None:
        job.error, job.meter, job.turn = None, Meter(), job.turn + 1
        self._known.pop(job.id, None)
        self._known[job.id] = job
        self.reach(job, state)
        past = [each for each in self._known.values() if each.state not in GOES_ON]
        for old in past[:-MOST]:
            del self._known[old.id]
        name = f"{job.verb} {job.id}"
        Thread(target=self._run, args=(job, job.turn, work), name=name, daemon=True).start()

    def _run(self, job: Job, turn: int, work: Work) -> None:
        state, error = State.FAILED, None
        try:
            state = work()
        except GitbackupError as why:
            error = why
        except Cancelled:
            state = State.LEFT
        finally:
            with self._changed:
                if job.turn == turn:
                    job.error = error
                    self.reach(job, state)
