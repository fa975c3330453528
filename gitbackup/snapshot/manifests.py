"""What commits tell of their snapshots: whether we know the format, and what they cover."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from gitbackup.errors import Damaged, NewerFormat, TooLarge
from gitbackup.format.patterns import covers
from gitbackup.model.changes import Action, KeyChange
from gitbackup.model.keys import FORMAT, Key, Scope
from gitbackup.snapshot import file_format
from gitbackup.snapshot.sources import content_of
from gitbackup.store.objects.commits import Record
from gitbackup.store.repository.repository import Repository

_OURS = f"\nFormat: {FORMAT}\n"


def scope_in(read: Callable[[], bytes]) -> Scope | None:
    """Return the scope of a manifest that is read so; None for one that is broken, whose commit
    is read all the same. Raise NewerFormat for one of such a format."""
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
        """Return what a snapshot covers, by its tree's id or its commit's; None where it does not
        tell. Raise NewerFormat where it is of such a format."""
        blob = self._blob(tree_ish)
        if blob is None:
            return None
        if blob not in self._known:
            read = partial(content_of, self._repository, file_format.MANIFEST, blob)
            self._known[blob] = scope_in(read)
        return self._known[blob]

    def expect_known(self, record: Record) -> None:
        """Raise NewerFormat for a commit of such a format; one of ours tells that by itself."""
        if not (record.canonical and _OURS in record.text):
            self.scope(record.tree)

    def left(self, before: str | None, after: str) -> Callable[[Key], bool]:
        """Return what is true of the keys that the snapshot `after`, unlike the one `before`,
        does not cover: that it lacks them does not tell that they were removed."""
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
    """Return the changes, and apart from them the keys that left the scope."""
    goes = [each for each in changes if each.action is Action.REMOVED and left(each.key)]
    if not goes:
        return changes, goes
    gone = {each.key for each in goes}
    return [each for each in changes if each.key not in gone], goes


def out_of_scope(count: int) -> str:
    """Return the sentence that tells of keys which the later commit does not cover."""
    return (
        f"{count:,} key{(' is' if count == 1 else 's are')} not shown as removed,"
        " because they are outside the scope of the later commit"
    )


def _none(key: Key) -> bool:
    return False
