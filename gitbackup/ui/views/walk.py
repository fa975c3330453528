"""A long history a part at a time: what it holds is looked at until time is up, and later on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

from gitbackup.errors import UsageError
from gitbackup.history.key_log import CommitChanges, trace
from gitbackup.history.search import Wanted, every_change
from gitbackup.history.selector import KeySelector
from gitbackup.history.walker import HistoryStep, HistoryWalker
from gitbackup.model.commits import Selection
from gitbackup.plan.plan_json import ID
from gitbackup.redact import Redaction
from gitbackup.store.repository.repository import Repository

PATIENCE = 3.0
"""Seconds for one part."""

MOST_ENDS = 50
"""Commits that a part begins with: one, but where the history has parted."""


T = TypeVar("T")


class Part(NamedTuple, Generic[T]):
    """What is shown of a part of a history, of so many commits looked at.

    `ends` are the commits to go on from; none if that was all.
    """

    found: Sequence[T]
    looked: int
    ends: Sequence[str]


def walked(
    repository: Repository,
    selector: KeySelector,
    redaction: Redaction,
    ends: Sequence[str],
    most: int,
    show: Callable[[CommitChanges], T],
    wanted: Wanted = every_change,
    text: bytes | None = None,
    begin: Callable[[str], None] = lambda commit: None,
) -> Part[T]:
    """Return what `show` makes of what commits have changed of some keys, from these commits back.

    No more than one commit's changes are in memory at a time, for values may be large.

    It ends with the commit that has the last of `most` changes, or at which time is up. `text` is
    as for HistoryWalker; `begin` is told of each commit before `wanted` is asked about it.
    """
    selection = Selection(tuple(ends), topological=True)
    steps = _Steps(HistoryWalker(repository, selector, text).steps(selection), ends, begin)
    found = [show(each) for each in islice(trace(steps, selection, redaction, wanted), most)]
    return Part(found, steps.looked, [*steps.ends])


def ends_of(text: str) -> list[str]:
    """Return the commits that an address names, parted by commas. Raises UsageError for others."""
    ends = text.split(",") if text else []
    if len(ends) > MOST_ENDS or not all(map(ID.fullmatch, ends)):
        raise UsageError("this address does not say from which commits to go on")
    return ends


class _Steps:
    """Steps until time is up, and where those begin that are left.

    No step comes before one of a later commit. So the parents of the steps so far that were no
    steps themselves, and all that came before them, are what is left.
    """

    def __init__(
        self, steps: Iterator[HistoryStep], ends: Sequence[str], begin: Callable[[str], None]
    ) -> None:
        self._steps, self._begin = steps, begin
        self._until = time.monotonic() + PATIENCE
        self.ends = dict.fromkeys(ends)
        self.looked = 0

    def __iter__(self) -> Iterator[HistoryStep]:
        for step in self._steps:
            self.looked += 1
            self.ends.pop(step.record.id, None)
            self.ends.update(dict.fromkeys(step.record.parents))
            self._begin(step.record.id)
            yield step
            if time.monotonic() > self._until:
                return
