"""A quarantine, as `git receive-pack` has one, for the objects of a commit that is being written.

It is a folder of its own among the repository's objects: a commit that fails, or a run that is
killed, leaves nothing in the repository except that folder.
"""

from __future__ import annotations

import re
import shutil
import stat
import tempfile
from pathlib import Path

from gitbackup.store.git import settings
from gitbackup.store.git.command import Commands, file_errors
from gitbackup.system.atomic_file import sync_folder

_PREFIX = "tmp_gitbackup-"  # git's own prune removes what begins with tmp_, once it is old


class Quarantine:
    """A quarantine folder, which exists until `remove()`."""

    def __init__(self, git: Commands) -> None:
        self._git = git
        self._target = git.git_dir / "objects"
        with file_errors("write to the data repository"):
            self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._target))
            self.packs = self._folder / "objects" / "pack"
            """Where the packs go."""
            self.packs.mkdir(parents=True)

    def seeing(self) -> dict[str, str]:
        """Return the environment in which git works in the repository and sees the quarantine."""
        return {"GIT_ALTERNATE_OBJECT_DIRECTORIES": _search_path(self._folder / "objects")}

    def admit(self) -> None:
        """Move the objects into the repository."""
        told = settings.every(self._git).get("core.sharedrepository", "umask")
        with file_errors("move a commit into the repository"):
            (self._target / "pack").mkdir(exist_ok=True)
            # git finds a pack by its index, so the index is moved last
            for file in sorted(self.packs.glob("pack-*"), key=lambda file: file.suffix == ".idx"):
                file.chmod(_shared(stat.S_IMODE(file.stat().st_mode), told))
                file.replace(self._target / "pack" / file.name)
            sync_folder(self._target / "pack")

    def remove(self) -> None:
        """Remove the folder, and the objects that were not admitted."""
        shutil.rmtree(self._folder, ignore_errors=True)


def sweep(git: Commands) -> None:
    """Remove the quarantines of runs that were killed; under the repository's lock."""
    for left in (git.git_dir / "objects").glob(_PREFIX + "*"):
        shutil.rmtree(left, ignore_errors=True)


def _shared(mode: int, told: str) -> int:
    """Return the mode of a file that is only read, by what core.sharedRepository tells: see
    git-config(1)."""
    if told.lower() in ("group", "true", "1"):
        return mode | 0o440
    if told.lower() in ("all", "world", "everybody", "2"):
        return mode | 0o444
    return int(told, 8) & 0o444 if re.fullmatch("0?[0-7]{3}", told) else mode


def _search_path(folder: Path) -> str:
    """Return a folder as a search path, quoted so that a colon in it does not separate it."""
    return '"' + str(folder).replace("\\", "\\\\").replace('"', '\\"') + '"'
