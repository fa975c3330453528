"""One commit that no branch has, and that stays all the same: what was imported last."""

from __future__ import annotations

from gitbackup.store.git import open_repository
from gitbackup.store.objects import refs
from gitbackup.store.repository.repository import Repository


def held(repository: Repository) -> str | None:
    """The id of that commit; None where there is none."""
    git = open_repository.find(repository.path)
    return None if git is None else refs.read(git, refs.HELD)


def hold(repository: Repository, commit: str | None) -> None:
    """Keeps a commit in place of the one that was kept; None for none."""
    git = open_repository.find(repository.path)
    if git is not None:
        refs.hold(git, commit)
