"""A place apart for a commit that is being written, as `git receive-pack` makes one.

It is a git directory of its own among the repository's objects: a commit that fails, or a
run that is killed, leaves nothing in the repository but that directory.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from gitbackup.store.git.command import Commands, file_errors
from gitbackup.system.atomic_file import sync_folder

_PREFIX = "tmp_gitbackup-"  # git's own prune removes what begins with tmp_, once it is old


class Quarantine:
    """The place; its folder is there from the start and goes with remove()."""

    def __init__(self, git: Commands) -> None:
        self._target = git.git_dir / "objects"
        with file_errors("write to the data repository"):
            self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._target))
            for name in ("refs", "objects/pack"):
                (self._folder / name).mkdir(parents=True)
            (self._folder / "HEAD").write_text("ref: refs/heads/none\n")

    def writing(self) -> dict[str, str]:
        """Return the environment in which git writes here, and sees the repository's objects."""
        return {
            "GIT_DIR": str(self._folder),
            "GIT_COMMON_DIR": str(self._folder),
            "GIT_OBJECT_DIRECTORY": str(self._folder / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": _search_path(self._target),
        }

    def seeing(self) -> dict[str, str]:
        """Return the environment in which git, at work in the repository, sees what is here."""
        return {"GIT_ALTERNATE_OBJECT_DIRECTORIES": _search_path(self._folder / "objects")}

    def admit(self) -> None:
        """Move what was written among the repository's own objects."""
        packs = (self._folder / "objects" / "pack").glob("pack-*")
        with file_errors("move a commit into the repository"):
            (self._target / "pack").mkdir(exist_ok=True)
            # a pack is there for git once its index is: that one last
            for file in sorted(packs, key=lambda file: file.suffix == ".idx"):
                file.replace(self._target / "pack" / file.name)
            sync_folder(self._target / "pack")

    def remove(self) -> None:
        """Remove the place, and what of it was not admitted."""
        shutil.rmtree(self._folder, ignore_errors=True)


def sweep(git: Commands) -> None:
    """Remove the places of runs that were killed; under the repository's lock."""
    for left in (git.git_dir / "objects").glob(_PREFIX + "*"):
        shutil.rmtree(left, ignore_errors=True)


def _search_path(folder: Path) -> str:
    """Quoted, for a colon in it would part it."""
    return '"' + str(folder).replace("\\", "\\\\").replace('"', '\\"') + '"'
