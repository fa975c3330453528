"""A quarantine, as `git receive-pack` has one, for the objects of a commit that is being written.

It is a git directory of its own among the repository's objects: a commit that fails, or a run that
is killed, leaves nothing in the repository except that directory.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from gitbackup.store.git.command import Commands, file_errors
from gitbackup.system.atomic_file import sync_folder

_PREFIX = "tmp_gitbackup-"  # git's own prune removes what begins with tmp_, once it is old


class Quarantine:
    """A quarantine folder, which exists until `remove()`."""

    def __init__(self, git: Commands) -> None:
        self._target = git.git_dir / "objects"
        with file_errors("write to the data repository"):
            self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._target))
            for name in ("refs", "objects/pack"):
                (self._folder / name).mkdir(parents=True)
            (self._folder / "HEAD").write_text("ref: refs/heads/none\n")

    def writing(self) -> dict[str, str]:
        """Return the environment in which git writes to the quarantine and sees the repository."""
        return {
            "GIT_DIR": str(self._folder),
            "GIT_COMMON_DIR": str(self._folder),
            "GIT_OBJECT_DIRECTORY": str(self._folder / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": _search_path(self._target),
        }

    def seeing(self) -> dict[str, str]:
        """Return the environment in which git works in the repository and sees the quarantine."""
        return {"GIT_ALTERNATE_OBJECT_DIRECTORIES": _search_path(self._folder / "objects")}

    def admit(self) -> None:
        """Move the objects into the repository."""
        packs = (self._folder / "objects" / "pack").glob("pack-*")
        with file_errors("move a commit into the repository"):
            (self._target / "pack").mkdir(exist_ok=True)
            # git finds a pack by its index, so the index is moved last
            for file in sorted(packs, key=lambda file: file.suffix == ".idx"):
                file.replace(self._target / "pack" / file.name)
            sync_folder(self._target / "pack")

    def remove(self) -> None:
        """Remove the folder, and the objects that were not admitted."""
        shutil.rmtree(self._folder, ignore_errors=True)


def sweep(git: Commands) -> None:
    """Remove the quarantines of runs that were killed; under the repository's lock."""
    for left in (git.git_dir / "objects").glob(_PREFIX + "*"):
        shutil.rmtree(left, ignore_errors=True)


def _search_path(folder: Path) -> str:
    """Return a folder as a search path, quoted so that a colon in it does not separate it."""
    return '"' + str(folder).replace("\\", "\\\\").replace('"', '\\"') + '"'
