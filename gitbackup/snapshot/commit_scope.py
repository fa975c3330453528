"""What a commit's snapshot covers, and when it was taken."""

from __future__ import annotations

from gitbackup.errors import Damaged
from gitbackup.format import codec
from gitbackup.model.keys import Scope
from gitbackup.snapshot import file_format
from gitbackup.snapshot.base import base_of
from gitbackup.snapshot.sources import Source
from gitbackup.store.repository.repository import Repository


def taken_at(repository: Repository, commit: str) -> int:
    """Return when a commit's snapshot was taken, in milliseconds since 1970; for a commit made with
    plain git, its date."""
    info = repository.commit_info(commit)
    try:
        return codec.milliseconds(info.trailers["Taken-At"])
    except (KeyError, ValueError):
        return int(info.date.timestamp() * 1000)


def scope_of(source: Source) -> Scope:
    """Return what a snapshot covers. Raises Damaged if it has no manifest."""
    if file_format.MANIFEST not in source.files:
        raise Damaged(f"the commit has no {file_format.MANIFEST}: not a gitbackup snapshot")
    return file_format.read_manifest(source.read(file_format.MANIFEST))


def head_scope(repository: Repository, warnings: list[str]) -> Scope | None:
    """Return the scope of HEAD's snapshot; None if there is none that can be read, which is warned
    of if it is damaged."""
    source = base_of(repository, repository.head()).source
    if file_format.MANIFEST not in source.files:
        return None
    try:
        return file_format.read_manifest(source.read(file_format.MANIFEST))
    except Damaged as error:
        warnings.append(
            f"cannot read the scope of HEAD, so the scope of the settings is used: {error}"
        )
        return None
