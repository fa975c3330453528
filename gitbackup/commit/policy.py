"""When a watch commits, and the message of such a commit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gitbackup import wording
from gitbackup.commit.commit import expect_text
from gitbackup.errors import UsageError
from gitbackup.format import codec
from gitbackup.format.patterns import apart, matcher, may_name_library
from gitbackup.model.changes import Counts, KeyChange, Summary

CHANGES = "{changes}"
_PLACEHOLDER = re.compile(r"\{(\w*)\}")
_SAMPLE = Summary(Counts(), {}, (), "changes")


@dataclass(frozen=True, slots=True)
class CommitPolicy:
    """Which changes count, how long to wait for more of them, and the message of the commit.

    A change counts if its key, or library, matches one of the globs `match` (any, if there are
    none) and none of `quiet`. There is a commit once none has counted for `wait` seconds, and
    `max_wait` seconds after the first at the latest. In the message `template`, `{changes}` stands
    for what changed, `{counts}` for how many keys.

    Raises UsageError if `max_wait` is less than `wait`, and for a template that is empty or has
    another placeholder.
    """

    match: Sequence[str] = ()
    quiet: Sequence[str] = ()
    wait: float = 2.0
    max_wait: float = 60.0
    template: str = CHANGES

    def __post_init__(self) -> None:
        if not 0 <= self.wait <= self.max_wait:
            longest, least = wording.option("--max-wait"), wording.option("--idle", "quiet")
            raise UsageError(f"{longest} is shorter than {least}")
        expect_text(self.message(_SAMPLE))

    def message(self, summary: Summary) -> str:
        """Return the message of a commit of these changes."""
        values = {"changes": summary.subject, "counts": str(summary.counts)}

        def fill(placeholder: re.Match[str]) -> str:
            if placeholder[1] not in values:
                known = " and ".join(f"{{{name}}}" for name in values)
                raise UsageError(f"unknown placeholder {placeholder[0]}: use {known}")
            return values[placeholder[1]]

        return _PLACEHOLDER.sub(fill, self.template)

    def counts_names(self, names: set[bytes]) -> bool:
        """Return whether one of these keys counts."""
        if not names:
            return False
        matches, is_quiet = matcher(self.match), matcher(self.quiet) if self.quiet else None
        return any(matches(name) and not (is_quiet and is_quiet(name)) for name in names)

    def counts_changes(self, changes: Sequence[KeyChange]) -> bool:
        """Return whether one of these changes counts."""
        matches, (loud, _) = matcher(self.match), apart(changes, self.quiet)
        return any(matches(codec.data(change.key.name)) for change in loud)

    @property
    def counts_libraries(self) -> bool:
        """Return whether a library may count."""
        return may_name_library(self.match)


class Debouncer:
    """A timer that fires when it is time to commit. Instants are seconds of one clock."""

    def __init__(self, policy: CommitPolicy) -> None:
        self._policy = policy
        self._first: float | None = None  # when the first change came
        self._last = self._not_before = float("-inf")

    @property
    def is_set(self) -> bool:
        """Return whether there was a change since it was stopped."""
        return self._first is not None

    def set(self, now: float) -> None:
        """Note that something has changed that counts."""
        self._first = now if self._first is None else self._first
        self._last = now

    def stop(self) -> None:
        """Do not fire before the next change."""
        self._first, self._not_before = None, float("-inf")

    def hold(self, until: float) -> None:
        """Do not fire before this instant."""
        self._not_before = until

    def fires_in(self, now: float) -> float:
        """Return in how many seconds it fires if nothing changes; infinity if it is not set."""
        if self._first is None:
            return float("inf")
        due = min(self._last + self._policy.wait, self._first + self._policy.max_wait)
        return max(due, self._not_before) - now
