"""The settings of a Backup's data repository: a method for each thing to do with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gitbackup.backup.workspace import Workspace

if TYPE_CHECKING:
    from gitbackup.settings import InForce


class Config:
    """What is in force in a data repository, and changing its own part of that.

    The names are `url`, `include`, `exclude`, `quiet`, `redact`, `push`, `push-to`, `rdbDir`, and
    those of model.access; they are `gitbackup.<name>` in git's config. Every method raises
    UsageError for another name, and for a value that cannot be; nothing is changed then.
    """

    def __init__(self, at: Workspace) -> None:
        self._at = at

    def in_force(self, name: str | None = None, url_from: str = "the caller") -> Sequence[InForce]:
        """The values that are in force, of one setting or of all.

        `url_from` tells where the URL of this object is from, if it has one.
        """
        from gitbackup import settings

        known = settings.named(name).name if name else None
        found = settings.in_force(self._at.history, self._at.url, url_from)
        return [each for each in found if known in (None, each.name)]

    def set(self, name: str, *values: str) -> None:
        """Makes these the repository's own values, in place of those that it had."""
        from gitbackup import settings

        settings.put(self._at.history, name, values)

    def unset(self, name: str) -> None:
        """Takes all of the repository's own values away."""
        self.set(name)

    def add(self, name: str, *values: str) -> None:
        """Adds values to a setting that may have many."""
        from gitbackup import settings

        settings.add(self._at.history, name, values)

    def remove(self, name: str, value: str) -> None:
        """Takes one value away. Raises UsageError where the repository has no such one itself."""
        from gitbackup import settings

        settings.remove(self._at.history, name, value)
