"""A temporary repository that sees the objects of another and changes nothing in it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gitbackup.store.git import open_repository
from gitbackup.store.git.command import Commands, file_errors
from gitbackup.store.repository.repository import Repository


@contextmanager
def scratch(original: Repository | None) -> Iterator[Repository]:
    """Give a bare repository with the HEAD and objects of the original, or an empty one, and remove
    it after the block."""
    with tempfile.TemporaryDirectory(prefix="gitbackup-", ignore_cleanup_errors=True) as folder:
        git = open_repository.make(Path(folder), bare=True)
        if original is not None:
            _share_objects(git, original)
        repository = Repository(git.folder, git)
        try:
            yield repository
        finally:
            repository.close()


def _share_objects(git: Commands, original: Repository) -> None:
    found = open_repository.find(original.path)
    if found is None:
        return
    with file_errors("write to a temporary repository"):
        alternates = git.git_dir / "objects" / "info" / "alternates"
        quoted = _quoted(found.git_dir / "objects")
        alternates.write_text(f"{quoted}\n", "utf-8", "surrogateescape")
    head = original.head()
    if head is not None:
        git.run("update-ref", "HEAD", head)


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
