"""Ask a server in turns: a generator yields commands, and is sent the replies to them.

One that asks so is run by itself, or with others, on connections of their own, in flight at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from gitbackup.errors import ServerError
from gitbackup.kinds import Command
from gitbackup.live.connection.connection import Connection
from gitbackup.live.protocol.error_replies import Redirected

T = TypeVar("T")
Job = TypeVar("Job")
Asking = Generator[list[Command], list[Any], T]
"""Yields commands until it returns; it is sent a reply to each, error replies among them."""


def answered(connection: Connection, asking: Asking[T]) -> T:
    """Run a generator to its end on one connection; return what it returns."""
    replies: list[Any] | None = None
    while True:
        try:
            commands = asking.send(replies)  # type: ignore[arg-type]  # the first is None
        except StopIteration as end:
            returned: T = end.value
            return returned
        replies = connection.ask(commands)


@dataclass(slots=True)
class Lane(Generic[Job]):
    """A connection on which one job is done after the other: `begin` makes the generator of one,
    and `jobs` are those that it shares with other lanes."""

    connection: Connection
    begin: Callable[[Job], Asking[Any]]
    jobs: deque[Job]


def in_flight(lanes: Iterable[Lane[Job]]) -> Iterator[tuple[Job, Any]]:
    """Do all jobs, one on each lane at a time; yield each with what its generator returned.

    It yields the error for a job that ended because another node of a cluster has the key. Raises
    any other ServerError once no command is under way at other nodes.
    """
    running = deque[_UnderWay[Job]]()
    failed = ""  # the node that has failed, if any: it may not answer on other lanes either
    try:
        for lane in lanes:
            running.append(under_way := _UnderWay(lane))
            yield from under_way.start()
        while running:
            under_way = running[0]
            failed = under_way.label
            yield from under_way.turn()
            yield from under_way.start()
            running.rotate(-1) if under_way.sent else running.popleft()
    finally:
        for under_way in running:  # none, unless one has failed
            if under_way.label != failed:
                under_way.end()


class _UnderWay(Generic[Job]):
    """A lane, and the job that is being done on it: the commands that were `sent`."""

    def __init__(self, lane: Lane[Job]) -> None:
        self.sent: list[Command] = []
        self._lane = lane

    @property
    def label(self) -> str:
        """The label of the node."""
        return self._lane.connection.label

    def start(self) -> Iterator[tuple[Job, Any]]:
        """Begin the next job, if none is under way; yield each that has ended already."""
        while self._lane.jobs and not self.sent:
            self._job = self._lane.jobs.popleft()
            self._asking = self._lane.begin(self._job)
            yield from self._go_on(None)

    def turn(self) -> Iterator[tuple[Job, Any]]:
        """Receive replies, and send what comes next; yield the job if it has ended."""
        connection, commands = self._lane.connection, self.sent
        self.sent = []
        if commands:
            replies = connection.receive(len(commands))
            connection.expect(commands, replies)
            yield from self._go_on(replies)

    def end(self) -> None:
        """Receive what is under way, so that nothing is done later on."""
        with suppress(ServerError):
            self._lane.connection.receive(len(self.sent))

    def _go_on(self, replies: list[Any] | None) -> Iterator[tuple[Job, Any]]:
        try:
            commands = self._asking.send(replies)  # type: ignore[arg-type]  # the first is None
        except StopIteration as ended:
            yield self._job, ended.value
        except Redirected as elsewhere:
            yield self._job, elsewhere
        else:
            self._lane.connection.send(commands)
            self.sent = commands
