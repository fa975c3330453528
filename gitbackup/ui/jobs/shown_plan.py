"""A plan while somebody looks at it: its keys a page at a time, with what changes inside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Lock
from types import TracebackType
from typing import NamedTuple, Self

from gitbackup.format.codec import whole_number
from gitbackup.model.changes import KeyDiff
from gitbackup.model.file_groups import count_by_prefix, unordered
from gitbackup.model.keys import Key, Space
from gitbackup.model.safety.alarm import AlarmRule
from gitbackup.plan.plan import Plan, PlannedKey

LISTED = 100_000
"""Keys that can be looked at one by one; more are only counted."""

PAGE = 50
"""Keys on a page."""

RULE = AlarmRule()
"""Which deletions are so many that their number has to be typed."""


class View(NamedTuple):
    """Which keys of a plan are looked at: those of a prefix, an action, with a text in their
    name; and which page of them, from 1 on."""

    place: str = ""
    space: str = ""
    action: str = ""
    text: str = ""
    page: int = 1


class Page(NamedTuple):
    """Some keys of a plan, each with its number, and how many there are `of` that are looked
    for."""

    keys: Sequence[tuple[int, KeyDiff]]
    of: int


class ShownPlan:
    """A plan, and inside the block what it changes, for any thread."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.counts = plan.counts
        self.spaces = [*count_by_prefix(plan.keys).items()]
        self._steps = sorted(plan.keys[:LISTED], key=_order)
        self._open = True
        self._one = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._one:
            self._open = False
            self.plan = self.plan.alone()

    @property
    def unlisted(self) -> int:
        """How many keys are only counted."""
        return len(self.plan.keys) - len(self._steps)

    @property
    def deletes_most(self) -> bool:
        """Whether it deletes so much of the database that a person is to type how many keys."""
        return RULE.raises(self.counts.removed, self.plan.live_keys)

    def page(self, view: View) -> Page:
        """Return the keys of a page with what changes inside them; none once the plan is let go."""
        numbers = [at for at, step in enumerate(self._steps) if _fits(step, view)]
        some = numbers[(view.page - 1) * PAGE : view.page * PAGE]
        with self._one:
            steps = [self._steps[at] for at in some] if self._open else []
            keys = [*zip(some, self.plan.differences(steps), strict=bool(steps))]
        return Page(keys, len(numbers))

    def chosen(self, spaces: Sequence[str], numbers: Sequence[str]) -> set[Key]:
        """Return the keys of prefixes, by their numbers in `spaces`, and keys by their own."""
        named = {self.spaces[at][0] for at in _valid(spaces, len(self.spaces))}
        keys = {self._steps[at].key for at in _valid(numbers, len(self._steps))}
        every = (step.key for step in unordered(self.plan.keys)) if named else ()
        return keys | {key for key in every if key.space in named}


def _order(step: PlannedKey) -> tuple[int, Space, str]:
    return step.key.db, step.key.space, step.key.name


def _fits(step: PlannedKey, view: View) -> bool:
    key = step.key
    return (
        (not view.action or step.action == view.action)
        and (not view.place or key.space == (view.place, view.space))
        and view.text.lower() in key.name.lower()
    )


def _valid(words: Sequence[str], most: int) -> Iterator[int]:
    numbers = (whole_number(word) for word in words)
    return (number for number in numbers if number is not None and number < most)
