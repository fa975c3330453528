"""A git repository in a folder of this machine, or of a disk that is mounted on it."""

from __future__ import annotations

from pathlib import Path

from gitbackup.store.git import open_repository
from gitbackup.store.git.command import Commands, Result
from gitbackup.store.transports.git_url import GitUrl
from gitbackup.store.transports.remote_url import RemoteUrl, followed


class GitFolder(GitUrl):
    """A path, or a file:// URL, which git handles as it does any URL."""

    def handles(self, place: RemoteUrl) -> bool:
        return place.path is not None and place.path.is_dir()

    def target(self, path: Path, word: str, name: str) -> str | None:
        folder = followed(path) if path.is_dir() else None
        return str(folder) if folder and open_repository.find(folder) else None

    def source(self, path: Path, word: str) -> str | None:
        is_git = path.is_dir() and open_repository.find(path) is not None
        return str(path.resolve()) if is_git else None

    def attempt(self, git: Commands, place: RemoteUrl, *words: str) -> Result:
        """Run git as for any URL. Raises NoRepository for another user's repository: its hooks
        would run as us."""
        if place.path is not None:
            open_repository.find(place.path)
        return super().attempt(git, place, *words)
