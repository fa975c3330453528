"""The manifests of commits: whether their format is known, and what the snapshots cover."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from gitbackup.errors import Damaged, NewerFormat, TooLarge
from gitbackup.format.patterns import covers
from gitbackup.model.changes import Action, KeyChange
from gitbackup.model.keys import FORMAT, Key, Scope
from gitbackup.snapshot import file_format
from gitbackup.snapshot.sources import content_of
from gitbackup.store.commits.commits import Record
from gitbackup.store.repository.repository import Repository

_OURS = f"\nFormat: {FORMAT}\n"


def scope_in(read: Callable[[], bytes]) -> Scope | None:
    """Return the scope of the manifest that `read` returns; None for a broken one, whose commit can
    be read all the same. Raises NewerFormat for one of a newer format."""
    try:
        content = read()
    except TooLarge:
        return None
    try:
        return file_format.read_manifest(content)
    except NewerFormat:
        raise
    except Damaged:
        return None


class Manifests:
    """The manifests of a repository's commits, each read once."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._known: dict[str, Scope | None] = {}

    def scope(self, tree_ish: str | None) -> Scope | None:
        """Return what a snapshot covers, by its tree's id or its commit's; None if its manifest is
        missing or broken. Raises NewerFormat for one of a newer format."""
        blob = self._blob(tree_ish)
        if blob is None:
            return None
        if blob not in self._known:
            read = partial(content_of, self._repository, file_format.MANIFEST, blob)
            self._known[blob] = scope_in(read)
        return self._known[blob]

    def expect_known(self, record: Record) -> None:
        """Raise NewerFormat for a commit of a newer format; the message of one of ours says so."""
        if not (record.canonical and _OURS in record.text):
            self.scope(record.tree)

    def left(self, before: str | None, after: str) -> Callable[[Key], bool]:
        """Return a function that tells whether a key has left the scope: `after`, unlike `before`,
        does not cover it. That the later snapshot lacks it does not mean that it was removed."""
        if self._blob(before) == self._blob(after):
            return _none
        scope = self.scope(after)
        if scope is None:
            return _none
        within = covers(scope)
        return lambda key: not within(key)

    def _blob(self, tree_ish: str | None) -> str | None:
        place = self._repository.folder(tree_ish).get(file_format.MANIFEST) if tree_ish else None
        return None if place is None or place.folder else place.id


def parted(
    changes: Sequence[KeyChange], left: Callable[[Key], bool]
) -> tuple[Sequence[KeyChange], Sequence[KeyChange]]:
    """Return the changes without the keys that have left the scope, and these."""
    if left is _none:
        return changes, []
    left_scope = [each for each in changes if each.action is Action.REMOVED and left(each.key)]
    if not left_scope:
        return changes, left_scope
    keys = {each.key for each in left_scope}
    return [each for each in changes if each.key not in keys], left_scope


def out_of_scope(count: int) -> str:
    """Return the warning of so many keys that the later commit does not cover."""
    return (
        f"{count:,} key{(' is' if count == 1 else 's are')} not shown as removed,"
        " because they are outside the scope of the later commit"
    )


def _none(key: Key) -> bool:
    return False
