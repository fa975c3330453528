"""A repository to try things in: it sees all that another has, and leaves no trace there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gitbackup.store.git import open_repository
from gitbackup.store.git.command import Commands, file_errors
from gitbackup.store.repository.repository import Repository


@contextmanager
def scratch(of: Repository | None) -> Iterator[Repository]:
    """A bare repository with that one's HEAD and objects, or empty; it goes with the context."""
    with tempfile.TemporaryDirectory(prefix="gitbackup-", ignore_cleanup_errors=True) as folder:
        git = open_repository.make(Path(folder), bare=True)
        if of is not None:
            _see(git, of)
        made = Repository(git.folder, git)
        try:
            yield made
        finally:
            made.close()


def _see(git: Commands, other: Repository) -> None:
    seen = open_repository.find(other.path)
    if seen is None:
        return
    with file_errors("write to a temporary repository"):
        alternates = git.git_dir / "objects" / "info" / "alternates"
        alternates.write_text(f"{_quoted(seen.git_dir / 'objects')}\n", "utf-8", "surrogateescape")
    head = other.head()
    if head is not None:
        git.run("update-ref", "HEAD", head)


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
