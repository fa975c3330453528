"""Commits from elsewhere are measured before they come: how many files they have, and how deep."""

from __future__ import annotations

from gitbackup.errors import Damaged
from gitbackup.store.git.command import Commands
from gitbackup.store.objects import tree_size
from gitbackup.store.objects.trees import listing


def check(git: Commands, commit: str, here: str | None) -> None:
    """Raise Damaged where a commit, or one before it that `here` has not, is beyond all measure."""
    ends = [commit, *([f"^{here}"] if here else [])]
    if why := tree_size.beyond(git, tree_size.of_commits(git, ends)):
        raise Damaged(
            f"nothing was taken over: a commit that came has trees that no database has, of {why}"
        )
    listing(git, commit)  # which is read next, and may have the same files over and over
