"""The keys of a diff, by database and namespace."""

from __future__ import annotations

from collections.abc import Iterator

from gitbackup.model.changes import KeyChange, Summary
from gitbackup.report.style.color import Style, paint
from gitbackup.report.text.sentences import titled

Namespace = tuple[int, str]


def group_of(change: KeyChange) -> Namespace:
    """The database and the namespace that a key is told in."""
    return change.key.db, change.key.namespace


def order(change: KeyChange) -> tuple[Namespace, str]:
    """How the keys of a diff are sorted for a person: by database, by namespace, by name."""
    return group_of(change), change.key.name


class Headings:
    """A heading wherever another namespace begins, unless there is but one.

    A key that is alone in its namespace needs none.
    """

    def __init__(self, summary: Summary) -> None:
        self._counts = summary.namespaces if len(summary.namespaces) > 1 else {}
        self._last: Namespace | None = None
        self._headed = False

    def above(self, change: KeyChange) -> Iterator[str]:
        """What stands above a key: nothing, mostly."""
        group, first = group_of(change), self._last is None
        if not self._counts or group == self._last:
            return
        alone = self._size(change) == 1
        if not first and (self._headed or not alone):
            yield ""
        if not alone:
            yield paint(Style.GROUP, self._heading(change))
        self._last, self._headed = group, not alone

    def _size(self, change: KeyChange) -> int:
        counts = self._counts[change.key.place, change.key.namespace]
        return counts.added + counts.changed + counts.removed

    def _heading(self, change: KeyChange) -> str:
        place = change.key.place, change.key.namespace
        return f"{titled(*place)}: {self._counts[place]}"
