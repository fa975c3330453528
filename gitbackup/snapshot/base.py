"""The snapshot that the live database is compared with before it is committed: HEAD's, or as much
of the history as can be read.

One commit that cannot be read must not keep the next one, or a restore, from being made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, TypeVar

from gitbackup import wording
from gitbackup.errors import Damaged, NewerFormat
from gitbackup.snapshot import file_format
from gitbackup.snapshot.sources import CommitSource, StoredSource, content_of
from gitbackup.store.repository.repository import Repository

_UNREAD = "0" * 40  # no blob has this id, so such a file differs from every other
T = TypeVar("T")


class Base(NamedTuple):
    """Where the next commit starts from.

    `commit` is the commit whose files `source` has; None for no files. `lost` tells that HEAD's
    own cannot be listed, so that `commit` is an ancestor. `warnings` are sentences for the user.
    """

    source: StoredSource
    commit: str | None
    lost: bool = False
    warnings: Sequence[str] = ()


class _Part(StoredSource):
    """Files of which some, each with the reason, cannot be read."""

    def __init__(
        self, repository: Repository, files: Mapping[str, str], unread: Mapping[str, str]
    ) -> None:
        marked = {path: _UNREAD if path in unread else blob for path, blob in files.items()}
        if file_format.MANIFEST in unread:
            del marked[file_format.MANIFEST]
        super().__init__(repository, marked)
        self._unread = unread

    def read(self, path: str) -> bytes:
        if path in self._unread:
            raise Damaged(self._unread[path])
        return super().read(path)


def base_of(repository: Repository, head: str | None) -> Base:
    """Return the base of a commit on top of HEAD: the first of its ancestors that can be listed
    where HEAD cannot.

    Raises Damaged if HEAD's commit itself is missing, for nothing can be made on top of it.
    """
    try:
        return Base(CommitSource(repository, head), head)
    except Damaged as error:
        for ancestor in repository.ancestors(head or ""):
            with suppress(Damaged):
                source = CommitSource(repository, ancestor)
                return Base(source, ancestor, True, [_instead(error, f"commit {ancestor[:7]}")])
        return Base(CommitSource(None, None), None, True, [_instead(error, "nothing")])


def source_of_head(repository: Repository, head: str | None) -> CommitSource:
    """Return HEAD's snapshot. Raise Damaged, which says what to do, if it cannot be listed."""
    try:
        return CommitSource(repository, head)
    except Damaged as error:
        repository.ancestors(head or "")  # raises Damaged where nothing can be made on top of it
        raise error.reworded(
            f"{error};"
            f" {wording.command('commit', 'commit()')}, or the restore of an earlier commit,"
            " makes a new HEAD"
        ) from error


def _instead(error: Damaged, base: str) -> str:
    return f"HEAD cannot be read, so the database was compared with {base} instead: {error}"


def compared_with(repository: Repository, head: str | None, act: Callable[[Base], T]) -> T:
    """Return what `act` returns, given the base of a commit on top of HEAD.

    If it raises Damaged and the base has files that cannot be read, it is called once more with
    a base without these.
    """
    base = base_of(repository, head)
    try:
        return act(base)
    except NewerFormat:
        raise
    except Damaged:
        part = _readable(repository, base)
        if part is None:
            raise
        return act(part)


def _readable(repository: Repository, base: Base) -> Base | None:
    """Return the base without the files that cannot be read; None if there is no such file."""
    unread = {}
    for path, blob_id in base.source.files.items():
        if file_format.is_data(path):
            try:
                content_of(repository, path, blob_id)
            except Damaged as error:
                unread[path] = str(error)
    if not unread:
        return None
    warnings = list(base.warnings)
    if file_format.MANIFEST in unread:
        warnings.append(f"in HEAD, {unread[file_format.MANIFEST]}; the commit has a new one")
    source = _Part(repository, base.source.files, unread)
    return base._replace(source=source, warnings=warnings)
