"""When a watch commits, and how it words that."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gitbackup.commit.commit import expect_text
from gitbackup.errors import UsageError
from gitbackup.format import codec
from gitbackup.format.patterns import apart, matcher, may_name_library
from gitbackup.model.changes import Counts, KeyChange, Summary
from gitbackup.model.keys import Key

CHANGES = "{changes}"
_PLACE = re.compile(r"\{(\w*)\}")
_SAMPLE = Summary(Counts(), {}, (), "changes")


@dataclass(frozen=True, slots=True)
class CommitPolicy:
    """When to commit, and how to word it.

    What counts is a change of a key that matches one of the globs `match`, of any where there
    are none, and none of `quiet`; libraries are matched as keys are. Once nothing of that
    has changed for `rest` seconds there is a commit, at the latest after `longest`. `template`
    is a commit's message: `{changes}` in it stands for what changed, `{counts}` for how many
    keys. Raises UsageError for what makes no sense.
    """

    match: Sequence[str] = ()
    quiet: Sequence[str] = ()
    rest: float = 2.0
    longest: float = 60.0
    template: str = CHANGES

    def __post_init__(self) -> None:
        if not 0 <= self.rest <= self.longest:
            raise UsageError("--max-wait is shorter than --quiet")
        expect_text(self.word(_SAMPLE))

    def word(self, summary: Summary) -> str:
        """A commit's message."""
        told = {"changes": summary.subject, "counts": str(summary.counts)}

        def fill(found: re.Match[str]) -> str:
            if found[1] not in told:
                known = " and ".join(f"{{{name}}}" for name in told)
                raise UsageError(f"unknown placeholder {found[0]}: use {known}")
            return told[found[1]]

        return _PLACE.sub(fill, self.template)

    def counted(self, names: set[bytes]) -> bool:
        """Whether one of these keys counts."""
        if not names:
            return False
        matches, hushed = matcher(self.match), matcher(self.quiet) if self.quiet else None
        return any(matches(name) and not (hushed and hushed(name)) for name in names)

    def count(self, changes: Sequence[KeyChange]) -> bool:
        """Whether one of these changes counts."""
        loud, _ = apart(changes, self.quiet)
        return any(self._matches(change.key) for change in loud)

    @property
    def of_libraries(self) -> bool:
        """Whether a library may count."""
        return may_name_library(self.match)

    def _matches(self, key: Key) -> bool:
        return bool(matcher(self.match)(codec.data(key.name)))


class Debouncer:
    """Rings when it is time to commit; it is set by what changes. Instants are in seconds."""

    def __init__(self, policy: CommitPolicy) -> None:
        self._policy = policy
        self._first: float | None = None
        self._last = self._held = float("-inf")

    @property
    def is_set(self) -> bool:
        return self._first is not None

    def set(self, now: float) -> None:
        """Something that counts has changed."""
        self._first = now if self._first is None else self._first
        self._last = now

    def stop(self) -> None:
        self._first, self._held = None, float("-inf")

    def hold(self, until: float) -> None:
        """It does not ring before that."""
        self._held = until

    def rings_in(self, now: float) -> float:
        """How long it is until then, if nothing else changes."""
        if self._first is None:
            return float("inf")
        policy = self._policy
        due = min(self._last + policy.rest, self._first + policy.longest)
        return max(due, self._held) - now
